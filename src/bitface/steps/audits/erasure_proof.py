"""The proof of an erasure: what was done, where remains were searched for, and what stays; the ledger records its digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bitface.dataset.decryptions import decryptions_of
from bitface.dataset.files import sha256_of, write_once
from bitface.dataset.incoming.subject_ids import id_or_none
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keyring.run_and_day_keys import evidence_handed_out
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError
from bitface.ledger.ledger import Ledger
from bitface.ports import DatasetStore
from bitface.steps.audits.audit import DECRYPTIONS
from bitface.steps.audits.erasure_begun import Opened
from bitface.steps.audits.search import search
from bitface.steps.people.erasure_journal import ERASURES
from bitface.steps.people.erasure_people import resolve
from bitface.workspace import Workspace

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


def _digests(version: int | None, ledger: Ledger) -> dict[str, str]:
    """The digests of a retrained version."""
    model = None if version is None else ledger.model(version)
    return {} if model is None else {"bundle_sha256": model.bundle_sha256, "weights_sha256": model.weights_sha256}


def _handed_out(opened: Opened, home: Path) -> list[dict[str, Any]]:
    """Copies of evidence with them that `bitface gate open` made: run, time, user."""
    names = map(evidence_handed_out, opened.radius["runs"])
    noted = decryptions_of(home / DECRYPTIONS, *names)
    return [{"what": entry["person"], "at": entry["at"], "who": entry["who"]} for entry in noted]


def _search(opened: Opened, place: Workspace, store: DatasetStore) -> dict[str, Any]:
    present = {sample.person for sample in read_index(place.data)} if has_dataset(place.data) else set()
    digests = {one["sha256"] for one in opened.radius["own_files"]}
    return {
        "in_dataset_now": sorted(present & set(opened.people)),
        **search(opened.people, digests, place, store),
    }


def _proof(home: Path, erasure_id: str) -> dict[str, Any]:
    path = home / ERASURES / f"{erasure_id}.json"
    if not path.is_file():
        raise InputError(f"the proof of erasure {erasure_id} is missing; restore it from a backup")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
