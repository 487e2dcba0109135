"""Writes people into the dataset folder: synthetic adults, or real ones that somebody brings; all of it or nothing."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from bitface.consent.admission import admit
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import SYNTHETIC_LICENCE, synthetic_consents
from bitface.consent.policy import LicenceRecord, parse_licences, render_licences, under_licence
from bitface.consent.vocabulary import CONTEXTS, PURPOSES
from bitface.dataset.files import write_atomically
from bitface.dataset.import_rows import ImportRow, QuarantinedRow, grouped
from bitface.dataset.index import read_index, write_index
from bitface.dataset.keys import ERASED, KeyStore
from bitface.dataset.manifest import verify_manifest, write_manifest
from bitface.dataset.shards import Shard, read_shard, shard_name, write_shard
from bitface.errors import InputError, RefusedError
from bitface.faces.records import Sample, SubjectRecord
from bitface.params import SyntheticParams
from bitface.ports import EncodeFrames, ReadImage, RenderPeople, Report

LICENCES_NAME = "licences.json"
CONSENT_TEXT = "no usable consent: "


@dataclass(frozen=True, kw_only=True)
class IntakeReport:
    """What an intake did. `admitted` + `quarantined` rows = rows that were brought."""

    people: int
    samples: int
    admitted: int
    quarantined: tuple[QuarantinedRow, ...]
    manifest_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What somebody brings: usable rows, rows already refused, the licence, and consents by pseudonym."""

    rows: Sequence[ImportRow]
    rejected: Sequence[QuarantinedRow]
    licence: LicenceRecord
    source: str
    consents: Callable[[Mapping[str, str], Mapping[str, str]], tuple[ConsentEvent, ...]]
    """Given subject id -> pseudonym and pseudonym -> age band, the consent events of those people."""
    known_notices: frozenset[str]


def write_synthetic_dataset(
    data: Path,
    params: SyntheticParams,
    seed: int,
    workers: int,
    render: RenderPeople,
    encode: EncodeFrames,
    report: Report,
) -> IntakeReport:
    """Renders synthetic adults into a fresh dataset folder, which replaces `data` when it is complete."""
    partial = _partial(data)
    keys = KeyStore(partial)  # synthetic keys are derived: nothing is read from or written to the folder
    samples: list[Sample] = []
    people = params.training_people + params.gate_people
    for done, (person, rendered) in enumerate(render(params, seed, workers), start=1):
        record = person.record
        plain = {f"{record.person}-{i:02d}": encode(item.frames, lossless=False) for i, item in enumerate(rendered)}
        actions = {name: _npy(item.facial_actions) for name, item in zip(plain, rendered, strict=True)}
        receipts = [event.model_dump(mode="json") for event in synthetic_consents([record.person])]
        shard = Shard(subject=record, samples=plain, facial_actions=actions, consent_receipts=receipts)
        write_shard(partial, shard, keys.key_of(record.person))
        for (name, media), item in zip(plain.items(), rendered, strict=True):
            sample = _sample(name, record.person, media, item.label, len(item.frames), params.fps)
            samples.append(replace(sample, split="gate" if person.role == "gate" else ""))
        report("rendering synthetic adults", done, people)
    manifest = _finish(partial, data, samples, [SYNTHETIC_LICENCE])
    return IntakeReport(
        people=people, samples=len(samples), admitted=len(samples), quarantined=(), manifest_sha256=manifest
    )


