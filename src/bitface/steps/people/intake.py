"""Imports people: pictures are read, everything is decided, and then all is written at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from bitface.consent.known_sources import Notice
from bitface.counted_words import counted, counted_people
from bitface.dataset.incoming.import_rows import CONSENT_TEXT, ImportRow, QuarantinedRow, grouped
from bitface.dataset.incoming.import_rules import (
    Correction,
    Picture,
    agreeing_files,
    agreeing_pictures,
    contradicted_people,
)
from bitface.dataset.incoming.oddities import Finding, findings_of, merged
from bitface.dataset.incoming.refused_rows import refused_lines
from bitface.dataset.points.point_pictures import samples_of_points
from bitface.dataset.points.point_samples import ChooseFrames
from bitface.dataset.spool import Spool
from bitface.dataset.swap import read_unchanged, version_of
from bitface.errors import InputError, RefusedError
from bitface.faces.records import Sample
from bitface.ports import EncodeFrames, ReadImage, Report
from bitface.steps.people.intake_decision import Decision, Intake, check_licence, decide, fill_with
from bitface.steps.people.reading.clip_packing import ClipAnswer, ClipPacking, PackedClip, are_many, clip_answers
from bitface.steps.people.reading.clips import Videos
from bitface.steps.people.reading.sample_packing import Frame, Packed, Packing, answers, is_large
from bitface.steps.people.writing import Change, Stores, Writer

_REASONS: Final = 5
"""So many other reasons are named where no row can be taken."""


@dataclass(frozen=True, kw_only=True)
class IntakeReport:
    """What an intake did: `admitted` + `unchanged` + quarantined rows = `rows`.

    `admitted` rows changed what is stored, and `corrected` of them what was on record already, as `corrections` tell; `unchanged` rows say
    what is on record. `people` and `samples` are those of the admitted and unchanged rows.
    """

    people: int
    samples: int
    rows: int
    admitted: int
    quarantined: tuple[QuarantinedRow, ...]
    unchanged: int
    corrected: int
    corrections: tuple[Correction, ...]
    consent_events: int
    by_licence: int
    """People without any consent event: the licence alone admits them, for benchmark."""
    licence: str
    findings: tuple[Finding, ...]
    replaced_synthetic: int
    """Synthetic people of the dataset who made room."""
    staying_samples: int
    """Of an earlier import from a source of this name, under this licence, that this one does not bring: they stay."""
    staying_people: int
    source: str
    manifest_sha256: str | None
    version: str | None


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """How pictures and clips of videos are read and packed."""

    read: ReadImage
    encode: EncodeFrames
    report: Report
    videos: Videos | None = None
    """None where no row is a clip of a video."""
    choose: ChooseFrames | None = None
    """Which frames of a clip of points are kept; None where no row is of points."""
    workers: int = 1
    """Processes that read and pack pictures, where there are many."""
    spool: Callable[[], AbstractContextManager[Spool]] = Spool
    """Where a large import keeps what it has read so far."""

    def packing(self, known: Collection[bytes] = ()) -> Packing:
        """What a process needs of it."""
        return Packing(read=self.read, encode=self.encode, known=frozenset(known))


def import_people(
    intake: Intake,
    notices: Sequence[Notice],
    pictures: Pictures,
    stores: Stores,
    at: datetime,
    writing: Callable[[], AbstractContextManager[Writer]] | None,
) -> IntakeReport:
    """Adds real people to the dataset; with `writing` None it says what would happen, and writes nothing.

    Raises:
        InputError: no row is usable; the message names the first reason.
        RefusedError: no row is usable, and consent is the reason of each.
        IntegrityError: a consent event contradicts one on record.
    """
    if writing is None:
        return foresee_import(intake, pictures, stores, at)[0]
    is_kept = are_many(intake.rows) if intake.are_clips else is_large(intake.rows)
    with pictures.spool() if is_kept else Spool() as spool:
        agreeing, rejected = _brought(intake, pictures, spool)
        with writing() as writer:
            _narrow_licence(intake, writer.stores)
            return _write(writer, decide(intake, agreeing, rejected, writer.stores, at), notices, intake)


def foresee_import(intake: Intake, pictures: Pictures, stores: Stores, at: datetime) -> tuple[IntakeReport, Decision]:
    """What `import_people` would do, and the decision itself, whose pictures are gone; nothing is written. Raises the same."""
    with Spool() as spool:
        agreeing, rejected = _brought(intake, pictures, spool)
        decision = read_unchanged(stores.data, lambda: decide(intake, agreeing, rejected, stores, at))
        _check_any(decision, intake)
        return _report(decision, intake.source, None, None), decision


def _write(writer: Writer, decision: Decision, notices: Sequence[Notice], intake: Intake) -> IntakeReport:
    stores = writer.stores
    if not decision.is_change:
        shown = (notices, [decision.licence]) if decision.taken else ((), ())
        stores.ledger.record_consents(decision.events, *shown)
        _check_any(decision, intake)
        return _report(decision, intake.source, version_of(stores.data), stores.store.pin())
    changed = writer.change(
        Change(
            fill=lambda folder: fill_with(folder, decision, stores),
            versioning="pin",
            enrolments=tuple(one.enrolment for one in decision.taken),
            notices=notices,
            events=decision.events,
            licences=(decision.licence,),
        )
    )
    return _report(decision, intake.source, changed.manifest_sha256, changed.version)


def _narrow_licence(intake: Intake, stores: Stores) -> None:
    """What closes comes first: a licence that allows less than the one on record counts, even if every row is refused afterwards."""
    known = stores.ledger.licences()
    check_licence(intake.licence, known)
    if intake.licence.id in known:
        stores.ledger.record_consents((), (), [intake.licence])


def _brought(intake: Intake, pictures: Pictures, spool: Spool) -> tuple[Sequence[Picture], list[QuarantinedRow]]:
    """The pictures of an intake that agree with each other, and every row that is not among them."""
    contradicted = contradicted_people(intake.rows)
    rejected = [row.refused(contradicted[row.subject_id]) for row in intake.rows if row.subject_id in contradicted]
    if intake.points is not None and pictures.choose is not None:
        own = [row for row in intake.rows if row.subject_id not in contradicted]
        brought, unread = samples_of_points(own, intake.points, pictures.choose, spool, pictures.report)
        agreeing, doubled = agreeing_pictures(brought, intake.are_people_known)
        return agreeing, [*rejected, *intake.rejected, *unread, *doubled]
    rows, of_files = agreeing_files([row for row in intake.rows if row.subject_id not in contradicted])
    if intake.are_clips and pictures.videos is not None:
        brought, undecodable = _read_videos(rows, pictures.videos, pictures, spool)
    else:
        brought, undecodable = _read(rows, intake, pictures, spool)
    agreeing, doubled = agreeing_pictures(brought, intake.are_people_known)
    return agreeing, [*rejected, *intake.rejected, *of_files, *undecodable, *doubled]


def _read(
    rows: Sequence[ImportRow], intake: Intake, pictures: Pictures, spool: Spool
) -> tuple[list[Picture], list[QuarantinedRow]]:
    """The samples that can be read, packed, and the rows of the others."""
    brought: list[Picture] = []
    rejected: list[QuarantinedRow] = []
    people = grouped(rows)
    samples = [members for own in people.values() for members in own.values()]
    seen: set[str] = set()
    packing = pictures.packing(spool.kept)
    for members, answer in answers(samples, partial(_framed, intake), packing, pictures.workers):
        by_row = {member.row: member for member in members}
        if answer.readable:
            brought.append(_picture([by_row[row] for row in answer.readable], answer.packed, answer.content, spool))
        rejected += [by_row[one.row].refused(one.reason, one.finding) for one in answer.unread]
        seen.add(members[0].subject_id)
        pictures.report("reading pictures", len(seen), len(people))
    return brought, rejected


def _framed(intake: Intake, rows: Sequence[ImportRow]) -> tuple[Frame, ...]:
    """How the pictures of these rows are read, as this source has them, and what is taken of each."""
    return tuple(
        Frame(
            row=row.row,
            path=row.path,
            label=row.label,
            cut=intake.cut(row.path) if intake.cut else None,
            pixels=intake.read(row.path, f"row {row.row}") if intake.read else None,
        )
        for row in rows
    )


def _read_videos(
    rows: Sequence[ImportRow], videos: Videos, pictures: Pictures, spool: Spool
) -> tuple[list[Picture], list[QuarantinedRow]]:
    """As `_read`, where each row is a clip."""
    brought: list[Picture] = []
    refused: list[QuarantinedRow] = []
    packing = ClipPacking(videos=videos, packing=pictures.packing())
    answered = clip_answers(rows, packing, spool.kept.keys(), pictures.workers)
    for done, answer in enumerate(answered, start=1):
        if answer.refused is None:
            brought.append(_clip(answer, spool))
        else:
            refused.append(answer.refused)
        pictures.report("reading clips", done, len(rows))
    return sorted(brought, key=lambda one: one.rows[0].row), sorted(refused, key=lambda one: one.row)


def _clip(answer: ClipAnswer, spool: Spool) -> Picture:
    """The clip of a row, read now or by an interrupted import."""
    if answer.clip is None:
        note, media = spool.kept[answer.content]
        clip = PackedClip.noted(note)
    else:
        clip = answer.clip
        media = spool.put(clip.packed.media, answer.content, clip.note)
    return Picture(
        rows=(answer.row,),
        sha256=clip.packed.sha256,
        media=media,
        looks=clip.packed.looks,
        asked=clip.packed.asked,
        frames=clip.frames,
        fps=clip.fps,
        remarks=clip.remarks,
        lost=clip.lost,
    )


def _picture(rows: Sequence[ImportRow], packed: Packed | None, content: bytes, spool: Spool) -> Picture:
    """A sample of these rows, packed now, or None where an interrupted import did it before."""
    if packed is None:
        note, media = spool.kept[content]
        packed = Packed.noted(note)
    else:
        media = spool.put(packed.media, content, packed.note)
    return Picture(rows=tuple(rows), sha256=packed.sha256, media=media, looks=packed.looks, asked=packed.asked)


def _check_any(decision: Decision, intake: Intake) -> None:
    """Raises where no row at all can be taken."""
    if decision.taken:
        return
    rejected = decision.rejected
    first = rejected[0] if rejected else QuarantinedRow(row=0, reason="the source has no rows")
    events = counted(decision.new_events, "new consent event")
    recorded = f"; {events} of people on record" if decision.new_events else ""
    message = f"no row can be imported ({len(rejected)} quarantined{recorded}); {first.where}: {first.reason}"
    _check_forms(rejected, intake)
    if rejected and all(row.reason.startswith(CONSENT_TEXT) for row in rejected):
        raise RefusedError(message)
    if len(rejected) > 1 and all(row.finding == "missing_picture" for row in rejected):
        raise InputError(
            f"no row can be imported: none of the {counted(len(rejected), 'file')} that the rows name is in folder '{intake.source}', "
            "where their paths begin; name the folder that they begin in, or put the files there"
        )
    is_of_row = intake.example and first.is_of_manifest
    raise InputError(f"{message}; a row reads as in {intake.example}" if is_of_row else message)


def _check_forms(rejected: Sequence[QuarantinedRow], intake: Intake) -> None:
    """Raises InputError where forms are the reason: what is not filled in, or mistyped, was refused by no one."""
    of_forms = [row for row in rejected if row.reason.startswith(CONSENT_TEXT) and row.subject_id in intake.faults]
    if not of_forms:
        return
    people = len({row.subject_id for row in of_forms})
    others = "".join(f"; {line}" for line in refused_lines(row for row in rejected if row not in of_forms)[:_REASONS])
    raise InputError(
        f"no row can be imported ({len(rejected)} quarantined): the consents of {counted_people(people)} are still to be filled in or "
        f"corrected, beginning with {of_forms[0].where}: {of_forms[0].reason.removeprefix(CONSENT_TEXT)}{others}"
    )


def _report(decision: Decision, source: str, manifest_sha256: str | None, version: str | None) -> IntakeReport:
    taken = decision.taken
    rows = frozenset[int]().union(*(one.rows for one in taken))
    admitted = frozenset[int]().union(*(one.admitted for one in taken))
    stay = _not_brought(decision, source)
    corrections = sorted((change for one in taken for change in one.corrections), key=lambda one: one.row)
    return IntakeReport(
        people=len(taken),
        samples=sum(len(one.samples) for one in taken),
        rows=len(rows) + len(decision.rejected),
        admitted=len(admitted),
        quarantined=decision.rejected,
        unchanged=len(rows - admitted),
        corrected=len({change.row for change in corrections}),
        corrections=tuple(corrections),
        consent_events=decision.new_events,
        by_licence=sum(one.is_by_licence for one in taken),
        licence=decision.licence.id,
        findings=merged((*decision.findings, *findings_of((row.finding, row.row) for row in decision.rejected))),
        replaced_synthetic=decision.replaced,
        staying_samples=len(stay),
        staying_people=len({sample.person for sample in stay}),
        source=source,
        manifest_sha256=manifest_sha256,
        version=version,
    )


def _not_brought(decision: Decision, source: str) -> list[Sample]:
    """The samples that an earlier import took from a source of this name, under this licence, and this one does not bring."""
    brought = {name for one in decision.taken for name in one.samples}
    own = source, decision.licence.id
    return [
        one for name, one in decision.samples.items() if name not in brought and (one.source, one.licence_id) == own
    ]
