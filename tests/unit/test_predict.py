"""What `predict` tells people: a row for every input, calibrated probabilities, a set or no answer, and what a set is worth."""

from __future__ import annotations

import csv
import errno
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit

from bitface.errors import InputError, NotSupportedError, OverLimitError
from bitface.models.calibrator import Calibrator, uncalibrated
from bitface.steps.answers.face_answers import STATUSES, Prediction, Reader
from bitface.steps.answers.predict import predictions
from bitface.steps.answers.prediction_report import (
    check_nothing_lost,
    counts_line,
    prediction_documents,
    prediction_table,
    predictions_text,
)
from bitface.steps.people.inputs import Input, Trouble
from tests.builders import BLOCKED

EMOTIONS = ("anger", "happiness", "neutral")
CALIBRATED = Calibrator(
    slopes=(0.5, 0.5, 0.5),
    intercepts=(0.0, 0.0, 0.0),
    set_limits=(0.5, 0.4, 0.3),
    set_size_max=2,
    confidence=0.9,
    remark="calibrated on 27 people of split test; scores of anger needed no change",
)
REGIONS_OF_NEUTRAL = {"nose": 0.1, "mouth": 2.5, "eyes": 0.5, "jaw": -1.2}
LOGITS = {"sure": (-6.0, 6.0, -6.0), "torn": (-6.0, 0.0, 0.0), "lost": (4.0, 4.0, 4.0), "none": (-6.0, -6.0, -6.0)}
ERRORS = {
    "broken": InputError("'broken.png' is not a readable image; export it again"),
    "deep": NotSupportedError("'deep.png' has pixels of mode I;16; export it with 8 bits a channel"),
    "huge": OverLimitError("'huge.png' has 5001 x 5000 pixels, over 25000000; make it smaller"),
}
NOTES = Trouble(status="not_supported", reason="is not a picture", is_loss=False)


