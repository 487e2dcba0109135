"""Decides an import before anything is written: who is taken, with which pictures, what is corrected, and what is recorded of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from bitface.consent.admission import NOTICE_UNKNOWN, Use, admit, at_each, in_log_order
from bitface.consent.events import ConsentEvent
from bitface.consent.policy import LicenceRecord, under_licence
from bitface.consent.unfilled import see
from bitface.consent.vocabulary import CONTEXTS, PURPOSES
from bitface.dataset.files import each_in_threads
from bitface.dataset.incoming.import_rows import CONSENT_TEXT, ImportRow, QuarantinedRow
from bitface.dataset.incoming.import_rules import (
    Correction,
    Picture,
    corrected_sample,
    corrections_of_person,
    in_one_split,
    record_from,
)
from bitface.dataset.incoming.oddities import EXAMPLES, Finding, findings_of
from bitface.dataset.keyring.people_keys import Enrolment
from bitface.dataset.points.point_container import unpack_points
from bitface.dataset.points.point_pictures import ReadPoints
from bitface.dataset.shards import LazyMedia, Shard, digest_of, media_in, read_shard, shard_name, write_shard
from bitface.dataset.swap import copy_of
from bitface.errors import InputError
from bitface.faces.media.same_picture import Marks
from bitface.faces.records import POINTS_IN_ID, Kind, Sample, SubjectRecord
from bitface.ports import Frames, ReadImage
from bitface.steps.people.contents import content_of, present_contents, sample_of, staying, write_lists
from bitface.steps.people.erasure_people import check_none_returned, returned
from bitface.steps.people.reentry import reentry
from bitface.steps.people.writing import Stores

_NOTICE_REMEDY: Final = (
    "put the words that people were shown into notices/, complete, and their SHA-256 into notice_sha256, as `bitface data init` does "
    f"{see('Notices')}"
)

CutOut = Callable[[Path], Callable[[Frames], Frames]]
"""Of a picture's file, what takes a part of its pixels, uint8 (H, W, 3)."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What a person brings: usable rows, rows already refused, the licence, and consents by pseudonym."""

    rows: Sequence[ImportRow]
    rejected: Sequence[QuarantinedRow]
    licence: LicenceRecord
    source: str
    consents: Callable[[Mapping[str, str], Mapping[str, str]], tuple[ConsentEvent, ...]]
    """Given subject id -> pseudonym and pseudonym -> age band, the consent events of those people."""
    known_notices: Mapping[str, str]
    """SHA-256 -> id: those on record, and those that are brought."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Subject id -> why the consent that was brought cannot be used, where a line of it cannot be read."""
    reviewed: frozenset[str] = frozenset()
    """Ids that a person has looked at: each is a person of its own, whatever it looks like."""
    findings: tuple[Finding, ...] = ()
    """What is odd about the source, beside the rows that are refused."""
    read: ReadImage | None = None
    """Reads pictures that lie in no file of their own; None: each is a file."""
    cut: CutOut | None = None
    """Takes the face out of a picture that was read; None: all of it is taken."""
    are_people_known: bool = True
    """Whether the source says who is on a picture; else each is a person of its own."""
    are_clips: bool = False
    """Whether each row is a clip of a video, and not a picture."""
    points: ReadPoints | None = None
    """Gives the points of a row; None: rows are of pictures or videos."""
    example: str = ""
    """How a row of this format reads, for messages."""
    keeps_synthetic: bool = False
    """Whether synthetic people stay who are alone in the dataset."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One person's part of an import: the record afterwards, the pictures that are new, and what becomes of samples on record."""

    enrolment: Enrolment
    record: SubjectRecord
    is_present: bool
    is_changed: bool
    added: Mapping[str, Picture]
    """What is new; its bytes are read when they are written."""
    samples: Mapping[str, Sample]
    corrections: tuple[Correction, ...]
    rows: frozenset[int]
    admitted: frozenset[int]
    is_by_licence: bool = False
    """Whether no consent event speaks of the person, so that the licence alone admits."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An import before anything is written."""

    taken: tuple[Taken, ...]
    rejected: tuple[QuarantinedRow, ...]
    events: tuple[ConsentEvent, ...]
    new_events: int
    samples: Mapping[str, Sample]
    licences: Mapping[str, LicenceRecord]
    licence: LicenceRecord
    findings: tuple[Finding, ...] = ()
    replaced: int = 0
    """Synthetic people who make room for those who are taken."""

    @property
    def is_change(self) -> bool:
        """Whether the dataset would be another one."""
        return any(one.is_changed for one in self.taken)


