"""Reads facial actions back as action units: what is known of a rendered face, and what a landmarker believes of a real one.

Each action is read as the unit that it shows in full (gain 1 in `ACTIONS_OF_UNIT`), and a unit is the mean of its actions. So
a recipe's AU 25 is read as what moves on the face, a little AU 16 and AU 10, and its AU 23 as a little AU 24 and AU 28: neither
has an action of its own, and no picture of these actions could tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.action_units import ACTIONS_OF_UNIT, FACIAL_ACTIONS
from bitface.faces.blendshapes import BLENDSHAPE_NAMES

_FULL: Final = 1.0

ACTIONS_READ_AS: Final[Mapping[int, tuple[str, ...]]] = {
    unit: own
    for unit, gains in ACTIONS_OF_UNIT.items()
    if (own := tuple(name for name, gain in gains.items() if gain == _FULL))
}
"""Unit -> the facial actions that are read as it; no action is read as two units. Source of the table: ARKit's description of
each location beside FACS (Ekman, Friesen & Hager, 2002); compared with M. Ozel, "ARKit to FACS: Blendshape Cheat Sheet"
(melindaozel.com/arkit-to-facs-cheat-sheet)."""

READABLE_UNITS: Final = tuple(ACTIONS_READ_AS)
"""The 28 units that have an action of their own: the columns of every array of intensities, in this order."""

NOT_READABLE: Final[Mapping[int, str]] = {
    unit: "it has no facial action of its own" for unit in ACTIONS_OF_UNIT if unit not in ACTIONS_READ_AS
}
"""Units that facial actions do not identify: 23 and 25."""

PARTNERS_IN_A_MIRROR: Final[Mapping[int, int]] = {61: 62, 62: 61}
"""Units that a mirrored picture exchanges; all others are the mean of both sides."""


def actions_to_units(
    actions: NDArray[np.float32] | NDArray[np.float64], names: Sequence[str] = FACIAL_ACTIONS
) -> NDArray[np.float32]:
    """Intensities float32 (..., 28) in 0..1, columns as READABLE_UNITS, of actions (..., A) in 0..1 with these names.

    A unit none of whose actions is among `names` is NaN.

    Raises:
        InputError: as many names as there are columns are needed.
    """
    if actions.shape[-1] != len(names):
        raise InputError(f"{counted(actions.shape[-1], 'column')} of facial actions, but {len(names)} names")
    place = {name: column for column, name in enumerate(names)}
    units = np.full((*actions.shape[:-1], len(READABLE_UNITS)), np.nan, dtype=np.float32)
    for column, own in enumerate(ACTIONS_READ_AS.values()):
        if known := [place[name] for name in own if name in place]:
            units[..., column] = actions[..., known].mean(axis=-1)
    return units


def proxy_units(blendshapes: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the landmarker's blendshapes (..., 52) say of the units, float32 (..., 28): a proxy, never the truth.

    AU 19 is NaN: MediaPipe has no tongue.
    """
    return actions_to_units(blendshapes, BLENDSHAPE_NAMES)
