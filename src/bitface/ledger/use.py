"""The one place that decides use: whether a version may be used for a purpose, in a context, now. It asks the ledger and nothing else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from bitface.consent.policy import check_asked, check_prediction
from bitface.errors import RefusedError
from bitface.ledger import gaps, questions
from bitface.ledger.contexts import in_force
from bitface.ledger.crowd import crowd_of
from bitface.ledger.entries import ModelEntry
from bitface.ledger.status import status_of


def check_any(connection: Connection, purpose: str, context: str, at: datetime) -> None:
    """Raises RefusedError where no version at all may be used for this purpose in this context at `at`."""
    check_asked(purpose, context, at, in_force(connection))


def check_use(connection: Connection, model: ModelEntry, purpose: str, context: str, at: datetime) -> None:
    """Lets a version speak, or says why it must not.

    Raises:
        RefusedError: policy refuses purpose or context; somebody who was in it has been erased; its evidence does not carry the use,
            or the gate did not pass it; or somebody who is in it does not allow this, or no longer what it was made for.
    """
    check_any(connection, purpose, context, at)
    check_lawful(connection, model, at)
    check_prediction(purpose, context, model.evidence, at, in_force(connection))
    status_of(connection, model, at).check(purpose)
    refused = crowd_of(connection, model).refusals(purpose, context, at)
    if refused is not None:
        raise RefusedError(
            f"{refused.people} of {refused.of} people in {model.name}/{model.version} do not allow {purpose} in context {context} "
            f"({refused.reason}); use it for what they allow, or retrain with people who allow this"
        )


def check_lawful(connection: Connection, model: ModelEntry, at: datetime) -> None:
    """Raises RefusedError for a version that nothing may be done with any more, not even comparing another one with it: somebody who was
    in it has been erased, or allows no longer what it was made for; or it is from before a gap in the log.
    """
    if gaps.is_before(connection, model):
        raise RefusedError(f"version {model.version} is not used: {gaps.AGAIN}")
    gone = questions.erased_people(connection, model)
    if gone:
        raise RefusedError(
            f"version {model.version} was made with people who have been erased ({gone}), and is used no more; run "
            "`bitface retrain`"
        )
    crowd_of(connection, model).check_standing(at)


def is_lawful(connection: Connection, model: ModelEntry, at: datetime) -> bool:
    """Whether `check_lawful` passes it."""
    try:
        check_lawful(connection, model, at)
    except RefusedError:
        return False
    return True
