"""The faces that explanations compare with: an explanation says why this score and not that of the baseline, so it is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bitface.errors import InputError
from bitface.faces.features import CROP_PX, LANDMARKS, FaceValues
from bitface.models.face.training_faces import TrainingFaces

SHAPES: Final = ((LANDMARKS, 3), (CROP_PX, CROP_PX))
BLURRED: Final = "the same face, blurred"
BLUR_PX: Final = 6.0
"""Standard deviation, a quarter of the eye distance: the blurred face keeps its light and outline and loses its features."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The face that explanations compare with: float32 normalised landmarks (478, 3), or a crop uint8 (64, 64)."""

    name: str
    face: FaceValues

    def __post_init__(self) -> None:
        if self.face.shape not in SHAPES or not np.isfinite(self.face).all():
            raise InputError(
                f"baseline '{self.name}' is not {LANDMARKS} finite points, nor {CROP_PX} x {CROP_PX} pixels"
            )


@dataclass(frozen=True, kw_only=True)
class Faces:
    """What is explained, and what it is compared with.

    `inputs`: normalised landmarks float32 (N, T, 478, 3), or crops uint8 (N, T, 64, 64); `lengths` int64 (N,), true frames,
    1 to T; `baseline` is shown in every frame; `owners`: for crops, the landmark that each pixel is counted to, 478 for none,
    int64 (N, T, 64, 64), see `alignment.pixel_owners`.

    Raises:
        InputError: no face, or shapes that do not agree.
    """

    inputs: FaceValues
    lengths: NDArray[np.int64]
    baseline: Baseline
    owners: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        shape = self.inputs.shape
        if len(shape) != 4 or shape[2:] not in SHAPES or not len(self.inputs):
            raise InputError(
                f"faces of shape {shape} are not (N, T, {LANDMARKS}, 3) or (N, T, {CROP_PX}, {CROP_PX}), N of 1 or more"
            )
        if self.lengths.shape != shape[:1] or self.lengths.min() < 1 or self.lengths.max() > shape[1]:
            raise InputError(f"lengths must be {len(self.inputs)} whole numbers between 1 and {shape[1]}")
        if (shape[2:] == (CROP_PX, CROP_PX)) != (self.owners is not None and self.owners.shape == shape):
            raise InputError(
                "crops need the landmark that each pixel is counted to, and landmarks are counted to themselves"
            )

    def where(self, rows: NDArray[np.int64]) -> Faces:
        """These rows of it."""
        owners = None if self.owners is None else self.owners[rows]
        return replace(self, inputs=self.inputs[rows], lengths=self.lengths[rows], owners=owners)


def baselines_of(faces: TrainingFaces) -> tuple[Baseline, ...]:
    """The training people's mean face first, and the neutral one where there is one."""
    what = "landmarks" if faces.mean.shape == SHAPES[0] else "crop"
    mean = Baseline(name=f"mean {what} of training people", face=faces.mean)
    if faces.neutral is None:
        return (mean,)
    return mean, Baseline(name=f"mean {what} of training people with a neutral face", face=faces.neutral)


def blurred(crop: NDArray[np.uint8]) -> Baseline:
    """The face itself without its features: a crop uint8 (64, 64), blurred."""
    soft = gaussian_filter(crop.astype(np.float64), BLUR_PX, mode="nearest")
    return Baseline(name=BLURRED, face=np.rint(soft).astype(np.uint8))
