"""Removes people from the dataset, models, caches and reports, destroying their keys first; and proves it.

In this order: quarantine (consent withdrawn, so that nothing uses them any more; `erasure_begun`), the dataset without them, a retrain
and its gate, keys destroyed, everything that was made with them deleted, a search for remains, a proof (`erasure_proof`).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import shard_name
from bitface.faces.records import is_synthetic
from bitface.ports import DatasetStore, Tracking
from bitface.steps.audits.erasure_begun import Opened
from bitface.steps.people.contents import without_people
from bitface.steps.people.writing import Writer
from bitface.steps.versions.reconcile import show_version
from bitface.workspace import Workspace

_OF_OTHERS: Final = "features"


def leave_dataset(opened: Opened, writer: Writer) -> str | None:
    """Removes them from the dataset; the new version, None if they were not in it.

    It is pinned if the previous version was. If they were the only people, an empty dataset remains, which no retrain refills.
    """
    found = opened.journal.found("dataset")
    if found is not None and _are_in(writer.stores.data, opened.people):
        _without(opened, writer)  # restored meanwhile by someone who copied files
    version: str | None = opened.journal.once("dataset", lambda: {"version": _without(opened, writer)})["version"]
    return version


def destroy(
    opened: Opened,
    place: Workspace,
    keys: KeyStore,
    store: DatasetStore,
    tracking: Tracking,
    kept_runs: Collection[str],
) -> dict[str, Any]:
    """Destroys keys, then deletes everything made with these people; `kept_runs` used the dataset without them."""
    once = opened.journal.once
    of_keys = once("keys", lambda: _destroy_keys(opened, keys, set(kept_runs)))
    listed = once("files listed", lambda: {"files": _derived(opened, place, set(kept_runs))})["files"]
    of_files = once("files", lambda: _delete(place.home, listed))
    of_store = once("objects", lambda: _forget(opened, store))
    affected = [run for run in opened.radius["runs"] if run not in set(kept_runs)]
    why = f"It was trained on people who have been erased (erasure {opened.erasure_id})."
    of_pages = once("pages", lambda: {"mlflow_runs_emptied": tracking.purge(affected, why)})
    # If they were only held-out people, the retrain made the same bundle again, whose files may be among the deleted ones.
    for run_id in kept_runs:
        show_version(place.runs / run_id, tracking)
    return {**of_keys, **of_files, **of_store, **of_pages}


def _are_in(data: Path, people: Collection[str]) -> bool:
    return has_dataset(data) and bool({sample.person for sample in read_index(data)} & set(people))


def _without(opened: Opened, writer: Writer) -> str | None:
    """Removes them from the dataset; the version without them, None if they were not in it when the erasure began."""
    data, store = writer.stores.data, writer.stores.store
    if _are_in(data, opened.people):
        return without_people(writer, opened.people, "pin" if store.pinned() == store.version() else "keep")
    # The next writer finished the change after a kill: the current version is the one without them.
    return store.version() if opened.radius["samples"] and has_dataset(data) else None


def _destroy_keys(opened: Opened, keys: KeyStore, kept_runs: set[str]) -> dict[str, Any]:
    """Destroys keys of people, and of evidence with rows of theirs. The result is derived from what existed at the beginning, so that an
    interruption hides none.
    """
    runs = set(opened.radius["runs"]) - kept_runs
    evidence = runs & {*opened.evidence, *keys.sealed_runs()}
    for run_id in sorted(runs):
        keys.destroy_evidence(run_id, opened.erasure_id)
    for person in opened.people:
        keys.destroy(person, opened.erasure_id, opened.remains.get(person))
    left, real = set(keys.pseudonyms()), [person for person in opened.people if not is_synthetic(person)]
    return {
        "keys_destroyed": [person for person in opened.held if person not in left],
        "keys_published": [person for person in opened.people if is_synthetic(person)],
        "keys_missing": [person for person in real if person not in opened.held],
        "evidence_destroyed": sorted(evidence - keys.sealed_runs()),
    }


def _delete(home: Path, names: Sequence[str]) -> dict[str, Any]:
    for path in (home / name for name in names):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return {"files_deleted": sum(not (home / name).exists() for name in names)}


def _forget(opened: Opened, store: DatasetStore) -> dict[str, Any]:
    forgotten = store.forget([shard_name(person) for person in opened.people])
    kept = [asdict(one) for one in forgotten.kept_for_others]
    return {"dvc_objects_deleted": forgotten.objects, "kept_for_others": kept}


def _derived(opened: Opened, place: Workspace, kept_runs: set[str]) -> list[str]:
    """Files and folders of the home that were or may have been made with these people: caches older than the erasure are rebuilt."""
    found = [path for person in opened.people for path in place.stages.glob(f"{_OF_OTHERS}/{person}")]
    since = opened.began.timestamp()
    caches = [folder for folder in place.stages.glob("*/*") if folder.parent.name != _OF_OTHERS]
    found += [folder for folder in caches if folder.stat().st_mtime < since]
    found += [place.runs / run_id for run_id in opened.radius["runs"] if run_id not in kept_runs]
    found += [place.home / name for name in ("drift", "explain")]
    return [path.relative_to(place.home).as_posix() for path in found if path.exists()]
