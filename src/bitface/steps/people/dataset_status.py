"""What is in the dataset folder, and how it differs from what the champion was trained on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bitface.dataset.index import INDEX_NAME, read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import verify_manifest
from bitface.dataset.shards import read_shard
from bitface.dataset.swap import read_unchanged
from bitface.documents import Document
from bitface.errors import InputError
from bitface.faces.records import SLICE_ATTRIBUTES, SubjectRecord, is_synthetic
from bitface.ledger.ledger import Ledger
from bitface.ports import DatasetStore


def subjects_of(data: Path, people: set[str], keys: KeyStore) -> dict[str, SubjectRecord]:
    """Person -> subject record, decrypted from the shards."""
    return {person: read_shard(data, person, keys.key_of(person), media=False).subject for person in sorted(people)}


def evidence_of(subjects: dict[str, SubjectRecord]) -> str:
    """synthetic, real or mixed."""
    kinds = {"synthetic" if is_synthetic(person) else "real" for person in subjects}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def dataset_status(data: Path, store: DatasetStore, keys: KeyStore, ledger: Ledger) -> Document:
    """The dataset as a JSON document, at one moment. Raises InputError if there is none, IntegrityError if it was altered."""
    return read_unchanged(data, lambda: _status(data, store, keys, ledger))


def _status(data: Path, store: DatasetStore, keys: KeyStore, ledger: Ledger) -> Document:
    if not (data / INDEX_NAME).is_file():
        raise InputError(
            "there is no dataset yet; run `make retrain`, `bitface data synthesize` or `bitface data import`"
        )
    samples = read_index(data)
    subjects = subjects_of(data, {sample.person for sample in samples}, keys)
    version, pinned = store.version(), store.pinned()
    return {
        "version": version,
        "pinned": pinned,
        "is_pinned": version == pinned,
        "manifest_sha256": verify_manifest(data),
        "evidence": evidence_of(subjects),
        "people": len(subjects),
        "samples": len(samples),
        "labels": dict(Counter(sample.label for sample in samples).most_common()),
        "splits": dict(Counter(sample.split or "assigned at retrain" for sample in samples)),
        "slices": {
            attribute: dict(sorted(Counter(record.slices()[attribute] for record in subjects.values()).items()))
            for attribute in SLICE_ATTRIBUTES
        },
        "since_champion": _since_champion(ledger, {sample.sample_id for sample in samples}),
    }


def _since_champion(ledger: Ledger, samples: set[str]) -> Document:
    champion = ledger.champion()
    run = ledger.run(champion.run_id) if champion else None
    if champion is None or run is None:
        return {"champion": None}
    before = {member.sample_id for member in ledger.members(run.dataset_version)}
    return {"champion": champion.version, "samples_added": len(samples - before), "samples_gone": len(before - samples)}
