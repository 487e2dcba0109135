"""Finds the face of a picture that is all face by the networks themselves: few looks where they agree, more where they do not.

The mesh network answers on anything, and its own score says little. So two looks, one of them at the mirrored picture and in another
square, are weighed with the detector's score, and accepted where that makes it sure: 8 faces in 9. Of the others the detector sees
eight views, and two tries start from two squares in the picture; where that leaves it open, four more start in the picture smoothed
and with its contrast evened out. What counts most is whether tries from different starts end at one mesh. Weights and limits are those
of two logistic regressions, fitted on 2,250 wild faces and 860 pictures of other things; tests/evidence/test_tight_crops.py judges them
on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.face_networks import FaceNetworks
from bitface.adapters.face_networks.picture_regions import Points, Region, evened, resized
from bitface.faces.alignment import eye_distance
from bitface.training.landmarks.mirror import mirror_order

_SIDE_PX: Final = 288
"""What the longer side is enlarged to: six-fold for 48 pixels."""
_BORDER: Final = 0.25
"""Replicated pixels around the crop, as a share of its side, in the detector's first view."""
# The detector's further views: border, tilt.
_VIEWS: Final = ((0.4, 0.0), (0.6, 0.0), (0.3, 0.35), (0.3, -0.35))
_GUESS: Final = (0.56, 1.25)
"""Where a head is and how large its square, in shares of the crop: a little under its middle."""
_STEP: Final = (0.07, 1.12, 0.15)
"""By how much the second look's square differs from the first mesh's: step, growth, turn."""
_SIDES: Final = (0.2, 4.0)
"""Of the crop: the sides of squares around a mesh that can be of a face in it."""
# Weights of logits and logarithms; see `_evidence_of` and `_evidence_together`.
_FIRST: Final = np.array([2.08, 0.13, -0.31, 1.07])
_FIRST_BIAS, _SURE_FROM = -2.07, 2.5
_TOGETHER: Final = np.array([0.684, 1.385, 0.247, 0.853, -1.116])
_TOGETHER_BIAS, _FACE_FROM = -2.442, 0.5
"""From these sums on it is a face. On what they were chosen by, 97 % of wild faces were found, and 1.5 % of drawn pictures of other
things were taken for one, most of them houses and rings; from 1.0 on, 96 % and 1 %."""
_OPEN: Final = (-1.0, 1.0)
"""Between these sums after two tries, the other four are made: beyond, none of 1,214 pictures was judged otherwise after six."""
_CONFIDENT: Final = 0.5
"""The detector's score of a face that is looked at on its own, where a crop shows several."""
_SAME_MESH_EYE_DISTANCES: Final = 0.2
_LOST: Final = -8.0
"""Presence, as a logit, where a mesh has left the crop; also the least that counts."""
_WELL_LIT: Final = 100.0
"""Mean grey level under which less contrast is asked for."""
_PARTS: Final = ((33, 133), (263, 362), (61, 291))
_PART_EYE_DISTANCES: Final = (0.45, 0.3)


@dataclass(frozen=True, kw_only=True)
class _Canvas:
    """A crop enlarged, and its mirror image."""

    pixels: NDArray[np.uint8]
    mirror: NDArray[np.uint8]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> _Canvas:
        return cls(pixels=pixels, mirror=np.ascontiguousarray(pixels[:, ::-1]))

    def square(self, border: float, tilt: float = 0.0) -> Region:
        """The whole crop with a border."""
        height, width = self.pixels.shape[:2]
        return Region(x=width / 2, y=height / 2, side=_SIDE_PX * (1 + 2 * border), tilt=tilt)

    def guess(self) -> Region:
        height, width = self.pixels.shape[:2]
        return Region(x=width / 2, y=height * _GUESS[0], side=_SIDE_PX * _GUESS[1])


@dataclass(frozen=True, kw_only=True)
class _Try:
    """What two looks from one start saw: the mean mesh in pixels of the canvas, the second look's logit, how far apart they are in eye
    distances, and the least contrast of eyes and mouth.
    """

    points: Points
    presence: float
    apart: float
    contrast: float


def find_tight_faces(networks: FaceNetworks, picture: NDArray[np.uint8]) -> list[Points]:
    """Landmarks float32 (478, 3) in pixels of the picture, uint8 (H, W, 3), of its face; of several, where the detector is confident of
    each; an empty list where nothing in it is a face.
    """
    scale = _SIDE_PX / max(picture.shape[:2])
    canvas = _Canvas.of(resized(picture, scale))
    proposed = networks.apart(canvas.pixels, canvas.square(_BORDER), _CONFIDENT)
    tries = [_try(networks, canvas, region) for _, region in proposed]
    sure = [one for one, (score, _) in zip(tries, proposed, strict=True) if _evidence_of(one, score) >= _SURE_FROM]
    found = [one.points for one in sure] or _look_again(networks, canvas, proposed[0])
    return [points / np.float32(scale) for points in found]


