"""Fills in the persons of rows that are in a manifest already, since a pattern is often given on a second run; what is written stays."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bitface.dataset.files import write_atomically
from bitface.dataset.incoming.folder_names import Guess
from bitface.dataset.incoming.source_paths import SourceFolder
from bitface.dataset.incoming.spreadsheets import write_rows
from bitface.dataset.incoming.subject_ids import id_or_none, suggested_ids
from bitface.errors import InputError
from bitface.steps.bringing.draft_files import Manifest, bytes_of_utf8, mode_of
from bitface.steps.bringing.first_look import MANIFEST

_PERSON: Final = "subject_id"
_LINE_END: Final = re.compile(r"(\r\n|\r|\n)")


@dataclass(frozen=True, kw_only=True)
class Later:
    """What a second look at rows that were there made of them: the lines that were filled in, the lines that name another person than
    is found now, and of which pictures it still is not clear who it is, and why.
    """

    filled: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    doubts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def rows_by_file(folder: Path, manifest: Manifest | None) -> dict[Path, list[int]]:
    """File -> the indices of its rows; a row whose file is not there is in none, and the import says so."""
    find = SourceFolder(folder).file
    found: dict[Path, list[int]] = {}
    for at, row in enumerate(manifest.rows if manifest else ()):
        try:
            found.setdefault(find(row.get("path", "")), []).append(at)
        except InputError:
            continue
    return found


def fill_persons(
    folder: Path, manifest: Manifest, guesses: Sequence[Guess], rows: Mapping[Path, Sequence[int]]
) -> Later:
    """Writes the person of each guess into its rows that name none.

    Raises:
        InputError: the file is UTF-16, which nothing is written to.
        OSError: it cannot be written.
    """
    pairs = [(one, at) for one in guesses for at in rows.get(folder / one.path, ())]
    empty = [(one, at) for one, at in pairs if not manifest.rows[at].get(_PERSON, "")]
    wanted = {manifest.lines[at]: one.subject_id for one, at in empty if one.subject_id}
    filled = _fill(folder / MANIFEST, manifest, wanted) if wanted else ()
    return Later(
        filled=filled,
        left=tuple(
            manifest.lines[at] for one, at in pairs if _is_another(manifest.rows[at].get(_PERSON, ""), one.name)
        ),
        doubts={one.path: one.doubts for one, at in empty if one.doubts and manifest.lines[at] not in filled},
    )


def _is_another(written: str, name: str) -> bool:
    return bool(written and name) and id_or_none(written) not in {id_or_none(name), *suggested_ids(name)}


def _fill(path: Path, manifest: Manifest, wanted: Mapping[int, str]) -> tuple[int, ...]:
    """Line by line, so that every other line keeps its bytes; a row over several lines is left to a person."""
    parts = _LINE_END.split(bytes_of_utf8(path).decode())
    filled = tuple(_changed(parts, manifest, wanted))
    if filled:
        write_atomically(path, "".join(parts).encode(), mode_of(path))
    return filled


def _changed(parts: list[str], manifest: Manifest, wanted: Mapping[int, str]) -> Iterator[int]:
    """Changes the lines among `parts`, where each is followed by its end, and names them."""
    rows = dict(zip(manifest.lines, manifest.rows, strict=True))
    for line, person in wanted.items():
        at = 2 * (line - 1)
        cells = _cells(parts[at], manifest.separator)
        if dict(zip(manifest.columns, cells, strict=False)) == rows[line] and len(cells) == len(manifest.columns):
            cells[manifest.columns.index(_PERSON)] = person
            parts[at] = _line(cells, manifest.separator)
            yield line


def _cells(text: str, separator: str) -> list[str]:
    try:
        (cells,) = csv.reader([text], delimiter=separator, skipinitialspace=separator != "\t", strict=True)
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def _line(cells: Sequence[str], separator: str) -> str:
    text = io.StringIO(newline="")
    write_rows(text, [cells], separator)
    return text.getvalue().removesuffix("\n")
