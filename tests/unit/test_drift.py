"""A drift alarm whose false alarms are known, on scipy's own statistic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstwobign, mannwhitneyu, norm

from bitface.errors import InputError
from bitface.evaluation.drift_tests import (
    columns_of,
    exchange,
    ks_statistics,
    members_of,
    rank_sum_deviates,
    slices_that_drift,
)


@pytest.mark.parametrize("digits", [6, 1, 0])
def test_the_statistic_is_that_of_scipy_ties_and_all(digits) -> None:
    rng = np.random.default_rng(digits)
    reference, current = (
        np.round(rng.normal(size=(80, 5)), digits),
        np.round(rng.normal(0.3, 1.2, size=(33, 5)), digits),
    )
    expected = [ks_2samp(reference[:, k], current[:, k]).statistic for k in range(5)]
    assert ks_statistics(reference, current) == pytest.approx(expected, abs=1e-12)


def test_the_rank_sum_is_that_of_scipy() -> None:
    rng = np.random.default_rng(4)
    reference, current = np.round(rng.normal(size=(50, 3)), 1), np.round(rng.normal(0.4, 1, size=(70, 3)), 1)
    for column, deviate in enumerate(rank_sum_deviates(reference, current)):
        known = mannwhitneyu(reference[:, column], current[:, column], method="asymptotic", use_continuity=False)
        assert 2 * norm.sf(abs(deviate)) == pytest.approx(known.pvalue, rel=1e-9)


def test_a_spread_that_changed_is_seen_as_well() -> None:
    rng = np.random.default_rng(5)
    reference, current = rng.normal(size=(300, 10)), rng.normal(size=(300, 10))
    current[:, 3] *= 2
    assert exchange(reference, current, 999, 0).p_values[3] <= 0.01


def test_one_column_has_the_p_value_of_counting_exchanges() -> None:
    """Of two rows against two, the observed order is one of 2 of 6 that are as far apart."""
    p = exchange(np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]]), 9999, 0).p_values
    assert p[0] == pytest.approx(1 / 3, abs=0.02)


def test_the_column_that_moved_is_the_one_that_is_named() -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=(200, 40)), rng.normal(size=(200, 40))
    current[:, 7] += 0.6
    p = exchange(reference, current, 999, 0).p_values
    assert p[7] <= 0.01 and np.delete(p, 7).min() > 0.01
    assert (exchange(reference, reference, 999, 0).p_values == 1).all()


def test_a_column_that_stands_twice_counts_once() -> None:
    """Exchanging whole rows keeps columns correlated: copies cost nothing, where Holm would ask ten times as much."""
    rng = np.random.default_rng(1)
    reference, current = rng.normal(size=(60, 1)), rng.normal(0.5, 1, size=(60, 1))
    one = exchange(reference, current, 1999, 3).p_values[0]
    assert exchange(np.tile(reference, 10), np.tile(current, 10), 1999, 3).p_values == pytest.approx([one] * 10)


def test_tables_without_rows_or_of_other_columns_are_refused() -> None:
    with pytest.raises(InputError, match="both need rows"):
        exchange(np.zeros((0, 2)), np.zeros((3, 2)), 999, 0)
    with pytest.raises(InputError, match="same columns"):
        ks_statistics(np.zeros((3, 2)), np.zeros((3, 1)))


def test_a_slice_that_moved_is_found_where_the_others_stay() -> None:
    rng = np.random.default_rng(8)
    slices = {f"gender:{name}": (rng.normal(size=(120, 12)), rng.normal(size=(100, 12))) for name in "abc"}
    slices["gender:b"][1][:, 4] += 1
    found = slices_that_drift([f"c{k}" for k in range(12)], slices, 1999, 0)
    drifted = {name: [column.name for column in columns if column.p_value <= 0.01] for name, columns in found.items()}
    assert drifted == {"gender:a": [], "gender:b": ["c4"], "gender:c": []}
    assert slices_that_drift(["c0"], {}, 999, 0) == {}


def test_more_slices_ask_more_of_each() -> None:
    """Holm: the least p-value of three slices counts threefold."""
    rng = np.random.default_rng(9)
    moved = rng.normal(size=(40, 1)), rng.normal(0.8, 1, size=(40, 1))
    rest = {name: (rng.normal(size=(40, 1)), rng.normal(size=(40, 1))) for name in "xy"}
    alone = slices_that_drift(["c"], {"m": moved}, 1999, 1)["m"][0].p_value
    among = slices_that_drift(["c"], {"m": moved, **rest}, 1999, 1)["m"][0].p_value
    assert among == pytest.approx(3 * alone)


def test_a_column_says_how_far_it_moved() -> None:
    rng = np.random.default_rng(10)
    reference, current = rng.normal(size=(300, 2)), rng.normal(size=(300, 2))
    current[:, 1] += 1
    still, moved = columns_of(["still", "moved"], reference, current, exchange(reference, current, 999, 0))
    assert moved.distance == pytest.approx(ks_2samp(reference[:, 1], current[:, 1]).statistic)
    assert moved.p_value <= 0.01 < still.p_value


def test_the_threshold_of_one_column_is_what_the_smallest_of_all_falls_under_in_so_many_exchanges() -> None:
    rng = np.random.default_rng(6)
    reference, current = rng.normal(size=(150, 20)), rng.normal(size=(120, 20))
    found = exchange(reference, current, 1999, 0)
    limit = found.single_threshold(0.05)
    assert 0.05 / 20 * 0.5 < limit < 0.05
    assert (2 * norm.sf(found.largest) <= limit * (1 + 1e-9)).mean() == pytest.approx(0.05, abs=0.001)
    assert found.single_threshold(1e-6) == 0.0


def one_after_the_other(reference: np.ndarray, current: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """The same p-values by the book: for each exchange and column scipy's distance and rank sum, step-down over columns."""
    pooled, n, m = np.concatenate([reference, current]), len(reference), len(current)

    def figures(members: np.ndarray) -> np.ndarray:
        own, other = pooled[members > 0], pooled[members < 0]
        distances = [ks_2samp(own[:, k], other[:, k]).statistic for k in range(pooled.shape[1])]
        deviates = norm.isf(np.maximum(kstwobign.sf(np.sqrt(n * m / (n + m)) * np.array(distances)), 1e-30) / 2)
        return np.maximum(deviates, np.abs(rank_sum_deviates(own, other)))

    members = np.r_[np.full(n, 1), np.full(m, -1)]
    observed, rng = figures(members), np.random.default_rng(seed)
    order = np.argsort(-observed)
    drawn = np.array([figures(row) for row in rng.permuted(np.tile(members, (permutations, 1)), axis=1)])[:, order]
    behind = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
    p = np.empty(len(order))
    p[order] = np.maximum.accumulate((1 + (behind >= observed[order] - 1e-6).sum(axis=0)) / (1 + permutations))
    return p


@pytest.mark.parametrize(("n", "m", "digits"), [(23, 31, 6), (40, 9, 1), (25, 25, 0)])
def test_taking_steps_together_changes_no_p_value(n, m, digits) -> None:
    """Fast, and the p-values of the slow way, ties and tables of unequal size included: the draws of a seed are the same."""
    rng = np.random.default_rng([n, m])
    reference, current = (
        np.round(rng.normal(size=(n, 6)), digits),
        np.round(rng.normal(size=(m, 6)) + np.arange(6) / 6, digits),
    )
    assert exchange(reference, current, 59, 5).p_values.tolist() == pytest.approx(
        one_after_the_other(reference, current, 59, 5).tolist(), abs=1e-12
    )


def test_tables_of_a_hundred_thousand_people_do_not_overflow() -> None:
    rng = np.random.default_rng(11)
    reference, current = rng.normal(size=(50_000, 1)), rng.normal(0.02, 1, size=(60_000, 1))
    assert members_of(50_000, 60_000).dtype == np.int64 and members_of(5_000, 6_000).dtype == np.int32
    known = ks_2samp(reference[:, 0], current[:, 0]).statistic
    assert ks_statistics(reference, current)[0] == pytest.approx(known, abs=1e-12)
