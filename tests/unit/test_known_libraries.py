"""What is computed for thousands of resamples at once is, for each of them, what a well-known library computes."""

from __future__ import annotations

import gc
import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import bootstrap, permutation_test
from sklearn.calibration import calibration_curve
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from bitface.evaluation.curves import reliability
from bitface.evaluation.intervals import percentile_interval, wilson
from bitface.evaluation.multiplicity import holm
from bitface.evaluation.resampling import person_resamples, person_weights
from bitface.evaluation.scores import auc_of, balanced_accuracy_of, f1_of
from bitface.evaluation.unit_scores import correlation_of
from bitface.gate.paired_tests import mcnemar_p_value, sign_flip_p_values
from bitface.training.choice import macro_auc

SEEDS = range(5)


def drawn(seed):
    """Truth, decisions and scores with ties of 300 samples and 3 emotions, and 20 resamples of 60 people as weights."""
    rng = np.random.default_rng(seed)
    truth = rng.random((300, 3)) < 0.3
    scores = (rng.random((300, 3)) / 2 + truth * rng.random((300, 3)) / 2).round(2)
    return truth, scores >= 0.4, scores, person_weights(np.repeat(np.arange(60), 5).astype(str), 20, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_weighted_figures_are_those_of_scikit_learn(seed) -> None:
    truth, decided, scores, weights = drawn(seed)
    folds, weights = np.zeros(len(truth), dtype=np.int64), weights[:5]
    for ours, known, columns in (
        (auc_of(truth, scores, weights, folds), roc_auc_score, scores),
        (balanced_accuracy_of(truth, decided, weights), balanced_accuracy_score, decided),
        (f1_of(truth, decided, weights), f1_score, decided),
    ):
        theirs = [[known(truth[:, e], columns[:, e], sample_weight=row) for e in range(3)] for row in weights]
        assert ours == pytest.approx(np.array(theirs), abs=1e-12), known


@pytest.mark.parametrize("seed", SEEDS)
def test_the_figure_that_chooses_an_epoch_is_that_of_scikit_learn(seed) -> None:
    truth, _, scores, _ = drawn(seed)
    assert macro_auc(truth.astype(np.float32), scores) == pytest.approx(
        roc_auc_score(truth, scores, average="macro"), abs=1e-12
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_weighted_correlation_is_that_of_numpy(seed) -> None:
    truth, _, scores, weights = drawn(seed)
    known = truth * 0.7 + scores**2
    theirs = [[np.cov(scores[:, e], known[:, e], aweights=row) for e in range(3)] for row in weights]
    theirs = [[one[0, 1] / math.sqrt(one[0, 0] * one[1, 1]) for one in row] for row in theirs]
    assert correlation_of(scores, known, weights) == pytest.approx(np.array(theirs), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_points_of_reliability_are_those_of_scikit_learn(seed) -> None:
    """No score lies on an edge, which belongs to the bin above it here and to the one below it there."""
    rng = np.random.default_rng(seed)
    scores, truth = rng.random(400), rng.random(400) < 0.5
    found = reliability(truth, scores, 10, 0.95)
    share, mean_score = calibration_curve(truth, scores, n_bins=10)
    assert found.share == pytest.approx(share, abs=1e-12) and found.mean_score == pytest.approx(mean_score, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bootstrap_over_people_is_that_of_scipy(seed) -> None:
    """A resampled person brings right answers and samples: the ends of both intervals differ by the draws alone."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(1, 12, 80)
    right = rng.binomial(samples, 0.7)
    persons = np.repeat(np.arange(80), samples).astype(str)
    correct = np.concatenate([np.arange(n) < k for k, n in zip(right, samples, strict=True)])
    rows = person_resamples(persons, 4000, seed)
    ours = percentile_interval(correct.mean(), rows @ correct / rows.sum(axis=1), 0.95, len(correct), 80)
    theirs = bootstrap(
        (right, samples),
        lambda r, n, axis: r.sum(axis=axis) / n.sum(axis=axis),
        n_resamples=4000,
        paired=True,
        method="percentile",
        rng=rng,
    ).confidence_interval
    assert (ours.lo, ours.hi) == pytest.approx(tuple(theirs), abs=0.006)


@pytest.mark.parametrize("seed", SEEDS)
def test_flipped_signs_are_those_of_scipy_which_counts_every_pattern(seed) -> None:
    sums = np.random.default_rng(seed).normal(-0.3, 1, (10, 3)).round(1)
    exact = permutation_test(
        (sums, np.zeros_like(sums)), lambda a, b, axis: (a - b).sum(axis=axis), permutation_type="samples",
        alternative="less", n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert sign_flip_p_values(sums, 40_000, seed) == pytest.approx(exact.pvalue, abs=0.01)


@pytest.mark.parametrize(("share", "n"), [(0.0, 7.5), (1.0, 7.5), (0.37, 0.8), (0.999, 12.25), (0.5, 50_000.0)])
def test_wilson_s_formula_holds_for_effective_samples_that_are_no_whole_number(share, n) -> None:
    """The bounds are where |p - share| is z standard errors of p, except at the share itself, which 0 and 1 keep."""
    z = NormalDist().inv_cdf(0.975)
    for bound, at in zip(wilson(share, n, 0.95), (0.0, 1.0), strict=True):
        if bound == at:
            assert share == at
        else:
            assert abs(bound - share) == pytest.approx(z * math.sqrt(bound * (1 - bound) / n), rel=1e-9)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (0, 3), (4, 4), (31, 17), (480, 530)])
def test_mcnemar_counts_coins(wins, losses) -> None:
    exact = sum(math.comb(wins + losses, k) for k in range(wins + 1)) / 2 ** (wins + losses)
    assert mcnemar_p_value(wins, losses) == pytest.approx(exact, abs=1e-12)


def test_wilson_s_interval_is_that_of_statsmodels_to_the_last_bit() -> None:
    """A decision that is replayed is compared with the record character by character."""
    rng = np.random.default_rng(0)
    for n in (*range(1, 40), *rng.uniform(0.5, 5000, 400).tolist()):
        for share in (*rng.random(2).tolist(), int(rng.integers(0, int(n) + 1)) / max(1, int(n))):
            confidence = float(rng.choice([0.8, 0.95, 0.99, 1 - 0.05 / 20]))
            low, high = proportion_confint(share * n, n, alpha=1 - confidence, method="wilson")
            assert wilson(share, n, confidence) == (0.0 if share == 0 else low, 1.0 if share == 1 else high)


@pytest.mark.parametrize("seed", SEEDS)
def test_adjusted_p_values_are_those_of_statsmodels(seed, monkeypatch) -> None:
    monkeypatch.setattr(
        gc, "collect", lambda: 0
    )  # which statsmodels calls each time, over all that a suite has imported
    rng = np.random.default_rng(seed)
    p_values = (rng.random(40) ** 3).round(2).tolist()
    for some in (p_values, p_values[:1], [0.0, 1.0], [0.5] * 7):
        assert holm(some) == multipletests(some, method="holm")[1].tolist()
    assert holm([]) == []