def import_people(
    data: Path,
    intake: Intake,
    keys: KeyStore,
    read: ReadImage,
    encode: EncodeFrames,
    at: datetime,
    dry_run: bool,
    report: Report,
) -> tuple[IntakeReport, tuple[ConsentEvent, ...]]:
    """Adds real people to the dataset folder; nothing is written in a dry run, or when no row can be taken.

    Raises:
        InputError: no row is usable; the message names the first reason.
        RefusedError: no row is usable, and consent is the reason of each.
    """
    rejected = list(intake.rejected)
    decoded, undecodable = _decoded(intake.rows, read, report)
    rejected += undecodable
    for subject in [subject for subject in decoded if keys.erasure_of(subject) is not None]:
        rejected += [row.refused(CONSENT_TEXT + ERASED) for row in _rows(decoded.pop(subject))]
    pseudonyms = {subject: _provisional(subject) if dry_run else keys.enrol(subject) for subject in decoded}
    bands = {pseudonyms[subject]: _rows(samples)[0].age_band for subject, samples in decoded.items()}
    events = intake.consents(pseudonyms, bands)
    usable: dict[str, dict[str, tuple[list[ImportRow], bytes]]] = {}
    for subject, samples in decoded.items():
        refusal = _refusal(events, pseudonyms[subject], intake, at)
        if refusal:
            rejected += [row.refused(CONSENT_TEXT + refusal) for row in _rows(samples)]
        else:
            usable[subject] = {key: (rows, encode(frames, lossless=True)) for key, (rows, frames) in samples.items()}
    rejected.sort(key=lambda row: row.row)
    if not usable:
        _refuse(rejected)
    admitted = sum(len(rows) for samples in usable.values() for rows, _ in samples.values())
    manifest = None
    if not dry_run:
        manifest = _write_people(data, intake, usable, pseudonyms, events, keys)
    count = IntakeReport(
        people=len(usable),
        samples=sum(map(len, usable.values())),
        admitted=admitted,
        quarantined=tuple(rejected),
        manifest_sha256=manifest,
    )
    admitted_people = {pseudonyms[subject] for subject in usable}
    return count, tuple(event for event in events if event.subject in admitted_people)


def without_people(data: Path, people: Collection[str]) -> str | None:
    """Writes the dataset folder again without these people; returns its manifest's digest, None where they are not in it.

    Raises:
        InputError: nobody would be left. IntegrityError: the folder is not what its manifest says.
    """
    samples = read_index(data)
    left = [sample for sample in samples if sample.person not in people]
    if len(left) == len(samples):
        return None
    if not left:
        raise InputError("nobody would be left in the dataset; bring other people first, or delete the folder")
    verify_manifest(data)
    partial = _partial(data)
    (partial / "shards").mkdir()
    for person in {sample.person for sample in left}:
        shutil.copy2(data / shard_name(person), partial / shard_name(person))
    licences = parse_licences((data / LICENCES_NAME).read_text(encoding="utf-8"))
    return _finish(partial, data, left, licences.values())


_Decoded = dict[str, dict[str, tuple[list[ImportRow], "np.typing.NDArray[np.uint8]"]]]


def _decoded(rows: Sequence[ImportRow], read: ReadImage, report: Report) -> tuple[_Decoded, list[QuarantinedRow]]:
    kept: _Decoded = {}
    rejected: list[QuarantinedRow] = []
    people = grouped(rows)
    for done, (subject, samples) in enumerate(people.items(), start=1):
        for key, members in samples.items():
            frames = []
            for member in members:
                try:
                    frames.append(read(member.path, f"row {member.row}"))
                except InputError as error:
                    rejected.append(member.refused(str(error)))
            readable = [member for member in members if member.row not in {row.row for row in rejected}]
            if len({frame.shape for frame in frames}) > 1 or len({member.label for member in readable}) > 1:
                reason = "the frames of this clip differ in size or label; make them alike"
                rejected += [member.refused(reason) for member in readable]
            elif frames:
                kept.setdefault(subject, {})[key] = (readable, np.stack(frames))
        report("reading pictures", done, len(people))
    return kept, rejected


def _rows(samples: Mapping[str, tuple[list[ImportRow], object]]) -> list[ImportRow]:
    return [row for rows, _ in samples.values() for row in rows]


def _refusal(events: Sequence[ConsentEvent], person: str, intake: Intake, at: datetime) -> str | None:
    """Why nothing at all may be done with this person's pictures, or None."""
    reasons: Counter[str] = Counter()
    for purpose in PURPOSES:
        for context in CONTEXTS:
            consent = admit(events, person, purpose, context, at, intake.known_notices)
            answer = under_licence(intake.licence, consent, purpose, context)
            if answer.admitted:
                return None
            if purpose in intake.licence.purposes and context in intake.licence.contexts:
                reasons[answer.reason] += 1
    return reasons.most_common(1)[0][0] if reasons else "the licence allows no purpose"


