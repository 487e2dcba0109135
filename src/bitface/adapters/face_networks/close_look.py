"""Finds the face that a detector has proposed in a scene, where the landmarker finds none in its surroundings.

The mesh network answers on anything, and its own score says little. What tells a face from something else is whether the mesh stays
where it is: found again in the mirrored picture, and in squares that are moved, larger and tilted. On what is no face the mesh follows
the square. Pictures that are all face have a look of their own: `tight_face`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.face_networks import FaceNetworks
from bitface.adapters.face_networks.picture_regions import Points, Region, evened, resized
from bitface.faces.alignment import eye_distance
from bitface.training.landmarks.mirror import mirror_order

_SIDE_PX: Final = 288
"""What the longer side is enlarged to: six-fold for 48 pixels."""
# Looks at the mirrored picture that must find the same mesh: step, growth, turn.
_LOOKS: Final = ((0.0, 1.0, 0.0), (0.07, 1.12, 0.15), (-0.07, 1.12, -0.15))
_AGREE_EYE_DISTANCES: Final = 0.2
"""Mean distance of a mesh's points from those of each other look."""
_SCORE_MIN: Final = 0.1
# After the region has followed the mesh once, and twice: none of 71 faces that were found in the end had less.
_SCORES_ON_THE_WAY: Final = (0.00015, 0.0)
_EYE_DISTANCE_MIN: Final = 0.18
"""Of the longer side: what is smaller is not a picture of one face."""
_CONTRAST_MIN: Final = 6.0
"""Least standard deviation, in grey levels of a well lit picture, of what should be eyes and mouth; an empty head shape has none."""
_WELL_LIT: Final = 100.0
_PARTS: Final = ((33, 133), (263, 362), (61, 291))
_PART_EYE_DISTANCES: Final = (0.45, 0.3)


def find_face_at(networks: FaceNetworks, picture: NDArray[np.uint8], region: Region) -> Points | None:
    """Landmarks float32 (478, 3) in pixels of the picture, uint8 (H, W, 3); None where no mesh stays in its place in the region.

    They are the mean of four looks, one of the picture and three of its mirror image.
    """
    left, top, right, bottom = region.surroundings(*picture.shape[:2])
    part = np.ascontiguousarray(picture[top:bottom, left:right])
    # The face, and not its surroundings, is what should be as large as in a tight crop.
    scale = 1.5 * _SIDE_PX / max(part.shape[:2])
    inside = Region(x=region.x - left, y=region.y - top, side=region.side, tilt=region.tilt)
    for canvas in _variants(part, scale):
        points = _settled(networks, canvas, inside.scaled(scale), face_side=region.side * scale)
        if points is not None and _has_features(part, points / np.float32(scale)):
            return points / np.float32(scale) + np.array([left, top, 0], np.float32)
    return None


def _variants(picture: NDArray[np.uint8], scale: float) -> Iterator[NDArray[np.uint8]]:
    """The picture enlarged; then with local contrast evened out (CLAHE); then smoothed, which takes away blocks of JPEG."""
    import cv2

    large = resized(picture, scale)
    yield large
    yield evened(large, 4)
    yield cv2.GaussianBlur(large, (0, 0), _SIDE_PX / 96)


def _settled(networks: FaceNetworks, canvas: NDArray[np.uint8], region: Region, face_side: float) -> Points | None:
    """The mesh after the region has followed it twice, if all looks agree on it; `face_side` is that of a square that is all face."""
    points, _ = networks.mesh(canvas, region)
    for least in _SCORES_ON_THE_WAY:
        region = Region.of_mesh(points)
        if not 0.4 * face_side < region.side < 3 * face_side:
            return None
        points, score = networks.mesh(canvas, region)
        if score < least:
            return None
    distance = float(eye_distance(points))
    if distance < _EYE_DISTANCE_MIN * face_side:
        return None
    return _agreed(networks, canvas, points, score)


def _agreed(networks: FaceNetworks, canvas: NDArray[np.uint8], points: Points, score: float) -> Points | None:
    mirror = np.ascontiguousarray(canvas[:, ::-1])
    width, distance = canvas.shape[1], float(eye_distance(points))
    region, looks = Region.of_mesh(points).mirrored(width), [points]
    for step, grown, turned in _LOOKS:
        other, its_score = networks.mesh(mirror, region.moved(step, grown, turned))
        other = other[mirror_order()] * np.array([-1, 1, 1], np.float32) + np.array([width - 1, 0, 0], np.float32)
        apart = float(np.linalg.norm((other - points)[:, :2], axis=1).mean())
        score = max(score, its_score)
        if apart > _AGREE_EYE_DISTANCES * distance or score < _SCORE_MIN:
            return None
        looks.append(other)
    return np.asarray(np.mean(looks, axis=0, dtype=np.float64), np.float32)


def _has_features(picture: NDArray[np.uint8], points: Points) -> bool:
    grey = picture.mean(axis=2)
    least = _CONTRAST_MIN * min(1.0, float(grey.mean()) / _WELL_LIT)
    half_width, half_height = np.maximum(2.0, np.array(_PART_EYE_DISTANCES) * float(eye_distance(points)))
    for one, other in _PARTS:
        x, y = (points[one, :2] + points[other, :2]) / 2
        rows = slice(max(0, int(y - half_height)), max(0, int(y + half_height) + 1))
        columns = slice(max(0, int(x - half_width)), max(0, int(x + half_width) + 1))
        part = grey[rows, columns]
        if part.size < 4 or part.std() < least:
            return False
    return True
