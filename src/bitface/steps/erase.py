"""Takes people out: of the dataset, of models, of caches and reports, by destroying their keys first; and proves it.

In this order: quarantine (consent withdrawn, so that nothing uses them any more), the dataset without them, a retrain and a gate on it,
keys destroyed, everything that was made with them deleted, a search of what is left, a proof.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bitface.consent.events import canonical_json
from bitface.dataset.files import sha256_of, write_atomically
from bitface.dataset.index import INDEX_NAME, has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import shard_name
from bitface.dataset.subject_ids import id_or_none
from bitface.errors import InputError
from bitface.faces.records import is_synthetic
from bitface.ledger.ledger import Ledger
from bitface.ports import DatasetStore, Tracking
from bitface.steps.audit import own_files
from bitface.steps.consents import person_of, withdraw
from bitface.steps.contents import without_people
from bitface.steps.reconcile import show_version
from bitface.steps.search import ERASURES, search
from bitface.steps.writing import Writer
from bitface.workspace import Workspace

REASON: Final = "erasure"
_OF_OTHERS: Final = "features"
RESIDUAL: Final = (
    "the ledger's rows about the pseudonym: samples, splits, consent events, digests; no name, no picture, no feature",
    "the pseudonym in the log of decryptions: when the key was opened, and for what",
    "a keyed digest of the owner's id in the key store, by which the id is refused at a new import",
    "copies outside this installation: backups, exported reports, remotes that bitface does not write to, other datasets",
)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An erasure that has begun: people are quarantined, and what was made with them is listed. `began` is when."""

    erasure_id: str
    people: tuple[str, ...]
    began: datetime
    radius: Mapping[str, Any]


def resolve(subjects: Sequence[str], keys: KeyStore, ledger: Ledger, home: Path) -> tuple[str, ...]:
    """The pseudonyms of subjects, also of such whose erasure was interrupted.

    Raises:
        InputError: one of them was never here.
    """
    found: set[str] = set()
    for subject in subjects:
        begun = keys.erasure_of(subject)
        found |= set(_proof(home, begun)["subjects"]) if begun else {person_of(subject, keys, ledger)}
    return tuple(sorted(found))


def blast_radius(people: Sequence[str], ledger: Ledger, place: Workspace) -> dict[str, Any]:
    """All that rests on people: dataset versions, runs, models, where aliases pointed, files of their own and with others."""
    found = {person: ledger.whereabouts(person) for person in people}
    index = read_index(place.data) if (place.data / INDEX_NAME).is_file() else ()
    runs = sorted({run.run_id for own in found.values() for run in own.runs})
    models = {(model.name, model.version): model for own in found.values() for model in own.models}
    periods = {(one.name, one.alias, one.version, one.since): one for own in found.values() for one in own.periods}
    assets = {(one.path, one.sha256): one for own in found.values() for one in own.assets}
    return {
        "subjects": list(people),
        "samples": sum(sample.person in set(people) for sample in index),
        "datasets": sorted({one.dataset_version for own in found.values() for one in own.holdings}),
        "runs": runs,
        "models": [asdict(models[key]) for key in sorted(models)],
        "aliases": [asdict(periods[key]) for key in sorted(periods)],
        "own_files": [one for person in people for one in own_files(person, place.home, place.data)],
        "files_with_others": [asdict(assets[key]) for key in sorted(assets)],
        "membership_auc": {run: _membership(place.runs / run / "summary.json") for run in runs},
    }


def begin(
    subjects: Sequence[str], reason: str, keys: KeyStore, ledger: Ledger, place: Workspace, at: datetime
) -> Opened:
    """Quarantines people and writes down what rests on them, so that an interrupted erasure can go on."""
    people = resolve(subjects, keys, ledger, place.home)
    erasure_id = hashlib.sha256(canonical_json(list(people)).encode()).hexdigest()[:16]
    for person in people:
        if ledger.consents(person):
            withdraw(person, reason, ledger, at)
    path = place.home / ERASURES / f"{erasure_id}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    began = datetime.fromisoformat(known["began"]) if known else at
    radius = known["radius"] if known else blast_radius(people, ledger, place)
    document = {"erasure_id": erasure_id, "state": "begun", "subjects": list(people), "began": began.isoformat()}
    write_atomically(path, _json({**document, "radius": radius}), 0o600)
    return Opened(erasure_id=erasure_id, people=people, began=began, radius=radius)


