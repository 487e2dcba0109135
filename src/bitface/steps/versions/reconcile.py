"""Makes MLflow agree with the ledger: after a crash, after an alias was moved by hand, or repeatedly."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bitface.dataset.files import write_atomically
from bitface.documents import Fields
from bitface.ledger.entries import ALIASES, MODEL_NAME, Alias, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ports import TrackedVersion, Tracking

SHOWN_NAME: Final = "version.json"
"""File in a run's folder: what the registry is to show of its version, so that it can be shown again."""


def keep_shown(folder: Path, version: TrackedVersion) -> None:
    """Records what the registry is to show of a version, before anything is shown."""
    document = {**asdict(version), "bundle": str(version.bundle)}
    write_atomically(folder / SHOWN_NAME, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())


def aliases_of(ledger: Ledger) -> dict[str, int | None]:
    """Where each alias points, according to the ledger."""
    entries = {alias: ledger.champion(alias) for alias in ALIASES}
    return {alias: entry.version if entry else None for alias, entry in entries.items()}


def reconcile(runs: Path, ledger: Ledger, open_tracking: Callable[[], Tracking]) -> tuple[str, ...]:
    """Corrects the registry, the champion's alias last; returns a sentence for each thing that differed from the ledger.

    Versions that were not shown because of a crash are shown, if their run's files still exist. One that no gate has judged
    yet is skipped: its run was interrupted before that, and continues when it is started again.
    """
    models = [model for model in ledger.models() if ledger.decisions(model.bundle_sha256)]
    if not models:
        return ()
    tracking = open_tracking()
    shown = tracking.shown(MODEL_NAME)
    sentences = [_show_again(model, runs, ledger, tracking) for model in models if model.version not in shown.versions]
    wanted = project_aliases(ledger, tracking)
    found = {alias: shown.aliases.get(alias) for alias in ALIASES if alias in wanted}
    sentences += [_moved(alias, at, wanted[alias], ledger) for alias, at in found.items() if at != wanted[alias]]
    return tuple(sentences)


def project_aliases(ledger: Ledger, tracking: Tracking) -> dict[str, int | None]:
    """Points the registry's aliases where the ledger does, the champion's last, and returns these; also updates status lines.

    An alias of a version that the registry cannot show is left as it is. Reads the ledger again afterwards: of two processes
    that promote at once, the slower one would otherwise show what the faster one has replaced.
    """
    while True:
        aliases, registered = aliases_of(ledger), tracking.shown(MODEL_NAME).versions
        wanted = {alias: at for alias, at in aliases.items() if at is None or at in registered}
        tracking.point_aliases(MODEL_NAME, wanted)
        tracking.tell_status(MODEL_NAME, {model.version: ledger.status(model).line for model in ledger.models()})
        if aliases_of(ledger) == aliases:
            return wanted


def show_version(run_folder: Path, tracking: Tracking) -> int | None:
    """Shows the version of a run again, with its files; returns its number, None if the run kept none."""
    path = run_folder / SHOWN_NAME
    document: Fields = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not document or not Path(document["bundle"]).is_dir():
        return None
    changes = {"bundle": Path(document["bundle"]), "reasons": tuple(document["reasons"])}
    tracking.register(TrackedVersion(**{**document, **changes}))
    return int(document["version"])


def _show_again(model: ModelEntry, runs: Path, ledger: Ledger, tracking: Tracking) -> str:
    shown = (show_version(runs / run.run_id, tracking) for run in ledger.runs_of(model))
    if model.version not in shown:
        return f"version {model.version} is not in the registry and its run's files are missing, so it cannot be shown"
    return (
        f"version {model.version} was missing from the registry because its run was interrupted; it is registered now"
    )


def _moved(alias: Alias, at: int | None, wanted: int | None, ledger: Ledger) -> str:
    moves = ledger.promotions("champion" if alias == "previous" else alias)
    before = {None, *(move.from_version for move in moves), *(move.to_version for move in moves)}
    if at in before:
        return (
            f"alias {alias} was {_at(at)} and is {_at(wanted)} now, as in the ledger: interrupted run or moved by hand"
        )
    return f"alias {alias} was moved by hand {_at(at)}; it is {_at(wanted)} now, as in the ledger"


def _at(version: int | None) -> str:
    return "nowhere" if version is None else "at an unknown version" if version == 0 else f"at version {version}"
