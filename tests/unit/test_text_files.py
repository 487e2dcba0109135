"""Whatever wrote a text - Excel, Windows, macOS, a program - it says the same after it was read, or is refused in one line."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bitface.consent.events import parse_events
from bitface.consent.policy import parse_licences
from bitface.dataset.incoming.text_files import read_table, read_text_file
from bitface.errors import InputError
from bitface.steps.people.sources import read_notices
from tests.builders import read_manifest

MARKS = {"utf-8": b"", "utf-8-sig": b"", "utf-16": b"", "utf-16-be": b"\xfe\xff", "utf-32": b""}
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12).map(str.strip)
shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


def written(tmp_path: Path, data: bytes, name: str = "manifest.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@shared_folder
@given(
    st.lists(st.tuples(WORDS.filter(bool), WORDS, WORDS), min_size=1, max_size=5),
    st.sampled_from(sorted(MARKS)),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(",;\t|"),
    st.booleans(),
)
def test_a_table_says_the_same_in_every_encoding_line_end_and_separator(
    tmp_path: Path, rows: list[tuple[str, str, str]], encoding: str, end: str, separator: str, final: bool
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    whole = text.getvalue() if final else text.getvalue().removesuffix(end)
    file = read_text_file(written(tmp_path, MARKS[encoding] + whole.encode(encoding)))
    table = read_table(file, ("a", "b", "c"))
    assert table.columns == ("a", "b", "c")
    assert [tuple(row.values.values()) for row in table.rows] == rows
    assert [row.line for row in table.rows] == list(range(2, len(rows) + 2))
    assert not [row for row in table.rows if row.fault]


@shared_folder
@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f"path,subject_id,label\n{text}".encode()))
@example(b"\xff\xfe\x00")
@example(b"path,subject_id,label\n" + b"a/" * 3000 + b",p,fear\n")
@example(b'path,subject_id,label\n"a.png,p,fear\n')
def test_no_bytes_are_answered_with_a_traceback(tmp_path: Path, data: bytes) -> None:
    """Manifest, consents, licence and notice: read, or refused by an InputError of one line."""
    said = []
    path = written(tmp_path, data)
    (tmp_path / "notices").mkdir(exist_ok=True)
    written(tmp_path / "notices", data, "n.md")
    for read in (
        lambda: read_manifest(path, tmp_path),
        lambda: parse_events(read_text_file(path).text),
        lambda: parse_licences(read_text_file(path).text, "licence.json"),
        lambda: read_notices(tmp_path / "notices"),
    ):
        try:
            read()
        except InputError as error:
            said.append(str(error))
    assert not [one for one in said if "\n" in one or len(one) > 700]


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    for data in (b"a\r\nb", b"\xef\xbb\xbfa\nb", "a\nb".encode("utf-16")):
        file = read_text_file(written(tmp_path, data))
        assert file.sha256 == hashlib.sha256(data).hexdigest()
        assert file.text == "a\nb"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            "ok\n研究\n".encode("cp932"),
            "manifest.csv line 2: byte 0x8c at offset 3 is not UTF-8; save the file as UTF-8",
        ),
        ("ok\r\nMüller".encode("latin-1"), "line 2: byte 0xfc at offset 5"),
        ("ok\rMüller".encode("mac-roman"), "line 2: byte 0x9f"),
        (b"\xff\xfea\x00b", "not UTF-16"),
        ("a,b\n".encode("utf-16-le"), "line 1: a NUL character"),
        (b"a\nb\0c", "line 2: a NUL character"),
    ],
)
def test_what_is_no_text_is_named_by_file_line_and_byte(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(InputError, match="save the file as UTF-8") as refused:
        read_text_file(written(tmp_path, data))
    assert says in str(refused.value)


def test_a_file_that_is_too_large_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="over 536870912"):
        read_text_file(path)


def test_lines_are_the_file_s_also_after_blank_ones_and_fields_of_several_lines(tmp_path: Path) -> None:
    text = 'a,b\n\n"one\ntwo",x\n,,\n  \nthree,"y"\n'
    table = read_table(read_text_file(written(tmp_path, text.encode())), ("a", "b"))
    assert [(row.number, row.line, row.values["a"]) for row in table.rows] == [(1, 3, "one\ntwo"), (2, 7, "three")]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"'])
def test_the_separator_that_excel_states_is_believed(tmp_path: Path, first: str) -> None:
    table = read_table(read_text_file(written(tmp_path, f"{first}\na;b\n1;2\n".encode())), ("path",))
    assert (table.separator, table.columns, table.rows[0].line) == (";", ("a", "b"), 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b,a\n1,2,3\n", "line 1: column 'a' occurs twice"),
        ('a,b\nx,y\n"open,1\nz,2\n', "line 3: the quotes of this row do not match"),
        ('a,b\n"x"y,1\n', "line 2: the quotes"),
        (f"a,b\nx,{'y' * 200_000}\n", "line 2: .* longer than 131,072 characters"),
    ],
)
def test_a_table_whose_rows_cannot_be_told_apart_is_refused_by_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_table(read_text_file(written(tmp_path, text.encode())), ("a", "b"))


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("1,2,3,4", "field 4 has no column"),
        ("1,2", "the row has 2 of 3 fields"),
        ("1,2,3,,", None),
        ("1,,", None),
    ],
)
def test_fields_are_as_many_as_columns(tmp_path: Path, row: str, fault: str | None) -> None:
    """Empty ones at the end are a spreadsheet's; one with a value may be the age, shifted."""
    (read,) = read_table(read_text_file(written(tmp_path, f"a,b,c\n{row}\n".encode())), ("a", "b")).rows
    assert read.fault is None if fault is None else fault in str(read.fault)


