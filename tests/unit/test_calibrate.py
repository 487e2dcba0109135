"""Who may calibrate a model: never people who trained or judge it, nobody for themselves out of fold, and who chose it only if said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit

from bitface.evaluation.curves import reliability
from bitface.evaluation.scores import auc_of
from bitface.faces.emotions import EMOTIONS as ALL
from bitface.faces.features import ClipTable
from bitface.models.landmark.landmark_codes import COORDINATES, CodeScale
from bitface.models.landmark.landmark_net import LandmarkNet
from bitface.params import read_params
from bitface.steps.judging.evaluate import predictions_out_of_fold
from bitface.steps.retrain.calibrate import (
    ALSO_CHOSE,
    NOBODY,
    OutOfFold,
    held_out_calibrator,
    labels_of,
    out_of_fold_calibrator,
)
from bitface.steps.retrain.train import PRECISIONS
from bitface.training.trained import TrainedModel, load_model, save_model
from tests.networks import landmark_spec, trained

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml").calibration
EMOTIONS = ("anger", "happiness", "neutral")
PEOPLE = {"train": 4, "validation": 3, "test": 12, "gate": 5}


def table(splits: dict[str, int]) -> ClipTable:
    """Random faces, each person once with every emotion."""
    rng = np.random.default_rng(4)
    of_person = [split for split, people in splits.items() for _ in range(people)]
    n = len(of_person) * len(EMOTIONS)
    return ClipTable(
        landmarks=rng.normal(size=(n, 3, 478, 3)).astype(np.float32),
        blendshapes=np.zeros((n, 3, 52), np.float32),
        crops=np.zeros((n, 3, 64, 64), np.uint8),
        lengths=np.full(n, 3, np.int64),
        labels=np.array([ALL.index(name) for _ in of_person for name in EMOTIONS], np.int64),
        persons=np.repeat([f"{person:016d}" for person in range(len(of_person))], len(EMOTIONS)),
        sample_ids=np.array([f"s{row:03d}" for row in range(n)]),
        splits=np.repeat(of_person, len(EMOTIONS)),
        quality=np.zeros((n, 5), np.float32),
    )


@pytest.fixture(scope="module")
def model() -> TrainedModel:
    """Random weights: what it says is not the question."""
    torch.manual_seed(0)
    ones = np.ones(COORDINATES, np.float32)
    spec = landmark_spec("float", binary_layers=1, lstm_units=4, outputs=3)
    return trained(
        LandmarkNet(spec, CodeScale(centre=ones, inverse_step=ones)),
        "float",
        emotions=EMOTIONS,
        thresholds=np.array([0.2, 0.5, 0.6]),
        best_epoch=1,
    )


def out_of_fold(seed: int = 0, people: int = 60, sharpness: float = 2.0) -> OutOfFold:
    """Three folds of people, each with thresholds of its own.

    A reading is normal around 1.5 or -1.5 with deviation 2, so its log odds are 3/4 of it, and log(1/2) for one in three;
    logits are `sharpness` times that.
    """
    rng, rows = np.random.default_rng(seed), table({"train": people})
    truth = labels_of(rows)[:, None] == np.array(EMOTIONS)
    logits = (rng.normal(np.where(truth, 1.5, -1.5), 2.0) * 0.75 + np.log(0.5)) * sharpness
    folds = np.repeat(np.arange(people) % 3, len(EMOTIONS))
    thresholds = np.array([[0.2, 0.5, 0.6], [0.3, 0.4, 0.7], [0.1, 0.5, 0.5]])[folds]
    return OutOfFold(
        rows=rows,
        folds=folds,
        emotions=EMOTIONS,
        logits=dict.fromkeys(PRECISIONS, logits),
        still_logits=dict.fromkeys(PRECISIONS, logits),
        thresholds=dict.fromkeys(PRECISIONS, thresholds),
    )


def test_only_people_of_split_test_calibrate(model: TrainedModel) -> None:
    """Other faces and other labels of everybody else change no number; those of one test person do."""
    rows = table(PEOPLE)
    others = rows.splits != "test"
    noise, labels = rows.landmarks.copy(), rows.labels.copy()
    noise[others], labels[others] = 7.0, ALL.index("happiness")
    fitted = held_out_calibrator(model, rows, PARAMS)
    assert held_out_calibrator(model, replace(rows, landmarks=noise, labels=labels), PARAMS) == fitted
    assert "calibrated on 12 people of split test" in fitted.remark
    asked = np.flatnonzero(~others)[: len(EMOTIONS)]
    moved = rows.landmarks.copy()
    moved[asked] = 7.0
    assert held_out_calibrator(model, replace(rows, landmarks=moved), PARAMS) != fitted


def test_where_a_source_has_no_part_to_calibrate_by_whoever_chose_the_model_does_and_it_is_said(
    model: TrainedModel,
) -> None:
    fitted = held_out_calibrator(model, table({"train": 4, "validation": 12, "gate": 5}), PARAMS)
    assert ALSO_CHOSE in fitted.remark and fitted.confidence is not None
    assert ALSO_CHOSE not in held_out_calibrator(model, table(PEOPLE), PARAMS).remark


def test_nobody_of_split_test_or_validation_means_no_promise(model: TrainedModel) -> None:
    fitted = held_out_calibrator(model, table({**PEOPLE, "test": 0, "validation": 0}), PARAMS)
    assert (fitted.remark, fitted.confidence) == (NOBODY, None)
    assert fitted.set_limits == tuple(model.thresholds)


def test_a_calibrator_is_kept_with_the_model(model: TrainedModel, tmp_path: Path) -> None:
    fitted = held_out_calibrator(model, table(PEOPLE), PARAMS)
    save_model(replace(model, calibrator=fitted), tmp_path)
    assert load_model(tmp_path).calibration() == fitted


def test_nobody_out_of_fold_calibrates_for_themselves() -> None:
    """Whatever a fold's people show and are scored, their own calibrator stays."""
    found = out_of_fold()
    mine = found.folds == 1
    logits = np.where(mine[:, None], -found.still_logits["one-bit"], found.still_logits["one-bit"])
    labels = np.where(mine, ALL.index("happiness"), found.rows.labels)
    other = replace(found, rows=replace(found.rows, labels=labels), still_logits=dict.fromkeys(PRECISIONS, logits))
    assert out_of_fold_calibrator(other, "one-bit", PARAMS, judged=1) == out_of_fold_calibrator(
        found, "one-bit", PARAMS, judged=1
    )
    assert out_of_fold_calibrator(other, "one-bit", PARAMS) != out_of_fold_calibrator(found, "one-bit", PARAMS)


