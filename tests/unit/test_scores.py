"""Scores have values that can be worked out by hand, and intervals that know how few people there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from bitface.errors import InputError
from bitface.evaluation.curves import confusion, reliability, roc_curves
from bitface.evaluation.intervals import (
    effective_n,
    mean_of_two,
    percentile_interval,
    proportion_interval,
    quantile_interval,
    seed_for,
    wilson,
)
from bitface.evaluation.predictions import Predictions, problem_with
from bitface.evaluation.resampling import person_weights
from bitface.evaluation.scores import auc_of, balanced_accuracy_interval, balanced_accuracy_of, f1_of, score_model
from bitface.params import EvaluationParams

ONE_FOLD = np.zeros(400, dtype=np.int64)
PARAMS = EvaluationParams(bootstrap_resamples=300, confidence=0.95, intraclass_correlation=0.3, reliability_bins=10)


def predictions(labels, scores, persons=None, emotions=("anger", "happiness"), thresholds=(0.5, 0.5)):
    labels = np.array(labels)
    persons = np.arange(len(labels)).astype(str) if persons is None else np.array(persons)
    return Predictions(
        sample_ids=np.arange(len(labels)).astype(str),
        persons=persons,
        labels=labels,
        emotions=emotions,
        scores=np.array(scores, dtype=np.float64),
        thresholds=np.array(thresholds),
        folds=np.zeros(len(labels), dtype=np.int64),
    )


def drawn(people=40, each=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.tile(["anger", "happiness", "neutral"], people * each // 3)
    emotions = ("anger", "happiness", "neutral")
    truth = labels[:, None] == np.array(emotions)
    scores = 1 / (1 + np.exp(-rng.normal(size=truth.shape) - 2 * truth + 1))
    return predictions(
        labels, scores.round(2), np.repeat(np.arange(people), each).astype(str), emotions, (0.5, 0.6, 0.4)
    )


def test_wilson_gives_the_textbook_interval() -> None:
    """Newcombe (1998), table I: 81 of 263 is 0.2553 to 0.3662, 15 of 148 is 0.0624 to 0.1605, 0 of 20 is 0 to 0.1611."""
    assert wilson(81 / 263, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148, 0.95) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0.0, 20, 0.95) == pytest.approx((0.0, 0.1611), abs=5e-5)


@pytest.mark.parametrize(("share", "n"), [(0.5, 0), (-0.1, 10), (1.1, 10), (float("nan"), 10)])
def test_no_interval_is_made_of_nothing(share, n) -> None:
    with pytest.raises(InputError):
        wilson(share, n, 0.95)


def test_wilson_covers_where_wald_does_not() -> None:
    """20 draws of probability 0.95: Wilson's interval holds the truth in over 90 % of cases (Wald: 64 %)."""
    hits = np.random.default_rng(0).binomial(20, 0.95, size=2000)
    limits = [wilson(h / 20, 20, 0.95) for h in hits]
    assert np.mean([lo <= 0.95 <= hi for lo, hi in limits]) > 0.9


def test_auc_is_the_share_of_pairs_in_order() -> None:
    """Positives 0.9 and 0.4, negatives 0.5, 0.4 and 0.1: of 6 pairs 4 are in order and 1 is tied, so 4.5 / 6."""
    truth = np.array([[True], [True], [False], [False], [False]])
    scores = np.array([[0.9], [0.4], [0.5], [0.4], [0.1]])
    assert auc_of(truth, scores, None, ONE_FOLD[:5])[0, 0] == pytest.approx(4.5 / 6)


def test_only_scores_of_one_fold_are_ranked_against_each_other() -> None:
    """Two folds on different scales: 2 of 2 pairs are in order in the first, 1 of 2 in the second; pooled, 6 of 8."""
    truth = np.array([[True], [False], [False], [True], [True], [False]])
    scores = np.array([[0.3], [0.2], [0.1], [0.9], [0.6], [0.8]])
    folds = np.array([0, 0, 0, 1, 1, 1])
    assert auc_of(truth, scores, None, folds)[0, 0] == pytest.approx(3 / 4)
    assert auc_of(truth, scores + 5 * folds[:, None], None, folds) == auc_of(truth, scores, None, folds)
    assert np.isnan(auc_of(truth[:2], scores[:2], None, np.array([0, 1])))[0, 0]