def test_a_value_under_an_empty_header_belongs_to_no_column(tmp_path: Path) -> None:
    table = read_table(read_text_file(written(tmp_path, b"a,b,,\n1,2,,\n1,2,,12\n")), ("a", "b"))
    assert table.columns == ("a", "b")
    assert [bool(row.fault) for row in table.rows] == [False, True]


@pytest.mark.parametrize("data", [b"Read this.\r\nThen sign.\r\n", b"\xef\xbb\xbfRead this.\nThen sign.\n"])
def test_a_notice_is_known_by_its_bytes_and_by_its_words(tmp_path: Path, data: bytes) -> None:
    """A consent names the digest that somebody computed from the file, on whichever side of git or an editor."""
    written(tmp_path, data, "N1.MD")
    written(tmp_path, b"\0\x05\x16\x07", "._N1.MD")
    words = b"Read this.\nThen sign.\n"
    assert {one.sha256 for one in read_notices(tmp_path)} == {hashlib.sha256(one).hexdigest() for one in (data, words)}


def test_a_notice_with_plain_line_ends_is_one_notice(tmp_path: Path) -> None:
    written(tmp_path, b"Read this.\n", "n1.txt")
    assert [one.notice_id for one in read_notices(tmp_path)] == ["n1"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\x03\x04" + bytes(200), "a spreadsheet .XLSX, ODS or Numbers. or another ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200), "a spreadsheet .XLS."),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "a picture .JPEG."),
        (b"PAR1" + bytes(200), "a table in the format Parquet"),
    ],
)
def test_what_another_program_saved_is_said_to_be_that_and_not_badly_encoded_text(
    tmp_path: Path, data: bytes, what: str
) -> None:
    (tmp_path / "manifest.csv").write_bytes(data)
    with pytest.raises(InputError, match=f"manifest.csv is {what}.*, not text; .* a table as CSV"):
        read_text_file(tmp_path / "manifest.csv")


@pytest.mark.parametrize("data", [b"<html><table>", b"\xef\xbb\xbf\n <!DOCTYPE html>", b'<?xml version="1.0"?>'])
def test_a_web_page_is_no_table(tmp_path: Path, data: bytes) -> None:
    """What a download leaves that asked for a password, and what some programs call Excel."""
    (tmp_path / "manifest.csv").write_bytes(data)
    with pytest.raises(InputError, match="is a web page"):
        read_table(read_text_file(tmp_path / "manifest.csv"), ("path",))