def decide(
    intake: Intake, pictures: Sequence[Picture], rejected: Sequence[QuarantinedRow], stores: Stores, at: datetime
) -> Decision:
    """Who is taken, with what, and what is recorded of them.

    Raises:
        IntegrityError: a consent event contradicts the record.
        RefusedError: a person who was erased is here again, from a backup.
    """
    check_none_returned(returned(stores.keys, stores.ledger, stores.home, stores.data))
    here_before = staying(*present_contents(stores.data), intake.keeps_synthetic)
    samples = here_before.samples
    check_one_kind(pictures, samples.values(), stores)
    check_licence(intake.licence, stores.ledger.licences())
    refused = list(rejected)
    people: dict[str, list[Picture]] = {}
    for picture in pictures:
        people.setdefault(picture.subject, []).append(picture)
    for subject, why in _not_to_enter(people, intake, stores).items():
        refused += [row.refused(why) for row in _rows(people.pop(subject))]
    enrolments = {subject: stores.keys.foreseen(subject) for subject in people}
    here = _Here.of(samples, stores)
    known = {subject: _known(enrolments[subject].pseudonym, here, stores) for subject in people}
    pseudonyms = {subject: one.pseudonym for subject, one in enrolments.items()}
    records = {subject: record_from(_rows(own), pseudonyms[subject], known[subject]) for subject, own in people.items()}
    offered = intake.consents(pseudonyms, {one.person: one.age_band for one in records.values()})
    offered_to: dict[str, list[ConsentEvent]] = {}
    for event in offered:
        offered_to.setdefault(event.subject, []).append(event)
    moments = stores.ledger.moments(at)
    taken: list[Taken] = []
    for subject, own in people.items():
        # A new person's pseudonym was drawn just now, so nothing can be on record of it.
        on_record = () if enrolments[subject].is_new else stores.ledger.consents(pseudonyms[subject])
        known_ids = {event.event_id for event in on_record}
        own_events = offered_to.get(pseudonyms[subject], ())
        new = in_log_order(event for event in own_events if event.event_id not in known_ids)
        refusals = {
            kind: intake.faults.get(subject) or _refusal([*on_record, *new], pseudonyms[subject], kind, intake, moments)
            for kind in {picture.kind for picture in own}
        }
        refused += [
            row.refused(f"{CONSENT_TEXT}{refusal}")
            for picture in own
            if (refusal := refusals[picture.kind])
            for row in picture.rows
        ]
        allowed = [picture for picture in own if not refusals[picture.kind]]
        there = here.people.get(pseudonyms[subject], {})
        free, theirs = _unclaimed(allowed, pseudonyms[subject], here)
        free, torn = in_one_split(free, there)
        refused += [*theirs, *torn]
        if free:
            after = record_from(_rows(free), pseudonyms[subject], known[subject])
            key = enrolments[subject].key or stores.keys.key_of(pseudonyms[subject])
            part = _part_of(free, enrolments[subject], known[subject], after, there, key, intake)
            taken.append(replace(part, is_by_licence=not (on_record or new)))
    known_by_now = {one.enrolment.pseudonym for one in taken}
    known_by_now |= {one.pseudonym for one in enrolments.values() if not one.is_new}
    events = tuple(event for event in offered if event.subject in known_by_now)
    return Decision(
        taken=tuple(taken),
        rejected=tuple(sorted(refused, key=lambda row: row.row)),
        events=events,
        new_events=stores.ledger.new_consents(events),
        samples=samples,
        licences=here_before.licences,
        licence=intake.licence,
        findings=(*intake.findings, *_remarks(pictures)),
        replaced=here_before.replaced if taken else 0,
    )


def _remarks(pictures: Sequence[Picture]) -> tuple[Finding, ...]:
    findings = findings_of((name, one.rows[0].row) for one in pictures for name in one.remarks)
    lost = sorted((one.rows[0].row, one.lost) for one in pictures if one.lost)
    where = "; ".join(f"row {row}: {seconds}" for row, seconds in lost[:EXAMPLES])
    return tuple(replace(one, detail=where) if one.name == "broken_seconds" else one for one in findings)


