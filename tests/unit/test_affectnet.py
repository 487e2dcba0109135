"""AffectNet by its tables and by its `.npy` labels: every number that is no emotion has a name, and no label can run code."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitface.dataset.incoming.oddities import OddRowError
from bitface.errors import InputError
from bitface.steps.formats.affectnet import EMOTIONS_BY_NUMBER, Box, table_of_affectnet
from bitface.steps.people.sources import Brought, FolderFiles

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


def line(path: str, expression: object = 1, box: Sequence[object] = (2, 3, 10, 12), valence: object = 0.5) -> str:
    return f"{path},{','.join(map(str, box))},1.5;2.5;3;4,{expression},{valence},{valence}"


def tables(folder: Path, training: Sequence[str], validation: Sequence[str] = (), header: str = HEADER) -> Path:
    """Both tables, and an empty file for each picture that they name."""
    for name, lines in (("training.csv", training), ("validation.csv", validation)):
        (folder / name).write_text("\n".join([header, *lines]) + "\n")
        for path in (one.partition(",")[0] for one in lines):
            put(folder, f"Manually_Annotated_Images/{path}")
    return folder


def put(folder: Path, name: str, data: bytes = b"") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def array(value: Any, **more: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(value), **more)
    return file.getvalue()


def read(folder: Path, ignored: tuple[str, ...] = ()) -> Brought:
    return table_of_affectnet(FolderFiles(folder=folder, ignored_columns=ignored))


def rows(brought: Brought) -> list[tuple[int, str, str]]:
    return [(row.number, row.values["label"], row.values["split"]) for row in brought.table.rows]


def refused(brought: Brought) -> dict[int, str]:
    return {one.row: one.finding for one in brought.refused}


def findings(brought: Brought) -> dict[str, int]:
    return {one.name: one.count for one in brought.findings}


def test_tables_give_labels_by_number_and_validation_serves_as_test(tmp_path: Path) -> None:
    training = [line(f"1/{number}.jpg", number) for number in range(8)]
    brought = read(tables(tmp_path, training, [line("2/a.jpg", 6)]))
    assert rows(brought) == [
        *((number, label, "train") for number, label in enumerate(EMOTIONS_BY_NUMBER, start=1)),
        (9, "anger", "test"),
    ]
    assert EMOTIONS_BY_NUMBER[6:] == ("anger", "contempt")
    assert findings(brought) == {"validation_as_test": 1} and not brought.are_people_known


@pytest.mark.parametrize(
    ("odd", "finding"),
    [
        (line("1/b.jpg", 8, valence=-2), "no_emotion"),
        (line("1/b.jpg", 9, valence=-2), "uncertain_label"),
        (line("1/b.jpg", 10, valence=-2), "no_face"),
        (line("1/b.jpg", 11), "unknown_label"),
        (line("1/b.jpg", -1), "unknown_label"),
        (line("1/b.jpg", "happy"), "unknown_label"),
        (line("1/b.jpg", box=(2, 3, -10, 12)), "damaged_box"),
        (line("1/b.jpg", box=(2, 3, 10, 0)), "damaged_box"),
        (line("1/b.jpg", box=(-2, 3, 10, 12)), "damaged_box"),
        (line("1/b.jpg", box=("", 3, 10, 12)), "damaged_box"),
        (line("1/b.jpg", box=("nan", 3, 10, 12)), "damaged_box"),
        (line("1/a.jpg"), "listed_twice"),
        ("1/b.jpg,1,2", "damaged_row"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_finding_with_its_line(tmp_path: Path, odd: str, finding: str) -> None:
    brought = read(tables(tmp_path, [line("1/a.jpg"), odd, line("1/c.jpg")]))
    assert [(one.row, one.line, one.finding) for one in brought.refused] == [(2, 3, finding)]
    assert [number for number, *_ in rows(brought)] == [1, 3]


def test_missing_pictures_and_paths_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    tables(tmp_path, [line("1/a.jpg"), line("1/b.jpg")])
    (tmp_path / "Manually_Annotated_Images/1/b.jpg").unlink()
    put(tmp_path, "secret.jpg")
    with (tmp_path / "training.csv").open("a") as file:
        file.write(line("../secret.jpg") + "\n")
    assert refused(read(tmp_path)) == {2: "missing_picture", 3: "bad_path"}


def test_pictures_that_no_row_names_are_counted(tmp_path: Path) -> None:
    tables(tmp_path, [line("1/a.jpg"), line("1/b.jpg", 8)])
    put(tmp_path, "Manually_Annotated_Images/2/c.jpg")
    put(tmp_path, "Automatically_Annotated_Images/2/d.jpg")
    assert findings(read(tmp_path)) == {"unlisted_picture": 1}


def test_an_emotion_without_valence_is_taken_and_said(tmp_path: Path) -> None:
    assert findings(read(tables(tmp_path, [line("1/a.jpg", valence="-2.0"), line("1/b.jpg")]))) == {"unrated_affect": 1}


def test_the_face_box_is_cut_out_and_one_beyond_the_picture_is_refused(tmp_path: Path) -> None:
    brought = read(tables(tmp_path, [line("1/a.jpg")]))
    picture = np.arange(40 * 30 * 3, dtype=np.uint32).astype(np.uint8).reshape(40, 30, 3)
    assert brought.cut is not None
    face = brought.cut(tmp_path / "Manually_Annotated_Images/1/a.jpg")(picture)
    np.testing.assert_array_equal(face, picture[3:15, 2:12])
    with pytest.raises(OddRowError, match=r"ends at 31 x 5 and the picture at 30 x 40") as caught:
        Box(left=1, top=1, width=30, height=4).cut(picture)
    assert caught.value.finding == "box_beyond_picture"


def test_a_column_that_nobody_reads_is_refused_unless_it_is_ignored(tmp_path: Path) -> None:
    tables(tmp_path, [line("1/a.jpg") + ",12"], header=f"{HEADER},years")
    with pytest.raises(InputError, match=r"unknown column 'years'.*--ignore-column 'years'"):
        read(tmp_path)
    assert len(rows(read(tmp_path, ("years",)))) == 1


def test_npy_labels_are_read_as_text_or_number_and_val_set_serves_as_test(tmp_path: Path) -> None:
    for name, value in (("0", "7"), ("1", 3), ("2", 4.0), ("3", [5]), ("4", b"6")):
        put(tmp_path, f"train_set/images/{name}.jpg")
        put(tmp_path, f"train_set/annotations/{name}_exp.npy", array(value))
        put(tmp_path, f"train_set/annotations/{name}_val.npy", array("0.1"))
    put(tmp_path, "val_set/images/0.jpg")
    put(tmp_path, "val_set/annotations/0_exp.npy", array("1"))
    brought = read(tmp_path)
    labels = ("contempt", "surprise", "fear", "disgust", "anger")
    assert rows(brought) == [
        *((number, label, "train") for number, label in enumerate(labels, start=1)),
        (6, "happiness", "test"),
    ]
    assert brought.table.rows[0].values["subject_id"] == "affectnet-train_set-0"
    assert findings(brought) == {"validation_as_test": 1} and brought.cut is None


class Bomb:
    """What a pickle runs when somebody loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('a label ran code')",))


