"""Exact Shapley values: games solved by hand, and the axioms that make them the only fair split."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitface.errors import InputError
from bitface.explain.region_shapley import all_coalitions, region_shapley, shapley_weights

REGIONS = ("a", "b", "c")


def explained(score, face, baseline, region_of, regions=REGIONS):
    return region_shapley(score, face, baseline, region_of, regions=regions, baseline_name="zero")


def game(values):
    """A score of faces of one frame whose three landmarks are 1 where the region is kept; values by coalition bits."""

    def score(faces, lengths):
        assert (lengths == 1).all()
        kept = faces[:, 0, :, 0] > 0
        return np.array([[values[int((row * (1 << np.arange(row.size))).sum())]] for row in kept])

    return score


def of_game(values, players=3):
    """The values (k,) of a game over `players` regions of one landmark each."""
    face = np.ones((1, players, 1), np.float32)
    names = [str(number) for number in range(players)]
    made = explained(game(values), face, np.zeros((players, 1), np.float32), np.arange(players), names)
    return made


def test_the_glove_game_gives_two_thirds_to_the_only_left_glove():
    """Textbook: a left glove (0) makes a pair with either right glove (1, 2): 2/3, 1/6, 1/6."""
    made = of_game([float(bool(c & 1) and bool(c & 6)) for c in range(8)])
    np.testing.assert_allclose(made.values[0], [2 / 3, 1 / 6, 1 / 6])
    assert made.gap < 1e-12


def test_weights_are_those_of_all_orders():
    """The mean marginal contribution over all orders, asked one by one."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=32)
    expected = np.zeros(5)
    for order in itertools.permutations(range(5)):
        kept = 0
        for player in order:
            expected[player] += values[kept | 1 << player] - values[kept]
            kept |= 1 << player
    np.testing.assert_allclose(shapley_weights(5) @ values, expected / math.factorial(5))


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_values_add_up_a_dummy_gets_its_own_and_twins_get_the_same(players, seed):
    """Efficiency, dummy and symmetry, for random games."""
    rng = np.random.default_rng(seed)
    coalitions = all_coalitions(players)
    values = rng.normal(size=len(coalitions))
    found = shapley_weights(players) @ values
    assert found.sum() == pytest.approx(values[-1] - values[0], abs=1e-9)
    own = rng.normal()
    with_dummy = np.concatenate([values, values + own])
    np.testing.assert_allclose(shapley_weights(players + 1) @ with_dummy, [*found, own], atol=1e-9)
    if players > 1:
        swapped = coalitions.copy()
        swapped[:, [0, 1]] = coalitions[:, [1, 0]]
        mirrored = values[(swapped * (1 << np.arange(players))).sum(axis=1)]
        alike = shapley_weights(players) @ (values + mirrored)
        assert alike[0] == pytest.approx(alike[1], abs=1e-9)


def test_a_linear_model_s_regions_get_weight_times_change_for_pixels_and_landmarks():
    """Whatever the order, a region of a linear model adds the same."""
    rng = np.random.default_rng(1)
    for shape, regions in (((2, 64, 64), (2, 64, 64)), ((2, 478, 3), (478,))):
        face, baseline = rng.normal(size=shape), rng.normal(size=shape[1:])
        weight, region_of = rng.normal(size=(4, *shape)), rng.integers(0, 3, regions)
        made = explained(lambda x, _, w=weight: x.reshape(len(x), -1) @ w.reshape(4, -1).T, face, baseline, region_of)
        changes = weight * (face - baseline)
        full = np.broadcast_to(region_of if region_of.ndim > 1 else region_of[None, :, None], shape)
        expected = np.stack([np.where(full == region, changes, 0).sum(axis=(1, 2, 3)) for region in range(3)], axis=1)
        np.testing.assert_allclose(made.values, expected, atol=1e-8)
        assert made.gap < 1e-8


def test_a_region_without_any_pixel_gets_nothing():
    face = np.ones((1, 64, 64))
    made = explained(lambda x, _: x.sum((1, 2, 3))[:, None], face, np.zeros((64, 64)), np.zeros((1, 64, 64), np.int64))
    np.testing.assert_allclose(made.values, [[64 * 64, 0, 0]], atol=1e-9)


@pytest.mark.parametrize(
    ("face", "baseline", "region_of", "regions"),
    [
        (np.ones((1, 3, 1)), np.zeros((3, 1)), np.arange(3), ("a", "b")),
        (np.ones((1, 3, 1)), np.zeros((3, 1)), np.arange(2), REGIONS),
        (np.ones((1, 3, 1)), np.zeros((4, 1)), np.arange(3), REGIONS),
        (np.ones((1, 3, 1), np.uint8), np.zeros((3, 1)), np.arange(3), REGIONS),
        (np.ones((0, 3, 1)), np.zeros((3, 1)), np.arange(3), REGIONS),
        (np.ones((1, 3, 1)), np.zeros((3, 1)), np.arange(3), [str(number) for number in range(13)]),
        (np.ones((1, 3, 1)), np.zeros((3, 1)), np.zeros(3, np.int64), ()),
    ],
)
def test_what_does_not_fit_is_refused(face, baseline, region_of, regions):
    """A region without a name, other shapes, another dtype, no frame, too many regions, none."""
    with pytest.raises(InputError):
        explained(lambda x, _: np.zeros((len(x), 1)), face, baseline, region_of, regions)
