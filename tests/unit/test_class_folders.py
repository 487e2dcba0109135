"""Class folders, with parts or without: every spelling of an emotion is read, and every file is a row or refused under a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.dataset.incoming.oddities import SAYS, found
from bitface.errors import InputError
from bitface.faces.emotions import emotion_of
from bitface.steps.formats.class_folders import table_of_folders
from bitface.steps.people.sources import Brought, FolderFiles


def read(folder: Path, *paths: str, pattern: str | None = None) -> Brought:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    return table_of_folders(FolderFiles(folder=folder, subject_pattern=pattern))


def rows(brought: Brought) -> list[tuple[str, str, str]]:
    return [(row.values["path"], row.values["label"], row.values["split"]) for row in brought.table.rows]


SPELLINGS = {
    "anger": ("anger", "angry", "AN", "ANG"),
    "disgust": ("disgust", "DI", "DIS"),
    "fear": ("fear", "fearful", "FEA", "AF"),
    "happiness": ("happy", "happiness", "HA", "HAP", "joy"),
    "sadness": ("sad", "sadness", "SA"),
    "surprise": ("surprise", "surprised", "SU"),
    "neutral": ("neutral", "NE", "NEU"),
    "contempt": ("contempt",),
}


@pytest.mark.parametrize(("emotion", "words"), SPELLINGS.items())
def test_every_spelling_of_an_emotion_is_read_in_any_case(emotion: str, words: tuple[str, ...]) -> None:
    assert {emotion_of(form) for word in words for form in (word, word.lower(), word.upper())} == {emotion}


def test_calm_is_no_emotion_of_ours() -> None:
    with pytest.raises(InputError, match="unknown label 'calm'"):
        emotion_of("calm")


def test_parts_and_labels_are_read_off_folders(tmp_path: Path) -> None:
    paths = ("train/angry/a.png", "Training/HA/b.jpg", "valid/sad/c.jpeg", "val/joy/d.webp", "test/NE/e.png")
    brought = read(tmp_path, *paths, "PrivateTest/fear/f.PNG", "PublicTest/SU/g.png")
    assert {(label, part) for _, label, part in rows(brought)} == {
        ("anger", "train"),
        ("happiness", "train"),
        ("sadness", "validation"),
        ("happiness", "validation"),
        ("neutral", "test"),
        ("fear", "test"),
        ("surprise", "validation"),
    }
    assert not brought.refused and not brought.findings


def test_without_parts_none_is_named_and_it_is_said(tmp_path: Path) -> None:
    brought = read(tmp_path, "angry/a.png", "happy/b.png")
    assert rows(brought) == [("angry/a.png", "anger", ""), ("happy/b.png", "happiness", "")]
    assert brought.findings == found("no_part", [1, 2])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("smug/a.png", "unknown_label"),
        ("train/calm/a.png", "unknown_label"),
        ("7/a.png", "unknown_label"),
        ("holdout/happy/a.png", "unknown_part"),
        ("a.png", "outside_the_layout"),
        ("fer/train/happy/a.png", "outside_the_layout"),
        ("train/happy/README.txt", "not_a_picture"),
        ("train/happy/._a.png", "not_a_picture"),
        ("train/happy/a.gif", "not_a_picture"),
        ("train/happy/Thumbs.db", "not_a_picture"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path: Path, path: str, name: str) -> None:
    brought = read(tmp_path, path, "zzz/happy/b.png", "test/sad/c.png")
    assert ("test/sad/c.png", "sadness", "test") in rows(brought)
    refused = {one.finding for one in brought.refused}
    assert name in refused and len(brought.refused) + len(brought.table.rows) == 3
    assert all(one.reason for one in brought.refused) and refused <= SAYS.keys()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("IMG_1.HEIC", "the picture is in the format HEIC by its name; export it as JPEG"),
        ("IMG_1.MOV", "the video is in the format MOV by its name; save its frames as JPEG"),
        ("notes.txt", SAYS["not_a_picture"]),
        ("._a.png", SAYS["not_a_picture"]),
    ],
)
def test_a_phone_s_files_are_named_with_what_to_do_and_notes_are_notes(tmp_path: Path, name: str, says: str) -> None:
    (refused,) = read(tmp_path, "happy/a.png", f"happy/{name}").refused
    assert refused.reason.startswith(says) and refused.where == f"row {refused.row} ({name})"


def test_what_says_how_to_import_is_no_row(tmp_path: Path) -> None:
    brought = read(tmp_path, "licence.json", "consents.jsonl", "notices/n1.md", "sad/a.png")
    assert len(brought.table.rows) == 1 and not brought.refused


def test_a_link_to_a_folder_is_refused_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.png").write_bytes(b"")
    (tmp_path / "set" / "sad").mkdir(parents=True)
    (tmp_path / "set" / "happy").symlink_to(tmp_path / "elsewhere")
    brought = read(tmp_path / "set", "sad/a.png")
    assert [row.values["path"] for row in brought.table.rows] == ["sad/a.png"] and len(brought.refused) == 1


def test_a_pattern_takes_the_person_from_the_name_and_else_each_picture_is_its_own(tmp_path: Path) -> None:
    paths = ("happy/S001_1.png", "sad/S001_2.png", "sad/S002_1.png", "sad/group.png")
    known = read(tmp_path, *paths, pattern="^(S[0-9]+)_")
    assert [row.values["subject_id"] for row in known.table.rows] == ["S001", "S001", "S002"]
    assert known.are_people_known and [one.finding for one in known.refused] == ["no_person_in_name"]
    alone = read(tmp_path)
    assert not alone.are_people_known and len({row.values["subject_id"] for row in alone.table.rows}) == 4
    elsewhere = read(tmp_path / "copy", *paths)
    assert [row.values["subject_id"] for row in elsewhere.table.rows] == [
        row.values["subject_id"] for row in alone.table.rows
    ]
    whole = read(tmp_path, pattern="^S[0-9]+")
    assert whole.table.rows[0].values["subject_id"] == "S001"


@pytest.mark.parametrize(("pattern", "words"), [("(", "not a regular expression"), ("(a)(b)", "has 2 groups")])
def test_a_pattern_that_cannot_be_used_is_refused(tmp_path: Path, pattern: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, "sad/a.png", pattern=pattern)


def test_a_folder_of_another_layout_is_refused_with_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 row; row 1 \(a\.png\): .*name the folder that holds label folders"):
        read(tmp_path, "fer/train/happy/a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="it is empty"):
        read(tmp_path / "empty")
