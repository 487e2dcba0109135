"""CK+ in its two layouts: what a sequence shows by its place in it, and near copies in one clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.errors import InputError
from bitface.steps.formats.ckplus import EMOTIONS_BY_NUMBER, table_of_ckplus
from bitface.steps.people.sources import Brought, FolderFiles


def put(folder: Path, name: str, text: str = "") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def sequence(folder: Path, name: str = "S005_001", frames: int = 6, label: str | None = "   3.0000000e+00\n") -> None:
    where = name.replace("_", "/")
    for number in range(1, frames + 1):
        put(folder, f"cohn-kanade-images/{where}/{name}_{number:08d}.png")
    if label is not None:
        put(folder, f"Emotion/{where}/{name}_{frames:08d}_emotion.txt", label)


def read(folder: Path) -> Brought:
    return table_of_ckplus(FolderFiles(folder=folder))


def rows(brought: Brought) -> list[tuple[str, str, str, str]]:
    cells = [row.values for row in sorted(brought.table.rows, key=lambda row: row.number)]
    return [(one["subject_id"], one["label"], one["clip"], one["frame"]) for one in cells]


def refused(brought: Brought) -> dict[int, str]:
    return {one.row: one.finding for one in brought.refused}


def findings(brought: Brought) -> dict[str, int]:
    return {one.name: one.count for one in brought.findings}


def test_the_first_frame_is_neutral_the_last_three_are_one_clip_and_those_between_are_said(tmp_path: Path) -> None:
    sequence(tmp_path)
    brought = read(tmp_path)
    assert rows(brought) == [
        ("ckplus-S005", "neutral", "S005_001-neutral", "1"),
        ("ckplus-S005", "disgust", "S005_001", "4"),
        ("ckplus-S005", "disgust", "S005_001", "5"),
        ("ckplus-S005", "disgust", "S005_001", "6"),
    ]
    assert refused(brought) == dict.fromkeys((2, 3), "between_first_and_apex")
    assert findings(brought) == {"near_copies_in_sequence": 3} and brought.are_people_known


@pytest.mark.parametrize(("number", "emotion"), list(enumerate(EMOTIONS_BY_NUMBER)))
def test_labels_are_numbers_as_text_and_2_is_contempt(tmp_path: Path, number: int, emotion: str) -> None:
    assert EMOTIONS_BY_NUMBER[2] == "contempt"
    sequence(tmp_path, label=f"   {float(number):.7e}\n")
    assert rows(read(tmp_path))[-1][1] == emotion


def test_a_sequence_without_a_label_is_refused_frame_by_frame(tmp_path: Path) -> None:
    sequence(tmp_path)
    sequence(tmp_path, "S999_002", frames=5, label=None)
    assert refused(read(tmp_path)) == {2: "between_first_and_apex", 3: "between_first_and_apex"} | dict.fromkeys(
        range(7, 12), "not_labelled"
    )


@pytest.mark.parametrize("label", ["", "happy", "3.5", "8.0", "-1", "nan", "inf", "3 4"])
def test_a_label_that_is_no_number_of_an_emotion_refuses_its_sequence(tmp_path: Path, label: str) -> None:
    sequence(tmp_path)
    sequence(tmp_path, "S006_001", frames=4, label=label)
    brought = read(tmp_path)
    assert [one for one in refused(brought).values() if one != "between_first_and_apex"] == ["damaged_label"] * 4


def test_two_label_files_a_short_sequence_and_a_lost_apex_are_refused(tmp_path: Path) -> None:
    sequence(tmp_path, "S001_001")
    sequence(tmp_path, "S002_001", frames=4)
    put(tmp_path, "Emotion/S002/001/S002_001_00000003_emotion.txt", "1")
    sequence(tmp_path, "S003_001", frames=3)
    sequence(tmp_path, "S004_001", frames=5)
    (tmp_path / "cohn-kanade-images/S004/001/S004_001_00000005.png").unlink()
    found = list(refused(read(tmp_path)).values())
    assert [found.count(name) for name in ("two_labels_in_sequence", "short_sequence", "apex_missing")] == [4, 3, 4]


def test_a_frame_that_lies_there_twice_is_taken_once(tmp_path: Path) -> None:
    sequence(tmp_path)
    put(tmp_path, "copy/S005/001/S005_001_00000006.png")
    brought = read(tmp_path)
    assert refused(brought)[7] == "frame_twice" and len(rows(brought)) == 4


def test_where_the_first_frame_is_lost_none_is_called_neutral(tmp_path: Path) -> None:
    sequence(tmp_path)
    (tmp_path / "cohn-kanade-images/S005/001/S005_001_00000001.png").unlink()
    brought = read(tmp_path)
    assert {label for _, label, *_ in rows(brought)} == {"disgust"} and refused(brought)[1] == "onset_missing"


def test_labels_without_pictures_and_other_files_are_said_and_the_set_s_own_are_no_rows(tmp_path: Path) -> None:
    sequence(tmp_path)
    put(tmp_path, "Emotion/S010/002/S010_002_00000009_emotion.txt", "1")
    put(tmp_path, "FACS/S005/001/S005_001_00000006_facs.txt", "9 0")
    put(tmp_path, "Landmarks/S005/001/S005_001_00000001_landmarks.txt", "1 2")
    put(tmp_path, "cohn-kanade-images/S005/.DS_Store")
    put(tmp_path, "cohn-kanade-images/S005/001/me.png")
    brought = read(tmp_path)
    assert findings(brought)["label_without_pictures"] == 1
    assert brought.findings[-1].detail == "first S010_002"
    assert sorted(refused(brought).values()) == ["between_first_and_apex"] * 2 + ["not_a_picture", "unknown_name"]


def test_of_48x48_folders_the_first_four_characters_are_the_person_and_frames_of_a_sequence_one_clip(
    tmp_path: Path,
) -> None:
    names = ("anger/S010_004_00000017.png", "anger/S010_004_00000018.png", "anger/S010_004_00000019.png")
    for name in (*names, "happy/S010_006_00000013.png", "contempt/S138_008_00000009.png"):
        put(tmp_path, name)
    brought = read(tmp_path)
    assert rows(brought)[0] == ("ckplus-S010", "anger", "S010_004", "17")
    assert {(who, label, clip) for who, label, clip, _ in rows(brought)} == {
        ("ckplus-S010", "anger", "S010_004"),
        ("ckplus-S010", "happiness", "S010_006"),
        ("ckplus-S138", "contempt", "S138_008"),
    }
    assert findings(brought) == {"near_copies_in_sequence": 3, "no_part": 5}


def test_a_sequence_in_two_label_folders_is_refused_and_neutral_beside_one_is_not(tmp_path: Path) -> None:
    names = ("anger/S010_004_00000018.png", "fear/S010_004_00000019.png", "neutral/S011_001_00000001.png")
    for name in (*names, "sad/S011_001_00000014.png", "smug/S012_001_00000001.png", "sad/face.png"):
        put(tmp_path, name)
    brought = read(tmp_path)
    assert [(label, clip) for _, label, clip, _ in rows(brought)] == [
        ("neutral", "S011_001-neutral"),
        ("sadness", "S011_001"),
    ]
    assert sorted(refused(brought).values()) == ["two_labels_in_sequence"] * 2 + ["unknown_label", "unknown_name"]


def test_parts_of_48x48_folders_are_kept(tmp_path: Path) -> None:
    put(tmp_path, "train/anger/S010_004_00000018.png")
    put(tmp_path, "test/fear/S011_004_00000018.png")
    assert [row.values["split"] for row in read(tmp_path).table.rows] == ["test", "train"]


def test_a_folder_of_another_set_is_refused_with_what_to_name(tmp_path: Path) -> None:
    put(tmp_path, "happy/a.png")
    with pytest.raises(InputError, match=r"cohn-kanade-images/ and Emotion/.*docs/datasets\.md"):
        read(tmp_path)
