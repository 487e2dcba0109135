"""What tests of several folders set up alike, so that each of them says only what is its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import synthetic_consents
from bitface.dataset.incoming.import_rows import ImportRow, QuarantinedRow, manifest_table, rows_of
from bitface.dataset.shards import shard_name
from bitface.faces.records import Sample, SubjectRecord
from bitface.ledger.entries import DatasetEntry, MemberEntry
from bitface.ledger.status import ModelStatus

NOTICE = b"We train a model on your picture, for research.\n"
NOW = datetime.now(UTC)
BLOCKED = ModelStatus(
    name="bitface",
    version=7,
    run_id="r7",
    decision="block",
    alias=None,
    evidence="synthetic",
    trained_for="train",
    passed_for=("demo",),
    purposes=("demo",),
    contexts=("research",),
    was_champion=False,
    retired=False,
    lapsed=0,
    judged_at="2026-06-01T12:00:00.000000Z",
    at="2026-06-01T12:00:00+00:00",
)
"""A version of drawn people that its gate blocked."""


def consent(subject: str, notice: bytes = NOTICE, **changes: object) -> dict[str, Any]:
    """A line of consents.jsonl: a real person's consent for research, given ten days ago."""
    (model,) = synthetic_consents(["s" * 16])
    begun, ends = (NOW - timedelta(days=10)).isoformat(), (NOW + timedelta(days=100)).isoformat()
    return model.model_dump(mode="json") | {
        "event_id": f"e-{subject}",
        "record_id": f"r-{subject}",
        "subject": subject,
        "lawful_basis": "6(1)(a)",
        "special_category_condition": "9(2)(a)",
        "purposes": ["train", "evaluate"],
        "contexts": ["research"],
        "notice_id": "n1",
        "notice_sha256": hashlib.sha256(notice).hexdigest(),
        "event_time": begun,
        "valid_from": begun,
        "valid_to": ends,
        "delete_by": ends,
        "last_interaction": begun,
        **changes,
    }


def begin_source(folder: Path, notice: bytes = NOTICE, purposes: Collection[str] = ("train", "evaluate")) -> None:
    """A folder to import from, with its notice and its licence."""
    (folder / "notices").mkdir(parents=True, exist_ok=True)
    (folder / "notices" / "n1.md").write_bytes(notice)
    licence = {"id": "own", "name": "ours", "text": "for training", "purposes": list(purposes)}
    (folder / "licence.json").write_text(json.dumps(licence))


def write_rows(folder: Path, rows: Iterable[str]) -> None:
    """The manifest of such a folder: `p1.png,p1,fear`."""
    (folder / "manifest.csv").write_text("".join(f"{row}\n" for row in ("path,subject_id,label", *rows)))


def write_consents(folder: Path, lines: Iterable[dict[str, Any] | str]) -> None:
    """What people said; a line that is text stays as it is."""
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "consents.jsonl").write_text(text)


def write_noise(path: Path, seed: int) -> None:
    """A picture of 8 x 8 pixels that only this seed gives."""
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path)


def read_manifest(
    manifest: Path, root: Path, ignored: Collection[str] = ()
) -> tuple[tuple[ImportRow, ...], tuple[QuarantinedRow, ...]]:
    """The usable rows of a manifest CSV and the quarantined ones, as an import reads them."""
    return rows_of(manifest_table(manifest, ignored), root)


def adult(person: str, **changes: object) -> SubjectRecord:
    """A real adult's own record."""
    record = SubjectRecord(
        person=person,
        age_band="30_44",
        gender="female",
        skin_tone=7,
        ancestry="mixed",
        self_reported=True,
        evidence="real",
    )
    return replace(record, **changes)


def sample(sample_id: str, person: str, **changes: object) -> Sample:
    """A row of the index: a picture that shows fear."""
    row = Sample(
        sample_id=sample_id,
        person=person,
        shard=shard_name(person),
        kind="image",
        frames=1,
        fps=0.0,
        label="fear",
        split="",
        source="x",
        licence_id="synthetic",
        sha256="a" * 64,
    )
    return replace(row, **changes)


def member(event: ConsentEvent, **changes: object) -> MemberEntry:
    """A still of whoever consented, as a member of a dataset version."""
    entry = MemberEntry(
        sample_id=f"{event.subject}-1",
        person=event.subject,
        sample_sha256="a" * 64,
        split="train",
        licence_id="synthetic",
        consent_event_id=event.event_id,
        consent_event_sha256=event.sha256,
    )
    return replace(entry, **changes)


def dataset_entry(people: int, **changes: object) -> DatasetEntry:
    """A dataset version of a sample each, to train on in research."""
    entry = DatasetEntry(
        version="d1",
        manifest_sha256="b" * 64,
        consent_snapshot_sha256="c" * 64,
        purpose="train",
        context="research",
        evidence="synthetic",
        people=people,
        samples=people,
    )
    return replace(entry, **changes)
