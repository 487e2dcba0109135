"""The only place that decides use: whether a version, or a person's picture, may be used for a purpose, in a context, now. It
consults the ledger and nothing else.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from bitface.consent.admission import Use, admit
from bitface.consent.policy import check_asked, check_prediction, under_licence
from bitface.counted_words import some_of
from bitface.errors import RefusedError
from bitface.ledger import lost_logs as gaps
from bitface.ledger import questions
from bitface.ledger.crowd import Crowd, Refusals, crowd_of
from bitface.ledger.entries import ModelEntry
from bitface.ledger.permissions.contexts import in_force
from bitface.ledger.permissions.licences import licences_on_record
from bitface.ledger.rows import consents_of, notice_ids_of
from bitface.ledger.status import status_of
from bitface.ledger.trust import Erased


def check_any(connection: Connection, purpose: str, context: str, at: datetime) -> None:
    """Raises RefusedError if no version at all may be used for this purpose in this context at `at`."""
    check_asked(purpose, context, at, in_force(connection))


def check_use(
    connection: Connection, model: ModelEntry, purpose: str, context: str, at: datetime, erased: Erased
) -> None:
    """Checks that a version may answer; `erased` returns those of the given people whose erasure is known outside the log.

    Raises:
        RefusedError: policy refuses purpose or context; a person in it has been erased; its evidence does not allow the use,
            or the gate did not pass it; or a person in it does not allow this, or no longer allows what it was made for.
    """
    check_any(connection, purpose, context, at)
    check_lawful(connection, model, at, erased)
    check_prediction(purpose, context, model.evidence, at, in_force(connection))
    crowd = crowd_of(connection, model)
    status_of(connection, model, at, crowd=crowd).check(purpose)
    refused = crowd.refusals(purpose, context, at)
    if refused is not None:
        raise RefusedError(
            f"{_refusing(refused, model)} {purpose} in context {context} "
            f"({refused.reason}); use it for a purpose that everyone in it allows, or retrain with people who allow this one"
        )


def check_picture(connection: Connection, person: str, licence_id: str | None, asked: Use, at: datetime) -> None:
    """Checks that a picture of a person on record may be used, by their consent and the picture's licence (None: by consent alone).
    Raises RefusedError, without names.
    """
    own = admit(consents_of(connection, person), person, asked, at, notice_ids_of(connection))
    if licence_id is not None:
        own = under_licence(licences_on_record(connection).get(licence_id), own, asked.purpose, asked.context)
    if not own.admitted:
        raise RefusedError(
            f"the person on record does not allow {asked.purpose} in context {asked.context} ({own.reason})"
        )


def check_lawful(connection: Connection, model: ModelEntry, at: datetime, erased: Erased) -> None:
    """Raises RefusedError for a version that may not be used at all, not even for comparison: a person in it has been erased, according
    to the log or to what is known outside it, or no longer allows what it was made for; or it is from before a gap in the log.
    """
    if gaps.is_before(connection, model):
        raise RefusedError(f"version {model.version} cannot be used: {gaps.AGAIN}")
    count = questions.erased_people(connection, model)
    if count:
        raise RefusedError(
            f"version {model.version} was trained on people who have been erased ({count}) and can no longer be used; run "
            "`bitface retrain`"
        )
    check_standing(connection, model, at, erased)


def check_standing(connection: Connection, model: ModelEntry, at: datetime, erased: Erased) -> None:
    """Raises RefusedError if a person in a version no longer allows what it was made for, or has an erasure that is known outside the
    log but not in it (the log is then older than the erasure).
    """
    count = returned(connection, model, erased)
    if count:
        raise RefusedError(
            f"version {model.version} was made with people who have been erased ({count}), and this ledger does not know it: something "
            "older than the erasure was restored; run `bitface erase --resume`, then `bitface retrain`"
        )
    crowd_of(connection, model).check_standing(at)


def check_judged(connection: Connection, model: ModelEntry, at: datetime, erased: Erased) -> None:
    """Checks that a version may be judged or compared with another one, in the context it was made for.

    Raises:
        RefusedError: what `check_lawful` refuses; or a person in it does not allow `evaluate` (if it was made for a benchmark:
            `benchmark`).
    """
    check_lawful(connection, model, at, erased)
    refused = crowd_of(connection, model).judgement(at)
    if refused is not None:
        raise RefusedError(
            f"{_refusing(refused, model)} it to be judged or compared "
            f"({refused.reason}); retrain with people who allow this"
        )


def refusing_judgement(connection: Connection, dataset_version: str, at: datetime) -> frozenset[str]:
    """The people in a dataset version who do not allow `evaluate` at `at`, in the context it was made for."""
    return Crowd(connection, dataset_version).refusing_judgement(at)


def is_lawful(connection: Connection, model: ModelEntry, at: datetime, erased: Erased) -> bool:
    """Whether `check_lawful` passes it."""
    try:
        check_lawful(connection, model, at, erased)
    except RefusedError:
        return False
    return True


def returned(connection: Connection, model: ModelEntry, erased: Erased) -> int:
    """How many people in a version have an erasure that is known outside the log but not in it."""
    run = questions.run_of(connection, model)
    return 0 if run is None else len(erased(questions.people_not_erased(connection, run.dataset_version)))


def _refusing(refused: Refusals, model: ModelEntry) -> str:
    return some_of(refused.people, refused.of, ("does not allow", "do not allow"), f" in {model.name}/{model.version}")