def _look_again(networks: FaceNetworks, canvas: _Canvas, first: tuple[float, Region]) -> list[Points]:
    """The mesh at which tries from different starts end, if all that they show makes a face."""
    import cv2

    smoothed = _Canvas.of(np.asarray(cv2.GaussianBlur(canvas.pixels, (0, 0), _SIDE_PX / 96), np.uint8))
    even = _Canvas.of(evened(canvas.pixels, 4))
    views = [first, *(_likeliest(networks, canvas.pixels, canvas.square(*view)) for view in _VIEWS)]
    views += [_likeliest(networks, one.pixels, one.square(_VIEWS[0][0])) for one in (smoothed, even)]
    mirrored = _likeliest(networks, canvas.mirror, canvas.square(_VIEWS[0][0]))
    starts = (max(views, key=lambda view: view[0])[1], canvas.guess())
    detected = [score for score, _ in (*views, mirrored)]
    tries = [_try(networks, canvas, start) for start in starts]
    evidence, points = _evidence_together(tries, detected)
    if _OPEN[0] < evidence < _OPEN[1]:
        tries += [_try(networks, one, start) for one in (smoothed, even) for start in starts]
        evidence, points = _evidence_together(tries, detected)
    return [points] if evidence >= _FACE_FROM else []


def _likeliest(networks: FaceNetworks, pixels: NDArray[np.uint8], around: Region) -> tuple[float, Region]:
    return networks.apart(pixels, around, 2.0)[0]


def _try(networks: FaceNetworks, canvas: _Canvas, region: Region) -> _Try:
    """A look at a region, and one at the mirrored picture, in another square around the mesh that the first has found."""
    points, _ = networks.mesh(canvas.pixels, region)
    around, width = Region.of_mesh(points), canvas.pixels.shape[1]
    if not _SIDES[0] * _SIDE_PX < around.side < _SIDES[1] * _SIDE_PX:
        return _Try(points=points, presence=_LOST, apart=float("inf"), contrast=0.0)
    other, presence = networks.mesh(canvas.mirror, around.mirrored(width).moved(*_STEP))
    other = other[mirror_order()] * np.array([-1, 1, 1], np.float32) + np.array([width - 1, 0, 0], np.float32)
    return _Try(
        points=np.asarray((points + other) / 2, np.float32),
        presence=_logit(presence),
        apart=_apart(other, points),
        contrast=_contrast(canvas.pixels, other),
    )


def _evidence_of(one: _Try, detected: float) -> float:
    """Of a first try: the detector's logit, the mesh's, and the logarithms of distance and contrast, weighed."""
    if one.presence == _LOST and one.contrast == 0:
        return -np.inf
    values = [_logit(detected), one.presence, np.log(one.apart + 0.03), np.log(one.contrast + 2)]
    return float(_FIRST @ values) + _FIRST_BIAS


def _evidence_together(tries: Sequence[_Try], detected: Sequence[float]) -> tuple[float, Points]:
    """Mean and largest logit of the detector, mean of the meshes', and, of the try that is nearest to all others, logarithms of contrast
    and distance to these, weighed; and the mean mesh of all that agree with this try.
    """
    away = np.array([[_apart(other.points, one.points) for other in tries] for one in tries])
    logarithms = np.log(away + 0.03)
    means = (logarithms.sum(axis=1) - logarithms.diagonal()) / (len(tries) - 1)
    chosen = int(means.argmin())
    logits = [_logit(score) for score in detected]
    values = [
        float(np.mean(logits)),
        max(logits),
        float(np.mean([one.presence for one in tries])),
        float(np.log(tries[chosen].contrast + 2)),
        float(np.clip(means[chosen], -4, 2)),
    ]
    agreed = [
        one.points for one, distance in zip(tries, away[chosen], strict=True) if distance <= _SAME_MESH_EYE_DISTANCES
    ]
    mean = np.asarray(np.mean(agreed, axis=0, dtype=np.float64), np.float32)
    return float(_TOGETHER @ values) + _TOGETHER_BIAS, mean


def _apart(one: Points, other: Points) -> float:
    """Mean distance of two meshes' points, in eye distances of the second."""
    distance = max(float(eye_distance(other)), _SIDE_PX / 48)
    return float(np.linalg.norm((one - other)[:, :2], axis=1).mean()) / distance


def _logit(share: float) -> float:
    return float(np.clip(np.log((share + 1e-6) / (1 - share + 1e-6)), _LOST, -_LOST))


def _contrast(pixels: NDArray[np.uint8], points: Points) -> float:
    """The least standard deviation, in grey levels of a well lit picture, of what should be eyes and mouth."""
    halves = np.maximum(2.0 * _SIDE_PX / 48, np.array(_PART_EYE_DISTANCES) * float(eye_distance(points)))
    spread = min(_spread_at(pixels, (points[one, :2] + points[other, :2]) / 2, halves) for one, other in _PARTS)
    return spread / min(1.0, max(1.0, float(pixels.mean())) / _WELL_LIT)


def _spread_at(pixels: NDArray[np.uint8], centre: NDArray[np.floating], halves: NDArray[np.float64]) -> float:
    (x, y), (half_width, half_height) = centre, halves
    rows = slice(max(0, int(y - half_height)), max(0, int(y + half_height) + 1))
    columns = slice(max(0, int(x - half_width)), max(0, int(x + half_width) + 1))
    part = pixels[rows, columns].mean(axis=2)
    return float(part.std()) if part.size else 0.0
