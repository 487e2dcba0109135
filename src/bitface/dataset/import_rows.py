"""Reads an import manifest row by row: a faulty row is quarantined with its reason, and none is dropped in silence."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bitface.errors import InputError
from bitface.faces.emotions import emotion_of
from bitface.faces.records import SPLITS, age_band_of

REQUIRED_COLUMNS: Final = ("path", "subject_id", "label")
OPTIONAL_COLUMNS: Final = ("age", "gender", "skin_tone", "ethnicity", "clip", "frame", "split", "captured_at")
_SUBJECT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GENDERS: Final = {"f": "female", "m": "male", "woman": "female", "man": "male"}


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class QuarantinedRow:
    """A row that was not taken, and why. `row` counts from 1, the header not counted."""

    row: int
    reason: str


def read_manifest(manifest: Path, root: Path) -> tuple[tuple[ImportRow, ...], tuple[QuarantinedRow, ...]]:
    """The usable rows of a manifest CSV and the quarantined ones; paths in it are relative to `root`.

    Raises:
        InputError: the manifest is missing, empty, not UTF-8, or lacks a required column; or a person is in two splits.
    """
    rows = _raw_rows(manifest)
    usable: list[ImportRow] = []
    rejected: list[QuarantinedRow] = []
    copies = Counter(_identity(raw) for raw in rows)
    seen: set[tuple[str, str]] = set()
    for number, raw in enumerate(rows, start=1):
        try:
            if copies[_identity(raw)] > 1 and _identity(raw) in seen:
                raise InputError("the same file and frame stands in an earlier row")
            seen.add(_identity(raw))
            usable.append(_row(number, raw, root))
        except InputError as error:
            rejected.append(QuarantinedRow(row=number, reason=str(error)))
    _check_splits(usable)
    return tuple(usable), tuple(rejected)


def _raw_rows(manifest: Path) -> list[dict[str, str]]:
    if not manifest.is_file():
        raise InputError(
            f"no manifest '{manifest.name}'; name it with --manifest (columns {', '.join(REQUIRED_COLUMNS)})"
        )
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, restkey="")
            columns = tuple(reader.fieldnames or ())
            missing = [column for column in REQUIRED_COLUMNS if column not in columns]
            if missing:
                raise InputError(
                    f"{manifest.name}: column '{missing[0]}' is missing; needed: {', '.join(REQUIRED_COLUMNS)}"
                )
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{manifest.name} is not a UTF-8 CSV file; save it as one") from error
    if not rows:
        raise InputError(f"{manifest.name} has a header and no rows; nothing to import")
    return rows


def _identity(raw: Mapping[str, str]) -> tuple[str, str]:
    return raw.get("path", ""), raw.get("frame", "")


def _row(number: int, raw: Mapping[str, str], root: Path) -> ImportRow:
    return ImportRow(
        row=number,
        path=contained_path(raw["path"], root),
        subject_id=_subject_id(raw["subject_id"]),
        label=emotion_of(raw["label"]),
        age_band=age_band_of(_number(raw, "age")),
        gender=gender_of(raw.get("gender", "")),
        skin_tone=_monk(_number(raw, "skin_tone")),
        ancestry=ancestry_of(raw.get("ethnicity", "")),
        clip=raw.get("clip", ""),
        frame=int(_number(raw, "frame") or 0),
        split=_split(raw.get("split", "")),
    )


def contained_path(text: str, root: Path) -> Path:
    """The file that a manifest names, which must be a plain file below `root`, reached over no link.

    Raises:
        InputError: absolute, escaping, with a NUL, a link on the way, or no such file.
    """
    pure = PurePosixPath(text)
    if not text or "\0" in text or "\\" in text or pure.is_absolute() or ".." in pure.parts:
        raise InputError("the path is empty, absolute or leaves the folder; use a path below the source folder")
    path = root / pure
    if any(part.is_symlink() for part in (path, *path.parents) if part != root and part.is_relative_to(root)):
        raise InputError("the path goes over a symbolic link; copy the file into the source folder")
    if not path.is_file():
        raise InputError("the file is missing; put it below the source folder or delete the row")
    return path


def gender_of(text: str) -> str:
    """female, male, other or unknown; raises InputError for another word."""
    word = text.strip().lower()
    word = _GENDERS.get(word, word) or "unknown"
    if word not in ("female", "male", "other", "unknown"):
        raise InputError(f"gender '{word[:20]}' is not female, male, other or unknown")
    return word


def ancestry_of(text: str) -> str:
    """The source's own word for ethnicity as an ancestry slice, `mixed` for two of them, `unknown` for none."""
    words = [word for word in re.split(r"[/,;+]", text.strip().lower().replace(" ", "_")) if word]
    return "unknown" if not words else "mixed" if len(words) > 1 else words[0][:24]


def _subject_id(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text)
    if not _SUBJECT_ID.fullmatch(normal):
        raise InputError("the subject id is not 1 to 64 of [A-Za-z0-9_-]; rename it in the source")
    return normal


def _number(raw: Mapping[str, str], column: str) -> float | None:
    text = raw.get(column, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"column '{column}' holds '{text[:20]}', which is not a number") from error
    if not 0 <= value < 1e6:
        raise InputError(f"column '{column}' holds {text[:20]}, outside 0 to 1,000,000")
    return value


def _monk(value: float | None) -> int | None:
    if value is not None and value not in range(1, 11):
        raise InputError(f"skin tone {value:g} is outside the Monk scale 1 to 10")
    return None if value is None else int(value)


def _split(text: str) -> str:
    word = text.strip().lower()
    if word and word not in SPLITS:
        raise InputError(f"split '{word[:20]}' is not one of {', '.join(SPLITS)}")
    return word


def _check_splits(rows: Iterable[ImportRow]) -> None:
    split_of: dict[str, tuple[str, int]] = {}
    for row in rows:
        if not row.split:
            continue
        first, at = split_of.setdefault(row.subject_id, (row.split, row.row))
        if first != row.split:
            raise InputError(
                f"rows {at} and {row.row} put one person into two splits ({first} and {row.split}); split by person"
            )


def grouped(rows: Sequence[ImportRow]) -> dict[str, dict[str, list[ImportRow]]]:
    """Subject id -> sample key -> its rows in the order of their frames; a row without a clip is its own sample."""
    people: dict[str, dict[str, list[ImportRow]]] = {}
    for row in sorted(rows, key=lambda row: (row.subject_id, row.clip, row.frame, row.row)):
        key = f"clip:{row.clip}" if row.clip else f"row:{row.row:07d}"
        people.setdefault(row.subject_id, {}).setdefault(key, []).append(row)
    return people