def test_an_emotion_that_no_fold_can_judge_has_no_figure() -> None:
    p = predictions(["anger", "happiness", "anger", "neutral"], [[0.9, 0.1], [0.2, 0.8], [0.8, 0.3], [0.1, 0.2]])
    apart = replace(p, folds=np.array([0, 1, 0, 0]))
    assert score_model(apart, PARAMS, seed=0).unjudged == ("happiness",)
    assert list(roc_curves(apart)) == ["anger"]


def test_balanced_accuracy_and_f1_by_hand() -> None:
    """2 of 3 positives and 1 of 2 negatives are right: (2/3 + 1/2) / 2; precision 2/3, recall 2/3."""
    truth = np.array([[1], [1], [1], [0], [0]], dtype=bool)
    decided = np.array([[1], [1], [0], [1], [0]], dtype=bool)
    assert balanced_accuracy_of(truth, decided, None)[0, 0] == pytest.approx(7 / 12)
    assert f1_of(truth, decided, None)[0, 0] == pytest.approx(2 / 3)


def test_figures_are_those_of_scikit_learn() -> None:
    p = drawn()
    found = score_model(p, PARAMS, seed=1)
    for column, emotion in enumerate(p.emotions):
        truth, decided = p.truth()[:, column], p.decisions()[:, column]
        scores = found.emotions[emotion]
        assert scores.auc.value == pytest.approx(roc_auc_score(truth, p.scores[:, column]))
        assert scores.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(truth, decided))
        assert scores.f1.value == pytest.approx(f1_score(truth, decided))


def test_a_weight_is_a_repeated_sample() -> None:
    """Weights count samples: the figures of weights (2, 1, 0, ...) are those of the samples written out."""
    p = drawn(people=10)
    weights = np.random.default_rng(3).integers(0, 3, size=(1, len(p))).astype(float)
    rows = np.repeat(np.arange(len(p)), weights[0].astype(int))
    truth, decided = p.truth(), p.decisions()

    def ranked(truth, scores, weights):
        return auc_of(truth, scores, weights, ONE_FOLD[: len(truth)])

    for figure, columns in ((ranked, p.scores), (balanced_accuracy_of, decided), (f1_of, decided)):
        assert figure(truth, columns, weights) == pytest.approx(figure(truth[rows], columns[rows], None))


def test_the_bootstrap_draws_people_and_not_samples() -> None:
    """All samples of a person are in a resample equally often, and each resample holds as many people as there are."""
    persons = np.array(["a", "a", "b", "c", "c", "c"])
    weights = person_weights(persons, 50, seed=0)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_people_who_are_all_right_or_all_wrong_widen_the_interval() -> None:
    """The same 60 of 120 right answers: spread over people they say more than when 10 people of 20 give all of them."""
    persons = np.repeat(np.arange(20), 6).astype(str)
    clustered, spread = np.repeat(np.arange(20) % 2 == 0, 6), np.tile([True, False], 60)
    assert effective_n(clustered, persons, 0.3) == pytest.approx(19, abs=1.5)
    assert effective_n(spread, persons, 0.3) == 120
    weights = person_weights(persons, 500, seed=0)
    wide, narrow = (proportion_interval(c, persons, weights, 0.95, 0.3) for c in (clustered, spread))
    assert wide.hi - wide.lo > 2 * (narrow.hi - narrow.lo)


def test_a_group_without_an_error_has_no_zero_width_interval() -> None:
    """12 samples of 2 people, all right: the bootstrap says 1 to 1; we say at most as much as Wilson allows."""
    correct, persons = np.ones(12, dtype=bool), np.repeat(["a", "b"], 6)
    weights = person_weights(persons, 100, seed=0)
    interval = proportion_interval(correct, persons, weights, 0.95, 0.3)
    assert interval.hi == 1.0
    assert interval.lo == pytest.approx(wilson(1.0, 12 / 2.5, 0.95)[0])
    truth = np.tile([True, False], 6)
    assert balanced_accuracy_interval(truth, truth, persons, weights, 0.95, 0.3).lo < 0.8


def test_an_undefined_resample_widens_and_is_counted() -> None:
    interval = percentile_interval(0.7, np.array([0.7] * 90 + [np.nan] * 10), 0.95, n=9, persons=3)
    assert (interval.lo, interval.hi, interval.undefined_share) == (0.0, 1.0, 0.1)


def test_limits_of_a_mean_of_two_figures_by_hand() -> None:
    """Half-widths 0.03 and 0.04 give 0.05, halved by the mean."""
    assert mean_of_two((0.8, 0.77, 0.83), (0.6, 0.56, 0.64)) == pytest.approx((0.675, 0.725))


