"""Sets that have a format of their own, as composed: a dry run tells what would be taken, by which licence, and what is odd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bitface.consent import public_sets
from tests.flows.conftest import Bitface, Run

Report = dict[str, Any]


def picture(path: Path, seed: int, side: int = 48) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)).save(path)


def pictures(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        picture(folder / name, seed)


def foreseen(bitface: Bitface, source: Path, layout: str) -> Report:
    done = bitface(source.parent, "data", "import", str(source), "--format", layout, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    report: Report = json.loads(done.stdout)
    assert report["dry_run"] and report["version"] is None
    assert report["admitted"] + report["unchanged"] + len(report["quarantined"]) == report["rows"]
    return report


def found(report: Report) -> dict[str, int]:
    return {one["name"]: one["count"] for one in report["findings"]}


def test_jaffe(bitface: Bitface, project: Path) -> None:
    pictures(project / "jaffe", "KA.AN1.39.tiff", "KA.HA1.29.tiff", "YM.NE1.49.tiff", "strange.tiff")
    report = foreseen(bitface, project / "jaffe", "jaffe")
    assert (report["people"], report["samples"], report["licence"]) == (2, 3, "jaffe-non-commercial")
    assert found(report) == {"unknown_name": 1}


def test_kdef(bitface: Bitface, project: Path) -> None:
    pictures(project / "kdef", "AF01/AF01ANS.JPG", "AF01/AF01ANHL.JPG", "BF01/BF01HAS.JPG", "AM02/AM02NES.JPG")
    report = foreseen(bitface, project / "kdef", "kdef")
    assert (report["people"], report["samples"], report["licence"]) == (2, 3, "kdef-non-commercial")
    assert found(report) == {"second_session": 1, "other_view": 1}


def test_rafdb(bitface: Bitface, project: Path) -> None:
    source = project / "rafdb"
    names = ("train_00001", "train_00002", "train_00003", "test_0001")
    pictures(source, *(f"Image/aligned/{name}_aligned.jpg" for name in names))
    for folder in ("EmoLabel", "Annotation/manual"):
        (source / folder).mkdir(parents=True)
    (source / "EmoLabel/list_patition_label.txt").write_text("".join(f"{name}.jpg 5\n" for name in names))
    for name, ages in zip(names, (2, 1, 0, 4), strict=True):
        (source / f"Annotation/manual/{name}_manu_attri.txt").write_text("1 1\n" * 5 + f"1\n0\n{ages}\n")
    report = foreseen(bitface, source, "rafdb")
    assert (report["people"], report["samples"], report["licence"]) == (2, 2, "rafdb-research")
    assert found(report) == {"wide_age_group": 1, "person_per_picture": 2, "child": 2}


def test_ckplus_in_sequences(bitface: Bitface, project: Path) -> None:
    frames = [f"cohn-kanade-images/S005/001/S005_001_{number:08d}.png" for number in range(1, 7)]
    pictures(project / "ck", *frames, *(f"cohn-kanade-images/S010/002/S010_002_{number:08d}.png" for number in (1, 2)))
    label = project / "ck/Emotion/S005/001/S005_001_00000006_emotion.txt"
    label.parent.mkdir(parents=True)
    label.write_text("   2.0000000e+00\n")
    report = foreseen(bitface, project / "ck", "ckplus")
    assert (report["people"], report["samples"], report["licence"]) == (1, 2, "ckplus-agreement")
    assert found(report) == {"near_copies_in_sequence": 3, "between_first_and_apex": 2, "not_labelled": 2}


def test_ckplus_in_folders(bitface: Bitface, project: Path) -> None:
    names = ("anger/S010_004_00000017.png", "anger/S010_004_00000018.png", "happy/S011_001_00000009.png")
    pictures(project / "ck48", *names)
    report = foreseen(bitface, project / "ck48", "ckplus")
    assert (report["people"], report["samples"], report["rows"]) == (2, 2, 3)
    assert found(report) == {"near_copies_in_sequence": 2, "no_part": 3}


def test_affectnet_by_its_tables(bitface: Bitface, project: Path) -> None:
    source = project / "affectnet"
    pictures(source, *(f"Manually_Annotated_Images/1/{name}.jpg" for name in "abcde"))
    header = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    training = ["1/a.jpg,4,4,40,40,1;2,1,0.5,0.5", "1/b.jpg,4,4,-40,40,1;2,1,0.5,0.5", "1/c.jpg,4,4,40,40,1;2,10,-2,-2"]
    validation = ["1/d.jpg,4,4,40,40,1;2,6,0.5,0.5", "1/e.jpg,4,4,40,45,1;2,6,0.5,0.5"]
    (source / "training.csv").write_text("\n".join([header, *training]))
    (source / "validation.csv").write_text("\n".join([header, *validation]))
    report = foreseen(bitface, source, "affectnet")
    assert (report["people"], report["samples"], report["licence"]) == (2, 2, "affectnet-research")
    assert {one["row"]: one["finding"] for one in report["quarantined"]} == {
        2: "damaged_box",
        3: "no_face",
        5: "box_beyond_picture",
    }
    assert found(report)["validation_as_test"] == 2


def test_affectnet_by_its_npy_labels(bitface: Bitface, project: Path) -> None:
    source = project / "affectnet"
    pictures(source, "train_set/images/0.jpg", "train_set/images/1.jpg", "val_set/images/0.jpg")
    for name, label in (
        ("train_set/annotations/0", "7"),
        ("train_set/annotations/1", "8"),
        ("val_set/annotations/0", "2"),
    ):
        (source / name).parent.mkdir(exist_ok=True)
        np.save(source / f"{name}_exp.npy", np.array(label))
    report = foreseen(bitface, source, "affectnet")
    assert (report["people"], report["samples"]) == (2, 2)
    assert found(report) == {"validation_as_test": 1, "person_per_picture": 2, "no_emotion": 1}


def test_a_child_whom_rafdb_once_called_grown_up_is_not_passed_over(run: Run, project: Path) -> None:
    """Its rows are refused before they are rows, and the person who is on record is still named as one to erase."""
    source = project / "rafdb"
    pictures(source, "train/5/train_00001.jpg", "train/5/train_00002.jpg")
    attributes = {name: source / f"Annotation/manual/{name}_manu_attri.txt" for name in ("train_00001", "train_00002")}
    for file in attributes.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("1 1\n" * 5 + "1\n0\n2\n")
    assert run("data", "import", source, "--format", "rafdb")[0] == 0
    attributes["train_00001"].write_text("1 1\n" * 5 + "1\n0\n1\n")
    code, _, error = run("data", "import", source, "--format", "rafdb", "--dry-run")
    assert code == 2 and "1 person in the dataset is under 18" in error and "bitface erase" in error


def test_every_known_set_is_for_benchmark_in_research_alone() -> None:
    licences = [one for name, one in vars(public_sets).items() if name.endswith("_LICENCE")]
    assert len({one.id for one in licences}) == 8
    assert {(one.purposes, one.contexts) for one in licences} == {(("benchmark",), ("research",))}
