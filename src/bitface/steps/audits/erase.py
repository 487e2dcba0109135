"""Removes people from the dataset, models, caches and reports, destroying their keys first; and proves it.

In this order: quarantine (consent withdrawn, so that nothing uses them any more), the dataset without them, a retrain and its gate,
keys destroyed, everything that was made with them deleted, a search for remains, a proof.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bitface.dataset.decryptions import decryptions_of
from bitface.dataset.files import sha256_of, write_once
from bitface.dataset.incoming.subject_ids import id_or_none
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keyring.run_and_day_keys import evidence_handed_out
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import shard_name
from bitface.dataset.suppression import Suppressed, suppressed_from
from bitface.errors import GateError, InputError, RefusedError
from bitface.faces.media.same_picture import Marks
from bitface.faces.records import is_synthetic
from bitface.ledger.ledger import Ledger
from bitface.ports import DatasetStore, Tracking
from bitface.steps.audits.audit import DECRYPTIONS, own_files
from bitface.steps.audits.search import search
from bitface.steps.people.consents import check_reason, withdraw
from bitface.steps.people.contents import marks_of, without_people
from bitface.steps.people.erasure_journal import BEGUN, ERASURES, Journal, journal_of, journals, sweep
from bitface.steps.people.erasure_people import Named, resolve
from bitface.steps.people.writing import Writer
from bitface.steps.versions.reconcile import show_version
from bitface.workspace import Workspace

REASON: Final = "erasure"
_OF_OTHERS: Final = "features"
_NAMED: Final = 3
RESIDUAL: Final = (
    "the ledger's rows about the pseudonym: samples, splits, consent events, digests; no name, no picture, no feature",
    "the pseudonym in the log of decryptions: when the key was opened, and for what",
    "keyed digests of the subject's id, the pseudonym, each picture and its coarse brightness pattern, with the "
    "keys, beside the dataset and in signed checkpoints: an import uses them to refuse the person and to flag a likely "
    "return; they contain no facial measurement, but the holder of the installation's key could draw a blurred sketch of the picture",
    "copies outside this installation: backups, exported reports, evidence that `bitface gate open` handed out, remotes that bitface does "
    "not write to, other datasets",
)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An erasure that has begun (at `began`): people are quarantined, and what was made with them is listed.

    `held`: those with a key here; `evidence`: runs with them whose gate evidence was readable; `remains`: what will be kept of each
    real person; `earlier`: their previous erasures; `replaces`: whether models are retrained without them; `journal`: where every
    step records its result.
    """

    erasure_id: str
    people: tuple[str, ...]
    began: datetime
    radius: Mapping[str, Any]
    held: tuple[str, ...]
    remains: Mapping[str, Suppressed]
    earlier: tuple[str, ...]
    replaces: bool
    evidence: tuple[str, ...]
    journal: Journal = field(compare=False, repr=False)


def blast_radius(people: Sequence[str], ledger: Ledger, place: Workspace) -> dict[str, Any]:
    """Everything that depends on people: dataset versions, runs, models, alias periods, files of their own and shared ones."""
    found = {person: ledger.whereabouts(person) for person in people}
    index = read_index(place.data) if has_dataset(place.data) else ()
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
    """Quarantines people and records what depends on them, or continues an interrupted erasure of them.

    Raises:
        InputError: a person is unknown, or an erasure of some but not all of them was interrupted.
    """
    check_reason(reason)
    sweep(place.home)
    people = resolve(subjects, keys, ledger, place)
    journal = _unfinished(people, place.home, at) or _begun(people, keys, ledger, place, at)
    found = _from_journal(journal)
    journal.once("quarantine", lambda: _quarantine(found.people, reason, ledger, at))
    return found


def opened(erasure_id: str, home: Path, at: datetime) -> Opened:
    """An erasure that has begun; raises InputError if there is none with that id, or it is finished."""
    sweep(home)
    return _from_journal(journal_of(home, erasure_id, lambda: at))


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


@dataclass(frozen=True, kw_only=True)
class Removed:
    """The result of an erasure: what was destroyed, the dataset version without them, the retrain, and the seconds of each step."""

    destroyed: Mapping[str, object]
    dataset_version: str | None
    retrained: Mapping[str, Any]
    seconds: Mapping[str, float] = field(default_factory=dict)


