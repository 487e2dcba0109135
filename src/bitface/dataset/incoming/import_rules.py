"""What an import may say: nothing that contradicts itself, and of what is on record only what it changes on purpose.

A fact that a manifest leaves empty stays as it is known; the word `unknown` takes it back; another value is a correction and is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from bitface.dataset.incoming.import_rows import FACTS, ImportRow, QuarantinedRow
from bitface.faces.media.video_limits import Span
from bitface.faces.records import Kind, Sample, SubjectRecord

_UNKNOWN: Final = ("unknown", None)
_PARTS: Final = ("train", "", "validation", "test", "gate")
"""In which part a picture stays that is in several."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One sample as it was brought, a still or a clip. `media` reads the bytes that would be stored, without loss.

    `sha256` is that of these bytes, and so of the pixels: the same picture in another file has the same. `looks` are kept of it, and it
    is looked for by `asked` (`faces.media.same_picture`).
    """

    rows: tuple[ImportRow, ...]
    sha256: str
    media: Callable[[], bytes]
    looks: tuple[bytes, ...] = ()
    asked: tuple[bytes, ...] = ()
    frames: int | None = None
    """Of a row that is a whole clip; None: each row is a frame."""
    fps: float = 25.0
    """Of a clip; one whose frames come as pictures does not say it."""
    remarks: tuple[str, ...] = ()
    """Names in `oddities.SAYS` of what is odd about it and keeps it from nothing."""
    lost: str = ""
    """Which seconds of a clip cannot be read, in words."""
    scheme: str = ""
    """Of the points that it is, without any picture; empty for pictures."""

    @property
    def subject(self) -> str:
        """The owner's id."""
        return self.rows[0].subject_id

    @property
    def split(self) -> str:
        """The split that its rows name, which is one; empty where none does."""
        return next((row.split for row in self.rows if row.split), "")

    @property
    def kind(self) -> Kind:
        """A clip where there are several frames; landmarks where there is no picture."""
        if self.scheme:
            return "landmarks"
        return "clip" if self.length > 1 else "image"

    @property
    def length(self) -> int:
        """How many frames it has."""
        return self.frames or len(self.rows)


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A row that changes what is on record, and how."""

    row: int
    change: str


def contradicted_people(rows: Sequence[ImportRow]) -> dict[str, str]:
    """Subject id -> why none of that person's rows can be taken: the manifest itself says two things of them."""
    people: dict[str, list[ImportRow]] = {}
    for row in rows:
        people.setdefault(row.subject_id, []).append(row)
    found = ((subject, _contradiction(own)) for subject, own in people.items())
    return {subject: why for subject, why in found if why is not None}


def agreeing_files(rows: Sequence[ImportRow]) -> tuple[tuple[ImportRow, ...], tuple[QuarantinedRow, ...]]:
    """The rows without those of a file that stands under two labels or people, or twice at one place of a clip."""
    files: dict[tuple[str, Span], list[ImportRow]] = {}
    for row in rows:
        files.setdefault((str(row.path), row.span), []).append(row)
    refused = tuple(bad for same in files.values() if len(same) > 1 for bad in _of_one_file(same))
    gone = {row.row for row in refused}
    return tuple(row for row in rows if row.row not in gone), refused


def agreeing_pictures(
    pictures: Sequence[Picture], are_people_known: bool = True
) -> tuple[tuple[Picture, ...], tuple[QuarantinedRow, ...]]:
    """Each picture once, and the rows of those that are repeated or that the manifest gives two labels or two people.

    Where nobody knows who is on a picture, two people of one picture are one: it is kept in the training part where it is in one, so
    that none that is learned from is judged by too.
    """
    same: dict[str, list[Picture]] = {}
    for picture in pictures:
        same.setdefault(picture.sha256, []).append(picture)
    kept: list[Picture] = []
    refused: list[QuarantinedRow] = []
    for alike in same.values():
        numbers = _numbers(picture.rows[0] for picture in alike)
        labels = sorted({picture.rows[0].label for picture in alike})
        if are_people_known and len({picture.subject for picture in alike}) > 1:
            why = f"rows {numbers} assign one picture to two people; keep the correct row"
            refused += _refused(alike, why, "two_people")
        elif len(labels) > 1:
            why = f"rows {numbers} give one picture two labels ({', '.join(labels)}); keep the correct row"
            refused += _refused(alike, why, "two_labels")
        else:
            first, *others = sorted(alike, key=_part_then_row)
            kept.append(first)
            refused += _refused(others, f"the same picture is in row {first.rows[0].row}", "same_picture")
    return tuple(kept), tuple(refused)


