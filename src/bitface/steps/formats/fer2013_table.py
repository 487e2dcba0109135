"""FER2013 as it is published: one CSV of pixels, with FERPlus's votes where they lie beside it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import isqrt
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.consent.public_sets import FER2013_LICENCE
from bitface.counted_words import counted
from bitface.dataset.incoming.import_rows import QuarantinedRow
from bitface.dataset.incoming.oddities import SAYS, Finding, findings_of, found
from bitface.dataset.incoming.packed_tables import PackedRow, known_column, packed_rows
from bitface.dataset.incoming.text_files import Table, TableRow
from bitface.dataset.incoming.votes import Votes, read_votes
from bitface.errors import InputError
from bitface.steps.people.sources import BESIDE, Brought, FolderFiles, FormatReader, source_of

EMOTIONS_BY_NUMBER: Final = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
PARTS: Final = {"training": "train", "publictest": "validation", "privatetest": "test"}
NEEDED: Final = ("emotion", "pixels")
_FACTS: Final = ("age", "gender", "skin_tone", "ethnicity")
READ: Final = (*NEEDED, "usage", *_FACTS)
SIDES: Final = range(16, 513)
"""Pixels of a side."""


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What was read so far: rows in the columns of a manifest, their pixels by path, rows that were refused, and findings."""

    votes: Mapping[int, Votes]
    usable: list[TableRow] = field(default_factory=list)
    pixels: dict[Path, bytes] = field(default_factory=dict)
    refused: list[QuarantinedRow] = field(default_factory=list)
    found: list[tuple[str, int]] = field(default_factory=list)
    copies: Counter[bytes] = field(default_factory=Counter)

    def take(self, row: PackedRow) -> None:
        """Takes a row over, or refuses it with the name of what is wrong."""
        said, raw = self.votes.get(row.number), row.values or {}
        label, part, pixels = _label_of(raw, said), _part_of(raw), _pixels_of(raw)
        remarks: list[str] = [] if said is None else [*said.remarks, *_other_label(raw, said)]
        remarks += ["no_part"] if part == "" else []
        self.found.extend((name, row.number) for name in remarks)
        wrong = "damaged_row" if row.values is None else said.finding if said and said.finding else ""
        wrong = wrong or ("" if label else "unknown_label") or ("unknown_part" if part is None else "")
        wrong = wrong or ("damaged_pixels" if not pixels else "blank_picture" if len(set(pixels)) == 1 else "")
        if wrong:
            self.refused.append(QuarantinedRow(row=row.number, reason=SAYS[wrong], line=row.line, finding=wrong))
            return
        path = Path(f"row {row.number}")
        self.pixels[path] = pixels
        facts: dict[str, str] = {name: raw[name] for name in _FACTS if name in raw}
        values = {
            "path": str(path),
            "subject_id": self._person_of(pixels),
            "label": label,
            "split": part or "",
            **facts,
        }
        self.usable.append(TableRow(number=row.number, line=row.line, values=values, fault=None))

    def _person_of(self, pixels: bytes) -> str:
        """An id of these pixels, the same in every file that holds them; of copies in one file each has its own."""
        self.copies[pixels] += 1
        return "fer2013-" + hashlib.sha256(b"%d " % self.copies[pixels] + pixels).hexdigest()[:16]

    def read(self, path: Path, name: str, /, below: Path | None = None) -> NDArray[np.uint8]:  # noqa: ARG002 - a `ports.ReadImage`
        """The pixels of a row, uint8 (side, side, 3)."""
        grey = np.frombuffer(self.pixels[path], np.uint8)
        side = isqrt(len(grey))
        return np.repeat(grey.reshape(side, side, 1), 3, axis=2)


def table_of_pixels(files: FolderFiles) -> Brought:
    """The rows of `emotion,pixels,Usage`, plain or packed by gzip, and of FERPlus's votes where they are named.

    Raises:
        InputError: a file cannot be read, has other columns or no rows, or the votes are of other rows; the message names the line.
    """
    path = files.table or files.folder
    said: Iterable[Votes] = () if files.votes is None else read_votes(files.votes)
    votes: dict[int, Votes] = dict(enumerate(said, start=1))
    rows, count = _Rows(votes=votes), 0
    for row in packed_rows(path, partial(known_column, READ, files.ignored_columns), NEEDED):
        _check_same_row(row, votes, files.votes)
        rows.take(row)
        count = row.number
    if not count:
        raise InputError(f"{path.name} has a header but no rows; download it again")
    if files.votes and len(votes) != count:
        raise InputError(
            f"{files.votes.name} has {counted(len(votes), 'row')} and {path.name} has {count}; the votes must be of these rows"
        )
    columns = ("path", "subject_id", "label", "split", *_FACTS)
    return Brought(
        table=Table(name=path.name, columns=columns, separator=",", rows=tuple(rows.usable)),
        refused=tuple(rows.refused),
        findings=(*_agreement(rows), *findings_of(rows.found), *_ages(rows)),
        read=rows.read,
        find=Path,
        are_people_known=False,
    )


def _label_of(raw: Mapping[str, str], said: Votes | None) -> str:
    """The label by the votes where there are any, else by its number; empty where there is none."""
    if said is not None:
        return said.label
    number = raw.get("emotion", "")
    return EMOTIONS_BY_NUMBER[int(number)] if number in map(str, range(len(EMOTIONS_BY_NUMBER))) else ""


def _other_label(raw: Mapping[str, str], said: Votes) -> list[str]:
    return ["other_label_by_votes"] if said.label and said.label != _label_of(raw, None) else []


def _part_of(raw: Mapping[str, str]) -> str | None:
    """Our word for a part, empty where none is named, None for a word that names none."""
    word = raw.get("usage", "").lower()
    return PARTS.get(word) if word else ""


def _pixels_of(raw: Mapping[str, str]) -> bytes:
    """Grey levels row by row, empty where they are none or make no square."""
    try:
        pixels = bytes(map(int, raw.get("pixels", "").split()))
    except ValueError:
        return b""
    side = isqrt(len(pixels))
    return pixels if side * side == len(pixels) and side in SIDES else b""


def _check_same_row(row: PackedRow, votes: Mapping[int, Votes], file: Path | None) -> None:
    said, usage = votes.get(row.number), (row.values or {}).get("usage", "")
    if file is not None and said is not None and usage.lower() != said.usage.lower():
        raise InputError(
            f"{file.name} row {row.number} is of part '{said.usage[:20]}' and the picture's is '{usage[:20]}'; the votes must be of these "
            "rows, in their order"
        )


def _agreement(rows: _Rows) -> tuple[Finding, ...]:
    """How far people agreed, label by label: the mean share of the votes that the label has."""
    taken = {row.number: rows.votes[row.number] for row in rows.usable if row.number in rows.votes}
    shares: dict[str, list[float]] = {}
    for said in taken.values():
        shares.setdefault(said.label, []).append(said.share)
    means = ", ".join(f"{label} {sum(own) / len(own):.2f} of {len(own)}" for label, own in sorted(shares.items()))
    return found("label_by_votes", taken, means)


def _ages(rows: _Rows) -> tuple[Finding, ...]:
    """The rows without an age: seen side by side, the set's pictures show small children as well."""
    return found("children_among_them", (row.number for row in rows.usable if not row.values.get("age")))


READER = FormatReader(
    source=partial(source_of, table_of_pixels, published=FER2013_LICENCE),
    takes=frozenset({"file"}),
    reads=BESIDE | {"votes", "ignore-column"},
)
