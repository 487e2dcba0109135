"""Draws what a face does over time when it shows an emotion, so that synthetic faces have known facial actions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.action_units import FACIAL_ACTIONS, NEIGHBOURS, RECIPES, units_to_actions

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ExpressionStyle:
    """How far expressions stray from their prototypes; all are shares or strengths in 0..1 (params.yaml, `synthetic`)."""

    intensity_min: float
    weak_share: float
    missing_unit_share: float
    blend_share: float
    speech_share: float
    asymmetry: float
    habit: float


def draw_apex(emotion: str, style: ExpressionStyle, habit: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One apex (52,) of an emotion on a face whose resting habit is `habit` (52,), see `draw_habit`.

    Raises:
        InputError: no recipe for the emotion.
    """
    actions = _expression(emotion, style, rng)
    if rng.random() < style.speech_share:
        actions = _spoken(actions[None], rng)[0]
    return np.asarray(_finished(actions[None] + habit, rng)[0])


def draw_clip(
    emotion: str, frames: int, style: ExpressionStyle, habit: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """A trajectory (T, 52), onset - apex - offset, of an emotion on a face with a resting habit (52,).

    The peak lies at a random place in the middle of the clip; neutral clips wander instead of rising. Units start a little
    apart from one another, as in real faces.

    Raises:
        InputError: no recipe for the emotion, or fewer than 3 frames.
    """
    if frames < 3:
        raise InputError(
            f"a clip of {counted(frames, 'frame')} cannot have onset, apex and offset; at least 3 frames are needed"
        )
    apex = _expression(emotion, style, rng)
    lag = rng.normal(0.0, 0.04, size=apex.shape)
    course = _envelope(frames, rng, lag) * apex
    if rng.random() < style.speech_share:
        course = _spoken(course, rng)
    return _finished(course + habit, rng)


def draw_habit(style: ExpressionStyle, rng: np.random.Generator) -> FloatArray:
    """A person's resting face (52,): slight, lasting actions such as a brow held low or lip corners that hang."""
    units = (1, 2, 4, 5, 7, 12, 15, 17, 24)
    strengths = np.maximum(rng.normal(0.0, style.habit, size=len(units)), 0.0)
    # Real resting lips are shut a little more firmly than a sculpted template's, by an amount that differs from face to face.
    strengths[-2:] += 4.0 * style.habit * rng.random(2)
    return units_to_actions(dict(zip(units, strengths.tolist(), strict=True)))


def _expression(emotion: str, style: ExpressionStyle, rng: np.random.Generator) -> FloatArray:
    if emotion not in RECIPES:
        raise InputError(f"there is no recipe for emotion '{emotion}'; known are {', '.join(RECIPES)}")
    weak = rng.random() < style.weak_share
    # The square root favours clear expressions: a third of them lies above 0.8 of the range.
    strong = style.intensity_min + (1.0 - style.intensity_min) * np.sqrt(rng.random())
    intensity = rng.uniform(0.15, style.intensity_min) if weak else strong
    units = _drawn_units(emotion, style, rng)
    actions = units_to_actions({unit: strength * intensity for unit, strength in units.items()})
    if rng.random() < style.blend_share:
        other = str(rng.choice(NEIGHBOURS[emotion]))
        share = rng.uniform(0.15, 0.45) * intensity
        actions = np.maximum(
            actions, units_to_actions({u: s * share for u, s in _drawn_units(other, style, rng).items()})
        )
    return _lopsided(actions, style.asymmetry, rng)


def _drawn_units(emotion: str, style: ExpressionStyle, rng: np.random.Generator) -> dict[int, float]:
    recipes = RECIPES[emotion]
    recipe = recipes[int(rng.integers(len(recipes)))]
    units = {unit: strength * rng.uniform(0.8, 1.2) for unit, strength in recipe.units.items()}
    kept = {unit: strength for unit, strength in units.items() if rng.random() >= style.missing_unit_share}
    units = kept or units
    for unit, (share, strength) in recipe.often.items():
        if rng.random() < share:
            units[unit] = strength * rng.uniform(0.5, 1.1)
    return units


def _lopsided(actions: FloatArray, asymmetry: float, rng: np.random.Generator) -> FloatArray:
    gains = np.clip(rng.normal(1.0, asymmetry, size=actions.shape), 0.4, 1.4)
    tilt = rng.normal(0.0, asymmetry)
    sides = np.array([tilt if n.endswith("Left") else -tilt if n.endswith("Right") else 0.0 for n in FACIAL_ACTIONS])
    return np.asarray(np.clip(actions * gains * (1.0 + sides), 0.0, 1.0), dtype=np.float32)


def _envelope(frames: int, rng: np.random.Generator, lag: NDArray[np.float64]) -> FloatArray:
    """Strength (T, 52) of each action over the clip: rises to 1 at the peak, holds, falls part of the way."""
    peak, hold = rng.uniform(0.35, 0.7), rng.uniform(0.05, 0.25)
    start, end = rng.uniform(0.0, 0.35), rng.uniform(0.1, 0.7)
    time = np.linspace(0.0, 1.0, frames)[:, None] - lag[None, :]
    rise = _smooth(np.clip(time / peak, 0.0, 1.0))
    fall = _smooth(np.clip((time - peak - hold) / max(1.0 - peak - hold, 0.05), 0.0, 1.0))
    return np.asarray((start + (1.0 - start) * rise) * (1.0 - (1.0 - end) * fall), dtype=np.float32)


def _smooth(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return share * share * (3.0 - 2.0 * share)


def _spoken(course: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Adds the mouth of a person who talks: jaw and lips move faster than an expression does."""
    spoken = course.copy()
    strength = rng.uniform(0.15, 0.5)
    for name, gain in (("jawOpen", 0.7), ("mouthFunnel", 0.5), ("mouthPucker", 0.4), ("mouthShrugUpper", 0.3)):
        spoken[:, FACIAL_ACTIONS.index(name)] += strength * gain * rng.random(len(course))
    return spoken


def _finished(course: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Adds gaze, and a blink now and then, and keeps all actions in 0..1."""
    frames = len(course)
    gaze = np.zeros_like(course)
    unit, strength = int(rng.choice((61, 62, 63, 64))), abs(rng.normal(0.0, 0.25))
    gaze += units_to_actions({unit: min(strength, 0.8)})
    tremor = rng.normal(0.0, 0.012, size=course.shape)
    finished = np.where(course > 0.02, course + tremor, course) + gaze
    if rng.random() < 0.04 * min(frames, 4):
        lids = [FACIAL_ACTIONS.index("eyeBlinkLeft"), FACIAL_ACTIONS.index("eyeBlinkRight")]
        finished[int(rng.integers(frames)), lids] += rng.uniform(0.3, 0.95)
    return np.asarray(np.clip(finished, 0.0, 1.0), dtype=np.float32)
