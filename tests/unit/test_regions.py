"""Facial regions: a partition of the mesh, the same on both sides of the face, and tied to action units."""

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.faces.action_units import RECIPES
from bitface.faces.regions import (
    REGIONS,
    REGIONS_OF_UNIT,
    region_of_landmark,
    regions_of_emotion,
    share_of_landmarks,
)
from bitface.training.landmarks.mirror import mirror_order


def test_every_landmark_lies_in_exactly_one_region():
    """A landmark counted twice would count its attribution twice; one left out would lose it."""
    together = sorted(index for landmarks in REGIONS.values() for index in landmarks)
    assert together == list(range(478))


def test_exact_shapley_over_the_regions_stays_affordable():
    """2 to the number of regions is the number of passes: 1,024 at most."""
    assert 8 <= len(REGIONS) <= 10


def test_a_mirrored_landmark_lies_in_the_same_region():
    """Left and right halves carry the same names, or a mirrored face would be explained in other words."""
    owner = region_of_landmark()
    np.testing.assert_array_equal(owner, owner[mirror_order()])


@pytest.mark.parametrize(
    ("landmark", "region"),
    [
        (10, "forehead"),
        (105, "brows"),
        (33, "eyes"),
        (473, "eyes"),
        (1, "nose"),
        (50, "cheeks"),
        (61, "mouth"),
        (152, "chin"),
    ],
)
def test_well_known_landmarks_lie_where_anatomy_has_them(landmark, region):
    """Points that MediaPipe documents: hairline, brow, eye corner, iris, nose tip, cheek, mouth corner, chin tip."""
    assert landmark in REGIONS[region]


def test_shares_of_landmarks_add_up_to_one():
    """They are the mass of a map that prefers no landmark."""
    assert share_of_landmarks().sum() == pytest.approx(1.0)


def test_happiness_is_read_at_eyes_cheeks_and_mouth():
    """Cheek raiser (6) and lip corner puller (12)."""
    assert regions_of_emotion("happiness") == ("eyes", "cheeks", "mouth")


def test_neutral_moves_no_region():
    """There is no action unit to expect, so there is nothing to score."""
    assert regions_of_emotion("neutral") == ()


def test_no_emotion_moves_the_whole_face():
    """A score against all regions would be won by any map."""
    for emotion in RECIPES:
        assert len(regions_of_emotion(emotion)) < len(REGIONS), emotion


def test_units_name_known_regions_only():
    """A typing error in the table would silently drop a region."""
    assert {region for regions in REGIONS_OF_UNIT.values() for region in regions} <= set(REGIONS)


def test_an_unknown_emotion_is_refused():
    """An eighth class must not get an empty expectation."""
    with pytest.raises(InputError, match="bored"):
        regions_of_emotion("bored")
