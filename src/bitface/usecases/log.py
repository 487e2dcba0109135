"""Continues the log after a newer one is lost for good."""

from __future__ import annotations

from pathlib import Path

from bitface.steps.audits.continuing import continue_after, missing_end
from bitface.steps.people.erasure_people import check_none_returned, returned
from bitface.surroundings import user_name
from bitface.usecases.tools import Tools


def continue_log(tools: Tools, named: str, why: str, key: Path | None) -> None:
    """Continues although a newer log is lost; all known erasures must be carried out first. Raises what its steps raise."""
    place, keys = tools.workspace, tools.keys
    missing, statement = missing_end(named, tools.checkpoints)
    if "erased" in statement:
        keys.learn_suppressed(statement["erased"], missing.name)
    check_none_returned(returned(keys, tools.ledger, place.home, place.data))
    continue_after(missing, user_name(), why, key, tools.ledger)