def in_one_split(
    pictures: Sequence[Picture], there: Mapping[str, Sample]
) -> tuple[list[Picture], list[QuarantinedRow]]:
    """A person's pictures, and the rows of those that name another split than the person's samples that stay in theirs.

    `there`: the samples on record by what is stored. A person is moved by bringing every sample with the new split.
    """
    moved = {picture.sha256 for picture in pictures if picture.split}
    staying = {sample.split for content, sample in there.items() if content not in moved and sample.split}
    torn = {picture.sha256 for picture in pictures if staying and picture.split and picture.split not in staying}
    why = (
        f"the person has samples on record in split {' and '.join(sorted(staying))}, and a person is in one split; write that split, or "
        "give all of them the new one"
    )
    refused = _refused((picture for picture in pictures if picture.sha256 in torn), why, "")
    return [picture for picture in pictures if picture.sha256 not in torn], refused


def record_from(rows: Sequence[ImportRow], person: str, known: SubjectRecord | None) -> SubjectRecord:
    """What is recorded of a person after these rows, which do not contradict each other."""
    base = known or SubjectRecord(
        person=person,
        age_band="unknown",
        gender="unknown",
        skin_tone=None,
        ancestry="unknown",
        self_reported=True,
        evidence="real",
    )
    changes: dict[str, Any] = {name: value for row in rows for name, value in _stated(row).items()}
    return replace(base, **changes)


def corrections_of_person(
    rows: Sequence[ImportRow], known: SubjectRecord | None, after: SubjectRecord
) -> tuple[Correction, ...]:
    """The rows that change a fact of a person who is on record."""
    if known is None:
        return ()
    return tuple(
        Correction(
            row=row.row, change=f"{FACTS[name]} {_word(getattr(known, name))} is now {_word(getattr(after, name))}"
        )
        for row in rows
        for name in _stated(row)
        if getattr(known, name) != getattr(after, name)
    )


def corrected_sample(picture: Picture, known: Sample, licence_id: str) -> tuple[Sample, tuple[Correction, ...]]:
    """A sample that is on record as the rows of it say now, and a correction a row where that is something else."""
    rows = picture.rows
    after = replace(known, label=rows[0].label, split=picture.split or known.split, licence_id=licence_id)
    changes = [
        f"{name.partition('_')[0]} {getattr(known, name) or 'none'} is now {getattr(after, name)}"
        for name in ("label", "split", "licence_id")
        if getattr(known, name) != getattr(after, name)
    ]
    return after, tuple(Correction(row=row.row, change="; ".join(changes)) for row in rows if changes)


def _contradiction(rows: Sequence[ImportRow]) -> str | None:
    for name, column in FACTS.items():
        first = _first_of_each((_stated(row)[name], row) for row in rows if name in _stated(row))
        if len(first) > 1:
            which = f"{_numbers(first.values())} give one person two values of {column}"
            return f"rows {which} ({', '.join(map(str, first))}); keep the correct one"
    return None


def _first_of_each(pairs: Iterable[tuple[Any, ImportRow]]) -> dict[Any, ImportRow]:
    """Value -> the first row that says it."""
    first: dict[Any, ImportRow] = {}
    for value, row in pairs:
        first.setdefault(value, row)
    return first


def _of_one_file(rows: Sequence[ImportRow]) -> list[QuarantinedRow]:
    if len({(row.subject_id, row.label) for row in rows}) > 1:
        why = f"rows {_numbers(rows)} assign one picture to two people or two labels; keep the correct row"
        return [row.refused(why) for row in rows]
    first = _first_of_each(((row.clip, row.frame), row) for row in rows)
    kept = {row.row for row in first.values()}
    return [
        row.refused(f"the same file and frame are in row {first[row.clip, row.frame].row}")
        for row in rows
        if row.row not in kept
    ]


def _stated(row: ImportRow) -> Mapping[str, Any]:
    """The facts that a row states, also that one is not known."""
    return _told(row.cleared, row.age_band, row.gender, row.skin_tone, row.ancestry)


@lru_cache(maxsize=1 << 12)
def _told(cleared: frozenset[str], *facts: Any) -> Mapping[str, Any]:
    """Of the values of `FACTS`, in their order, those that are told."""
    named = zip(FACTS, facts, strict=True)
    return MappingProxyType({name: value for name, value in named if value not in _UNKNOWN or name in cleared})


def _word(value: Any) -> str:
    return "unknown" if value is None else str(value)


def _refused(pictures: Iterable[Picture], why: str, finding: str) -> list[QuarantinedRow]:
    return [row.refused(why, finding) for picture in pictures for row in picture.rows]


def _part_then_row(picture: Picture) -> tuple[int, int]:
    return _PARTS.index(picture.split), picture.rows[0].row


def _numbers(rows: Iterable[ImportRow]) -> str:
    numbers = [str(row.row) for row in rows]
    return ", ".join(numbers[:-1][:4]) + f" and {numbers[-1]}" if len(numbers) > 1 else numbers[0]
