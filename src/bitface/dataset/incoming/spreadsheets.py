"""Writes tables that a spreadsheet opens: a cell that begins as a formula would be run there, and people's texts stand in cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

# Also in full width, which a spreadsheet of East Asia reads alike; tab and line ends are passed over before the rest is looked at.
_FORMULA: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_ENDS: Final = "\r\n"


def write_rows(stream: TextIO, rows: Iterable[Sequence[object]], separator: str = ",") -> None:
    """Appends rows to a CSV text. A text that begins as a formula does gets a `'` before it; numbers are left as they are."""
    for row in rows:
        line = io.StringIO(newline="")
        # Only a writer whose lines end in both puts quotes around a text that holds either.
        csv.writer(line, delimiter=separator, lineterminator=_ENDS).writerow([_inert(cell) for cell in row])
        stream.write(line.getvalue().removesuffix(_ENDS) + "\n")


def read_cell(cell: str) -> str:
    """What a cell said before `write_rows` took the life out of it."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a cell of this text, so that `write_rows` writes another one."""
    return text.startswith(_FORMULA)


def _inert(cell: object) -> object:
    if cell is None or isinstance(cell, int | float):
        return cell
    text = str(cell)
    return f"'{text}" if is_formula(text) else text
