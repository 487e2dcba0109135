"""RAVDESS as it is published: the name says everything, and one take in two files is one clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.dataset.incoming.oddities import SAYS
from bitface.errors import InputError
from bitface.steps.formats.ravdess_set import clips_of_set
from bitface.steps.people.sources import Brought, FolderFiles


def read(folder: Path, *paths: str) -> Brought:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return clips_of_set(FolderFiles(folder=folder))


def rows(brought: Brought) -> list[tuple[int, str, str, str]]:
    return [
        (row.number, row.values["subject_id"], row.values["label"], row.values["gender"]) for row in brought.table.rows
    ]


def refused(brought: Brought) -> list[tuple[int, str]]:
    assert all(one.reason == SAYS[one.finding] for one in brought.refused)
    return [(one.row, one.finding) for one in brought.refused]


def findings(brought: Brought) -> dict[str, tuple[int, ...]]:
    return {one.name: one.rows for one in brought.findings}


GOOD = "Actor_12/02-01-06-01-02-01-12.mp4"


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("01", "neutral"),
        ("03", "happiness"),
        ("04", "sadness"),
        ("05", "anger"),
        ("06", "fear"),
        ("07", "disgust"),
        ("08", "surprise"),
    ],
)
def test_the_third_number_is_the_emotion(tmp_path: Path, code: str, label: str) -> None:
    assert rows(read(tmp_path, f"Actor_07/02-01-{code}-01-01-01-07.mp4")) == [(1, "ravdess-07", label, "male")]


def test_actors_of_even_numbers_are_women_and_ages_are_not_said(tmp_path: Path) -> None:
    brought = read(tmp_path, GOOD, "Actor_11/02-01-06-01-02-01-11.mp4")
    assert {(who, gender) for _, who, _, gender in rows(brought)} == {("ravdess-12", "female"), ("ravdess-11", "male")}
    assert all("age" not in row.values for row in brought.table.rows) and brought.are_clips


@pytest.mark.parametrize(
    "paths",
    [
        (GOOD, "Actor_12/01-01-06-01-02-01-12.mp4"),
        ("Video_Speech_Actor_12/" + GOOD, "all/02-01-06-01-02-01-12.mp4"),
        (GOOD, "Actor_12/02-01-06-01-02-01-12.avi"),
    ],
)
def test_one_take_with_sound_and_without_or_copied_is_one_clip(tmp_path: Path, paths: tuple[str, ...]) -> None:
    brought = read(tmp_path, *paths)
    assert len(rows(brought)) == 1 and refused(brought) == [(2, "same_take")]


def test_a_take_that_is_here_with_sound_alone_is_taken(tmp_path: Path) -> None:
    assert len(rows(read(tmp_path, "Actor_12/01-01-06-01-02-01-12.mp4"))) == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Actor_13/03-01-06-01-02-01-13.wav", "sound_only"),
        ("Actor_13/03-01-06-01-02-01-13.mp4", "sound_only"),
        ("Actor_13/02-01-02-01-02-01-13.mp4", "calm"),
        ("Actor_13/02-01-01-02-02-01-13.mp4", "strong_neutral"),
        ("Actor_13/02-01-06-01-02-01-14.mp4", "other_person_in_path"),
        ("Actor_13/02-01-06-01-02-01-25.mp4", "unknown_name"),
        ("Actor_13/02-01-09-01-02-01-13.mp4", "unknown_name"),
        ("Actor_13/02-01-06-01-02-01-13.wav", "unknown_name"),
        ("Actor_13/02-01-06-01-02-01.mp4", "unknown_name"),
        ("z_readme.txt", "unknown_name"),
    ],
)
def test_a_file_that_is_no_clip_of_ours_is_refused_by_name(tmp_path: Path, path: str, name: str) -> None:
    brought = read(tmp_path, GOOD, path)
    assert refused(brought) == [(2, name)] and len(rows(brought)) == 1


def test_what_says_how_to_import_is_no_clip(tmp_path: Path) -> None:
    assert not read(tmp_path, GOOD, "licence.json", "consents.jsonl", "notices/n1.md").refused


def test_songs_missing_takes_and_missing_emotions_are_said(tmp_path: Path) -> None:
    """Actor 18 sang nothing."""
    brought = read(
        tmp_path,
        "Actor_17/02-01-04-01-01-01-17.mp4",
        "Actor_17/02-02-04-01-01-01-17.mp4",
        "Actor_18/02-01-04-01-01-01-18.mp4",
    )
    assert findings(brought) == {"no_part": (1, 2, 3), "sung": (2,), "absent_emotion": (), "fewer_clips": (3,)}
    assert not brought.refused


def test_a_folder_without_clips_is_refused_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 file.*Actor_01/01-01-01-01-01-01-01.mp4"):
        read(tmp_path, "a.mp4")