def _refuse(rejected: Sequence[QuarantinedRow]) -> None:
    first = rejected[0] if rejected else QuarantinedRow(row=0, reason="the source holds no row")
    message = f"no row can be taken ({len(rejected)} quarantined); {first.place}: {first.reason}"
    if rejected and all(row.reason.startswith(CONSENT_TEXT) for row in rejected):
        raise RefusedError(message)
    raise InputError(message)


def _write_people(
    data: Path,
    intake: Intake,
    usable: Mapping[str, Mapping[str, tuple[list[ImportRow], bytes]]],
    pseudonyms: Mapping[str, str],
    events: Sequence[ConsentEvent],
    keys: KeyStore,
) -> str:
    partial = _partial(data)
    existing, licences = _existing(data, partial)
    known = {sample.sample_id for sample in existing}
    samples = list(existing)
    for subject, entries in usable.items():
        person = pseudonyms[subject]
        plain = {
            f"{person}-{hashlib.sha256(media).hexdigest()[:12]}": (rows, media) for rows, media in entries.values()
        }
        receipts = [event.model_dump(mode="json") for event in events if event.subject == person]
        shard = Shard(
            subject=_record(person, _rows(entries)),
            samples={name: media for name, (_, media) in plain.items()},
            facial_actions={},
            consent_receipts=receipts,
        )
        if any(sample.person == person for sample in existing):
            shard = _joined(read_shard(data, person, keys.key_of(person)), shard)
        write_shard(partial, shard, keys.key_of(person))
        for name, (rows, media) in plain.items():
            if name not in known:
                sample = _sample(name, person, media, rows[0].label, len(rows), 0.0 if len(rows) == 1 else 25.0)
                named = replace(sample, split=rows[0].split, source=intake.source, licence_id=intake.licence.id)
                samples.append(named)
    return _finish(partial, data, samples, [*licences, intake.licence])


def _existing(data: Path, partial: Path) -> tuple[tuple[Sample, ...], list[LicenceRecord]]:
    if not (data / "index.csv").is_file():
        return (), []
    verify_manifest(data)
    shutil.copytree(data / "shards", partial / "shards")
    licences = parse_licences((data / LICENCES_NAME).read_text(encoding="utf-8"))
    return read_index(data), list(licences.values())


def _joined(old: Shard, new: Shard) -> Shard:
    known = {receipt["event_id"] for receipt in old.consent_receipts}
    receipts = [*old.consent_receipts, *(one for one in new.consent_receipts if one["event_id"] not in known)]
    return replace(new, samples={**old.samples, **new.samples}, consent_receipts=receipts)


def _record(person: str, rows: Sequence[ImportRow]) -> SubjectRecord:
    first = rows[0]
    tones = sorted(row.skin_tone for row in rows if row.skin_tone is not None)
    return SubjectRecord(
        person=person,
        age_band=first.age_band,
        gender=first.gender,
        skin_tone=tones[len(tones) // 2] if tones else None,
        ancestry=first.ancestry,
        self_reported=True,
        evidence="real",
    )


def _sample(name: str, person: str, media: bytes, label: str, frames: int, fps: float) -> Sample:
    kind: Literal["image", "clip"] = "clip" if frames > 1 else "image"
    return Sample(
        sample_id=name,
        person=person,
        shard=shard_name(person),
        kind=kind,
        frames=frames,
        fps=fps if frames > 1 else 0.0,
        label=label,
        split="",
        source="synthetic",
        licence_id=SYNTHETIC_LICENCE.id,
        sha256=hashlib.sha256(media).hexdigest(),
    )


def _partial(data: Path) -> Path:
    partial = data.with_name(f"{data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def _finish(partial: Path, data: Path, samples: Iterable[Sample], licences: Iterable[LicenceRecord]) -> str:
    write_index(partial, samples)
    by_id = {licence.id: licence for licence in licences}
    write_atomically(partial / LICENCES_NAME, render_licences(by_id.values()).encode())
    manifest = write_manifest(partial)
    replaced = data.with_name(f"{data.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if data.exists():
        data.rename(replaced)
    partial.rename(data)
    shutil.rmtree(replaced, ignore_errors=True)
    return manifest


def _provisional(subject: str) -> str:
    return "r" + hashlib.sha256(subject.encode()).hexdigest()[:15]


def _npy(values: np.typing.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()