def prove(
    opened: Opened, done: Removed, place: Workspace, store: DatasetStore, ledger: Ledger, at: datetime
) -> dict[str, Any]:
    """Searches for remains and writes the proof, whose digest the ledger records; an existing proof is never overwritten.

    The people are in no dataset version recorded since; `searched` names the places, `found` the files there that still contain a
    pseudonym or the bytes of a file of their own; it is empty in a valid proof.
    """
    journal, proof = opened.journal, place.home / ERASURES / f"{opened.erasure_id}.json"
    if not proof.is_file():
        found = journal.once("search", lambda: _search(opened, place, store))
        document = {
            "erasure_id": opened.erasure_id,
            "state": "done",
            "subjects": list(opened.people),
            "began": opened.began.isoformat(),
            "ended": at.isoformat(),
            "radius": dict(opened.radius),
            **done.destroyed,
            "dataset_version": done.dataset_version,
            "retrain": {**done.retrained, **_digests(done.retrained.get("version"), ledger)},
            **found,
            "residual": list(RESIDUAL),
            "evidence_handed_out": _handed_out(opened, place.home),
            "earlier_erasures": list(opened.earlier),
            "interrupted": journal.interrupted(),
            "journal": journal.lines(),
            "seconds": dict(done.seconds),
        }
        write_once(proof, _json(document))
    ledger.record_erasure(opened.erasure_id, opened.people, sha256_of(proof))
    journal.close()
    return _proof(place.home, opened.erasure_id)


def audit_erasure(subject: str, keys: KeyStore, ledger: Ledger, place: Workspace) -> list[dict[str, Any]]:
    """The proofs of a subject's erasure, each with whether the ledger's digest matches the file.

    Raises:
        InputError: the subject was not erased here.
    """
    erasures, normal = ledger.erasures(), id_or_none(subject)
    erasure_id = keys.erasure_of(subject)
    people = {normal} if any(one.person == normal for one in erasures) else set()
    if not people and erasure_id is not None:
        people = set(resolve([subject], keys, ledger, place))
    proofs = {one.erasure_id: one for one in erasures if one.person in people}
    if not proofs:
        raise InputError("no person with this id was erased on this installation")
    return [
        {
            "kind": "erasure",
            **_proof(place.home, one.erasure_id),
            "erased_at": one.erased_at,
            "proof_sha256": one.proof_sha256,
            "proof_intact": sha256_of(place.home / ERASURES / f"{one.erasure_id}.json") == one.proof_sha256,
        }
        for one in proofs.values()
    ]


def summary_of(document: Mapping[str, Any], dry_run: bool) -> dict[str, Any]:
    """JSON of INTERFACE `erase`, from a proof or a blast radius."""
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
        "evidence_destroyed": [] if dry_run else document.get("evidence_destroyed", []),
        "retrained": None if dry_run else retrained.get("run_id"),
        "decision": retrained.get("decision"),
        "not_retrained": retrained.get("failed") or retrained.get("not_needed"),
        "proof": None if dry_run else document["proof"],
        "found": [] if dry_run else document["found"],
        "found_at": [] if dry_run else document["found_at"],
        "in_dataset_now": [] if dry_run else document["in_dataset_now"],
        "earlier_erasures": [] if dry_run else document["earlier_erasures"],
        "searched": [] if dry_run else document["searched"],
        "not_searched": [] if dry_run else document["not_searched"],
        "kept_for_others": [] if dry_run else document["kept_for_others"],
        "seconds": {} if dry_run else document["seconds"],
        **({"radius": dict(radius)} if dry_run else {}),
    }


def check_gone(proofs: Sequence[Mapping[str, Any]]) -> None:
    """Raises GateError, with a remedy, if any of their data were found after everything was done."""
    left = [f"{one['path']} ({one['what']})" for proof in proofs for one in proof["found_at"]]
    remaining = sum(len(proof["in_dataset_now"]) for proof in proofs)
    left += [f"{remaining} people in the dataset"] if remaining else []
    if left:
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        raise GateError(
            f"some of their data remain: {', '.join(left[:_NAMED])}{more}; delete these, then erase the people again: a "
            "second proof is added"
        )