def _not_to_enter(people: Mapping[str, Sequence[Picture]], intake: Intake, stores: Stores) -> dict[str, str]:
    """Subject id -> why nothing of this person is taken: erased, or to be looked at first, since it may be a person who was."""
    stores.ledger.check_intact()  # and so people who are known elsewhere to have been erased are known here
    asked = reentry(stores.keys, stores.home, intake.reviewed)
    gone = {subject: CONSENT_TEXT + why for subject, why in asked.refused(people).items()}
    rest = people.keys() - gone.keys()
    marks = (
        (subject, Marks(sha256=one.sha256, looks=one.asked)) for subject in sorted(rest) for one in people[subject]
    )
    seen = asked.seen(marks)
    return {**asked.alike(rest), **seen, **gone}


def check_one_kind(pictures: Sequence[Picture], samples: Iterable[Sample], stores: Stores) -> None:
    """A model reads the points that all of its people have: pictures, and each scheme of points, are datasets of their own.

    Raises:
        InputError: an import and the dataset, or parts of the import, are of two kinds.
    """
    brought, here = {picture.scheme for picture in pictures}, _scheme_here(samples, stores)
    first, *others = [*([] if here is None else [here]), *sorted(brought - {here})] or [""]
    if brought and others:
        has = "this import has" if here is None else "the dataset has"
        beside = "" if here is None else "this import "
        raise InputError(
            f"{has} {_of_kind(first)} and {beside}{_of_kind(others[0])}; a model reads what all of its people have, so that a dataset "
            "holds one kind: import each into a dataset of its own (BITFACE_DATA=FOLDER)"
        )


def _of_kind(scheme: str) -> str:
    return f"points of scheme {scheme}" if scheme else "pictures"


def _scheme_here(samples: Iterable[Sample], stores: Stores) -> str | None:
    """The scheme of the dataset's points, "" for pictures, None for an empty one; one sample answers for all, as they came in."""
    first = min(samples, key=lambda sample: sample.sample_id, default=None)
    if first is None or first.kind != "landmarks":
        return None if first is None else ""
    shard = read_shard(stores.data, first.person, stores.keys.key_of(first.person))
    return unpack_points(shard.samples[first.sample_id]).scheme.name


def check_licence(licence: LicenceRecord, known: Mapping[str, LicenceRecord]) -> None:
    """A licence is what earlier pictures were taken under: another one of its id may allow less of them from now on, and never more."""
    if not licence.allows_no_more_than(known.get(licence.id, licence)):
        raise InputError(
            f"licence '{licence.id}' is on record, and this one allows more for pictures already imported; give the new one an id of "
            "its own"
        )


@dataclass(frozen=True, kw_only=True)
class _Here:
    """The samples on record by the SHA-256 of what is stored: whose each is, and each person's own."""

    owners: Mapping[str, str]
    people: Mapping[str, Mapping[str, Sample]]

    @classmethod
    def of(cls, samples: Mapping[str, Sample], stores: Stores) -> _Here:
        content = content_of(samples.values(), stores.data, stores.keys)
        people: dict[str, dict[str, Sample]] = {}
        for name, sample in samples.items():
            people.setdefault(sample.person, {})[content[name]] = sample
        owners = {content[name]: sample.person for name, sample in samples.items()}
        return cls(owners=owners, people=people)


def _known(person: str, here: _Here, stores: Stores) -> SubjectRecord | None:
    if person not in here.people:
        return None
    return read_shard(stores.data, person, stores.keys.key_of(person), media=False).subject


def _rows(pictures: Iterable[Picture]) -> list[ImportRow]:
    return [row for picture in pictures for row in picture.rows]


def _refusal(
    events: Sequence[ConsentEvent], person: str, kind: Kind, intake: Intake, moments: Sequence[datetime]
) -> str | None:
    """Why nothing at all may be done with this person's pictures of a kind, or None."""
    if not events and "benchmark" in intake.licence.purposes and intake.licence.contexts:
        return None  # as the loop would find: `under_licence` admits people without any event
    reasons: Counter[str] = Counter()
    for purpose in PURPOSES:
        for context in CONTEXTS:
            own = partial(
                admit,
                events,
                person,
                Use(purpose=purpose, context=context, kind=kind),
                known_notices=intake.known_notices,
            )
            answer = under_licence(intake.licence, at_each(moments, own), purpose, context)
            if answer.admitted:
                return None
            if purpose in intake.licence.purposes and context in intake.licence.contexts:
                reasons[answer.reason] += 1
    if not reasons:
        return f"the licence does not allow any purpose {see('Licence')}"
    most = reasons.most_common(1)[0][0]
    if not events:
        return (
            f"{most}: no line of consents.jsonl is this person's; draft one with `bitface data init` {see('Consents')}"
        )
    return f"{most}; {_NOTICE_REMEDY}" if most == NOTICE_UNKNOWN else f"{most} {see('Consents')}"


