"""CREMA-D as it is published: every row of its table is a clip that is taken, or refused under a name."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from bitface.dataset.incoming.cremad import DEMOGRAPHICS, SUMMARY, TABULATED, read_crema_tables
from bitface.dataset.incoming.oddities import SAYS
from bitface.errors import InputError
from bitface.steps.formats.cremad_set import clips_of_set
from bitface.steps.people.sources import Brought, FolderFiles
from tests.clips import crema_tables

GOOD = ("1001_DFA_ANG_XX", "1002_IEO_HAP_HI", "1003_TIE_NEU_XX")


def read(folder: Path, listed: Sequence[str], files: Sequence[str] = (), **votes: str) -> Brought:
    crema_tables(folder, listed, **votes)
    (folder / "VideoFlash").mkdir()
    for name in files or [f"{name}.flv" for name in listed]:
        (folder / "VideoFlash" / name).touch()
    return clips_of_set(FolderFiles(folder=folder))


def rows(brought: Brought) -> list[tuple[int, str, str]]:
    return [(row.number, row.values["path"], row.values["label"]) for row in brought.table.rows]


def refused(brought: Brought) -> list[tuple[int, str]]:
    assert all(one.reason == SAYS[one.finding] for one in brought.refused)
    return [(one.row, one.finding) for one in brought.refused]


def findings(brought: Brought) -> dict[str, tuple[int, tuple[int, ...]]]:
    return {one.name: (one.count, one.rows) for one in brought.findings}


def test_names_and_tables_say_who_acts_what(tmp_path: Path) -> None:
    brought = read(tmp_path, GOOD)
    assert rows(brought) == [
        (1, "VideoFlash/1001_DFA_ANG_XX.flv", "anger"),
        (2, "VideoFlash/1002_IEO_HAP_HI.flv", "happiness"),
        (3, "VideoFlash/1003_TIE_NEU_XX.flv", "neutral"),
    ]
    first, second, third = (row.values for row in brought.table.rows)
    assert (first["subject_id"], first["age"], first["gender"], first["ethnicity"]) == (
        "cremad-1001",
        "51",
        "male",
        "Caucasian",
    )
    assert (second["gender"], second["ethnicity"], third["ethnicity"]) == ("female", "Hispanic", "")
    assert brought.are_people_known and brought.are_clips and not brought.refused


def test_every_set_says_what_it_lacks_and_whose_word_the_label_is(tmp_path: Path) -> None:
    brought = read(tmp_path, GOOD)
    assert findings(brought) == {
        "no_part": (3, (1, 2, 3)),
        "absent_emotion": (4, ()),
        "stated_level": (1, (2,)),
        "label_as_acted": (3, (1, 2, 3)),
    }
    details = {one.name: one.detail for one in brought.findings}
    assert details["absent_emotion"] == "disgust, fear, sadness, surprise"
    assert details["stated_level"] == "HI IEO: 1"
    assert details["label_as_acted"] == "anger 0.80 of 1, happiness 0.80 of 1, neutral 0.80 of 1"


def test_votes_that_are_tied_or_name_another_emotion_are_said_and_the_label_stays(tmp_path: Path) -> None:
    brought = read(tmp_path, GOOD, face={GOOD[0]: "A:D", GOOD[1]: "N"})
    assert [label for *_, label in rows(brought)] == ["anger", "happiness", "neutral"]
    assert findings(brought)["tied_face_votes"] == (1, (1,))
    assert findings(brought)["other_face_vote"] == (1, (2,))


def test_a_clip_that_is_not_here_and_one_that_no_table_names_are_said(tmp_path: Path) -> None:
    brought = read(tmp_path, GOOD, [f"{GOOD[0]}.flv", f"{GOOD[2]}.mp4", "1003_WSI_SAD_XX.avi"])
    assert refused(brought) == [(2, "missing_clip")]
    assert rows(brought)[1:] == [
        (3, "VideoFlash/1003_TIE_NEU_XX.mp4", "neutral"),
        (4, "VideoFlash/1003_WSI_SAD_XX.avi", "sadness"),
    ]
    assert findings(brought)["unlisted_clip"] == (1, (4,))


@pytest.mark.parametrize("name", ["1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD"])
def test_a_clip_that_the_makers_call_bad_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(read(tmp_path, (*GOOD, name))) == [(4, "bad_clip")]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("1001_DFA_SUR_XX.flv", "unknown_name"),
        ("1001_DFA_ANG.flv", "unknown_name"),
        ("notes.txt", "unknown_name"),
        ("1001_IWL_ANG_XX.mp3", "unknown_name"),
        ("1999_DFA_ANG_XX.flv", "unknown_person"),
    ],
)
def test_a_file_of_which_the_set_says_nothing_is_refused_by_name(tmp_path: Path, file: str, name: str) -> None:
    brought = read(tmp_path, GOOD, [*(f"{one}.flv" for one in GOOD), file])
    assert refused(brought) == [(4, name)] and len(rows(brought)) == 3


def test_a_clip_in_two_files_is_read_once(tmp_path: Path) -> None:
    brought = read(tmp_path, GOOD, [*(f"{one}.flv" for one in GOOD), f"{GOOD[0]}.mp4"])
    assert rows(brought)[0][1].endswith(".flv") and len(rows(brought)) == 3
    assert findings(brought)["second_file"] == (1, (1,))


def test_people_with_fewer_clips_than_others_are_counted(tmp_path: Path) -> None:
    brought = read(tmp_path, (*GOOD, "1001_DFA_SAD_XX"))
    few = next(one for one in brought.findings if one.name == "fewer_clips")
    assert (few.count, few.rows, few.detail) == (2, (2, 3), "2 people have 1 to 1 of 2")


@pytest.mark.parametrize("table", [DEMOGRAPHICS, SUMMARY, TABULATED])
def test_a_table_that_is_missing_or_damaged_is_one_line_with_the_remedy(tmp_path: Path, table: str) -> None:
    read(tmp_path, GOOD)
    path = tmp_path / table
    lines = path.read_text().splitlines()
    for text, words in (
        ("\n".join([lines[0], lines[1] + ",7"]), "line 2: it has not the fields of the header"),
        ("\n".join(["other,columns", lines[1]]), "has no column"),
        ("", "has no column"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            clips_of_set(FolderFiles(folder=tmp_path))
    path.unlink()
    with pytest.raises(InputError, match=r"does not exist; copy it beside VideoFlash/.*docs/datasets.md"):
        clips_of_set(FolderFiles(folder=tmp_path))


@pytest.mark.parametrize(
    ("table", "old", "new", "words"),
    [
        (DEMOGRAPHICS, "51", "old", "the age is not a whole number"),
        (SUMMARY, '"A"', '"Q"', "FaceVote is none of A, D, F, H, N, S"),
        (TABULATED, ",8,", ",many,", "its votes are not whole numbers"),
    ],
)
def test_a_cell_that_is_none_is_told_with_its_line(tmp_path: Path, table: str, old: str, new: str, words: str) -> None:
    crema_tables(tmp_path, GOOD)
    path = tmp_path / table
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=rf"line \d: {words}"):
        read_crema_tables(tmp_path)


def test_a_folder_without_clips_is_refused_with_an_example(tmp_path: Path) -> None:
    crema_tables(tmp_path, GOOD)
    with pytest.raises(InputError, match=r"0 files in VideoFlash/.*1001_DFA_ANG_XX.flv"):
        clips_of_set(FolderFiles(folder=tmp_path))


@pytest.mark.tools
def test_the_published_tables_parse_whole(tmp_path: Path, cremad: Path) -> None:
    """7,442 clips of 91 actors, with files of no bytes in their places: the figures are those that the set is known by."""
    for name in (DEMOGRAPHICS, SUMMARY, TABULATED):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(cremad / name, tmp_path / name)
    tables = read_crema_tables(tmp_path)
    assert (len(tables.actors), len(tables.face_votes), len(tables.face_shares)) == (91, 7442, 7442)
    (tmp_path / "VideoFlash").mkdir()
    for name in tables.face_votes:
        (tmp_path / "VideoFlash" / f"{name}.flv").touch()
    brought = clips_of_set(FolderFiles(folder=tmp_path))
    assert (len(brought.table.rows), [name for _, name in refused(brought)]) == (7438, ["bad_clip"] * 4)
    counts = {name: count for name, (count, _) in findings(brought).items()}
    assert (counts["tied_face_votes"], counts["stated_level"], counts["fewer_clips"]) == (470, 1364, 390)
    few = next(one for one in brought.findings if one.name == "fewer_clips")
    assert few.detail == "5 people have 76 to 81 of 82"
