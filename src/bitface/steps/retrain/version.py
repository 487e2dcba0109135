"""Finds the dataset that a run speaks of: present, pulled, or rendered, always checked, always under a version."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bitface.dataset.files import write_atomically
from bitface.dataset.index import INDEX_NAME
from bitface.dataset.manifest import verify_manifest
from bitface.dataset.swap import version_of
from bitface.errors import InputError
from bitface.ports import DatasetStore

Origin = Literal["present", "pulled", "synthesised"]


@dataclass(frozen=True, kw_only=True)
class DatasetRef:
    """A dataset as a run uses it. `version` is DVC's digest, `manifest_sha256` ours; `note` says where it came from."""

    version: str
    manifest_sha256: str
    origin: Origin
    note: str
    warning: str | None


def find_dataset(
    data: Path, store: DatasetStore, synthesise: Callable[[], None], made_for: str, marker: Path
) -> DatasetRef:
    """Uses `data` where it is, else pulls the pinned version, else renders it; the pin file is never written here.

    A dataset that an earlier retrain rendered for a smaller profile is rendered again (`made_for` names the profile,
    `marker` remembers which version was rendered for which). What a killed retrain had begun, a note beside the marker tells: a half
    pulled dataset is pulled again, and one that was rendered is known by the profile that it was rendered for.

    Raises:
        IntegrityError: a file is not what the manifest says.
    """
    note = marker.with_name(f"{marker.name}.begun")
    is_half_pulled = _take_up(note, data, store, marker)
    origin = _obtain(data, store, synthesise, made_for, marker, note, is_half_pulled)
    manifest = verify_manifest(data)
    pinned = store.pinned()
    version = store.version()
    warning = None
    if origin == "synthesised":
        _remember(marker, version, made_for)
    note.unlink(missing_ok=True)
    if origin != "pulled" and not (version == pinned and store.restorable()):
        store.keep()
    if pinned is not None and version != pinned:
        warning = (
            f"the dataset here is {version[:12]}, data.dvc pins {pinned[:12]}: this run uses and records the current one "
            "and leaves data.dvc unchanged"
        )
    return DatasetRef(
        version=version, manifest_sha256=manifest, origin=origin, note=_note(origin, version, pinned), warning=warning
    )


def _take_up(note: Path, data: Path, store: DatasetStore, marker: Path) -> bool:
    """Learns from the note of a retrain that was killed here; whether it left half a dataset."""
    if not note.is_file():
        return False
    begun: Mapping[str, str] = json.loads(note.read_text(encoding="utf-8"))
    if begun["way"] == "pull":
        try:
            verify_manifest(data)
        except InputError:
            return True
    elif version_of(data) != begun["before"]:
        _remember(marker, store.version(), begun["profile"])
    return False


def _obtain(
    data: Path,
    store: DatasetStore,
    synthesise: Callable[[], None],
    made_for: str,
    marker: Path,
    note: Path,
    is_half_pulled: bool,
) -> Origin:
    if (data / INDEX_NAME).is_file() and not is_half_pulled and not _is_outgrown(store, made_for, marker):
        return "present"
    begun = {"before": version_of(data), "profile": made_for}
    if store.pinned() is not None:
        write_atomically(note, json.dumps({"way": "pull", **begun}).encode())
        if store.pull():
            return "pulled"
    write_atomically(note, json.dumps({"way": "render", **begun}).encode())
    synthesise()
    return "synthesised"


def _remember(marker: Path, version: str, made_for: str) -> None:
    write_atomically(marker, json.dumps({"version": version, "profile": made_for}).encode())


def _is_outgrown(store: DatasetStore, made_for: str, marker: Path) -> bool:
    if made_for == "quick" or not marker.is_file():
        return False
    made: Mapping[str, str] = json.loads(marker.read_text(encoding="utf-8"))
    return made["profile"] == "quick" and made["version"] == store.version()


def _note(origin: Origin, version: str, pinned: str | None) -> str:
    where = {
        "present": "found in the dataset folder",
        "pulled": "pulled from the DVC remote",
        "synthesised": "rendered now: synthetic adults, no real person",
    }
    same = "the version that data.dvc pins" if version == pinned else "not the pinned version"
    return f"{where[origin]} ({same if pinned else 'no version is pinned'})"