def opened(erasure_id: str, home: Path) -> Opened:
    """An erasure that has begun; raises InputError where there is none of that id."""
    document = _proof(home, erasure_id)
    return Opened(
        erasure_id=erasure_id,
        people=tuple(document["subjects"]),
        began=datetime.fromisoformat(document["began"]),
        radius=document["radius"],
    )


def leave_dataset(opened: Opened, writer: Writer) -> str | None:
    """The dataset without them, as a version of its own; its version, None where they are not in it.

    It is pinned where the version before was.
    """
    data, store = writer.stores.data, writer.stores.store
    if not has_dataset(data) or not {sample.person for sample in read_index(data)} & set(opened.people):
        return None
    return without_people(writer, opened.people, "pin" if store.pinned() == store.version() else "keep")


def destroy(
    opened: Opened,
    place: Workspace,
    keys: KeyStore,
    store: DatasetStore,
    tracking: Tracking,
    kept_runs: Collection[str],
) -> dict[str, Any]:
    """Destroys keys, then deletes all that was made with these people; `kept_runs` are of the dataset without them."""
    destroyed = [person for person in opened.people if keys.destroy(person, opened.erasure_id)]
    files = [*_derived(opened, place, set(kept_runs))]
    for path in files:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    forgotten = store.forget([shard_name(person) for person in opened.people])
    affected = [run for run in opened.radius["runs"] if run not in set(kept_runs)]
    pages = tracking.purge(affected, f"People whom it was made with have been erased (erasure {opened.erasure_id}).")
    # The very bundle that was made again, where who left had only judged it, may have had its files among the deleted ones.
    for run_id in kept_runs:
        show_version(place.runs / run_id, tracking)
    return {
        "keys_destroyed": destroyed,
        "keys_published": [person for person in opened.people if is_synthetic(person)],
        "files_deleted": len(files),
        "dvc_objects_deleted": forgotten.objects,
        "kept_for_others": [asdict(one) for one in forgotten.kept_for_others],
        "mlflow_runs_emptied": pages,
    }


def prove(
    opened: Opened,
    done: Mapping[str, Any],
    version: str | None,
    retrained: Mapping[str, Any],
    place: Workspace,
    store: DatasetStore,
    ledger: Ledger,
    seconds: Mapping[str, float],
    at: datetime,
) -> dict[str, Any]:
    """Searches what is left, and writes the proof, whose digest the ledger records.

    The people are in no dataset version that was recorded since; `searched` names the places, `found` files there that still hold a
    pseudonym, or bytes of a file of their own, and is empty in a proof that holds.
    """
    present = {sample.person for sample in read_index(place.data)} if (place.data / INDEX_NAME).is_file() else set()
    digests = {one["sha256"] for one in opened.radius["own_files"]}
    document = {
        "erasure_id": opened.erasure_id,
        "state": "done",
        "subjects": list(opened.people),
        "began": opened.began.isoformat(),
        "ended": at.isoformat(),
        "radius": dict(opened.radius),
        **done,
        "dataset_version": version,
        "in_dataset_now": sorted(present & set(opened.people)),
        "retrain": {**retrained, **_digests(retrained.get("version"), ledger)},
        "digests_absent": sorted(digests),
        **search(opened.people, digests, place, store),
        "residual": list(RESIDUAL),
        "seconds": dict(seconds),
    }
    proof = place.home / ERASURES / f"{opened.erasure_id}.json"
    write_atomically(proof, _json(document), 0o600)
    ledger.record_erasure(opened.erasure_id, opened.people, sha256_of(proof))
    return document


def audit_erasure(subject: str, keys: KeyStore, ledger: Ledger, home: Path) -> list[dict[str, Any]]:
    """The proofs of a subject's erasure, each with whether the ledger's digest is that of the file.

    Raises:
        InputError: the subject was not erased here.
    """
    begun, normal = keys.erasure_of(subject), id_or_none(subject)
    found = [one for one in ledger.erasures() if one.person == normal or one.erasure_id == begun]
    proofs = {one.erasure_id: one for one in found}
    if not proofs:
        raise InputError("nobody of that id was erased here")
    return [
        {
            "kind": "erasure",
            **_proof(home, one.erasure_id),
            "erased_at": one.erased_at,
            "proof_sha256": one.proof_sha256,
            "proof_intact": sha256_of(home / ERASURES / f"{one.erasure_id}.json") == one.proof_sha256,
        }
        for one in proofs.values()
    ]


