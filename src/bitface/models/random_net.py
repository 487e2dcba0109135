"""R-EMO: networks whose convolutions are random, drawn from a seed and never trained, one-bit or as their float twins.

    landmarks -> int8 codes -> random +-1 kernels -> sign against random thresholds -> counts of +-1
    pixels -> int8 codes -> random +-1 4x4 kernels of stride 2 -> sign -> signs counted in the cells of a grid

and then the readout of every network. What is left to learn is linear in whole numbers, so that it can be solved at once,
and a person's part can be subtracted exactly (`training.closed_form`). Random convolutions: R-EMO of Di Luzio et al.
(arXiv 2407.14865); random kernels whose signs are pooled: ROCKET (arXiv 1910.13051). Twins have normal weights and ReLU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bitface.binarize.codes import PIXEL_DEVIATION
from bitface.binarize.sign import approx_sign
from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.features import CROP_PX
from bitface.models.clip_net import Precision
from bitface.models.face.face_clips import FaceClipNet
from bitface.models.landmark.landmark_clips import LandmarkClipNet
from bitface.models.landmark.landmark_codes import CodeScale
from bitface.models.random_kernels import DILATIONS, KERNEL_SIDE, face_kernels, landmark_kernels, padding

MAP_SIDE: Final = CROP_PX // 2
"""Rows and columns of a map of signs: the kernels' stride is 2."""


@dataclass(frozen=True, kw_only=True)
class RandomLandmarkSpec:
    """Sizes: `kernels` of `taps` landmarks each, thresholds spread by `threshold_codes`. `lstm_units` 0: no LSTM."""

    precision: Precision
    seed: int
    kernels: int
    taps: int
    threshold_codes: int
    lstm_units: int
    outputs: int
    dropout: float

    @property
    def features(self) -> int:
        """One count a kernel."""
        return self.kernels

    @property
    def unit(self) -> int:
        """The largest count."""
        return 1


@dataclass(frozen=True, kw_only=True)
class RandomFaceSpec:
    """Sizes: `kernels`, whose signs are counted in `cells` x `cells` squares. `lstm_units` 0: no LSTM."""

    precision: Precision
    seed: int
    kernels: int
    cells: int
    lstm_units: int
    outputs: int
    dropout: float

    def __post_init__(self) -> None:
        if self.kernels % len(DILATIONS):
            raise InputError(
                f"{self.kernels} random kernels; use a multiple of {len(DILATIONS)}, as many of each dilation"
            )
        if self.cells not in (2, 4, 8, 16):
            raise InputError(
                f"{self.cells} x {counted(self.cells, 'cell')}; use 2, 4, 8 or 16, so that means of counts are exact"
            )

    @property
    def features(self) -> int:
        """One count a kernel and cell."""
        return self.kernels * self.cells**2

    @property
    def unit(self) -> int:
        """The largest count: the signs in a cell."""
        return (MAP_SIDE // self.cells) ** 2


class RandomLandmarkNet(LandmarkClipNet):
    """One-vs-rest logits of clips of landmarks by random kernels; differentiable with respect to landmarks."""

    name = "random_landmark_net"
    spec: RandomLandmarkSpec
    kernels: Tensor
    thresholds: Tensor

    def __init__(self, spec: RandomLandmarkSpec, scale: CodeScale) -> None:
        super().__init__(scale)
        self.spec = spec
        drawn = landmark_kernels(spec.seed, spec.kernels, spec.taps, spec.threshold_codes)
        weights = drawn.dense()
        if spec.precision == "float":
            weights = weights * np.abs(_normal(spec.seed, weights.shape))
        self.register_buffer("kernels", torch.from_numpy(weights), persistent=False)
        self.register_buffer("thresholds", torch.from_numpy(drawn.thresholds), persistent=False)
        self._add_readout(spec)

    def counts(self, frames: Tensor, neighbours: Tensor) -> Tensor:  # noqa: ARG002 - frames stand alone
        """+-1 of each kernel, float32 (M, kernels), of code frames (M, 1434); the twin's are real."""
        # A gradient passes within one spread of the threshold.
        beyond = (frames @ self.kernels.T - self.thresholds) / self.spec.threshold_codes
        return approx_sign(beyond) if self.spec.precision == "one-bit" else functional.relu(beyond)


class RandomFaceNet(FaceClipNet):
    """One-vs-rest logits of clips of aligned faces by random kernels; differentiable in the pixels."""

    name = "random_face_net"
    spec: RandomFaceSpec
    kernels: Tensor

    def __init__(self, spec: RandomFaceSpec) -> None:
        super().__init__()
        self.spec = spec
        weights = face_kernels(spec.seed, spec.kernels).astype(np.float32)
        if spec.precision == "float":
            weights = weights * np.abs(_normal(spec.seed, weights.shape))
        self.register_buffer("kernels", torch.from_numpy(weights)[:, None], persistent=False)
        self._add_readout(spec)

    def counts(self, codes: Tensor) -> Tensor:
        """Counts, float32 (M, features), of codes (M, 64, 64): signs in each kernel's cells, kernels first."""
        maps = torch.cat([self._map(codes[:, None], half) for half in range(len(DILATIONS))], dim=1)
        pooled = functional.avg_pool2d(maps, MAP_SIDE // self.spec.cells)
        return (pooled * self.spec.unit).flatten(1) if self.spec.precision == "one-bit" else pooled.flatten(1)

    def _map(self, codes: Tensor, half: int) -> Tensor:
        """Signs, or rectified values, of one half of the kernels, (M, kernels / 2, 32, 32)."""
        before, after = padding(DILATIONS[half])
        padded = functional.pad(codes, (before, after, before, after))
        each = self.spec.kernels // len(DILATIONS)
        kernels = self.kernels[half * each : (half + 1) * each]
        # A gradient passes within one deviation of a sum of independent pixels.
        found = functional.conv2d(padded, kernels, stride=2, dilation=DILATIONS[half]) / (PIXEL_DEVIATION * KERNEL_SIDE)
        return approx_sign(found) if self.spec.precision == "one-bit" else functional.relu(found)


def _normal(seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
