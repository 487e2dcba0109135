"""A pattern on a second run fills in persons that are missing, and changes no other cell, line or sign of the manifest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bitface.adapters.media_files import read_image
from bitface.dataset.incoming.folder_names import guesses_of, subject_pattern_of
from bitface.errors import InputError
from bitface.steps.bringing.drafting import Drafts, draft_import
from bitface.steps.bringing.first_look import Eyes
from tests.builders import write_noise

WHOLE = r"^(.+)\."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "happy").mkdir()
    for seed, name in enumerate(("Anna Keller.png", "Bo Lind.png")):
        write_noise(tmp_path / "happy" / name, seed)
    return tmp_path


def draft(folder: Path, pattern: str | None = WHOLE) -> Drafts:
    return draft_import(folder, "train", subject_pattern_of(pattern), Eyes(read=read_image, report=lambda *_: None))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_manifest_of_excel_keeps_its_separator_its_line_ends_and_every_other_cell(folder: Path, end: str) -> None:
    lines = ["path;label;subject_id;ethnicity", '"happy/Anna Keller.png";happy;;"a;b"', "happy/Bo Lind.png;happy; bo ;"]
    (folder / "manifest.csv").write_bytes(("\ufeff" + end.join(lines)).encode())
    found = draft(folder)
    changed = (
        lines[1].replace(";happy;;", ";happy;Anna-Keller;").replace('"happy/Anna Keller.png"', "happy/Anna Keller.png")
    )
    assert (folder / "manifest.csv").read_bytes().decode() == "\ufeff" + end.join([lines[0], changed, lines[2]])
    assert found.changed[0] == "manifest.csv: filled in subject_id of 1 row that had none (line 2)"
    assert any("1 row (line 3) kept the subject_id that was there" in note for note in found.notes)


@pytest.mark.parametrize(
    "text",
    [
        'path,subject_id,label,ethnicity\nhappy/Anna Keller.png,,happy,"two\nlines"\n',
        "path,subject_id,label,age\nhappy/Anna Keller.png,,happy\n",
    ],
    ids=["a row over two lines", "a row of too few cells"],
)
def test_a_row_that_cannot_be_changed_for_certain_is_left_to_a_person(folder: Path, text: str) -> None:
    (folder / "manifest.csv").write_text(text)
    found = draft(folder)
    assert (folder / "manifest.csv").read_text().startswith(text)
    assert any(one.field == "subject_id" and "line 2" in one.where for one in found.todo)


def test_utf_16_is_refused_and_left_alone(folder: Path) -> None:
    data = "path,subject_id,label\nhappy/Anna Keller.png,,happy\nhappy/Bo Lind.png,,happy\n".encode("utf-16")
    (folder / "manifest.csv").write_bytes(data)
    with pytest.raises(InputError, match="UTF-8"):
        draft(folder)
    assert (folder / "manifest.csv").read_bytes() == data


def test_a_cell_that_was_emptied_stays_empty_without_a_pattern(folder: Path) -> None:
    write_noise(folder / "happy" / "cem.png", 3)
    draft(folder, None)
    text = (folder / "manifest.csv").read_text().replace("cem.png,cem,", "cem.png,,")
    (folder / "manifest.csv").write_text(text)
    draft(folder, None)
    assert (folder / "manifest.csv").read_text() == text


@pytest.mark.parametrize(
    ("path", "person"),
    [
        ("Anna Keller.jpg", "Anna-Keller"),
        ("happy/Anna-Maria Keller.jpg", "Anna-Maria-Keller"),
        ("Anna Keller 2.jpg", "Anna-Keller"),
        ("Anna_Keller_happy_01.jpg", "Anna_Keller"),
        ("St. John Doe.jpg", "St-John-Doe"),
        ("keller/happy/anna_1.jpg", "keller"),
    ],
)
def test_the_pattern_that_is_offered_finds_one_of_the_readings(path: str, person: str) -> None:
    (found,) = guesses_of([path])
    offered = re.search(r"--subject-pattern '(.+)' for", found.doubts[0])
    assert offered is not None
    assert guesses_of([path], subject_pattern_of(offered[1]))[0].subject_id == person


@pytest.mark.parametrize("path", ["IMG Anna Keller.jpg", "a/b/anna.jpg", "Anna-Maria Keller happy.jpg"])
def test_no_pattern_is_offered_where_none_is_right(path: str) -> None:
    (found,) = guesses_of([path])
    assert "use --subject-pattern, or fill it in" in found.doubts[0]