def test_the_interval_of_a_median_holds_it_and_shrinks() -> None:
    few, many = (quantile_interval(np.arange(1.0, n + 1) / n, 0.5, 0.95) for n in (20, 2000))
    assert few.lo <= few.value <= few.hi
    assert few.hi - few.lo > 5 * (many.hi - many.lo)
    with pytest.raises(InputError, match="at least one round"):
        quantile_interval(np.array([]), 0.5, 0.95)


def test_by_person_intervals_cover_the_truth_where_people_differ() -> None:
    """200 sets of 40 people, each with a skill of its own (mean 0.7): the interval holds 0.7 in at least 90 % of them."""
    rng, hits = np.random.default_rng(5), 0
    persons = np.repeat(np.arange(40), 7).astype(str)
    weights = person_weights(persons, 300, seed=0)
    for _ in range(200):
        skill = rng.beta(0.7 * 2.3, 0.3 * 2.3, size=40)
        correct = rng.random(280) < np.repeat(skill, 7)
        interval = proportion_interval(correct, persons, weights, 0.95, 0.3)
        hits += interval.lo <= 0.7 <= interval.hi
    assert hits >= 180


def test_an_emotion_without_faces_is_named_and_not_scored() -> None:
    p = predictions(
        ["anger", "happiness", "anger"],
        [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.3, 0]],
        emotions=("anger", "happiness", "fear"),
        thresholds=(0.5,) * 3,
    )
    found = score_model(p, PARAMS, seed=0)
    assert found.unjudged == ("fear",)
    assert found.accuracy.value == 1.0
    with pytest.raises(InputError, match="at least two emotions"):
        score_model(predictions(["anger"] * 3, [[0.5, 0.5]] * 3), PARAMS, seed=0)


def test_the_same_seed_gives_the_same_intervals() -> None:
    p = drawn()
    assert score_model(p, PARAMS, seed=4) == score_model(p, PARAMS, seed=4)
    assert score_model(p, PARAMS, seed=4).macro_auc != score_model(p, PARAMS, seed=5).macro_auc
    assert seed_for(1, "a") != seed_for(1, "b")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scores": np.array([[np.nan, 0.5]] * 3)}, "finite"),
        ({"scores": np.array([[1.5, 0.5]] * 3)}, "outside 0 to 1"),
        ({"scores": np.zeros((2, 2))}, "do not agree"),
        ({"thresholds": np.zeros(3)}, "do not agree"),
        ({"sample_ids": np.array(["1", "1", "2"])}, "judged twice"),
        ({"emotions": ("anger", "anger")}, "two columns"),
        ({"labels": np.array([], dtype=str)}, "nothing to judge"),
    ],
)
def test_unsound_predictions_are_refused(change, said) -> None:
    sound = predictions(["anger", "happiness", "anger"], [[0.9, 0.1]] * 3)
    assert problem_with(sound) is None
    broken = Predictions(**{**sound.__dict__, **change})
    assert said in (problem_with(broken) or "")
    with pytest.raises(InputError):
        score_model(broken, PARAMS, seed=0)


def test_confusion_counts_who_is_taken_for_whom() -> None:
    p = predictions(["anger", "anger", "happiness", "fear"], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.9, 0.1]])
    assert confusion(p).tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_the_area_under_the_roc_points_is_the_auc(folds) -> None:
    p = drawn()
    p = replace(p, folds=np.arange(len(p)) * 7 % 11 % folds)
    for column, (emotion, curve) in enumerate(roc_curves(p).items()):
        area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
        assert area == pytest.approx(auc_of(p.truth(), p.scores, None, p.folds)[0, column]), emotion
        assert (curve.false_positive_rate[-1], curve.true_positive_rate[-1]) == (1.0, 1.0)


def test_reliability_by_hand() -> None:
    """Scores 0.2, 0.2, 0.8, 1.0 with positives at 0.2 and at both high ones: errors 0.3 of two samples and 0.2, 0 of one."""
    truth, scores = np.array([True, False, True, True]), np.array([0.2, 0.2, 0.8, 1.0])
    found = reliability(truth, scores, 10, 0.95)
    assert found.share.tolist() == [0.5, 1.0, 1.0]
    assert found.samples.tolist() == [2, 1, 1]
    assert found.expected_calibration_error == pytest.approx((2 * 0.3 + 0.2) / 4)
