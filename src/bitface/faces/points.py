"""Points of a face that come without its picture: which landmarks of our mesh they are, and what can be measured of them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitface.faces.alignment import eye_distance, normalise_landmarks, yaw_deg
from bitface.faces.features import BLENDSHAPES, CROP_PX, LANDMARKS
from bitface.faces.quality import NOT_MEASURED
from bitface.faces.seen import SeenFaces

_LIPS: Final = (13, 14)
_CHIN: Final = 152
_EYE_CORNERS: Final = ((33, 133), (362, 263))
"""Of each eye, as a camera sees them from left to right."""


@dataclass(frozen=True, kw_only=True)
class PointScheme:
    """Points that tools write: `mesh[i]` is the landmark of our mesh that point i is. `has_depth`: whether z is known of them."""

    name: str
    mesh: tuple[int, ...]
    has_depth: bool

    def on_mesh(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Points (T, P, 3) as landmarks float32 (T, 478, 3); landmarks that the scheme has not are 0."""
        landmarks = np.zeros((len(points), LANDMARKS, 3), np.float32)
        landmarks[:, list(self.mesh)] = points
        return landmarks


MESH_478: Final = PointScheme(name="mesh_478", mesh=tuple(range(LANDMARKS)), has_depth=True)
MESH_468: Final = PointScheme(name="mesh_468", mesh=tuple(range(LANDMARKS - 10)), has_depth=True)
"""MediaPipe's mesh without the ten points of the irises."""
MESH_478_FLAT: Final = replace(MESH_478, name="mesh_478_flat", has_depth=False)
MESH_468_FLAT: Final = replace(MESH_468, name="mesh_468_flat", has_depth=False)
"""The mesh of a table that has no z, or none in the unit of x."""
# fmt: off
IBUG_68: Final = PointScheme(
    name="ibug_68",
    mesh=(
        162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
        71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
        168, 197, 5, 4, 75, 97, 2, 326, 305,
        33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
        61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
    ),
    has_depth=False,
)
# fmt: on
"""The 68 points of iBUG 300-W (Sagonas et al., 2013), as OpenFace and Py-Feat write them: jaw, brows, nose, eyes, mouth.

Their places on MediaPipe's mesh are the correspondence that programs for both have shared since 2022 (`landmark_points_68`). It holds for
eyes, brows, nose and mouth; the outline of the jaw is where each tool draws it. The mirror of a point is a point of it again.
"""
SCHEMES: Final = {scheme.name: scheme for scheme in (MESH_478, MESH_468, MESH_478_FLAT, MESH_468_FLAT, IBUG_68)}


@dataclass(frozen=True, kw_only=True, eq=False)
class FacePoints:
    """One face in T frames.

    `points` float32 (T, P, 3), those of the scheme, normalised (`alignment`); z is 0 where the scheme has no depth. `eye_distance_px`
    float32 (T,). `tool`: what wrote the points, in words.
    """

    scheme: PointScheme
    tool: str
    points: NDArray[np.float32]
    eye_distance_px: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """On our mesh, float32 (T, 478, 3), 0 where the scheme has no point."""
        return self.scheme.on_mesh(self.points)

    def at(self, frames: Sequence[int]) -> FacePoints:
        """Some of the frames."""
        return replace(self, points=self.points[list(frames)], eye_distance_px=self.eye_distance_px[list(frames)])


def points_together(parts: Sequence[FacePoints]) -> FacePoints:
    """The frames of several parts of one scheme, one part after another."""
    return replace(
        parts[0],
        points=np.concatenate([part.points for part in parts]),
        eye_distance_px=np.concatenate([part.eye_distance_px for part in parts]),
    )


def points_of_pixels(pixels: NDArray[np.floating[Any]], scheme: PointScheme, tool: str) -> FacePoints:
    """Normalised points of pixels (T, P, 3), x to the right, y down, z away from the camera in the same unit.

    Points whose eyes lie at one place have an eye distance of 0 and make no face.
    """
    raw = scheme.on_mesh(pixels if scheme.has_depth else pixels * (1, 1, 0))
    known = normalise_landmarks(raw)[:, list(scheme.mesh)]
    return FacePoints(scheme=scheme, tool=tool, points=known, eye_distance_px=eye_distance(raw))


def is_upright(landmarks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether the mouth lies below the eyes of normalised landmarks (..., 478, 3): not in mirrored points, nor where y runs upwards."""
    return np.asarray(landmarks[..., _LIPS, 1].mean(axis=-1) > 0)


def is_in_order(landmarks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether the corners of each eye stand from left to right and the chin below the lips in normalised landmarks (..., 478, 3).

    They do in every face that is not seen from its side, and hardly ever in numbers that stand under the wrong names.
    """
    eyes = [landmarks[..., first, 0] < landmarks[..., second, 0] for first, second in _EYE_CORNERS]
    return np.asarray(eyes[0] & eyes[1] & (landmarks[..., _CHIN, 1] > landmarks[..., _LIPS, 1].mean(axis=-1)))


def seen_in(points: FacePoints) -> SeenFaces:
    """What a landmarker would have seen, without what needs a picture: NaN stands for what is not measured, and crops are black."""
    frames = len(points)
    unknown = np.full(frames, NOT_MEASURED, np.float32)
    landmarks = points.landmarks
    yaw = yaw_deg(landmarks) if points.scheme.has_depth else unknown
    return SeenFaces(
        faces=np.ones(frames, np.int64),
        landmarks=landmarks,
        blendshapes=np.full((frames, BLENDSHAPES), NOT_MEASURED, np.float32),
        normalised=landmarks,
        crops=np.zeros((frames, CROP_PX, CROP_PX), np.uint8),
        quality=np.stack([np.ones(frames, np.float32), points.eye_distance_px, unknown, unknown, yaw], axis=-1),
    )