def _unclaimed(pictures: Sequence[Picture], person: str, here: _Here) -> tuple[list[Picture], list[QuarantinedRow]]:
    """The pictures that are not on record as another person's, and the rows of those that are."""
    free = [picture for picture in pictures if here.owners.get(picture.sha256, person) == person]
    theirs = [picture for picture in pictures if here.owners.get(picture.sha256, person) != person]
    why = "this picture is on record for another person"
    return free, [row.refused(why, "on_record_elsewhere") for row in _rows(theirs)]


def _part_of(
    pictures: Sequence[Picture],
    enrolment: Enrolment,
    known: SubjectRecord | None,
    after: SubjectRecord,
    there: Mapping[str, Sample],
    key: bytes,
    intake: Intake,
) -> Taken:
    """One person's part, against what is there, which is known by its content."""
    person = enrolment.pseudonym
    corrections = list(corrections_of_person(_rows(pictures), known, after))
    added: dict[str, Picture] = {}
    theirs: dict[str, Sample] = {}
    new_rows: set[int] = set()
    for picture in pictures:
        present = there.get(picture.sha256)
        if present is not None:
            theirs[present.sample_id], changes = corrected_sample(picture, present, intake.licence.id)
            corrections += changes
        else:
            sample = _brought_sample(person, digest_of(picture.media(), person, key), picture, intake)
            added[sample.sample_id] = picture
            theirs[sample.sample_id] = sample
            new_rows |= {row.row for row in picture.rows}
    return Taken(
        enrolment=enrolment,
        record=after,
        is_present=known is not None,
        is_changed=bool(added or corrections),
        added=added,
        samples=theirs,
        corrections=tuple(corrections),
        rows=frozenset(row.row for row in _rows(pictures)),
        admitted=frozenset(new_rows | {one.row for one in corrections}),
    )


def _brought_sample(person: str, digest: str, picture: Picture, intake: Intake) -> Sample:
    first = picture.rows[0]
    name = f"{person}{POINTS_IN_ID if picture.kind == 'landmarks' else '-'}{digest[:12]}"
    sample = sample_of(name, person, digest, first.label, picture.length, picture.fps)
    return replace(sample, kind=picture.kind, split=picture.split, source=intake.source, licence_id=intake.licence.id)


def fill_with(folder: Path, decision: Decision, stores: Stores) -> None:
    """The dataset as it is, with what an import adds and corrects."""
    # Keys first and one by one, since each opening is noted.
    changed = {
        one.enrolment.pseudonym: (one, one.enrolment.key or stores.keys.key_of(one.enrolment.pseudonym))
        for one in decision.taken
        if one.is_changed
    }
    receipts: dict[str, list[ConsentEvent]] = {}
    for event in decision.events:
        receipts.setdefault(event.subject, []).append(event)

    def write(person: str) -> None:
        one, key = changed[person]
        write_shard(folder, _shard(one, receipts.get(person, ()), key, stores.data), key)

    each_in_threads(write, changed)
    samples = dict(decision.samples)
    for one in decision.taken:
        samples |= one.samples
    for person in {sample.person for sample in decision.samples.values()} - changed.keys():
        copy_of(stores.data / shard_name(person), folder / shard_name(person))
    licences = {**decision.licences, decision.licence.id: decision.licence}
    write_lists(folder, samples.values(), licences.values())


def _shard(one: Taken, events: Iterable[ConsentEvent], key: bytes, data: Path) -> Shard:
    """A person's shard: what was in it, what is new, and the person's consent events that came with it."""
    person = one.enrolment.pseudonym
    receipts = [event.model_dump(mode="json") for event in events]
    reads = {name: picture.media for name, picture in one.added.items()}
    looks = {name: picture.looks for name, picture in one.added.items()}
    new = Shard(subject=one.record, samples=LazyMedia(reads), facial_actions={}, consent_receipts=receipts, looks=looks)
    if not one.is_present:
        return new
    old = read_shard(data, person, key, media=False)
    known = {receipt["event_id"] for receipt in old.consent_receipts}
    both = [*old.consent_receipts, *(receipt for receipt in receipts if receipt["event_id"] not in known)]
    return replace(
        new,
        samples=LazyMedia({**media_in(data, person, key).reads, **reads}),
        facial_actions=media_in(data, person, key, "facial_actions"),
        consent_receipts=both,
        looks={**old.looks, **new.looks},
    )