HUGE = array(np.zeros(1)).replace(b"(1,)", b"(" + b"9" * 12 + b",)")


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (array("8"), "no_emotion"),
        (array("9"), "uncertain_label"),
        (array("10"), "no_face"),
        (array("x"), "unknown_label"),
        (array([1, 2]), "damaged_label"),
        (array(2.5), "unknown_label"),
        (array(np.array(Bomb(), dtype=object), allow_pickle=bool(1)), "damaged_label"),
        (pickle.dumps(Bomb()), "damaged_label"),
        (HUGE, "damaged_label"),
        (array("1")[:-1], "damaged_label"),
        (array("1")[:40], "damaged_label"),
        (b"", "damaged_label"),
        (bytes(5000), "damaged_label"),
        (None, "not_labelled"),
    ],
)
def test_a_label_file_that_holds_no_emotion_is_refused_by_finding(
    tmp_path: Path, data: bytes | None, finding: str
) -> None:
    for name, label in (("0", data), ("1", array("1"))):
        put(tmp_path, f"train_set/images/{name}.jpg")
        if label is not None:
            put(tmp_path, f"train_set/annotations/{name}_exp.npy", label)
    put(tmp_path, "train_set/images/cover.jpg")
    put(tmp_path, "train_set/README.txt")
    brought = read(tmp_path)
    assert set(refused(brought).values()) == {finding, "unknown_name", "not_a_picture"} and len(rows(brought)) == 1


def test_a_folder_of_another_set_is_refused_with_what_to_name(tmp_path: Path) -> None:
    put(tmp_path, "happy/a.png")
    with pytest.raises(InputError, match=r"training\.csv and validation\.csv, or train_set/"):
        read(tmp_path)