class Looking:
    """Sees faces whose crops are logits: one that its picture is named by, or as many as the picture is named."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def see_all(self, image, _):
        return [SimpleNamespace(box=(0, 0, 9, 9), column=partial(self.column, logits)) for logits in image]

    @staticmethod
    def column(logits, _):
        return np.array(logits)


def runtime(calibrator: Calibrator = CALIBRATED) -> SimpleNamespace:
    return SimpleNamespace(
        reads="crops",
        name="bitface",
        version="3",
        digest="0" * 64,
        emotions=EMOTIONS,
        calibrator=calibrator,
        scores=lambda inputs, _: calibrator.probabilities(inputs[:, 0]),
        sets=calibrator.sets,
    )


def read(path: Path, _: str) -> list[tuple[float, ...]]:
    """The logits of the faces in a picture: of six where its name is `group`."""
    if path.stem in ERRORS:
        raise ERRORS[path.stem]
    if path.stem == "group":
        return [LOGITS["sure"], *[LOGITS["lost"]] * 5]
    return [LOGITS[path.stem]] if path.stem in LOGITS else []


def reader(calibrator: Calibrator = CALIBRATED, **changes) -> Reader:
    values = {"open_landmarker": Looking, "features": SimpleNamespace(), "read": read, "faces_max": 4}
    values |= {"watch": None, "every_s": 0.2, "smoothing_s": 0.5}
    return Reader(runtime=runtime(calibrator), **{**values, **changes})


def predicted(*names: str, calibrator: Calibrator = CALIBRATED, **changes) -> dict[str, Prediction]:
    inputs = [Input(path=Path("f") / f"{name}.png") for name in names or (*LOGITS, "nobody")]
    rows = list(predictions(inputs, reader(calibrator, **changes), lambda *_: None))
    assert [row.path for row in rows] == [one.path for one in inputs]
    return {row.path.stem: row for row in rows}


def test_a_face_has_calibrated_probabilities_a_set_and_whether_it_is_an_answer() -> None:
    faces = {name: row.faces[0] for name, row in predicted().items() if row.faces}
    assert faces["sure"]["emotions"]["happiness"] == pytest.approx(expit(0.5 * 6), abs=1e-6)
    assert [faces[name]["set"] for name in LOGITS] == [["happiness"], ["happiness", "neutral"], list(EMOTIONS), []]
    assert [faces[name]["abstained"] for name in LOGITS] == [False, False, True, True]


def test_every_input_has_a_status_and_a_bad_one_costs_nobody_else_s_answer() -> None:
    rows = predicted("broken", "sure", "deep", "none", "huge", "nobody", "torn")
    assert {name: row.status for name, row in rows.items()} == {
        "broken": "unreadable",
        "sure": "answered",
        "deep": "not_supported",
        "none": "abstained",
        "huge": "refused",
        "nobody": "no_face",
        "torn": "answered",
    }
    assert rows["broken"].reason == "is not a readable image; export it again"
    assert "a head must be upright" in rows["nobody"].reason
    assert {name for name, row in rows.items() if row.is_loss} == {"broken", "deep", "huge"}


def test_what_is_known_to_be_no_picture_is_not_decoded() -> None:
    def never(*_):
        raise AssertionError

    (row,) = predictions([Input(path=Path("notes.txt"), trouble=NOTES)], reader(read=never), lambda *_: None)
    assert (row.status, row.reason, row.is_loss) == ("not_supported", "is not a picture", False)


def test_a_picture_that_is_gone_before_it_is_logged_costs_nobody_else_s_answer(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"any")
    kept = []
    inputs = [Input(path=tmp_path / f"{name}.png") for name in ("sure", "torn")]
    rows = list(predictions(inputs, reader(keep=lambda *seen: kept.append(seen)), lambda *_: None))
    assert [row.status for row in rows] == ["unreadable", "answered"]
    assert len(kept) == 1


def test_of_more_faces_than_are_answered_the_largest_are_and_it_is_said() -> None:
    (row,) = predicted("group").values()
    assert len(row.faces) == 4 and row.more_faces
    assert row.status == "answered" and "more than 4 faces" in row.reason
    (all_of_them,) = predicted("group", faces_max=6).values()
    assert len(all_of_them.faces) == 6 and not all_of_them.more_faces and all_of_them.reason is None


def test_a_set_begins_with_the_likeliest_and_regions_that_were_asked_for_are_read_too() -> None:
    emotions = {"anger": 0.16, "happiness": 0.2, "neutral": 0.69}
    regions = {name: {"anger": 0.0, "happiness": 0.0, "neutral": value} for name, value in REGIONS_OF_NEUTRAL.items()}
    row = predicted("sure")["sure"]
    face = {**row.faces[0], "emotions": emotions, "set": ["anger", "neutral"], "regions": regions}
    first, second, *_ = predictions_text([replace(row, faces=(face,))], runtime(), BLOCKED, 0).splitlines()
    assert first.startswith("sure.png: neutral or anger  (neutral 0.69, happiness 0.20")
    assert second.strip().startswith("neutral most by mouth +2.50, jaw -1.20, eyes +0.50 (log odds")


def test_people_read_a_set_no_answer_or_no_face_and_what_sets_promise() -> None:
    lines = predictions_text(list(predicted().values()), runtime(), BLOCKED, 0).splitlines()
    said = {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}
    assert said["sure.png"].startswith("happiness  (happiness 0.95")
    assert said["torn.png"].startswith("happiness or neutral  (")
    assert said["lost.png"].startswith("no answer: it could be anger or happiness or neutral  (")
    assert said["none.png"].startswith("no answer: no emotion is likely enough  (")
    assert said["nobody.png"].startswith("no face found; ")
    assert lines[-3] == BLOCKED.line
    assert lines[-2].endswith(
        "sets have a target coverage of 90% per emotion, for people like the calibration people "
        "(calibrated on 27 people of split test)"
    )


def test_the_last_line_counts_all_inputs_and_what_was_left_out() -> None:
    rows = [
        *predicted("broken", "sure", "deep", "none", "huge", "nobody", "group").values(),
        Prediction(path=Path("notes.txt"), number=7, status="not_supported", reason="is not a picture"),
    ]
    assert predictions_text(rows, runtime(), BLOCKED, 3).splitlines()[-1] == (
        "8 inputs: 2 answered, 1 abstained, 1 no face, 1 unreadable, 2 not supported, 1 refused; "
        "3 hidden or system files left out"
    )
    assert counts_line(rows[:1], 0) == "1 input: 1 unreadable"


def test_names_in_the_text_are_as_short_as_tells_them_apart_and_stay_on_one_line() -> None:
    paths = [Path("/home/a/f/x.png"), Path("/home/a/g/x.png"), Path("/home/a/g/two\nlines \x1b[31m\udcff.png")]
    rows = [Prediction(path=path, number=at, status="unreadable", reason="is empty") for at, path in enumerate(paths)]
    lines = predictions_text(rows, runtime(), BLOCKED, 0).splitlines()
    assert lines[:2] == ["f/x.png: unreadable, is empty", "g/x.png: unreadable, is empty"]
    assert lines[2] == r"g/two\nlines \x1b[31m\udcff.png: unreadable, is empty"


def test_a_model_that_nobody_calibrated_promises_nothing() -> None:
    bare = uncalibrated(np.full(3, 0.5), "not calibrated: there was nobody")
    rows = list(predicted(calibrator=bare).values())
    assert (
        predictions_text(rows, runtime(bare), BLOCKED, 0)
        .splitlines()[-2]
        .endswith("; not calibrated: there was nobody")
    )
    assert prediction_documents(rows, runtime(bare), BLOCKED)[0]["model"]["confidence"] is None


def test_json_has_the_keys_of_the_contract_whatever_became_of_an_input() -> None:
    documents = prediction_documents(list(predicted("broken", "sure", "nobody").values()), runtime(), BLOCKED)
    assert json.loads(json.dumps(documents)) == documents
    for row in documents:
        assert {"path", "frame", "time_s", "status", "reason", "faces", "more_faces", "model"} == set(row)
        assert {"name", "version", "digest"} <= set(row["model"])
        assert row["model"]["status"] == BLOCKED.document()
        assert row["status"] in STATUSES
        assert bool(row["faces"]) == (row["status"] in ("answered", "abstained"))


def write_csv(rows, path: Path) -> list[dict[str, str]]:
    with prediction_table(path, EMOTIONS, BLOCKED.line) as write:
        for row in rows:
            write(row)
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_table_has_a_row_per_face_and_one_for_each_input_without(tmp_path: Path) -> None:
    rows = write_csv(predicted("torn", "none", "broken", "nobody", "group").values(), tmp_path / "new" / "out.csv")
    assert [Path(row["path"]).stem for row in rows] == ["torn", "none", "broken", "nobody", *["group"] * 4]
    by_name = {Path(row["path"]).stem: row for row in rows}
    assert (by_name["torn"]["set"], by_name["torn"]["abstained"]) == ("happiness neutral", "no")
    assert (by_name["none"]["set"], by_name["none"]["abstained"]) == ("", "yes")
    assert [row["status"] for row in rows[:4]] == ["answered", "abstained", "unreadable", "no_face"]
    assert by_name["broken"]["reason"] == "is not a readable image; export it again"
    assert by_name["broken"]["x0"] == by_name["broken"]["abstained"] == ""
    assert [row["face"] for row in rows[4:]] == ["0", "1", "2", "3"]
    assert "more than 4 faces" in by_name["group"]["reason"]
    assert list(rows[0]) == [
        *("path", "face", "x0", "y0", "x1", "y1", *EMOTIONS, "set", "abstained", "status", "reason", "model"),
        *("frame", "time_s", "track", *(f"smoothed_{emotion}" for emotion in EMOTIONS)),
    ]
    assert {row["frame"] + row["time_s"] + row["track"] + row["smoothed_anger"] for row in rows} == {""}, "no videos"
    assert {row["model"] for row in rows} == {BLOCKED.line}, "each row says how the model stands"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.csv"]


def test_a_log_that_cannot_be_written_ends_the_command_and_makes_no_picture_unreadable(tmp_path: Path) -> None:
    def full(*_):
        raise InputError("'keys' cannot be written (No space left on device)")

    (tmp_path / "sure.png").write_bytes(b"any")
    inputs = [Input(path=tmp_path / "sure.png")]
    with pytest.raises(InputError, match="'keys' cannot be written"):
        list(predictions(inputs, reader(keep=full), lambda *_: None))


def test_odd_names_come_back_from_a_table_in_utf_8(tmp_path: Path) -> None:
    names = ["two\nlines.png", '😀, "quoted".png', "-dash.png", "bytes \udcff.png"]
    rows = [Prediction(path=Path(name), number=at, status="no_face") for at, name in enumerate(names)]
    read_back = [row["path"] for row in write_csv(rows, tmp_path / "out.csv")]
    assert read_back == [*names[:2], "'-dash.png", r"bytes \udcff.png"]


@pytest.mark.parametrize("target", ["folder/inner", "file/out.csv", "/proc/nowhere/out.csv", "x" * 300])
def test_a_table_that_cannot_be_written_is_said_before_any_work(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r".+"), prediction_table(tmp_path / target, EMOTIONS, BLOCKED.line):
        raise AssertionError


def test_a_device_takes_a_table_and_stays_one() -> None:
    with prediction_table(Path("/dev/null"), EMOTIONS, BLOCKED.line) as write:
        write(predicted("sure")["sure"])
    assert Path("/dev/null").is_char_device()


def test_when_the_disk_is_full_the_old_table_stays_and_the_rows_so_far_lie_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "out.csv"
    table.write_text("yesterday's")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bitface.steps.answers.prediction_report.os.fsync", full)
    with pytest.raises(OSError, match=r"No space left.*out\.csv"):
        write_csv(predicted("sure").values(), table)
    assert table.read_text() == "yesterday's"
    (part,) = tmp_path.glob("out.csv.*.part")
    assert "sure.png" in part.read_text()


def test_a_table_that_is_ended_early_keeps_its_rows_beside_its_name(tmp_path: Path) -> None:
    table = tmp_path / "out.csv"
    (row,) = predicted("sure").values()

    def interrupted():
        yield row
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_csv(interrupted(), table)
    assert not table.exists()
    (part,) = tmp_path.glob("out.csv.*.part")
    assert part.read_text().count("\n") == 2


def test_a_table_through_a_link_is_written_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert len(write_csv(predicted("sure").values(), tmp_path / "link.csv")) == 1
    assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "real.csv").is_file()


def test_a_picture_that_was_not_read_is_a_loss_and_notes_beside_pictures_are_none() -> None:
    rows = list(predicted("sure", "none", "nobody").values())
    notes = Prediction(path=Path("notes.txt"), number=3, status="not_supported", reason="is not a picture")
    check_nothing_lost([*rows, notes])
    with pytest.raises(InputError, match=r"1 of 5 inputs could not be read, 3 could; 'broken.png' is"):
        check_nothing_lost([*rows, notes, replace(predicted("broken")["broken"], number=4)])
    with pytest.raises(InputError, match="there are no pictures among the inputs"):
        check_nothing_lost([notes])


def test_another_alpha_changes_sets_and_no_probability() -> None:
    wide = predicted("sure", calibrator=replace(CALIBRATED, set_limits=(0.0, 0.0, 0.0)))["sure"].faces[0]
    assert wide["emotions"] == predicted("sure")["sure"].faces[0]["emotions"]
    assert (wide["set"], wide["abstained"]) == (list(EMOTIONS), True)


def test_the_time_of_a_model_is_that_of_the_loaded_one() -> None:
    """The first call compiles: it was reported as 122 ms of a model that takes 0.4."""
    calls: list[str] = []
    clock = iter(range(1000))

    def scores(inputs: np.ndarray, _: np.ndarray) -> np.ndarray:
        calls.append("first" if not calls else "later")
        for _tick in range(100 if calls == ["first"] else 1):
            next(clock)
        return CALIBRATED.probabilities(inputs[:, 0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bitface.steps.answers.face_answers.time.perf_counter", lambda: float(next(clock)))
        slow = replace(reader(), runtime=SimpleNamespace(**{**vars(runtime()), "scores": scores}))
        inputs = [Input(path=Path("f") / f"{name}.png") for name in ("sure", "torn")]
        rows = list(predictions(inputs, slow, lambda *_: None))
    assert [row.faces[0]["timings_ms"]["model"] for row in rows] == [2000.0, 2000.0]
    assert calls == ["first", "later", "later"]
