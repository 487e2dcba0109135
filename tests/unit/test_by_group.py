"""Figures by group are Fairlearn's, and their intervals are wide where a group is small."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, equalized_odds_difference, selection_rate, true_positive_rate

from bitface.errors import InputError
from bitface.evaluation.by_group import group_report
from bitface.evaluation.predictions import Predictions
from bitface.params import EvaluationParams

PARAMS = EvaluationParams(bootstrap_resamples=200, confidence=0.95, intraclass_correlation=0.3, reliability_bins=10)
EMOTIONS = ("anger", "happiness")


def made(people=24, seed=0) -> tuple[Predictions, dict[str, dict[str, str]]]:
    rng = np.random.default_rng(seed)
    labels = np.tile(["anger", "happiness", "neutral", "anger"], people)
    truth = labels[:, None] == np.array(EMOTIONS)
    p = Predictions(
        sample_ids=np.arange(len(labels)).astype(str),
        persons=np.repeat([f"p{i:02d}" for i in range(people)], 4),
        labels=labels,
        emotions=EMOTIONS,
        scores=1 / (1 + np.exp(-rng.normal(size=truth.shape) - 2 * truth + 1)),
        thresholds=np.array([0.5, 0.5]),
        folds=np.zeros(len(labels), dtype=np.int64),
    )
    slices = {
        f"p{i:02d}": {
            "age_band": ("18_29", "30_44", "unknown")[i % 3],
            "gender": "female" if i < 3 else "male",
            "skin_tone": "monk_1_4",
            "ancestry": "a",
        }
        for i in range(people)
    }
    return p, slices


@pytest.fixture(scope="module")
def report():
    return group_report(*made(), PARAMS, seed=0)


def test_the_figures_are_fairlearns(report) -> None:
    p, slices = made()
    age = np.array([slices[person]["age_band"] for person in p.persons])
    truth, decided = p.truth()[:, 0], p.decisions()[:, 0]
    frame = MetricFrame(
        metrics={"tpr": true_positive_rate, "rate": selection_rate},
        y_true=truth,
        y_pred=decided,
        sensitive_features=age,
    )
    for row in report.slices:
        if (row.attribute, row.emotion) == ("age_band", "anger"):
            assert row.true_positive_rate.value == pytest.approx(frame.by_group["tpr"][row.value])
            assert row.selection_rate.value == pytest.approx(frame.by_group["rate"][row.value])
    known = age != "unknown"
    expected = equalized_odds_difference(truth[known], decided[known], sensitive_features=age[known])
    assert report.equalized_odds_difference["age_band", "anger"] == pytest.approx(expected)


def test_people_of_unknown_value_are_shown_and_compared_with_nobody(report) -> None:
    assert ("age_band", "unknown") in report.accuracy
    assert ("skin_tone", "anger") not in report.equalized_odds_difference


def test_a_small_group_has_a_wide_interval(report) -> None:
    few, many = report.accuracy["gender", "female"], report.accuracy["gender", "male"]
    assert (few.persons, many.persons) == (3, 21)
    assert few.hi - few.lo > 1.5 * (many.hi - many.lo)
    assert all(i.lo <= i.value <= i.hi for i in report.accuracy.values())


def test_every_slice_is_counted(report) -> None:
    p, _ = made()
    for attribute in ("age_band", "gender", "skin_tone", "ancestry"):
        rows = [row for row in report.slices if row.attribute == attribute and row.emotion == "anger"]
        assert sum(row.n for row in rows) == len(p)
        assert sum(row.positives for row in rows) == int(p.truth()[:, 0].sum())


def test_a_slice_without_a_smile_has_no_rate_of_found_smiles() -> None:
    p, slices = made()
    alone = {**slices, "p00": {**slices["p00"], "ancestry": "b"}}
    mask = (p.persons != "p00") | (p.labels == "anger")
    report = group_report(p.where(mask), alone, PARAMS, seed=0)
    row = next(r for r in report.slices if (r.value, r.emotion) == ("b", "happiness"))
    assert row.true_positive_rate is None and row.balanced_accuracy is None and row.auc is None
    assert 0 <= row.selection_rate.lo <= row.selection_rate.hi <= 1


def test_a_person_without_a_record_is_refused() -> None:
    p, slices = made()
    del slices["p03"]
    with pytest.raises(InputError, match=r"4 of 96 samples have no 'age_band'"):
        group_report(p, slices, PARAMS, seed=0)
