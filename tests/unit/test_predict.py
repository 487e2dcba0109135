"""What `predict` tells people: calibrated probabilities, a set or no answer, and what a set is worth."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit

from bitface.models.calibrator import Calibrator, uncalibrated
from bitface.steps.predict import predict_paths, predictions_text, write_csv

EMOTIONS = ("anger", "happiness", "neutral")
CALIBRATED = Calibrator(
    slopes=(0.5, 0.5, 0.5),
    intercepts=(0.0, 0.0, 0.0),
    set_limits=(0.5, 0.4, 0.3),
    set_size_max=2,
    confidence=0.9,
    remark="calibrated on 27 people of split test; scores of anger needed no change",
)
LOGITS = {"sure": (-6.0, 6.0, -6.0), "torn": (-6.0, 0.0, 0.0), "lost": (4.0, 4.0, 4.0), "none": (-6.0, -6.0, -6.0)}


class Looking:
    """Sees one face, whose crop is the logits that its picture is named by."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def see_all(self, image, _):
        return [] if image is None else [SimpleNamespace(box=(0, 0, 9, 9), column=lambda _: np.array(image))]


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


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in (*LOGITS, "nobody")]
    for path in paths:
        path.touch()
    return paths


def predicted(paths: list[Path], calibrator: Calibrator = CALIBRATED) -> dict[str, dict]:
    def read(path: Path, _: str) -> tuple[float, ...] | None:
        return LOGITS.get(path.stem)

    rows = predict_paths(paths, runtime(calibrator), Looking, SimpleNamespace(), read, lambda *_: None)
    return {Path(row["path"]).stem: row for row in rows}


def test_a_face_has_calibrated_probabilities_a_set_and_whether_it_is_an_answer(pictures) -> None:
    faces = {name: row["faces"][0] for name, row in predicted(pictures).items() if row["faces"]}
    assert faces["sure"]["emotions"]["happiness"] == pytest.approx(expit(0.5 * 6), abs=1e-6)
    assert [faces[name]["set"] for name in LOGITS] == [["happiness"], ["happiness", "neutral"], list(EMOTIONS), []]
    assert [faces[name]["abstained"] for name in LOGITS] == [False, False, True, True]


def test_people_read_a_set_no_answer_or_no_face_and_what_sets_promise(pictures) -> None:
    lines = predictions_text(list(predicted(pictures).values())).splitlines()
    said = {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}
    assert said["sure.png"].startswith("happiness  (happiness 0.95")
    assert said["torn.png"].startswith("happiness or neutral  (")
    assert said["lost.png"].startswith("no answer, it could be anger or happiness or neutral  (")
    assert said["none.png"].startswith("no answer, no emotion is likely enough  (")
    assert said["nobody.png"] == "no face found"
    assert lines[-1].endswith(
        "a set is made to hold the true emotion of 90% of the faces of each emotion, of people like those who calibrated "
        "(calibrated on 27 people of split test)"
    )


def test_a_model_that_nobody_calibrated_promises_nothing(pictures) -> None:
    rows = list(predicted(pictures, uncalibrated(np.full(3, 0.5), "not calibrated: there was nobody")).values())
    assert predictions_text(rows).endswith("not of a mind; not calibrated: there was nobody")
    assert rows[0]["model"]["confidence"] is None


def test_a_table_says_the_set_and_whether_it_is_no_answer(pictures, tmp_path: Path) -> None:
    write_csv(list(predicted(pictures).values()), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = {Path(row["path"]).stem: row for row in csv.DictReader(stream)}
    assert (rows["torn"]["set"], rows["torn"]["abstained"]) == ("happiness neutral", "no")
    assert (rows["none"]["set"], rows["none"]["abstained"]) == ("", "yes")


def test_another_alpha_changes_sets_and_no_probability(pictures) -> None:
    wide = predicted(pictures, replace(CALIBRATED, set_limits=(0.0, 0.0, 0.0)))["sure"]["faces"][0]
    assert wide["emotions"] == predicted(pictures)["sure"]["faces"][0]["emotions"]
    assert (wide["set"], wide["abstained"]) == (list(EMOTIONS), True)
