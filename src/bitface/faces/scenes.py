"""Where to look for faces in a picture of more than a portrait: a detector that shrinks everything to 128 pixels misses small ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.faces.alignment import eye_distance

TILES_PER_SIDE: Final = (3, 8)
"""A detector that proposes finds heads of an eighth of what it is shown: in these tiles a sixtieth of the longer side is enough."""
# Heads of 20 pixels are an eighth of it; smaller ones have no expression that could be read.
_TILE_PX_MIN: Final = 160
TIGHT_CROP_PX_MAX: Final = 128
"""Longer side up to which a picture is taken for all face, as those of public sets are (48 to 112 pixels)."""
SCENE_PX_MIN: Final = 512
"""Longer side of a picture that is looked at in tiles."""
NO_FACE: Final = (
    "no face found; a head must be upright, frontal, and span at least a fortieth of the longer side (a fifth of a "
    f"picture under {SCENE_PX_MIN} pixels): rotate or crop the picture"
)
# Of the longer side. Larger, a face is a portrait, and others beside it are about as large.
_PORTRAIT_SHARE: Final = 0.4
_NO_TILES_SHARE: Final = 0.25
# Of the smaller of two boxes: heads of two people overlap by less, and two looks at one head by more.
_SAME_FACE_SHARE: Final = 0.5


Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, the last two excluded."""


def largest_share(faces: Sequence[NDArray[np.float32]], height: int, width: int) -> float:
    """The longer side of the largest face (landmarks (478, 3) in pixels) as a share of the picture's; 0 without a face."""
    sides = [float((face[:, :2].max(axis=0) - face[:, :2].min(axis=0)).max()) for face in faces]
    return max(sides, default=0.0) / max(height, width)


def is_tight_crop(height: int, width: int) -> bool:
    """Whether a picture is so small that only the crop of a face makes sense."""
    return max(height, width) <= TIGHT_CROP_PX_MAX


def is_portrait(share: float) -> bool:
    """Whether a face of this share of the longer side leaves no room for smaller ones that were missed."""
    return share >= _PORTRAIT_SHARE


def tiles_of(height: int, width: int, share: float, per_side: int = TILES_PER_SIDE[0]) -> Iterator[Box]:
    """Squares of a share of the longer side, each half over the next, that cover a scene; none where faces are large or it is small.

    At most 25 of a third, and 225 of an eighth: a head of up to half a tile lies whole in one of them.
    """
    longest = max(height, width)
    if longest < SCENE_PX_MIN or share >= _NO_TILES_SHARE:
        return
    side = max(_TILE_PX_MIN, -(-longest // per_side))
    for top, left in product(_starts(height, side), _starts(width, side)):
        yield left, top, min(left + side, width), min(top + side, height)


def _starts(length: int, side: int) -> list[int]:
    last = max(0, length - side)
    steps = -(-last // (side // 2))
    return [round(last * step / max(1, steps)) for step in range(steps + 1)]


def distinct(faces: Sequence[NDArray[np.float32]]) -> list[int]:
    """Which of these faces (landmarks (478, 3)) are one each, larger first: of two looks at the same head the larger stays."""
    order = sorted(range(len(faces)), key=lambda index: -float(eye_distance(faces[index])))
    kept: list[int] = []
    for index in order:
        if all(_overlap(faces[index], faces[other]) < _SAME_FACE_SHARE for other in kept):
            kept.append(index)
    return kept


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Area that two faces' boxes share, as a share of the smaller box."""
    boxes = [(face[:, :2].min(axis=0), face[:, :2].max(axis=0)) for face in (one, other)]
    shared = np.minimum(boxes[0][1], boxes[1][1]) - np.maximum(boxes[0][0], boxes[1][0])
    smaller = min(float(np.prod(high - low)) for low, high in boxes)
    return float(np.prod(np.maximum(shared, 0))) / max(smaller, 1e-9)
