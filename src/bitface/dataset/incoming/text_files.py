"""One reader for every text that people bring: manifests, consents, licences, notices, as Excel, Windows and macOS write them.

The digest is that of the bytes, taken before anything is decoded. UTF-8, with or without a byte order mark, and UTF-16 or UTF-32
with one are read; any other encoding is refused with the place of its first byte, because a guess could change a name or an age.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Final

from bitface.dataset.plain_files import read_plain
from bitface.errors import InputError
from bitface.faces.media.file_kinds import HEAD_BYTES, kind_of

MOST_BYTES: Final = 512 << 20
"""A manifest of a million rows has some 100 MB; whatever is larger is a film or a disk image under the wrong name."""
SMALL_BYTES: Final = 1 << 20
"""For what a person reads and this installation keeps: a notice, a licence."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WRITTEN: Final = ("Netpbm", "SVG")
"""Pictures that are text, or begin as a list of ids may."""
_NO_TEXT: Final = (
    (b"PK\x03\x04", "a spreadsheet (XLSX, ODS or Numbers) or another ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet (XLS) or another document of old Office programs"),
    (b"%PDF-", "a PDF"),
    (b"SQLite format 3\0", "a database (SQLite)"),
    (b"PAR1", "a table in the format Parquet"),
    (b"\x1f\x8b", "a packed file (gzip)"),
)
_WORDS_MAX: Final = 1 << 17
"""Different words of a column that are kept once each; the paths of a larger table are all different."""
_SEPARATORS: Final = (",", ";", "\t", "|")
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([,;\t|])"?')


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """What a file says. `text` has plain line ends and no byte order mark; `verbatim` is decoded and nothing else."""

    name: str
    verbatim: str
    sha256: str
    """Of the bytes, 64 hexadecimal digits."""

    @property
    def text(self) -> str:
        """The text in its normal form."""
        return self.verbatim.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRow:
    """A row of a table. `number` counts rows from 1 without the header, `line` is the file's line that the row begins in.

    `fault` says why the row cannot be read, and is None where it can.
    """

    number: int
    line: int
    values: dict[str, str]
    fault: str | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with named columns; `separator` is the one that its header uses. Cells have no space around them."""

    name: str
    columns: tuple[str, ...]
    separator: str
    rows: tuple[TableRow, ...]


def read_text_file(path: Path, most_bytes: int = MOST_BYTES, below: Path | None = None) -> TextFile:
    """Reads a text that a person brings, a plain file; `below` as `plain_files.opened` takes it.

    Raises:
        InputError: it cannot be read, is a link or not a plain file, is too large, is not text in the encoding that it states, or holds
            a NUL; the message names file, line and byte.
    """
    data = read_plain(path, path.name, most_bytes, below)
    if what := _no_text(data[:HEAD_BYTES]):
        raise InputError(f"{path.name} is {what}, not text; save what it holds as text, a table as CSV (UTF-8)")
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[len(mark) : error.start].decode(encoding, errors="replace")
        raise InputError(
            f"{path.name} line {_lines(before)}: byte 0x{data[error.start]:02x} at offset {error.start} is not "
            f"{encoding.partition('-le')[0].partition('-be')[0].upper()}; save the file as UTF-8"
        ) from error
    if "\0" in text:
        line = _lines(text.partition("\0")[0])
        raise InputError(
            f"{path.name} line {line}: a NUL character, which is not allowed in text; save the file as UTF-8"
        )
    return TextFile(name=path.name, verbatim=text, sha256=hashlib.sha256(data).hexdigest())


def read_table(file: TextFile, known: Sequence[str]) -> Table:
    """The rows of a CSV text with a header; rows without any value are passed over, as spreadsheets leave them.

    The separator is the one of comma, semicolon, tab and bar under which the header names most of `known`; Excel's line `sep=;`
    states it.

    Raises:
        InputError: no header, a web page, a column that stands twice, or quotes that do not match; the message names the line.
    """
    text = file.text
    if text.lstrip().startswith("<"):
        raise InputError(
            f"{file.name} is a web page (HTML or XML), not a table; export the table as CSV (UTF-8), or download it again"
        )
    stated = _SEPARATOR_LINE.fullmatch(text.partition("\n")[0].strip(" "))
    separator = stated[1] if stated else _separator(text, known)
    records = islice(_records(file.name, text, separator), 1 if stated else 0, None)
    line, header = next(records, (0, []))
    if not header:
        raise InputError(
            f"{file.name} is empty; write a header line with {', '.join(known[:3])} and a line for each row"
        )
    columns = tuple(cell.strip() for cell in header)
    twice = [column for column in columns if column and columns.count(column) > 1]
    if twice:
        raise InputError(f"{file.name} line {line}: column '{twice[0][:40]}' occurs twice; keep one")
    seen: tuple[dict[str, str], ...] = tuple({} for _ in columns)
    rows = tuple(
        _row(number, line, _once(cells, seen), columns) for number, (line, cells) in enumerate(records, start=1)
    )
    return Table(name=file.name, columns=tuple(filter(None, columns)), separator=separator, rows=rows)


def _no_text(head: bytes) -> str | None:
    """What a file is by its first bytes, if a program that many people use saves such files under any name; None if it may be text."""
    kind = kind_of(head)
    if kind is not None and kind.name not in _WRITTEN:
        return f"a {kind.medium} ({kind.name})"
    return next((what for begins, what in _NO_TEXT if head.startswith(begins)), None)


def _lines(before: str) -> int:
    """The number of the line that follows a text."""
    return 1 + before.count("\n") + len(re.findall(r"\r(?!\n)", before))


def _separator(text: str, known: Sequence[str]) -> str:
    header = next((line for line in _lines_of(text) if line.strip()), "")

    def named(separator: str) -> int:
        cells = {cell.strip().strip('"').lower() for cell in header.split(separator)}
        return sum(column in cells for column in known)

    return max(_SEPARATORS, key=named)


def _lines_of(text: str) -> Iterator[str]:
    """The lines, each with its end, one at a time: a list of them would take as much memory again."""
    begins = 0
    while (ends := text.find("\n", begins)) >= 0:
        yield text[begins : ends + 1]
        begins = ends + 1
    yield f"{text[begins:]}\n"


def _once(cells: Sequence[str], seen: Sequence[dict[str, str]]) -> list[str]:
    """Cells without space around them; a word that is in a million rows of a column is in memory once."""
    found = [cell.strip() for cell in cells]
    for at, (cell, known) in enumerate(zip(found, seen, strict=False)):
        found[at] = known.setdefault(cell, cell) if len(known) < _WORDS_MAX else known.get(cell, cell)
    return found


def _records(name: str, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The line that each record begins in, and its cells; empty ones are left out."""
    reader = csv.reader(_lines_of(text), delimiter=separator, skipinitialspace=separator != "\t", strict=True)
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{name} line {begins}: the quotes of this row do not match, or a field is longer than "
            f"{csv.field_size_limit():,} characters; correct the line"
        ) from error


def _row(number: int, line: int, cells: Sequence[str], columns: Sequence[str]) -> TableRow:
    if len(cells) == len(columns) and "" not in columns:
        return TableRow(number=number, line=line, values=dict(zip(columns, cells, strict=True)), fault=None)
    surplus = [
        at for at, (cell, column) in enumerate(zip_longest(cells, columns, fillvalue=""), 1) if cell and not column
    ]
    fault = None
    if surplus:
        fault = f"field {surplus[0]} has no column; quote values that contain the separator, or delete it"
    elif len(cells) < len(columns):
        fault = f"the row has {len(cells)} of {len(columns)} fields; write all of them, leaving unknown values empty"
    values = {column: cell for column, cell in zip_longest(columns, cells[: len(columns)], fillvalue="") if column}
    return TableRow(number=number, line=line, values=values, fault=fault)
