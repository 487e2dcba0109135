"""RAF-DB: labels by its list or its folders, and nobody whom its attributes do not show to be grown up."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.errors import InputError
from bitface.steps.formats.rafdb import EMOTIONS_BY_NUMBER, LISTS, table_of_rafdb
from bitface.steps.people.sources import Brought, FolderFiles

POINTS = "31.2 40.1\n68.0 39.9\n50.0 60.0\n36.1 77.7\n66.2 78.3\n"


def put(folder: Path, name: str, text: str = "") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def attributes(folder: Path, stem: str, gender: int = 1, race: int = 0, ages: int = 2) -> None:
    put(folder, f"Annotation/manual/{stem}_manu_attri.txt", f"{POINTS}{gender}\n{race}\n{ages}\n")


def listed(folder: Path, *lines: str, name: str = LISTS[0]) -> FolderFiles:
    """The set with a picture and attributes of an adult for each line."""
    put(folder, f"EmoLabel/{name}", "\n".join(lines) + "\n")
    for stem in (line.partition(".")[0] for line in lines):
        put(folder, f"Image/aligned/{stem}_aligned.jpg")
        attributes(folder, stem)
    return FolderFiles(folder=folder)


def rows(brought: Brought) -> list[tuple[str, str, str]]:
    return [(row.values["subject_id"], row.values["label"], row.values["split"]) for row in brought.table.rows]


def refused(brought: Brought) -> dict[int, str]:
    return {one.row: one.finding for one in brought.refused}


def findings(brought: Brought) -> dict[str, int]:
    return {one.name: one.count for one in brought.findings}


@pytest.mark.parametrize("name", LISTS)
def test_the_list_in_either_spelling_gives_labels_and_parts(tmp_path: Path, name: str) -> None:
    lines = [f"train_0000{number}.jpg {number}" for number in EMOTIONS_BY_NUMBER]
    brought = table_of_rafdb(listed(tmp_path, *lines, "test_0001.jpg 4", name=name))
    labels = [label for _, label, _ in rows(brought)]
    assert labels == ["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral", "happiness"]
    assert rows(brought)[0] == ("rafdb-train_00001", "surprise", "train")
    assert rows(brought)[-1] == ("rafdb-test_0001", "happiness", "test")
    assert not brought.refused and not brought.are_people_known


@pytest.mark.parametrize("ages", [0, 1])
def test_children_are_refused_by_row_and_known_as_minors(tmp_path: Path, ages: int) -> None:
    files = listed(tmp_path, "train_00001.jpg 4", "train_00002.jpg 4")
    attributes(tmp_path, "train_00001", ages=ages)
    brought = table_of_rafdb(files)
    assert refused(brought) == {1: "child"} and brought.minors == {"rafdb-train_00001"}
    assert [who for who, *_ in rows(brought)] == ["rafdb-train_00002"]


def test_whoever_is_not_shown_to_be_grown_up_is_refused(tmp_path: Path) -> None:
    files = listed(tmp_path, *(f"train_0000{number}.jpg 4" for number in range(1, 8)))
    manual = "Annotation/manual/train_0000{}_manu_attri.txt"
    (tmp_path / manual.format(1)).unlink()
    for number, text in ((2, ""), (3, POINTS), (4, POINTS + "1\n0\n5\n"), (5, POINTS + "1\n0\n-1\n"), (6, "1\n0\n2\n")):
        put(tmp_path, manual.format(number), text)
    brought = table_of_rafdb(files)
    assert refused(brought) == {1: "age_not_told", **dict.fromkeys(range(2, 7), "damaged_attributes")}


def test_what_the_attributes_leave_open_stays_unknown_and_is_said(tmp_path: Path) -> None:
    files = listed(tmp_path, "train_00001.jpg 4", "train_00002.jpg 4", "train_00003.jpg 4")
    attributes(tmp_path, "train_00002", gender=2, race=1, ages=3)
    attributes(tmp_path, "train_00003", gender=0, race=2, ages=4)
    brought = table_of_rafdb(files)
    facts = [(row.values["gender"], row.values["ethnicity"], row.values["age"]) for row in brought.table.rows]
    assert facts == [("female", "caucasian", ""), ("", "african-american", ""), ("male", "asian", "70")]
    assert findings(brought) == {"wide_age_group": 2, "unsure_gender": 1}


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("train_00001.jpg 8", "unknown_label"),
        ("train_00001.jpg 0", "unknown_label"),
        ("train_00001.jpg happy", "unknown_label"),
        ("train_00001.jpg", "damaged_row"),
        ("train_00001.jpg 4 5", "damaged_row"),
        ("valid_00001.jpg 4", "unknown_name"),
        ("../train_00001.jpg 4", "unknown_name"),
    ],
)
def test_a_line_that_does_not_fit_is_refused_by_finding_with_its_line(tmp_path: Path, line: str, finding: str) -> None:
    files = listed(tmp_path, "test_0002.jpg 5")
    put(tmp_path, f"EmoLabel/{LISTS[0]}", f"\n{line}\ntest_0002.jpg 5\n")
    brought = table_of_rafdb(files)
    assert [(one.row, one.line, one.finding) for one in brought.refused] == [(1, 2, finding)]


def test_a_missing_picture_and_one_that_no_line_names_are_both_said(tmp_path: Path) -> None:
    files = listed(tmp_path, "train_00001.jpg 4", "train_00002.jpg 4")
    (tmp_path / "Image/aligned/train_00001_aligned.jpg").unlink()
    put(tmp_path, "Image/aligned/train_00009_aligned.jpg")
    brought = table_of_rafdb(files)
    assert refused(brought) == {1: "missing_picture"} and findings(brought)["unlisted_picture"] == 1
    assert brought.findings[-1].detail == "first train_00009"


def test_of_two_copies_of_a_picture_the_aligned_one_is_read(tmp_path: Path) -> None:
    files = listed(tmp_path, "train_00001.jpg 4")
    put(tmp_path, "Image/original/train_00001.jpg")
    assert table_of_rafdb(files).table.rows[0].values["path"] == "Image/aligned/train_00001_aligned.jpg"


def test_copies_with_folders_1_to_7_are_read_and_the_part_of_name_and_folder_must_agree(tmp_path: Path) -> None:
    paths = (
        "train/4/train_00001_aligned.jpg",
        "test/7/test_0001.jpg",
        "test/7/train_00002.jpg",
        "train/8/train_00003.jpg",
    )
    for path in paths:
        put(tmp_path, path)
        attributes(tmp_path, path.rpartition("/")[2].partition(".")[0].removesuffix("_aligned"))
    put(tmp_path, "train/4/holiday.jpg")
    brought = table_of_rafdb(FolderFiles(folder=tmp_path))
    assert sorted(rows(brought)) == [
        ("rafdb-test_0001", "neutral", "test"),
        ("rafdb-train_00001", "happiness", "train"),
    ]
    assert sorted(refused(brought).values()) == ["two_parts", "unknown_label", "unknown_name"]


def test_copies_without_attributes_are_refused_with_the_remedy(tmp_path: Path) -> None:
    put(tmp_path, "train/4/train_00001_aligned.jpg")
    with pytest.raises(
        InputError, match=r"the source does not say that this person is an adult; put the set's attribute files"
    ):
        table_of_rafdb(FolderFiles(folder=tmp_path))
    put(tmp_path, f"a/{LISTS[0]}")
    put(tmp_path, f"b/{LISTS[1]}")
    with pytest.raises(InputError, match="2 lists of labels"):
        table_of_rafdb(FolderFiles(folder=tmp_path))