def test_a_calibrator_out_of_fold_says_that_its_promise_is_approximate() -> None:
    assert "60 people out of fold" in out_of_fold_calibrator(out_of_fold(), "one-bit", PARAMS).remark
    assert "approximate" in out_of_fold_calibrator(out_of_fold(), "one-bit", PARAMS).remark


def test_calibration_out_of_fold_moves_no_decision_and_no_rank() -> None:
    """What the gate reads, decisions and the area under the curve within folds, is as it was without calibration."""
    found = out_of_fold()
    predictions = predictions_out_of_fold(found, PARAMS)["one-bit"].predictions
    before = replace(predictions, scores=expit(found.logits["one-bit"]))
    assert np.array_equal(predictions.decisions(), before.scores >= found.thresholds["one-bit"])
    assert max(out_of_fold_calibrator(found, "one-bit", PARAMS, judged=0).slopes) != 1, "it does calibrate"
    areas = [auc_of(one.truth(), one.scores, None, one.folds) for one in (before, predictions)]
    np.testing.assert_array_equal(*areas)


def test_probabilities_out_of_fold_stay_as_they_are_whatever_the_thresholds() -> None:
    """Once fitted to logits relative to thresholds, a calibrator that changed nothing moved every score by them."""
    found = out_of_fold(sharpness=1.0)
    calibrator = out_of_fold_calibrator(found, "one-bit", PARAMS)
    assert (calibrator.slopes, calibrator.intercepts) == ((1.0,) * 3, (0.0,) * 3)
    stills = predictions_out_of_fold(found, PARAMS)["one-bit"].stills
    assert np.array_equal(stills.before, stills.after)


def test_overconfidence_is_repaired_out_of_fold() -> None:
    said = predictions_out_of_fold(out_of_fold(sharpness=4.0), PARAMS)["one-bit"]
    truth = said.stills.truth()
    before, after = (
        [reliability(yes, p, 10, 0.95).expected_calibration_error for yes, p in zip(truth.T, scores.T, strict=True)]
        for scores in (said.stills.before, said.stills.after)
    )
    assert np.mean(after) < 0.6 * np.mean(before)


def test_sets_out_of_fold_hold_what_they_are_made_to_hold() -> None:
    """200 people in three folds, none of whom calibrated for themselves."""
    stills = predictions_out_of_fold(out_of_fold(seed=3, people=200), PARAMS)["one-bit"].stills
    covered = (stills.truth() & stills.sets).any(axis=1)
    for emotion in EMOTIONS:
        assert covered[stills.labels == emotion].mean() == pytest.approx(1 - PARAMS.alpha, abs=0.05)


def test_a_remark_never_says_that_scores_stayed_where_the_judged_ones_were_changed() -> None:
    """Each fold has a calibrator of its own: 'ECE 0.056 before, 0.068 after' stood beside 'scores needed no correction'."""
    apart = 0
    for seed in range(4):
        said = predictions_out_of_fold(out_of_fold(seed, people=18, sharpness=2.0), PARAMS)["one-bit"]
        changed = not np.array_equal(said.stills.before, said.stills.after)
        if changed and "scores needed no correction" in said.calibrator.remark:
            apart += 1
            assert "judged out of fold, where" in said.calibrator.remark
    assert apart
