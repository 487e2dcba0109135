"""Reads tables that hold pictures as numbers, row by row and packed or not: a table of a set can be larger than memory should be."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from bitface.dataset.plain_files import opened
from bitface.errors import InputError, OverLimitError

UNPACKED_BYTES: Final = 1 << 30
"""FER2013 has 301 MB; a packed file of one megabyte can hold a thousand times that."""
LINE_CHARACTERS: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedRow:
    """A row: `number` counts from 1 without the header, `line` is the file's; `values` is None where the fields are not the header's."""

    number: int
    line: int
    values: dict[str, str] | None


def packed_rows(path: Path, name_of: Callable[[str], str], needed: Collection[str]) -> Iterator[PackedRow]:
    """The rows of a CSV file, or of one packed by gzip, one at a time; its fields are parted by commas, semicolons or tabs.

    Columns are called what `name_of` calls them.

    Raises:
        InputError: it cannot be read, is no text, lacks a column of `needed`, or has a line or a size beyond the limits; the message
            names file and line.
    """
    try:
        with opened(path, repr(path.name)) as file:
            yield from _rows(file, path.name, name_of, needed)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} is not a whole gzip file; download it again") from error
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror}); check that it exists") from error


def known_column(known: Collection[str], ignored: Collection[str], name: str) -> str:
    """What a column is called; raises InputError for one that is neither known nor ignored: it could be the age that keeps a child out."""
    plain = name.strip().lower()
    if plain in known or name in ignored:
        return plain
    raise InputError(
        f"unknown column '{name[:40]}'; the columns are {', '.join(known)}; rename it, or ignore it with --ignore-column '{name[:40]}'"
    )


def _rows(file: BinaryIO, name: str, name_of: Callable[[str], str], needed: Collection[str]) -> Iterator[PackedRow]:
    packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    source = io.BufferedReader(_Limited(gzip.GzipFile(fileobj=file) if packed else file, name), 1 << 16)
    separator = _separator(source.peek(1))
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    reader = csv.reader(_lines(text.readline, name), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        columns = [name_of(cell.strip()) for cell in next(reader, [])]
        _check_columns(columns, name, needed)
        line = reader.line_num + 1
        for number, cells in enumerate(filter(None, reader), start=1):
            values = {column: cell.strip() for column, cell in zip(columns, cells, strict=False)}
            yield PackedRow(number=number, line=line, values=values if len(cells) == len(columns) else None)
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{name} line {reader.line_num}: the quotes do not match, or a field is longer than {csv.field_size_limit():,} characters; "
            "correct the line"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: a byte after line {reader.line_num} is not UTF-8; save the file as UTF-8") from error


def _separator(begin: bytes) -> str:
    """What parts the fields of a table that begins so: the comma, or where its header has none the semicolon or the tab."""
    header = begin.partition(b"\n")[0]
    return next((one for one in ",;\t" if one.encode() in header), ",")


def _check_columns(columns: list[str], name: str, needed: Collection[str]) -> None:
    missing = [column for column in needed if column not in columns]
    if missing:
        raise InputError(
            f"{name}: its first line has no column '{missing[0]}'; needed: {', '.join(needed)} (docs/datasets.md)"
        )
    twice = [column for column, times in Counter(columns).items() if times > 1]
    if twice:
        raise InputError(f"{name}: column '{twice[0][:40]}' occurs twice; keep one")


def _lines(readline: Callable[[int], str], name: str) -> Iterator[str]:
    for number, line in enumerate(iter(partial(readline, LINE_CHARACTERS), ""), start=1):
        if len(line) == LINE_CHARACTERS:
            raise OverLimitError(f"{name} line {number} has over {LINE_CHARACTERS:,} characters; is this a CSV file?")
        yield line


class _Limited(io.RawIOBase):
    """A file of which no more than `UNPACKED_BYTES` can be read."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, name: str) -> None:
        self._file, self._name, self._left = file, name, UNPACKED_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._file.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise OverLimitError(f"{self._name} has over {UNPACKED_BYTES >> 20} MiB unpacked; import it in parts")
        buffer[: len(data)] = data
        return len(data)
