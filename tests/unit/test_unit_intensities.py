"""Facial actions read back as action units: one reading of a table, and honest about what it cannot know."""

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.faces.action_units import ACTION_UNIT_NAMES, ACTIONS_OF_UNIT, FACIAL_ACTIONS, units_to_actions
from bitface.faces.blendshapes import BLENDSHAPE_NAMES
from bitface.faces.synthetic.unit_intensities import (
    ACTIONS_READ_AS,
    NOT_READABLE,
    PARTNERS_IN_A_MIRROR,
    READABLE_UNITS,
    actions_to_units,
    proxy_units,
)


def test_every_action_is_read_as_one_unit_at_most() -> None:
    names = [name for own in ACTIONS_READ_AS.values() for name in own]
    assert len(names) == len(set(names))
    assert set(names) <= set(FACIAL_ACTIONS)


def test_every_unit_is_either_readable_or_has_a_reason() -> None:
    assert set(READABLE_UNITS) | set(NOT_READABLE) == set(ACTIONS_OF_UNIT) <= set(ACTION_UNIT_NAMES)
    assert not set(READABLE_UNITS) & set(NOT_READABLE)
    assert set(NOT_READABLE) == {23, 25}


@pytest.mark.parametrize("unit", READABLE_UNITS)
def test_a_unit_shown_alone_is_read_in_full(unit: int) -> None:
    read = actions_to_units(units_to_actions({unit: 0.6}))
    assert read[READABLE_UNITS.index(unit)] == pytest.approx(0.6, abs=1e-6)


@pytest.mark.parametrize("unit", READABLE_UNITS)
def test_a_mirrored_face_shows_the_partner_of_each_unit(unit: int) -> None:
    """Exchanging the names of left and right exchanges eyes that turn; every other unit is the same on a mirrored face."""
    swapped = [
        name[: -len(side)] + other if name.endswith(side) and name not in ("mouthLeft", "mouthRight") else name
        for name in FACIAL_ACTIONS
        for side, other in [("Left", "Right") if name.endswith("Left") else ("Right", "Left")]
    ]
    actions = units_to_actions({unit: 0.8})
    mirrored = actions_to_units(actions[[FACIAL_ACTIONS.index(name) for name in swapped]])
    strongest = READABLE_UNITS[int(mirrored.argmax())]
    assert strongest == PARTNERS_IN_A_MIRROR.get(unit, unit) or unit in (29, 30)


def test_the_landmarkers_proxy_has_no_tongue_and_every_other_unit() -> None:
    units = proxy_units(np.full((2, 3, len(BLENDSHAPE_NAMES)), 0.4, np.float32))
    assert units.shape == (2, 3, len(READABLE_UNITS)) and units.dtype == np.float32
    unknown = [unit for unit, value in zip(READABLE_UNITS, units[0, 0], strict=True) if np.isnan(value)]
    assert unknown == [19]
    assert np.nanmax(units) == np.nanmin(units) == np.float32(0.4)


def test_columns_without_names_are_refused() -> None:
    with pytest.raises(InputError, match="51 columns of facial actions, but 52 names"):
        actions_to_units(np.zeros((4, 51), np.float32))
