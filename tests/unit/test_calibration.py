"""Calibration: a score becomes a probability without moving a decision, and sets hold what they promise."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binom

from bitface.errors import InputError
from bitface.evaluation.calibration import coverage_of_one_draw, fit_calibrator, platt, scaling, set_limit
from bitface.evaluation.coverage import SetPredictions, calibration_report
from bitface.models.calibrator import Calibrator, calibrator_of, logit_of, uncalibrated
from bitface.params import read_params
from tests.draws import draws

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
EMOTIONS = ("anger", "happiness", "neutral")


def calibrator(**changes) -> Calibrator:
    base = Calibrator(
        slopes=(0.5, 1.0, 2.0),
        intercepts=(0.1, 0.0, -1.0),
        set_limits=(0.3, 0.4, 0.0),
        set_size_max=2,
        confidence=0.9,
        remark="calibrated on 9 people of split test",
    )
    return replace(base, **changes)


def faces(people: int, each: int, seed: int = 0, sharpness: float = 3.0):
    """Logits of people who show each emotion equally often: overconfident by the factor `sharpness`."""
    rng = np.random.default_rng(seed)
    labels = np.tile(EMOTIONS, people * each)[: people * each * 3]
    truth = labels[:, None] == np.array(EMOTIONS)
    logits = rng.normal(np.where(truth, 1.0, -1.0), 1.2) * sharpness
    return logits, labels, np.repeat([f"p{i}" for i in range(people)], each * 3)


def test_probabilities_follow_the_formula_and_thresholds_move_along() -> None:
    """Every decision at the moved threshold is the decision before calibration."""
    one, logits = calibrator(), np.random.default_rng(1).normal(size=(500, 3)) * 3
    assert one.probabilities(logits)[0, 2] == pytest.approx(1 / (1 + np.exp(-(2 * logits[0, 2] - 1))))
    limits = np.array([0.2, 0.5, 0.7])
    before = logits >= logit_of(limits)
    assert np.array_equal(one.probabilities(logits) >= one.thresholds(limits), before)


def test_sets_hold_what_is_at_or_above_its_limit_and_a_limit_of_0_always() -> None:
    sets = calibrator().sets(np.array([[0.3, 0.39, 0.0], [0.29, 0.4, 1.0]]))
    assert sets.tolist() == [[True, False, True], [False, True, True]]


def test_empty_large_and_full_sets_are_no_answer() -> None:
    sets = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], dtype=bool)
    assert calibrator().abstains(sets).tolist() == [True, False, False, True]
    assert calibrator(set_size_max=1).abstains(sets).tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    "changes",
    [
        {"slopes": (0.0, 1.0, 1.0)},
        {"slopes": (1.0, 1.0)},
        {"intercepts": (float("nan"), 0.0, 0.0)},
        {"set_limits": (-0.1, 0.5, 0.5)},
        {"set_size_max": 0},
        {"confidence": 1.0},
    ],
)
def test_a_calibrator_that_cannot_be_one_is_refused(changes) -> None:
    with pytest.raises(InputError):
        calibrator(**changes)


def test_a_calibrator_survives_its_json() -> None:
    assert calibrator_of(asdict(calibrator())) == calibrator()
    with pytest.raises((InputError, TypeError)):
        calibrator_of({**asdict(calibrator()), "slopes": []})


def test_nothing_is_promised_where_nobody_calibrated() -> None:
    limits = np.array([0.2, 0.5, 0.7])
    one = uncalibrated(limits, "nobody")
    logits = np.random.default_rng(0).normal(size=(20, 3))
    assert one.confidence is None
    np.testing.assert_allclose(one.probabilities(logits), expit(logits))
    assert np.array_equal(one.sets(expit(logits)), expit(logits) >= limits)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_platt_finds_the_slope_that_made_the_labels(sharpness) -> None:
    """Labels drawn from sigmoid(0.8 z - 0.5), logits told as `sharpness` times z."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=20000) * 2
    truth = rng.random(20000) < expit(0.8 * z - 0.5)
    slope, intercept = platt(z * sharpness, truth, 0.01)
    assert slope * sharpness == pytest.approx(0.8, abs=0.05)
    assert intercept == pytest.approx(-0.5, abs=0.06)