def summary_of(document: Mapping[str, Any], dry_run: bool) -> dict[str, Any]:
    """JSON of INTERFACE `erase`, of a proof or of a blast radius."""
    radius = document if dry_run else document["radius"]
    retrained = {} if dry_run else document["retrain"]
    return {
        "subjects": document["subjects"],
        "dry_run": dry_run,
        "datasets": radius["datasets"],
        "models": [f"{model['name']}/{model['version']}" for model in radius["models"]],
        "files_removed": len(radius["own_files"]) + len(radius["files_with_others"])
        if dry_run
        else document["files_deleted"],
        "keys_destroyed": 0 if dry_run else len(document["keys_destroyed"]),
        "retrained": None if dry_run else retrained.get("run_id"),
        "decision": retrained.get("decision"),
        "not_retrained": retrained.get("failed") or retrained.get("not_needed"),
        "proof": None if dry_run else document["proof"],
        "found": [] if dry_run else document["found"],
        "searched": [] if dry_run else document["searched"],
        "not_searched": [] if dry_run else document["not_searched"],
        "kept_for_others": [] if dry_run else document["kept_for_others"],
        "seconds": {} if dry_run else document["seconds"],
        **({"radius": dict(radius)} if dry_run else {}),
    }


def erase_text(found: Mapping[str, Any]) -> str:
    """The same for a person at a terminal."""
    people = f"{len(found['subjects'])} people"
    lines = [f"would erase {people}" if found["dry_run"] else f"erased {people}"]
    lines.append(f"  in {len(found['datasets'])} dataset versions, models {', '.join(found['models']) or 'none'}")
    lines.append(f"  {found['files_removed']} files, {found['keys_destroyed']} keys destroyed")
    if not found["dry_run"]:
        lines.append(f"  retrained: {found['retrained'] or 'no'}, decision {found['decision'] or 'none'}")
        lines += [f"    because {found['not_retrained']}"] if found.get("not_retrained") else []
        lines.append(f"  left of them: {', '.join(found['found']) or 'nothing found'}, searched in")
        lines += [f"    {one['what']} ({one['place']}, {one['files']} files)" for one in found["searched"]]
        lines += [f"    not searched: {one}, which bitface does not write to" for one in found["not_searched"]]
        lines += [f"  kept in {one['store']}: {_needed(one)}" for one in found["kept_for_others"]]
        lines.append(f"  proof: {found['proof']}")
    return "\n".join(lines)


def _needed(kept: Mapping[str, Any]) -> str:
    """What stays for another dataset, and how it goes."""
    versions = "1 version" if kept["versions"] == 1 else f"{kept['versions']} versions"
    return f"{versions} with them that another dataset needs, {kept['dataset']}; erase them there too"


def _digests(version: int | None, ledger: Ledger) -> dict[str, str]:
    """Of a version that was made again."""
    model = None if version is None else ledger.model(version)
    return {} if model is None else {"bundle_sha256": model.bundle_sha256, "weights_sha256": model.weights_sha256}


def _membership(summary: Path) -> dict[str, float] | None:
    """How well it could be told who trained a run's model, as its summary says."""
    document = json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else {}
    found: dict[str, float] | None = document.get("privacy", {}).get("membership_auc")
    return found


def _derived(opened: Opened, place: Workspace, kept_runs: set[str]) -> Iterator[Path]:
    """Files and folders that were made with these people, or may have been: caches older than the erasure are made again."""
    for person in opened.people:
        yield from place.stages.glob(f"{_OF_OTHERS}/{person}")
    for folder in place.stages.glob("*/*"):
        if folder.parent.name != _OF_OTHERS and folder.stat().st_mtime < opened.began.timestamp():
            yield folder
    for run_id in opened.radius["runs"]:
        if run_id not in kept_runs and (place.runs / run_id).is_dir():
            yield place.runs / run_id
    for name in ("drift", "explain"):
        if (place.home / name).is_dir():
            yield place.home / name


def _proof(home: Path, erasure_id: str) -> dict[str, Any]:
    path = home / ERASURES / f"{erasure_id}.json"
    if not path.is_file():
        raise InputError(f"the proof of erasure {erasure_id} is gone; restore it from a backup")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
