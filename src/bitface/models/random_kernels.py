"""Balanced random kernels of R-EMO, made from a seed wherever they are needed: a model ships the seed and no kernel.

Half of a kernel's weights are +1 and half -1, so that a shift of all its inputs cancels exactly. Draws are raw outputs of
PCG64 (O'Neill, 2014), a stream that numpy keeps for good, sorted or added: every machine makes the same kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.features import LANDMARKS
from bitface.faces.regions import REGIONS, region_of_landmark

KERNEL_SIDE: Final = 4
DILATIONS: Final = (2, 4)
"""Pixels between the taps of a face kernel, for the first and the second half of the kernels."""
TAPS_MAX: Final = min(len(points) for points in REGIONS.values()) // 2 * 2
_AXES: Final = 2  # across and up: depth is what the landmarker guesses
_UNIFORMS: Final = 12


@dataclass(frozen=True, kw_only=True)
class LandmarkKernels:
    """F kernels over codes: the sum at `plus` less the sum at `minus` is compared with the threshold.

    `plus`, `minus` int64 (F, taps / 2), places among the 1,434 codes; `thresholds` float32 (F,), halves between integers.
    """

    plus: NDArray[np.int64]
    minus: NDArray[np.int64]
    thresholds: NDArray[np.float32]

    def dense(self) -> NDArray[np.float32]:
        """The kernels as rows of weights, float32 (F, 1434)."""
        weights = np.zeros((len(self.plus), LANDMARKS * 3), np.float32)
        rows = np.arange(len(self.plus))[:, None]
        weights[rows, self.plus], weights[rows, self.minus] = 1, -1
        return weights


def landmark_kernels(seed: int, kernels: int, taps: int, spread: float) -> LandmarkKernels:
    """Kernels that each weigh `taps` landmarks of one region of the face, each across or up.

    Args:
        seed: of all draws.
        kernels: how many; a region gets as many as it has landmarks, in the mean.
        taps: even, 2 to 18, the size of the smallest region.
        spread: standard deviation of the thresholds, in codes.

    Raises:
        InputError: taps are odd or more than a region has.
    """
    if not 2 <= taps <= TAPS_MAX or taps % 2:
        raise InputError(f"{counted(taps, 'landmark')} in a random kernel; use an even number from 2 to {TAPS_MAX}")
    draws = np.random.PCG64(seed).random_raw((kernels, 1 + LANDMARKS + taps + _UNIFORMS))
    region = region_of_landmark()
    of_kernel = region[draws[:, 0] % np.uint64(LANDMARKS)]
    # The landmarks of the kernel's region, in an order of the draws; those of other regions come last.
    order = np.where(of_kernel[:, None] == region, draws[:, 1 : 1 + LANDMARKS] >> np.uint64(1), np.uint64(2**63))
    points = np.argsort(order, axis=1, kind="stable")[:, :taps]
    axes = (draws[:, 1 + LANDMARKS : 1 + LANDMARKS + taps] % np.uint64(_AXES)).astype(np.int64)
    places = points * 3 + axes
    uniform = (draws[:, -_UNIFORMS:] >> np.uint64(11)) * 2.0**-53
    # The sum of twelve uniform numbers is nearly normal, and no library's logarithm has a part in it.
    thresholds = np.rint((uniform.sum(axis=1) - _UNIFORMS / 2) * spread) + 0.5
    return LandmarkKernels(
        plus=places[:, : taps // 2], minus=places[:, taps // 2 :], thresholds=thresholds.astype(np.float32)
    )


def face_kernels(seed: int, kernels: int) -> NDArray[np.int8]:
    """Kernels int8 (kernels, 4, 4) of eight +1 and eight -1 each."""
    taps = KERNEL_SIDE * KERNEL_SIDE
    ranks = np.argsort(np.argsort(np.random.PCG64(seed).random_raw((kernels, taps)), axis=1, kind="stable"), axis=1)
    signs = np.where(ranks < taps // 2, 1, -1).astype(np.int8)
    return signs.reshape(kernels, KERNEL_SIDE, KERNEL_SIDE)


def padding(dilation: int) -> tuple[int, int]:
    """Pixels of padding before and after, with which a face kernel of stride 2 gives half as many rows and columns."""
    extent = (KERNEL_SIDE - 1) * dilation + 1
    return (extent - 2) // 2, (extent - 1) // 2