def stays(seed: int, sharpness: float, emotions: int = 3) -> bool:
    """Whether scores are left alone: labels drawn from sigmoid(z), logits told as `sharpness` times z; 25 people with 7 samples each."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(175, emotions)) * 2
    truth, persons = rng.random((175, emotions)) < expit(z), np.repeat(np.arange(25).astype(str), 7)
    slopes, intercepts = scaling(z * sharpness, truth, persons, 0.05)
    return bool((slopes == 1).all() and (intercepts == 0).all())


def test_scores_that_are_probabilities_stay_and_overconfident_ones_do_not() -> None:
    """20 models of each kind, over 25 people."""
    models = range(draws(20, 8))
    assert sum(stays(seed, 1.0) for seed in models) >= 0.75 * len(models)
    assert not any(stays(seed, 3.0) for seed in models)


def test_emotions_are_asked_together_because_few_people_cannot_answer_for_one() -> None:
    """Overconfident by half, 40 models: seven emotions are heard far more often than one."""
    models = range(draws(40, 16))
    alone, together = (sum(stays(seed, 1.5, emotions) for seed in models) for emotions in (1, 7))
    assert together < alone / 2


def test_platt_stays_finite_where_classes_are_apart_and_never_turns_the_order() -> None:
    apart = np.array([-3.0, -2.0, 2.0, 3.0])
    slope, intercept = platt(apart, apart > 0, 0.05)
    assert np.isfinite([slope, intercept]).all()
    assert slope > 0
    turned, _ = platt(apart, apart < 0, 0.05)
    assert turned == pytest.approx(0.05)
    assert platt(apart, np.ones(4, bool), 0.05) == (1.0, 0.0)
    assert platt(np.full(3, 2.0), np.array([True, False, False]), 0.05) == (1.0, pytest.approx(np.log(7 / 11) - 2))
    with pytest.raises(InputError, match="not finite"):
        platt(np.array([1.0, np.inf]), np.array([True, False]), 0.05)


def test_a_limit_is_the_kth_smallest_score_of_as_many_people() -> None:
    """19 people, 10 %: k = floor(0.1 * 20) = 2."""
    scores = np.linspace(0.05, 0.95, 19)
    people = np.array([f"p{i}" for i in range(19)])
    order = np.random.default_rng(0).permutation(19)
    assert set_limit(scores[order], people[order], 0.1) == pytest.approx(scores[1])


def test_eight_people_cannot_rule_an_emotion_out_at_90_percent() -> None:
    """1 / 0.1 - 1 = 9 are needed."""
    people = np.array([f"p{i}" for i in range(9)])
    scores = np.linspace(0.4, 0.9, 9)
    assert set_limit(scores[:8], people[:8], 0.1) == 0.0
    assert set_limit(scores, people, 0.1) == pytest.approx(0.4)


def test_a_person_counts_once_however_many_samples_there_are() -> None:
    people = np.array([f"p{i}" for i in range(19)])
    scores = np.linspace(0.05, 0.95, 19)
    again = np.r_[people, ["p0"] * 40], np.r_[scores, np.full(40, 0.05)]
    assert set_limit(again[1], again[0], 0.1) == pytest.approx(set_limit(scores, people, 0.1))


@given(seed=st.integers(0, 10_000), people=st.integers(9, 40), alpha=st.sampled_from([0.1, 0.2]))
@settings(max_examples=25, deadline=None)
def test_a_limit_never_falls_when_more_may_be_missed(seed, people, alpha) -> None:
    scores = np.random.default_rng(seed).random(people)
    names = np.array([f"p{i}" for i in range(people)])
    assert set_limit(scores, names, alpha) <= set_limit(scores, names, alpha + 0.1)


def test_new_people_are_covered_as_often_as_promised() -> None:
    """Draws of 24 calibrating people with 3 correlated samples each, and a new person: at least 90 %, within chance."""
    rng, alpha, count = np.random.default_rng(7), 0.1, draws(4000, 1500)
    covered = 0
    names = np.repeat(np.arange(24).astype(str), 3)
    for _ in range(count):
        own = rng.normal(size=25)
        scores = expit(np.repeat(own[:24], 3) + rng.normal(size=72))
        covered += expit(own[24] + rng.normal()) >= set_limit(scores, names, alpha)
    assert covered >= binom.ppf(0.001, count, 1 - alpha)
    assert covered <= binom.ppf(0.9999, count, 1 - alpha + 2 / 25), "no set is larger than it has to be"


@given(seed=st.integers(0, 10_000), people=st.integers(4, 60), alpha=st.sampled_from([0.05, 0.1, 0.2, 0.3]))
@settings(max_examples=25, deadline=None)
def test_the_promise_holds_for_any_number_of_people_and_any_spread_of_scores(seed, people, alpha) -> None:
    """400 draws, or fewer: the share that is covered is no lower than 1 - alpha by more than chance explains."""
    rng, count = np.random.default_rng(seed), draws(400, 150)
    scores = expit(rng.normal(size=(count, people + 1)) * rng.uniform(0.1, 5))
    names = np.arange(people).astype(str)
    covered = sum(row[-1] >= set_limit(row[:-1], names, alpha) for row in scores)
    assert covered >= binom.ppf(1e-5, count, 1 - alpha)


def test_one_draw_of_people_holds_more_or_less_than_promised() -> None:
    """27 people at 10 %: k = 2, so Beta(26, 2), mean 26/28; 8 are too few to leave anything out."""
    mean, spread = coverage_of_one_draw(27, 0.1)
    assert mean == pytest.approx(26 / 28)
    assert spread == pytest.approx(np.sqrt(26 * 2 / (28**2 * 29)))
    assert coverage_of_one_draw(8, 0.1) == (1.0, 0.0)


def test_shares_of_single_draws_spread_as_the_formula_says() -> None:
    """Uniform scores: the share of new faces at or above a limit is 1 - limit."""
    rng, names = np.random.default_rng(11), np.arange(27).astype(str)
    shares = np.array([1 - set_limit(rng.random(27), names, 0.1) for _ in range(2000)])
    mean, spread = coverage_of_one_draw(27, 0.1)
    assert shares.mean() == pytest.approx(mean, abs=0.005)
    assert shares.std() == pytest.approx(spread, abs=0.005)


def test_calibration_repairs_overconfidence_on_people_who_did_not_calibrate() -> None:
    fitted = fit_calibrator(*faces(60, 2, seed=1), EMOTIONS, PARAMS.calibration, "people of split test")
    logits, labels, persons = faces(60, 2, seed=2)
    after = fitted.probabilities(logits)
    sets = fitted.sets(after)
    judged = SetPredictions(
        persons=persons,
        labels=labels,
        emotions=EMOTIONS,
        before=expit(logits),
        after=after,
        sets=sets,
        abstained=fitted.abstains(sets),
    )
    slices = {person: {"age_band": "18_29", "gender": "f", "skin_tone": "x", "ancestry": "y"} for person in persons}
    found = calibration_report(judged, fitted.confidence, fitted.remark, slices, PARAMS.evaluation, 0)
    assert found.ece_after < 0.6 * found.ece_before
    assert found.overall.value > 0.85
    assert set(found.coverage) == set(EMOTIONS)
    assert found.groups["age_band", "18_29"].value == pytest.approx(found.overall.value)
    assert "ECE" in found.sentence()
    said = found.document()
    assert said["confidence"] == 0.9
    assert said["ece"] < said["ece_uncalibrated"]


def test_emotions_that_nobody_shows_keep_their_scores_and_the_remark_says_so() -> None:
    logits, labels, persons = faces(12, 1)
    shown = labels != "anger"
    fitted = fit_calibrator(
        logits[shown], labels[shown], persons[shown], EMOTIONS, PARAMS.calibration, "people of split test"
    )
    assert (fitted.slopes[0], fitted.intercepts[0], fitted.set_limits[0]) == (1.0, 0.0, 0.0)
    assert "calibrated on 12 people of split test" in fitted.remark
    assert "12 who show an emotion give sets that cover 92% of it, +/- 7%" in fitted.remark
    assert "scores of anger are uncalibrated" in fitted.remark
    assert "too few of them show anger" in fitted.remark


def test_an_empty_table_cannot_calibrate() -> None:
    with pytest.raises(InputError, match="cannot calibrate 3"):
        fit_calibrator(np.zeros((0, 3)), np.array([]), np.array([]), EMOTIONS, PARAMS.calibration, "nobody")