def erase_text(found: Mapping[str, Any]) -> str:
    """The same for a terminal."""
    people = f"{len(found['subjects'])} people"
    lines = [f"would erase {people}" if found["dry_run"] else f"erased {people}"]
    lines.append(f"  in {len(found['datasets'])} dataset versions, models {', '.join(found['models']) or 'none'}")
    lines.append(f"  {found['files_removed']} files, {found['keys_destroyed']} keys destroyed")
    if found["evidence_destroyed"]:
        lines.append(f"  the gate evidence of {len(found['evidence_destroyed'])} runs can no longer be read")
    if not found["dry_run"]:
        lines.append(f"  retrained: {found['retrained'] or 'no'}, decision {found['decision'] or 'none'}")
        lines += [f"    because {found['not_retrained']}"] if found.get("not_retrained") else []
        lines.append(f"  remaining data: {', '.join(found['found']) or 'none found'}; searched:")
        lines += [f"    {one['what']} ({one['place']}, {one['files']} files)" for one in found["searched"]]
        lines += [f"    not searched: {one}, which bitface does not write to" for one in found["not_searched"]]
        lines += [f"  kept in {one['store']}: {_needed(one)}" for one in found["kept_for_others"]]
        lines.append(f"  proof: {found['proof']}")
    return "\n".join(lines)


def resumed_text(done: Sequence[Mapping[str, Any]]) -> str:
    """The result of a resumption, for a terminal."""
    if not done:
        return "no erasure was interrupted, and no erased person has reappeared"
    return "\n".join(map(erase_text, done))


def _needed(kept: Mapping[str, Any]) -> str:
    """What is kept for another dataset, and how to remove it."""
    versions = "1 version" if kept["versions"] == 1 else f"{kept['versions']} versions"
    return f"{versions} with them that another dataset needs, {kept['dataset']}; erase them there too"


def _digests(version: int | None, ledger: Ledger) -> dict[str, str]:
    """The digests of a retrained version."""
    model = None if version is None else ledger.model(version)
    return {} if model is None else {"bundle_sha256": model.bundle_sha256, "weights_sha256": model.weights_sha256}


def _membership(summary: Path) -> dict[str, float] | None:
    """How well membership in a run's training set could be inferred, from its summary."""
    document = json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else {}
    found: dict[str, float] | None = document.get("privacy", {}).get("membership_auc")
    return found


def _begun(people: Named, keys: KeyStore, ledger: Ledger, place: Workspace, at: datetime) -> Journal:
    """The journal of a new erasure, with everything that can only be read now."""
    erasure_id = secrets.token_hex(8)
    journal = journal_of(place.home, erasure_id, lambda: at)
    pictures = _pictures(set(people), ledger, place.data, keys)
    before = [one for one in ledger.erasures() if one.person in people]
    remains = (keys.remains_of(person, erasure_id, ids, pictures.get(person, ())) for person, ids in people.items())
    radius = blast_radius(list(people), ledger, place)
    found = {
        "subjects": list(people),
        "began": at.isoformat(),
        "radius": radius,
        "held": sorted(set(people) & set(keys.pseudonyms())),
        "evidence": sorted(set(radius["runs"]) & keys.sealed_runs()),
        "remains": {person: asdict(stays) for person, stays in zip(people, remains, strict=True) if stays},
        "earlier": list(dict.fromkeys(one.erasure_id for one in before)),
        "replaces": bool(radius["models"]) and not set(people) <= {one.person for one in before},
    }
    journal.write(BEGUN, "done", found)
    return journal


def _unfinished(people: Named, home: Path, at: datetime) -> Journal | None:
    """The journal of an interrupted erasure of these people, None if there is none."""
    for journal in journals(home, lambda: at):
        begun = set(_from_journal(journal).people)
        if set(people) <= begun:
            return journal
        if set(people) & begun:
            raise InputError(
                "an erasure of some of these people was interrupted; finish it with `bitface erase --resume`, then erase the others"
            )
    return None


def _from_journal(journal: Journal) -> Opened:
    begun = journal.found(BEGUN) or {}
    remains = {person: suppressed_from(one) for person, one in begun["remains"].items()}
    return Opened(
        erasure_id=journal.erasure_id,
        people=tuple(begun["subjects"]),
        began=datetime.fromisoformat(begun["began"]),
        radius=begun["radius"],
        held=tuple(begun["held"]),
        remains=remains,
        earlier=tuple(begun["earlier"]),
        replaces=begun["replaces"],
        evidence=tuple(begun.get("evidence", ())),
        journal=journal,
    )


