"""The faces that explanations compare with: an explanation says why this score and not that of the baseline, so it is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bitface.errors import InputError
from bitface.faces.features import CROP_PX, LANDMARKS
from bitface.models.training_faces import TrainingFaces

SHAPES: Final = ((LANDMARKS, 3), (CROP_PX, CROP_PX))
BLURRED: Final = "the same face, blurred"
BLUR_PX: Final = 6.0
"""Standard deviation, a quarter of the eye distance: the blurred face keeps its light and outline and loses its features."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The face that explanations compare with: float32 normalised landmarks (478, 3), or a crop uint8 (64, 64)."""

    name: str
    face: NDArray[np.float32] | NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.face.shape not in SHAPES or not np.isfinite(self.face).all():
            raise InputError(
                f"baseline '{self.name}' is not {LANDMARKS} finite points, nor {CROP_PX} x {CROP_PX} pixels"
            )


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
