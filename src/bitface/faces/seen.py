"""What a landmarker saw in frames and pictures, as plain arrays: no vendor's type goes further than its adapter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import BLENDSHAPES, CROP_PX, LANDMARKS, FaceValues, Reads, flattened


@dataclass(frozen=True, kw_only=True)
class SeenFace:
    """One face of a picture.

    `box` float32 (4,): left, top, right, bottom of its landmarks in pixels, inside the picture. `landmarks` float32
    (478, 3) in pixels of the original picture, z in the same unit; `blendshapes` float32 (52,) in 0..1; `normalised`
    float32 (478, 3), see `alignment`; `crop` uint8 (64, 64); `quality` float32 (5,), see `quality.QUALITY_COLUMNS`,
    whose first value counts the faces of the whole picture.
    """

    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    normalised: NDArray[np.float32]
    crop: NDArray[np.uint8]
    quality: NDArray[np.float32]

    def column(self, reads: Reads) -> FaceValues:
        """What a network reads: normalised landmarks float32 (478, 3), or the crop uint8 (64, 64)."""
        if reads == "crops":
            return self.crop
        return self.normalised if reads == "landmarks" else flattened(self.normalised)


@dataclass(frozen=True, kw_only=True)
class SeenFaces:
    """The largest face of each of T frames; a frame without a face has `faces` 0 and zeros everywhere else.

    `faces` int64 (T,); the others as in SeenFace, with T in front.
    """

    faces: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    normalised: NDArray[np.float32]
    crops: NDArray[np.uint8]
    quality: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.faces)


NOTHING_SEEN = SeenFace(
    box=np.zeros(4, np.float32),
    landmarks=np.zeros((LANDMARKS, 3), np.float32),
    blendshapes=np.zeros(BLENDSHAPES, np.float32),
    normalised=np.zeros((LANDMARKS, 3), np.float32),
    crop=np.zeros((CROP_PX, CROP_PX), np.uint8),
    quality=np.zeros(5, np.float32),
)
"""Stands in a clip for a frame in which no face was found; its quality row says 0 faces."""
