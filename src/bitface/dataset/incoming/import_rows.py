"""Reads an import manifest row by row: a faulty row is quarantined with its reason, and none is dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from bitface.dataset.incoming import ages
from bitface.dataset.incoming.ages import NUMBER, StatedAge, closed_people, minors, plain, years_of
from bitface.dataset.incoming.manifest_columns import OF_PICTURES, Columns, check_columns, check_filled
from bitface.dataset.incoming.oddities import finding_of
from bitface.dataset.incoming.source_paths import SourceFolder
from bitface.dataset.incoming.subject_ids import id_or_none, normal_id, suggested_ids
from bitface.dataset.incoming.text_files import Table, read_table, read_text_file
from bitface.dataset.plain_files import check_is_file
from bitface.errors import InputError
from bitface.faces.emotions import emotion_of
from bitface.faces.media.video_limits import WHOLE, Span
from bitface.faces.records import SPLITS, age_band_of
from bitface.known_words import did_you_mean

FACTS: Final = {"age_band": "age", "gender": "gender", "skin_tone": "skin_tone", "ancestry": "ethnicity"}
"""What a manifest may say of a person: field of a row and of a subject record -> column."""
CONSENT_TEXT: Final = "no usable consent: "
"""Begins the reason of every row that consent keeps out."""
_GENDERS: Final = {
    "f": "female",
    "m": "male",
    "woman": "female",
    "man": "male",
    "non-binary": "other",
    "nonbinary": "other",
    "diverse": "other",
    "x": "other",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportRow:
    """One usable row of a manifest. `subject_id` is the owner's id and stays out of everything but the key store."""

    row: int
    path: Path
    subject_id: str
    label: str
    age_band: str
    gender: str
    skin_tone: int | None
    ancestry: str
    clip: str
    frame: int
    split: str
    cleared: frozenset[str] = frozenset()
    """Fields of `FACTS` that the row calls unknown on purpose; an empty field says nothing."""
    line: int | None = None
    span: Span = WHOLE
    """Which seconds are meant, of a video."""

    def refused(self, reason: str, finding: str = "") -> QuarantinedRow:
        """The row as one that was not taken."""
        return QuarantinedRow(
            row=self.row,
            reason=reason,
            line=self.line,
            finding=finding,
            subject_id=self.subject_id,
            file=self.path.name,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinedRow:
    """A row that was not taken, and why. `row` counts from 1, the header not counted; `line` is the file's line that it begins in."""

    row: int
    reason: str
    line: int | None = None
    finding: str = ""
    """Its name in `findings.SAYS`, empty where the reason says it all."""
    subject_id: str = ""
    """The owner's id as the row has it, empty where the source does not say who it is. For the report to the owner alone."""
    file: str = ""
    """The name of the picture's file, where there is one."""

    @property
    def place(self) -> str:
        """`row 3 (line 5)`."""
        return f"row {self.row}" + (f" (line {self.line})" if self.line is not None else "")

    @property
    def is_of_manifest(self) -> bool:
        """Whether what the row itself says is wrong, and not the picture or the consent."""
        return not self.finding and not self.reason.startswith(CONSENT_TEXT)

    @property
    def where(self) -> str:
        """`row 3 (line 5: anna, smile.jpg)`."""
        own = ", ".join(name[:80] for name in (self.subject_id, self.file) if name)
        line = f"line {self.line}" if self.line is not None else ""
        inside = ": ".join(filter(None, (line, own)))
        return f"row {self.row}" + (f" ({inside})" if inside else "")


def manifest_table(manifest: Path, ignored: Collection[str] = (), known: Columns = OF_PICTURES) -> Table:
    """The cells of a manifest CSV. `ignored` names columns that are left aside: any other that is not `known`
    refuses the manifest.

    Raises:
        InputError: the manifest is missing, empty, no text that can be read, or has not the columns.
    """
    remedy = f"; write a manifest with `bitface data init`, or name it with --manifest: {known.example}"
    check_is_file(manifest, remedy)
    table = read_table(read_text_file(manifest), known.names)
    check_columns(table.name, table.columns, ignored, known)
    if not table.rows:
        raise InputError(f"{table.name} has a header but no rows; add a row for each picture or clip: {known.example}")
    return table


def rows_of(
    table: Table, root: Path, find: Callable[[str], Path] | None = None
) -> tuple[tuple[ImportRow, ...], tuple[QuarantinedRow, ...]]:
    """The usable rows of a manifest and the quarantined ones. Paths in it are relative to `root`, or lead where `find` says."""
    find = find or SourceFolder(root).file
    usable: list[ImportRow] = []
    rejected: list[QuarantinedRow] = []
    children = minors_of(table)
    for row in table.rows:
        try:
            if row.fault is not None:
                raise InputError(row.fault)
            check_filled(row.values)
            usable.append(_row(row.number, row.line, row.values, find))
        except InputError as error:
            finding = _child(id_or_none(row.values.get("subject_id", "")), children) or finding_of(error)
            own = row.values.get("subject_id", ""), row.values.get("path", "").rpartition("/")[2]
            rejected.append(
                QuarantinedRow(
                    row=row.number, reason=str(error), line=row.line, finding=finding, subject_id=own[0], file=own[1]
                )
            )
    barred = _in_two_splits(usable) | closed_people(_ages(table))
    rejected += [
        row.refused(barred[row.subject_id], _child(row.subject_id, children))
        for row in usable
        if row.subject_id in barred
    ]
    usable = [row for row in usable if row.subject_id not in barred]
    return tuple(usable), tuple(sorted(rejected, key=lambda row: row.row))


def minors_of(table: Table) -> frozenset[str]:
    """The ids of people of whom any row says an age under 18, also one that cannot be taken for another reason."""
    return minors(_ages(table))


def shown_of_age(table: Table) -> dict[str, str]:
    """Subject id -> `adult` or `under_18`, of the people whose age the rows say."""
    return ages.shown_of_age(_ages(table))


def _child(subject: str | None, children: Collection[str]) -> str:
    return "child" if subject in children else ""


def _ages(table: Table) -> Iterator[StatedAge]:
    """What the rows say of ages, whatever else is wrong with them; what several say of one person comes with the first of them."""
    seen: set[tuple[str, str]] = set()
    for row in table.rows:
        said = row.values.get("subject_id", ""), row.values.get("age", "")
        if said[1] and said not in seen:
            seen.add(said)
            subject = id_or_none(said[0])
            if subject is not None:
                yield StatedAge(subject=subject, row=row.number, text=said[1])


def _row(number: int, line: int, raw: Mapping[str, str], find: Callable[[str], Path]) -> ImportRow:
    return ImportRow(
        row=number,
        line=line,
        path=find(raw["path"]),
        subject_id=_subject_id(raw["subject_id"]),
        label=_label(raw["label"]),
        age_band=age_band_of(years_of(raw.get("age", ""))),
        gender=gender_of(raw.get("gender", "")),
        skin_tone=_monk(_number("skin_tone", raw.get("skin_tone", ""))),
        ancestry=ancestry_of(raw.get("ethnicity", "")),
        clip=raw.get("clip", ""),
        frame=_frame(raw.get("frame", "")),
        split=_split(raw.get("split", "")),
        span=_span(raw.get("start_s", ""), raw.get("end_s", "")),
        cleared=_cleared(*(raw.get(column, "") for column in FACTS.values())),
    )


@lru_cache(maxsize=1 << 16)
def _subject_id(text: str) -> str:
    """The id; what could be meant is in the message, since the manifest is its owner's."""
    if id_or_none(text) is None:
        if _BROKEN_CELL.fullmatch(text):
            raise InputError(
                f"the subject id reads '{text[:20]}': a spreadsheet has put this in place of the id; format the column as text, and "
                "enter the ids again"
            )
        if whole := _DECIMALS.fullmatch(text):
            raise InputError(f"the subject id reads '{text[:20]}'; write '{whole[1]}', without decimals")
        if valid := suggested_ids(text):
            raise InputError(
                f"the subject id is not 1 to 64 of [A-Za-z0-9_-]; write '{valid[0]}', in consents.jsonl too"
            )
    return normal_id(text)


_BROKEN_CELL: Final = re.compile(r"\d+([.,]\d+)?[eE][+-]?\d+|#+|#\w+([/ ]\w+)?[!?]?")
"""1.2E+11, of which the digits are lost; ####; #NAME?, #REF!, #N/A, in any language."""
_DECIMALS: Final = re.compile(r"(\d+)[.,]0+")
"""A number that a table of numbers has given decimals."""


@lru_cache(maxsize=1 << 12)
def _cleared(*facts: str) -> frozenset[str]:
    """Which of `FACTS`, in their order, are called unknown."""
    return frozenset(name for name, said in zip(FACTS, facts, strict=True) if plain(said) == "unknown")


@lru_cache(maxsize=1 << 12)
def gender_of(text: str) -> str:
    """female, male, other or unknown; raises InputError for another word."""
    word = plain(text).rstrip(".")
    word = _GENDERS.get(word, word) or "unknown"
    if word not in ("female", "male", "other", "unknown"):
        meant = did_you_mean(word, ("female", "male", "other", "unknown"))
        raise InputError(
            f"gender '{word[:20]}' is not female, male, other or unknown{'; ' if meant else ''}{meant.strip()}"
        )
    return word


@lru_cache(maxsize=1 << 12)
def ancestry_of(text: str) -> str:
    """The source's own word for ethnicity as an ancestry slice, `mixed` for two of them, `unknown` for none."""
    words = [word for word in re.split(r"[/,;+]", plain(text).replace(" ", "_")) if word]
    return "unknown" if not words else "mixed" if len(words) > 1 else words[0][:24]


@lru_cache(maxsize=1 << 12)
def _label(text: str) -> str:
    return emotion_of(plain(text)[:40])


@lru_cache(maxsize=1 << 12)
def _frame(text: str) -> int:
    value = _number("frame", text) or 0.0
    if value != int(value):
        raise InputError(f"frame {value:g} is not a whole number; number the frames of a clip 0, 1, 2, ...")
    return int(value)


@lru_cache(maxsize=1 << 12)
def _span(start: str, end: str) -> Span:
    start_s, end_s = _number("start_s", start) or 0.0, _number("end_s", end)
    if end_s is not None and end_s <= start_s:
        raise InputError(
            f"end_s {end_s:g} is not after start_s {start_s:g}; write seconds from the beginning of the video"
        )
    return Span(start_s=start_s, end_s=end_s)


@lru_cache(maxsize=1 << 12)
def _number(column: str, said: str) -> float | None:
    text = plain(said)
    if text in ("", "unknown"):
        return None
    if not NUMBER.fullmatch(text):
        raise InputError(
            f"column '{column}' holds '{text[:20]}', which is not a number; write digits, or leave it empty"
        )
    value = float(text)
    if not 0 <= value < 1e6:
        raise InputError(f"column '{column}' holds {text[:20]}, outside 0 to 1,000,000")
    return value


def _monk(value: float | None) -> int | None:
    if value is not None and value not in range(1, 11):
        raise InputError(f"skin tone {value:g} is outside the Monk scale 1 to 10")
    return None if value is None else int(value)


def _split(text: str) -> str:
    word = plain(text)
    if word and word not in SPLITS:
        raise InputError(f"split '{word[:20]}': {did_you_mean(word, SPLITS)}use one of {', '.join(SPLITS)}")
    return word


def _in_two_splits(rows: Iterable[ImportRow]) -> dict[str, str]:
    """Subject id -> why no row of that person can be taken, where two of them name two splits."""
    first: dict[str, ImportRow] = {}
    found: dict[str, str] = {}
    for row in rows:
        if row.split and first.setdefault(row.subject_id, row).split != row.split:
            other = first[row.subject_id]
            found[row.subject_id] = (
                f"rows {other.row} and {row.row} put one person into two splits ({other.split} and {row.split}); split by person"
            )
    return found


def grouped(rows: Sequence[ImportRow]) -> dict[str, dict[str, list[ImportRow]]]:
    """Subject id -> sample key -> its rows in the order of their frames; a row without a clip is its own sample."""
    people: dict[str, dict[str, list[ImportRow]]] = {}
    for row in sorted(rows, key=lambda row: (row.subject_id, row.clip, row.frame, row.row)):
        key = f"clip:{row.clip}" if row.clip else f"row:{row.row:07d}"
        people.setdefault(row.subject_id, {}).setdefault(key, []).append(row)
    return people
