"""No cell of a table that we write is run by the spreadsheet that opens it."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path

import pytest

from bitface.dataset.incoming.spreadsheets import read_cell, write_rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_a_text_that_begins_as_a_formula_is_a_text(begin: str) -> None:
    stream = io.StringIO(newline="")
    write_rows(stream, [["path"], [Path(f"{begin}cmd|'/c calc'!A0")], [f"{begin}1+1"]])
    _, first, second = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert first[0].startswith("'") and second[0].startswith("'")
    assert read_cell(second[0]) == f"{begin}1+1"


def test_numbers_and_other_texts_stay_as_they_are() -> None:
    stream = io.StringIO(newline="")
    write_rows(stream, [[-1.5, -2, None, True, "a-b", "", "'quoted"]])
    assert stream.getvalue() == "-1.5,-2,,True,a-b,,'quoted\n"
    assert [read_cell(cell) for cell in ("a-b", "'quoted", "")] == ["a-b", "'quoted", ""]


def test_every_table_is_written_by_this_one_function() -> None:
    """A second place that writes CSV would forget it."""
    sources = {path: path.read_text() for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "flows").glob("*.py")]}
    writers = {
        path.stem
        for path, text in sources.items()
        if "csv" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and node.attr in ("writer", "DictWriter", "to_csv")
        and "csv" in ast.unparse(node)
    }
    assert writers == {"spreadsheets"}
