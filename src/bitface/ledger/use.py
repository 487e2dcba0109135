"""The one place that decides use: whether a version, or somebody's picture, may be used for a purpose, in a context, now. It asks the
ledger and nothing else.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from bitface.consent.admission import Use, admit
from bitface.consent.policy import check_asked, check_prediction, under_licence
from bitface.errors import RefusedError
from bitface.ledger import lost_logs as gaps
from bitface.ledger import questions
from bitface.ledger.crowd import Crowd, crowd_of
from bitface.ledger.entries import ModelEntry
from bitface.ledger.permissions.contexts import in_force
from bitface.ledger.permissions.licences import licences_on_record
from bitface.ledger.rows import consents_of, notice_ids_of
from bitface.ledger.status import status_of
from bitface.ledger.trust import Erased


def check_any(connection: Connection, purpose: str, context: str, at: datetime) -> None:
    """Raises RefusedError where no version at all may be used for this purpose in this context at `at`."""
    check_asked(purpose, context, at, in_force(connection))


def check_use(
    connection: Connection, model: ModelEntry, purpose: str, context: str, at: datetime, erased: Erased
) -> None:
    """Lets a version speak, or says why it must not; `erased` are those of some people who were, by what is known beside the log.

    Raises:
        RefusedError: policy refuses purpose or context; somebody who was in it has been erased; its evidence does not carry the use,
            or the gate did not pass it; or somebody who is in it does not allow this, or no longer what it was made for.
    """
    check_any(connection, purpose, context, at)
    check_lawful(connection, model, at, erased)
    check_prediction(purpose, context, model.evidence, at, in_force(connection))
    status_of(connection, model, at).check(purpose)
    refused = crowd_of(connection, model).refusals(purpose, context, at)
    if refused is not None:
        raise RefusedError(
            f"{refused.people} of {refused.of} people in {model.name}/{model.version} do not allow {purpose} in context {context} "
            f"({refused.reason}); use it for a purpose they allow, or retrain with people who allow this one"
        )


def check_picture(connection: Connection, person: str, licence_id: str | None, asked: Use, at: datetime) -> None:
    """Lets a picture of somebody on record be used, or raises RefusedError, which names nobody: by their own consent and the licence that
    it came under (None: by consent alone).
    """
    own = admit(consents_of(connection, person), person, asked, at, notice_ids_of(connection))
    if licence_id is not None:
        own = under_licence(licences_on_record(connection).get(licence_id), own, asked.purpose, asked.context)
    if not own.admitted:
        raise RefusedError(
            f"the person on record does not allow {asked.purpose} in context {asked.context} ({own.reason})"
        )


def check_lawful(connection: Connection, model: ModelEntry, at: datetime, erased: Erased) -> None:
    """Raises RefusedError for a version that nothing may be done with any more, not even comparing another one with it: somebody who was
    in it has been erased, by the log or by what is known beside it, or allows no longer what it was made for; or it is from before a gap in
    the log.
    """
    if gaps.is_before(connection, model):
        raise RefusedError(f"version {model.version} cannot be used: {gaps.AGAIN}")
    gone = questions.erased_people(connection, model)
    if gone:
        raise RefusedError(
            f"version {model.version} was trained on people who have been erased ({gone}) and can no longer be used; run "
            "`bitface retrain`"
        )
    check_standing(connection, model, at, erased)


def check_standing(connection: Connection, model: ModelEntry, at: datetime, erased: Erased) -> None:
    """Raises RefusedError where somebody in a version was erased by what is known beside the log, which is then older than that erasure;
    or allows no longer what it was made for.
    """
    gone = returned(connection, model, erased)
    if gone:
        raise RefusedError(
            f"version {model.version} was made with people who have been erased ({gone}), and this ledger does not know it: something "
            "older than the erasure was restored; run `bitface erase --resume`, then `bitface retrain`"
        )
    crowd_of(connection, model).check_standing(at)


def check_judged(connection: Connection, model: ModelEntry, at: datetime, erased: Erased) -> None:
    """Lets a version be judged or compared with another one, in the context that it was made for, or says why it must not be.

    Raises:
        RefusedError: what `check_lawful` refuses; or somebody who is in it does not allow `evaluate` (of one that was made for a benchmark:
            `benchmark`).
    """
    check_lawful(connection, model, at, erased)
    refused = crowd_of(connection, model).judgement(at)
    if refused is not None:
        raise RefusedError(
            f"{refused.people} of {refused.of} people in {model.name}/{model.version} do not allow it to be judged or compared "
            f"({refused.reason}); retrain with people who allow this"
        )


def refusing_judgement(connection: Connection, dataset_version: str, at: datetime) -> frozenset[str]:
    """Who is in a dataset version and does not allow `evaluate` at `at`, in the context that it was made for."""
    return Crowd(connection, dataset_version).refusing_judgement(at)


def is_lawful(connection: Connection, model: ModelEntry, at: datetime, erased: Erased) -> bool:
    """Whether `check_lawful` passes it."""
    try:
        check_lawful(connection, model, at, erased)
    except RefusedError:
        return False
    return True


def returned(connection: Connection, model: ModelEntry, erased: Erased) -> int:
    """How many people in a version were erased by what is known beside the log, of whom the log knows nothing."""
    run = questions.run_of(connection, model)
    return 0 if run is None else len(erased(questions.people_not_erased(connection, run.dataset_version)))
