"""`bitface predict` on what folders hold: every input has its row, with real pictures and the real landmarker; only the model is a fake."""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bitface.cli import main
from bitface.models.calibrator import Calibrator
from tests.builders import BLOCKED
from tests.clips import encoded

EMOTIONS = ("happiness", "neutral")
CALIBRATOR = Calibrator(
    slopes=(1.0, 1.0),
    intercepts=(0.0, 0.0),
    set_limits=(0.5, 0.5),
    set_size_max=1,
    confidence=0.9,
    remark="calibrated on 27 people",
)


def runtime() -> SimpleNamespace:
    """Says happiness of every face."""
    return SimpleNamespace(
        reads="landmarks",
        name="bitface",
        version="1",
        digest="0" * 64,
        emotions=EMOTIONS,
        calibrator=CALIBRATOR,
        scores=lambda inputs, _: np.tile([0.9, 0.1], (len(inputs), 1)),
        sets=CALIBRATOR.sets,
    )


@pytest.fixture
def predict(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`predict(path, ...)` runs the command in this process; returns exit code, standard output and standard error."""
    monkeypatch.setattr("bitface.usecases.models.open_runtime", lambda *_: runtime())
    monkeypatch.setattr("bitface.usecases.models.status_of", lambda *_: BLOCKED)

    def run(*words: object) -> tuple[int, str, str]:
        asked = ("predict", *words, "--purpose", "demo", "--context", "research")
        monkeypatch.setattr(sys, "argv", ["bitface", *map(str, asked)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        streams = capsys.readouterr()
        return int(ended.value.code or 0), streams.out, streams.err

    return run


@pytest.fixture
def faces(london: Path) -> list[Path]:
    return sorted((london / "images").glob("*_smiling.jpg"))[:6]


@pytest.fixture
def folder(faces: list[Path], tmp_path: Path) -> Path:
    """Two good pictures, and one of each kind that goes wrong."""
    place = tmp_path / "pictures"
    (place / "sub").mkdir(parents=True)
    (place / "a.jpg").write_bytes(faces[0].read_bytes())
    (place / "b.jpg").write_bytes(faces[1].read_bytes()[:3000])
    (place / "sub" / "c.HEIC").write_bytes(faces[2].read_bytes())
    Image.open(faces[3]).save(place / "d.tif", compression="tiff_lzw")
    Image.new("RGB", (5001, 5000)).save(place / "e.png")
    Image.new("RGB", (64, 64)).save(place / "f.png")
    (place / "g.jpg").touch()
    (place / "h.jpg").symlink_to(faces[4])
    (place / "notes.txt").write_text("shot in May")
    (place / "._a.jpg").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    return place


EXPECTED = {
    "a.jpg": "answered",
    "b.jpg": "unreadable",
    "c.HEIC": "answered",
    "d.tif": "not_supported",
    "e.png": "refused",
    "f.png": "no_face",
    "g.jpg": "unreadable",
    "h.jpg": "not_supported",
    "notes.txt": "not_supported",
}


def test_every_input_of_a_folder_has_a_row_in_json_and_table_and_bad_ones_cost_no_answer(
    predict, folder: Path, tmp_path: Path
) -> None:
    code, out, err = predict(folder, "--json", "--csv", tmp_path / "out.csv")
    assert code == 2
    rows = json.loads(out)
    assert {Path(row["path"]).name: row["status"] for row in rows} == EXPECTED
    assert all(bool(row["reason"]) != bool(row["faces"]) for row in rows)
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert {Path(row["path"]).name: row["status"] for row in csv.DictReader(stream)} == EXPECTED
    assert "9 inputs: 2 answered, 1 no face, 2 unreadable, 3 not supported, 1 refused; 1 hidden or system file" in err
    assert err.splitlines()[-1].startswith("bitface: 5 of 9 inputs could not be read, 3 could; first: 'b.jpg'")


def test_people_read_a_line_per_input_and_counts_that_add_up(predict, folder: Path) -> None:
    code, out, _ = predict(folder)
    assert code == 2
    *lines, _, _, counts = out.splitlines()
    assert sorted(line.partition(":")[0].rpartition("/")[2] for line in lines) == sorted(EXPECTED)
    assert counts.startswith("9 inputs: 2 answered")


def test_notes_and_hidden_files_beside_pictures_are_no_error(predict, folder: Path) -> None:
    for name in EXPECTED:
        if name not in ("a.jpg", "f.png", "notes.txt"):
            next(folder.rglob(name)).unlink()
    code, out, _ = predict(folder)
    assert code == 0
    assert out.splitlines()[-1] == "3 inputs: 1 answered, 1 no face, 1 not supported; 1 hidden or system file left out"


def test_a_path_that_is_not_there_costs_nobody_else_s_answer(predict, folder: Path) -> None:
    code, out, err = predict(folder / "gone.jpg", folder / "a.jpg", "--json")
    assert code == 2 and "No such file" in err
    assert [row["status"] for row in json.loads(out)] == ["unreadable", "answered"]


def test_an_empty_folder_is_said_and_exits_2(predict, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = predict(tmp_path / "empty", "--json")
    assert code == 2 and "is an empty folder" in err
    assert [row["status"] for row in json.loads(out)] == ["unreadable"]


def test_a_table_that_cannot_be_written_is_said_before_any_picture_is_read(predict, folder: Path) -> None:
    code, out, err = predict(folder / "a.jpg", "--csv", folder)
    assert (code, out) == (2, "")
    assert "name a file" in err and "predicting" not in err
    code, out, err = predict(folder / "a.jpg", "--csv", folder / "a.jpg")
    assert (code, out) == (2, "") and "is one of the inputs" in err
    assert (folder / "a.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_who_ends_it_early_keeps_the_answers_so_far(predict, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bitface.usecases import answers

    whole = answers.face_reader

    def ended_at_e(*words):
        reader = whole(*words)

        def read(path: Path, name: str):
            if path.name == "e.png":
                raise KeyboardInterrupt
            return reader.read(path, name)

        return replace(reader, read=read)

    monkeypatch.setattr(answers, "face_reader", ended_at_e)
    table = folder.parent / "out.csv"
    code, out, err = predict(folder, "--json", "--csv", table)
    assert code == 130
    assert [row["status"] for row in json.loads(out)] == ["answered", "unreadable", "not_supported"]
    assert "stopped after 3 of 9 inputs" in err
    assert not table.exists() and len(list(table.parent.glob("out.csv.*.part"))) == 1


def portrait(face: Path) -> np.ndarray:
    return np.asarray(Image.open(face).convert("RGB").resize((240, 240)))


def test_every_face_of_a_video_is_answered_over_time_beside_pictures(
    predict, faces: list[Path], tmp_path: Path
) -> None:
    """Two people who stay, and a cut to a third at the place of the first; a clip under a picture's name; one that is damaged."""
    place = tmp_path / "mixed"
    two = np.concatenate([portrait(faces[0]), portrait(faces[1])], axis=1)
    third = np.concatenate([portrait(faces[2]), np.full((240, 240, 3), 255, np.uint8)], axis=1)
    encoded(place / "clip.mp4", [*[np.roll(two, shift, axis=1) for shift in range(0, 30)], *[third] * 20])
    encoded(place / "short.mp4", [two] * 3).rename(place / "short.jpg")
    (place / "torn.mp4").write_bytes((place / "clip.mp4").read_bytes()[:3000])
    (place / "words.mov").write_text("no video")
    (place / "a.jpg").write_bytes(faces[0].read_bytes())
    code, out, err = predict(place, "--json", "--csv", tmp_path / "out.csv")
    rows = json.loads(out)
    clip = [row for row in rows if row["path"].endswith("clip.mp4")]
    assert [row["frame"] for row in clip] == list(range(0, 50, 5))
    assert [row["time_s"] for row in clip] == [pytest.approx(frame / 25) for frame in range(0, 50, 5)]
    tracks = [sorted(face["track"] for face in row["faces"]) for row in clip]
    assert tracks == [*[[1, 2]] * 6, *[[3]] * 4], "numbers say who is who, and a cut begins anew"
    first = {face["track"]: face["box"] for face in clip[0]["faces"]}
    last = {face["track"]: face["box"] for face in clip[5]["faces"]}
    assert all(15 < last[track][0] - first[track][0] < 35 for track in (1, 2)), "each moved by 25 pixels"
    assert all(face["smoothed"]["happiness"] == pytest.approx(0.9) for row in clip for face in row["faces"])
    assert [row["status"] for row in rows if row["path"].endswith("short.jpg")] == ["answered"]
    assert code == 2 and "2 of 5 inputs could not be read, 3 could; first: 'torn.mp4' is not a readable video" in err
    assert "5 inputs: 3 answered, 2 unreadable" in err
    with (tmp_path / "out.csv").open(newline="") as stream:
        table = [row for row in csv.DictReader(stream) if row["path"].endswith("clip.mp4")]
    assert [(row["frame"], row["time_s"], row["track"]) for row in table] == [
        (str(row["frame"]), str(row["time_s"]), str(face["track"])) for row in clip for face in row["faces"]
    ]
    code, out, _ = predict(place / "clip.mp4", "--every", "0.5")
    assert code == 0
    assert out.splitlines()[0] == "face 1, 0.0 to 1.0 s, 3 frames: happiness 3".join(["clip.mp4, ", ""])


def test_no_name_of_a_file_is_run_or_waited_for(
    predict, faces: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe, a name that a spreadsheet would run, and one that would clear the screen, among pictures."""
    place = tmp_path / "pictures"
    place.mkdir()
    os.mkfifo(place / "pipe.jpg")
    (place / "\x1b[2Ja.jpg").write_bytes(faces[0].read_bytes())
    code, out, err = predict(place, "--csv", tmp_path / "out.csv")
    assert code == 0 and "pipe.jpg: not supported" in out
    assert "\x1b" not in out + err and "\\x1b[2Ja.jpg" in out
    monkeypatch.chdir(place)
    (place / "=1+1.jpg").write_bytes(b"none")
    assert predict("=1+1.jpg", "--csv", tmp_path / "out.csv")[0] == 2
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert [row["path"] for row in csv.DictReader(stream)] == ["'=1+1.jpg"]
