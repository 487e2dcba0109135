"""Distances of a face that have names: what landmarks say in words, and what may be kept of them without keeping the face."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.faces.features import LANDMARKS

# Points of MediaPipe's face mesh; right and left are the person's own.
_SPANS: Final = {
    "mouth_width": (61, 291),
    "mouth_opening": (13, 14),
    "eye_opening_right": (159, 145),
    "eye_opening_left": (386, 374),
    "brow_height_right": (105, 159),
    "brow_height_left": (334, 386),
    "brow_gap": (107, 336),
    "nose_length": (168, 1),
    "nose_to_chin": (1, 152),
    "face_width": (234, 454),
    "face_height": (10, 152),
}
_MOUTH_CORNERS: Final = (61, 291)
_LIPS: Final = (13, 14)
_NOSE_TIP: Final = 1
_FACE_SIDES: Final = (234, 454)
GEOMETRY_NAMES: Final = (*_SPANS, "mouth_corners_raised", "mouth_slant", "nose_depth")
"""In eye distances: spans between two points in space; how far the corners of the mouth lie above its middle, and the right one
above the left; how far the tip of the nose stands out before the sides of the face."""


def face_geometry(normalised: NDArray[np.float32]) -> NDArray[np.float64]:
    """The measures of GEOMETRY_NAMES, float64 (..., 14), of normalised landmarks (..., 478, 3), see `alignment`.

    NaN of what needs a point, or a depth, that is 0 because a table of points does not have it (`points`).

    Raises:
        InputError: the array does not hold 478 points of 3 coordinates.
    """
    if normalised.shape[-2:] != (LANDMARKS, 3):
        raise InputError(f"landmarks of shape {normalised.shape} are not (..., {LANDMARKS}, 3)")
    points = normalised.astype(np.float64)
    points = np.where(_is_known(points), points, np.nan)
    spans = [np.linalg.norm(points[..., a, :] - points[..., b, :], axis=-1) for a, b in _SPANS.values()]
    right, left = (points[..., corner, 1] for corner in _MOUTH_CORNERS)
    # y grows downwards, z away from the camera.
    raised = points[..., _LIPS, 1].mean(axis=-1) - (right + left) / 2
    depth = points[..., _FACE_SIDES, 2].mean(axis=-1) - points[..., _NOSE_TIP, 2]
    has_depth = (points[..., 2] != 0).any(axis=-1) | ~(points != 0).any(axis=(-2, -1))
    return np.stack([*spans, raised, left - right, np.where(has_depth, depth, np.nan)], axis=-1)


def _is_known(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points, bool (..., 478, 1), a face has; all of one that was not found, whose points are all 0."""
    is_there = (points != 0).any(axis=-1, keepdims=True)
    return np.asarray(is_there | ~is_there.any(axis=-2, keepdims=True))
