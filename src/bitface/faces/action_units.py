"""The vocabulary of moving faces: facial actions, action units, and the prototypes that show an emotion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError

FloatArray = NDArray[np.float32]

FACIAL_ACTIONS: Final = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""The 52 facial actions of Apple's ARKit (`ARFaceAnchor.BlendShapeLocation`), in alphabetical order, as anny has them."""

ACTION_UNIT_NAMES: Final[Mapping[int, str]] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    14: "dimpler",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    18: "lip pucker",
    19: "tongue show",
    20: "lip stretcher",
    22: "lip funneler",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    28: "lip suck",
    29: "jaw thrust",
    30: "jaw sideways",
    34: "cheek puff",
    45: "blink",
    61: "eyes turn left",
    62: "eyes turn right",
    63: "eyes up",
    64: "eyes down",
}
"""Numbers and names of the Facial Action Coding System (Ekman, Friesen & Hager, 2002)."""

ACTIONS_OF_UNIT: Final[Mapping[int, Mapping[str, float]]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUpLeft": 1.0, "browOuterUpRight": 1.0},
    4: {"browDownLeft": 1.0, "browDownRight": 1.0},
    5: {"eyeWideLeft": 1.0, "eyeWideRight": 1.0},
    6: {"cheekSquintLeft": 1.0, "cheekSquintRight": 1.0},
    7: {"eyeSquintLeft": 1.0, "eyeSquintRight": 1.0},
    9: {"noseSneerLeft": 1.0, "noseSneerRight": 1.0},
    10: {"mouthUpperUpLeft": 1.0, "mouthUpperUpRight": 1.0},
    12: {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
    14: {"mouthDimpleLeft": 1.0, "mouthDimpleRight": 1.0},
    15: {"mouthFrownLeft": 1.0, "mouthFrownRight": 1.0},
    16: {"mouthLowerDownLeft": 1.0, "mouthLowerDownRight": 1.0},
    17: {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.5},
    18: {"mouthPucker": 1.0},
    19: {"tongueOut": 1.0},
    20: {"mouthStretchLeft": 1.0, "mouthStretchRight": 1.0},
    22: {"mouthFunnel": 1.0},
    23: {"mouthRollLower": 0.6, "mouthRollUpper": 0.6, "mouthPressLeft": 0.3, "mouthPressRight": 0.3},
    24: {"mouthPressLeft": 1.0, "mouthPressRight": 1.0},
    25: {"mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.5, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3},
    26: {"jawOpen": 1.0},
    28: {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    29: {"jawForward": 1.0},
    30: {"jawLeft": 1.0},
    34: {"cheekPuff": 1.0},
    45: {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    61: {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    62: {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    63: {"eyeLookUpLeft": 1.0, "eyeLookUpRight": 1.0},
    64: {"eyeLookDownLeft": 1.0, "eyeLookDownRight": 1.0},
}
"""Which facial actions carry an action unit, and how strongly. One reading of two vocabularies that do not match one to one:
ARKit's own descriptions of each location beside the muscle actions of FACS (2002). ARKit has no lip tightener (AU 23) and no
lips-part (AU 25); they are composed here."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A prototype of an emotion. `units` map an action unit to its strength at full intensity; `often` to (share, strength)."""

    units: Mapping[int, float]
    often: Mapping[int, tuple[float, float]]


RECIPES: Final[Mapping[str, tuple[Recipe, ...]]] = {
    "anger": (
        Recipe(units={4: 1.0, 5: 0.55, 7: 0.7, 23: 0.8}, often={9: (0.15, 0.35), 17: (0.3, 0.4), 29: (0.2, 0.4)}),
        Recipe(units={4: 1.0, 5: 0.45, 7: 0.7, 24: 0.9}, often={17: (0.35, 0.5)}),
        Recipe(units={4: 1.0, 5: 0.6, 7: 0.6, 10: 0.45, 25: 0.7}, often={26: (0.5, 0.3), 9: (0.2, 0.35)}),
    ),
    "disgust": (
        Recipe(units={9: 1.0, 15: 0.55, 16: 0.6}, often={10: (0.5, 0.8), 4: (0.35, 0.4), 7: (0.4, 0.4)}),
        Recipe(units={9: 0.9, 10: 0.9, 17: 0.6}, often={4: (0.3, 0.4), 15: (0.4, 0.4), 6: (0.25, 0.4)}),
    ),
    "fear": (
        Recipe(units={1: 0.9, 2: 0.55, 4: 0.5, 5: 0.95, 20: 0.9, 26: 0.35}, often={25: (0.5, 0.6)}),
        Recipe(units={1: 0.9, 4: 0.6, 5: 0.9, 20: 0.8, 25: 0.7}, often={2: (0.5, 0.5), 26: (0.4, 0.3)}),
    ),
    "happiness": (
        Recipe(units={6: 0.7, 12: 0.85}, often={14: (0.15, 0.3), 7: (0.2, 0.3)}),
        Recipe(units={6: 0.75, 12: 1.0, 25: 0.55}, often={26: (0.35, 0.2), 10: (0.25, 0.3)}),
        Recipe(units={6: 0.8, 12: 1.0, 25: 0.6, 26: 0.35}, often={2: (0.12, 0.3), 1: (0.1, 0.3)}),
        Recipe(units={12: 0.8}, often={6: (0.3, 0.3), 25: (0.4, 0.4)}),
    ),
    "sadness": (
        Recipe(units={1: 0.95, 4: 0.55, 15: 0.85}, often={17: (0.5, 0.6), 64: (0.3, 0.5), 7: (0.2, 0.3)}),
        Recipe(units={1: 0.8, 15: 0.7, 17: 0.6}, often={4: (0.5, 0.4), 64: (0.4, 0.6), 24: (0.2, 0.4)}),
    ),
    "surprise": (
        Recipe(units={1: 0.9, 2: 1.0, 5: 0.8, 26: 0.75}, often={25: (0.3, 0.4)}),
        Recipe(units={1: 0.9, 2: 1.0, 5: 0.7, 26: 0.4}, often={22: (0.3, 0.4), 12: (0.12, 0.25)}),
    ),
    "neutral": (
        Recipe(units={}, often={24: (0.1, 0.25), 12: (0.12, 0.15), 15: (0.1, 0.2), 4: (0.12, 0.2), 1: (0.1, 0.2)}),
    ),
    "contempt": (Recipe(units={12: 0.3, 14: 0.9}, often={24: (0.3, 0.3), 7: (0.2, 0.3)}),),
}
"""Prototypes and variants after EMFACS (Friesen & Ekman, 1983; Ekman, Friesen & Hager, 2002, table 10-1), with the shares in
which a variant adds a unit. Strengths and shares are this project's choice, made to be readable and yet not separable at a glance."""

NEIGHBOURS: Final[Mapping[str, tuple[str, ...]]] = {
    "anger": ("disgust", "sadness"),
    "disgust": ("anger", "sadness"),
    "fear": ("surprise", "sadness"),
    "happiness": ("surprise",),
    "sadness": ("fear", "anger"),
    "surprise": ("fear", "happiness"),
    "neutral": ("sadness", "anger", "happiness"),
    "contempt": ("happiness", "disgust"),
}
"""The emotions that people mix with one another, or take for one another."""


def units_to_actions(units: Mapping[int, float]) -> FloatArray:
    """The 52 facial actions, float32 in 0..1, that show action units of given strengths. Raises InputError for an unknown unit."""
    actions = np.zeros(len(FACIAL_ACTIONS), dtype=np.float32)
    for unit, strength in units.items():
        if unit not in ACTIONS_OF_UNIT:
            raise InputError(
                f"action unit {unit} has no facial action; known are {', '.join(map(str, ACTIONS_OF_UNIT))}"
            )
        for name, gain in ACTIONS_OF_UNIT[unit].items():
            actions[FACIAL_ACTIONS.index(name)] += gain * strength
    return np.clip(actions, 0.0, 1.0)