def _are_in(data: Path, people: Collection[str]) -> bool:
    return has_dataset(data) and bool({sample.person for sample in read_index(data)} & set(people))


def _without(opened: Opened, writer: Writer) -> str | None:
    """Removes them from the dataset; the version without them, None if they were not in it when the erasure began."""
    data, store = writer.stores.data, writer.stores.store
    if _are_in(data, opened.people):
        return without_people(writer, opened.people, "pin" if store.pinned() == store.version() else "keep")
    # The next writer finished the change after a kill: the current version is the one without them.
    return store.version() if opened.radius["samples"] and has_dataset(data) else None


def _pictures(people: Collection[str], ledger: Ledger, data: Path, keys: KeyStore) -> dict[str, set[Marks]]:
    """Person -> marks of all their pictures: of those here, read with their key, and of those recorded before digests were keyed."""
    versions = {one.dataset_version for person in people for one in ledger.whereabouts(person).holdings}
    found: dict[str, set[Marks]] = {}
    for version in sorted(versions):
        for member in ledger.members(version):
            found.setdefault(member.person, set()).add(Marks(sha256=member.sample_sha256))
    present = [sample for sample in (read_index(data) if has_dataset(data) else ()) if sample.person in people]
    for person in {sample.person for sample in present}:
        own = [sample for sample in present if sample.person == person]
        with suppress(RefusedError):  # the key was destroyed before, or a backup lacks it
            found.setdefault(person, set()).update(marks_of(own, data, keys).values())
    return {person: own for person, own in found.items() if person in people}


def _quarantine(people: Sequence[str], reason: str, ledger: Ledger, at: datetime) -> dict[str, Any]:
    consenting = [person for person in people if ledger.consents(person)]
    for person in consenting:
        withdraw(person, reason, ledger, at)
    return {"withdrawn": consenting}


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


def _handed_out(opened: Opened, home: Path) -> list[dict[str, Any]]:
    """Copies of evidence with them that `bitface gate open` made: run, time, user."""
    names = map(evidence_handed_out, opened.radius["runs"])
    noted = decryptions_of(home / DECRYPTIONS, *names)
    return [{"what": entry["person"], "at": entry["at"], "who": entry["who"]} for entry in noted]


def _delete(home: Path, names: Sequence[str]) -> dict[str, Any]:
    for path in (home / name for name in names):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return {"files_deleted": sum(not (home / name).exists() for name in names)}


def _forget(opened: Opened, store: DatasetStore) -> dict[str, Any]:
    forgotten = store.forget([shard_name(person) for person in opened.people])
    kept = [asdict(one) for one in forgotten.kept_for_others]
    return {"dvc_objects_deleted": forgotten.objects, "kept_for_others": kept}


def _search(opened: Opened, place: Workspace, store: DatasetStore) -> dict[str, Any]:
    present = {sample.person for sample in read_index(place.data)} if has_dataset(place.data) else set()
    digests = {one["sha256"] for one in opened.radius["own_files"]}
    return {
        "in_dataset_now": sorted(present & set(opened.people)),
        **search(opened.people, digests, place, store),
    }


def _derived(opened: Opened, place: Workspace, kept_runs: set[str]) -> list[str]:
    """Files and folders of the home that were or may have been made with these people: caches older than the erasure are rebuilt."""
    found = [path for person in opened.people for path in place.stages.glob(f"{_OF_OTHERS}/{person}")]
    since = opened.began.timestamp()
    caches = [folder for folder in place.stages.glob("*/*") if folder.parent.name != _OF_OTHERS]
    found += [folder for folder in caches if folder.stat().st_mtime < since]
    found += [place.runs / run_id for run_id in opened.radius["runs"] if run_id not in kept_runs]
    found += [place.home / name for name in ("drift", "explain")]
    return [path.relative_to(place.home).as_posix() for path in found if path.exists()]


def _proof(home: Path, erasure_id: str) -> dict[str, Any]:
    path = home / ERASURES / f"{erasure_id}.json"
    if not path.is_file():
        raise InputError(f"the proof of erasure {erasure_id} is missing; restore it from a backup")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
