"""Finds the files of a served version: in the folder of a run that the ledger names, independent of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bitface.errors import IntegrityError
from bitface.ledger.entries import ModelEntry
from bitface.ledger.ledger import Ledger

RELEASE: Final = "bundle"
"""The folder of a run in which its released bundle is."""


def served_folder(model: ModelEntry, runs: Path, ledger: Ledger) -> Path:
    """The released bundle of a version, from the latest run that made it and still has it. Callers must verify its content.

    Raises:
        IntegrityError: no run has it any more, or it was replaced by a link.
    """
    places = [runs / run.run_id / RELEASE for run in ledger.runs_of(model)]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise IntegrityError(
            f"the files of {model.name}/{model.version} are gone from '{runs.name}/{model.run_id}'; restore them from a backup, or "
            "retrain"
        )
    if found.resolve() != runs.resolve() / found.relative_to(runs):
        raise IntegrityError(
            f"the files of {model.name}/{model.version} are reached by a link; put the folder itself in its place"
        )
    return found
