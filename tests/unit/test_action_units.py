"""Facial actions of an expression: what a recipe promises, and how far a drawn face may stray from it."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitface.errors import InputError
from bitface.faces.action_units import (
    ACTION_UNIT_NAMES,
    ACTIONS_OF_UNIT,
    FACIAL_ACTIONS,
    NEIGHBOURS,
    RECIPES,
    units_to_actions,
)
from bitface.faces.emotions import EMOTIONS
from bitface.faces.synthetic.expressions import ExpressionStyle, draw_apex, draw_clip, draw_habit

PLAIN = ExpressionStyle(
    intensity_min=1.0,
    weak_share=0.0,
    missing_unit_share=0.0,
    blend_share=0.0,
    speech_share=0.0,
    asymmetry=0.0,
    habit=0.0,
)
LIVELY = ExpressionStyle(
    intensity_min=0.35,
    weak_share=0.1,
    missing_unit_share=0.1,
    blend_share=0.2,
    speech_share=0.3,
    asymmetry=0.1,
    habit=0.07,
)
RESTING = np.zeros(52, dtype=np.float32)


def column(name: str) -> int:
    return FACIAL_ACTIONS.index(name)


def test_there_are_52_facial_actions_in_alphabetical_order() -> None:
    """Readers of the arrays rely on one fixed order, that of ARKit's names sorted."""
    assert len(FACIAL_ACTIONS) == 52
    assert list(FACIAL_ACTIONS) == sorted(FACIAL_ACTIONS)


def test_every_action_unit_is_named_and_made_of_known_facial_actions() -> None:
    assert set(ACTIONS_OF_UNIT) == set(ACTION_UNIT_NAMES)
    assert all(name in FACIAL_ACTIONS for parts in ACTIONS_OF_UNIT.values() for name in parts)


def test_every_emotion_has_recipes_of_known_units_and_neighbours() -> None:
    assert set(RECIPES) == set(EMOTIONS) == set(NEIGHBOURS)
    for recipes in RECIPES.values():
        for recipe in recipes:
            assert (set(recipe.units) | set(recipe.often)) <= set(ACTIONS_OF_UNIT)


def test_a_smile_is_the_lip_corner_puller_on_both_sides() -> None:
    """AU12 at 0.5 is half a smile left and right and nothing else."""
    actions = units_to_actions({12: 0.5})
    assert actions[column("mouthSmileLeft")] == actions[column("mouthSmileRight")] == pytest.approx(0.5)
    assert np.count_nonzero(actions) == 2


def test_units_that_share_an_action_add_up_and_stop_at_one() -> None:
    """AU23 at 1 presses the lips by 0.3, AU24 at 1 by 1: together they are at the limit, not beyond it."""
    assert units_to_actions({23: 0.5, 24: 0.5})[column("mouthPressLeft")] == pytest.approx(0.65)
    assert units_to_actions({23: 1.0, 24: 1.0})[column("mouthPressLeft")] == 1.0


def test_an_unknown_action_unit_is_refused() -> None:
    with pytest.raises(InputError, match="action unit 99"):
        units_to_actions({99: 1.0})


@cache
def mean_apexes() -> dict[str, np.ndarray]:
    """The mean of 120 faces of each emotion, drawn once for all of them."""
    seeds, emotions = range(120), [name for name in RECIPES if name != "contempt"]
    return {
        name: np.mean([draw_apex(name, LIVELY, RESTING, np.random.default_rng(seed)) for seed in seeds], axis=0)
        for name in emotions
    }


@pytest.mark.parametrize(
    ("emotion", "shown"),
    [
        ("happiness", "mouthSmileLeft"),
        ("sadness", "mouthFrownLeft"),
        ("surprise", "browOuterUpLeft"),
        ("fear", "mouthStretchLeft"),
        ("anger", "browDownLeft"),
        ("disgust", "noseSneerLeft"),
    ],
)
def test_each_emotion_shows_its_own_action_most(emotion: str, shown: str) -> None:
    """Over many faces, the action that marks an emotion is stronger in it than in any other."""
    strength = {other: float(actions[column(shown)]) for other, actions in mean_apexes().items()}
    assert max(strength, key=strength.__getitem__) == emotion


@given(st.sampled_from(sorted(RECIPES)), st.integers(0, 2**32), st.integers(3, 12))
def test_drawn_actions_stay_between_zero_and_one(emotion: str, seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    clip = draw_clip(emotion, frames, LIVELY, draw_habit(LIVELY, rng), rng)
    assert clip.shape == (frames, 52) and clip.dtype == np.float32
    assert clip.min() >= 0.0 and clip.max() <= 1.0


def test_a_clip_rises_to_its_apex_and_falls() -> None:
    """In a plain happy clip the smile is stronger in the middle than at either end."""
    for seed in range(20):
        smile = draw_clip("happiness", 15, PLAIN, RESTING, np.random.default_rng(seed))[:, column("mouthSmileLeft")]
        peak = int(smile.argmax())
        assert 0 < peak < 14
        assert smile[peak] > smile[0] and smile[peak] > smile[-1]


def test_the_same_seed_draws_the_same_clip() -> None:
    first, again = (draw_clip("fear", 6, LIVELY, RESTING, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, again)


def test_without_spread_both_sides_of_a_prototype_are_equal() -> None:
    """Asymmetry 0 leaves only the tremor between the two sides."""
    actions = draw_apex("happiness", PLAIN, RESTING, np.random.default_rng(0))
    assert actions[column("mouthSmileLeft")] == pytest.approx(actions[column("mouthSmileRight")], abs=0.08)


def test_a_resting_habit_shows_on_a_neutral_face() -> None:
    habit = units_to_actions({15: 0.4})
    actions = draw_apex("neutral", PLAIN, habit, np.random.default_rng(1))
    assert actions[column("mouthFrownLeft")] > 0.3


def test_a_clip_too_short_for_an_apex_is_refused() -> None:
    with pytest.raises(InputError, match="2 frames"):
        draw_clip("anger", 2, PLAIN, RESTING, np.random.default_rng(0))


def test_an_emotion_without_recipe_is_refused() -> None:
    with pytest.raises(InputError, match="no recipe"):
        draw_apex("boredom", PLAIN, RESTING, np.random.default_rng(0))
