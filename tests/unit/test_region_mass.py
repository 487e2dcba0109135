"""What exact values of many faces say together, on tables small enough to do by hand."""

import numpy as np
import pytest

from bitface.explain.attributions import Attribution
from bitface.explain.region_mass import RegionTable, agreement
from bitface.explain.region_shapley import RegionShapley
from bitface.faces.features import LANDMARKS
from bitface.faces.regions import OUTSIDE, REGIONS, region_of_landmark

NAMES = ("mouth", "cheeks", "nose", OUTSIDE)


def table(values, areas=None, differences=None, names=NAMES):
    values = np.array(values, dtype=np.float64)
    return RegionTable(
        baseline="mean",
        regions=names,
        emotions=("happiness", "surprise")[: values.shape[1]],
        values=values,
        areas=np.full((len(values), len(names)), 1 / len(names)) if areas is None else np.array(areas),
        differences=values.sum(axis=2) if differences is None else np.array(differences, dtype=np.float64),
        gap=0.0,
    )


def test_mass_is_the_share_of_absolute_values():
    """3, -1, 0, 1 of five: the sign does not matter."""
    np.testing.assert_allclose(table([[[3, -1, 0, 1]]]).mass()[0, 0], [0.6, 0.2, 0, 0.2])


def test_a_face_without_any_value_has_the_mass_of_its_areas():
    assert table([[[0, 0, 0, 0]]], areas=[[0.1, 0.2, 0.3, 0.4]]).mass()[0, 0].tolist() == [0.1, 0.2, 0.3, 0.4]


def test_outside_is_counted_over_all_emotions():
    """1 of 5 of one emotion and 3 of 5 of the other: 4 of 10."""
    assert table([[[3, -1, 0, 1], [1, 1, 0, -3]]]).outside().tolist() == pytest.approx([0.4])
    assert table([[[3, -1, 0]]], names=NAMES[:3]).outside().tolist() == [0]


def test_expected_are_the_regions_of_the_true_emotion_s_units():
    """Happiness is 6 and 12, which move eyes, cheeks and mouth: 4 of 5 here, on half of the area. Neutral moves nothing."""
    made = table([[[3, -1, 0, 1]]] * 3)
    mass, area = made.expected(["happiness", "neutral", "fear"])
    assert mass[0] == pytest.approx(0.8)
    assert area[0] == pytest.approx(0.5)
    assert np.isnan(mass[1:]).all()
    assert np.isnan(area[1:]).all()


def test_a_sample_s_gap_is_what_is_left_over_what_had_to_be_explained():
    """5 of 6 explained, and all of 2: 1 of 8 is left."""
    made = table([[[3, 1, 0, 1], [1, 1, 0, 0]]], differences=[[6, 2]])
    assert made.sample_gaps().tolist() == pytest.approx([1 / 8])


def test_a_table_takes_areas_from_what_each_region_owns():
    """Three of four landmarks are the first region's; the gap is the worst face's."""
    made = [
        RegionShapley(
            baseline="mean",
            regions=("a", "b"),
            values=np.array([[1.0, 2.0]]),
            at_face=np.array([3.0 + left]),
            at_baseline=np.array([0.0]),
        )
        for left in (0.0, 0.5)
    ]
    found = RegionTable.of(made, [np.array([0, 0, 0, 1])] * 2, ("happiness",))
    assert found.areas.tolist() == [[0.75, 0.25]] * 2
    assert found.gap == pytest.approx(0.5)
    assert found.differences.tolist() == [[3.0], [3.5]]


def map_of(by_region):
    """A map that gives each region's value to one of its landmarks."""
    values = np.zeros((1, 1, LANDMARKS))
    for index, value in enumerate(by_region):
        values[0, 0, np.flatnonzero(region_of_landmark() == index)[0]] = value
    return Attribution(
        method="m",
        gradient="completed",
        steps=np.array([8]),
        baseline="mean",
        emotions=("happiness",),
        values=values,
        outside=np.zeros((1, 1)),
        differences=values.sum(axis=2),
    )


@pytest.mark.parametrize(("sign", "expected"), [(1, 1.0), (-1, -1.0)])
def test_agreement_of_a_map_with_its_own_regions_is_one_and_of_its_negative_minus_one(sign, expected):
    by_region = np.arange(1.0, 10.0)
    exact = table([[sign * by_region]], names=tuple(REGIONS))
    found = agreement(map_of(by_region), exact)
    assert found.median == pytest.approx(expected)
    assert found.top_share == 1.0


def test_a_map_that_is_equal_everywhere_agrees_with_nothing():
    exact = table([[np.arange(1.0, 10.0)]], names=tuple(REGIONS))
    assert agreement(map_of(np.ones(9)), exact).median == 0


def test_another_top_region_is_no_same_top():
    exact = table([[np.arange(1.0, 10.0)]], names=tuple(REGIONS))
    assert agreement(map_of(np.arange(9.0, 0.0, -1.0)), exact).top_share == 0
