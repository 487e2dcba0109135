"""What is left of a one-bit face net's convolutions when it only has to answer: integer arrays, in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError


@dataclass(frozen=True, kw_only=True)
class BinaryLayer:
    """One block: `stream += factors * (filters * sign)`, sign = +1 where stream > threshold, turned where `is_flipped`.

    `thresholds` float32 (I,), halves between integers; `is_flipped` bool (I,); `filters` int8 +-1 (O, I, 3, 3), beyond
    the border lies -1; `factors` int32 (O,). With `stride` 2 the stream is summed over 2x2 squares first, and `sources`
    int64 (O,) are the channels of those sums that the outputs are added to; with stride 1 each its own.
    """

    thresholds: NDArray[np.float32]
    is_flipped: NDArray[np.bool_]
    filters: NDArray[np.int8]
    factors: NDArray[np.int32]
    stride: int
    sources: NDArray[np.int64]

    def __post_init__(self) -> None:
        outputs, inputs = self.filters.shape[:2]
        _check(self.thresholds, self.is_flipped, inputs)
        if self.factors.shape != (outputs,):
            raise InputError(f"a binary layer of {outputs} outputs has {len(self.factors)} factors; export again")
        if self.sources.shape != (outputs,) or not ((self.sources >= 0) & (self.sources < inputs)).all():
            raise InputError(f"sources of a binary layer are not {outputs} of {inputs} channels; export again")


@dataclass(frozen=True, kw_only=True)
class Readout:
    """`counts = filters * sign` of a 4x4 map, pooled by sums of `pooled_side` x `pooled_side`; fields as in BinaryLayer.

    `filters` int8 +-1 (F, I, 4, 4).
    """

    thresholds: NDArray[np.float32]
    is_flipped: NDArray[np.bool_]
    filters: NDArray[np.int8]
    pooled_side: int

    def __post_init__(self) -> None:
        _check(self.thresholds, self.is_flipped, self.filters.shape[1])


@dataclass(frozen=True, kw_only=True)
class FaceTrunk:
    """The integer part. `stem` int8 (C, 1, 3, 3), of stride 2 on codes; beyond the border lies 0."""

    stem: NDArray[np.int8]
    layers: tuple[BinaryLayer, ...]
    readout: Readout


def _check(thresholds: NDArray[np.float32], is_flipped: NDArray[np.bool_], inputs: int) -> None:
    if thresholds.shape != (inputs,) or is_flipped.shape != (inputs,):
        raise InputError(f"comparisons of {inputs} channels have arrays of other lengths; export again")
    if (thresholds == np.rint(thresholds)).any():
        raise InputError("a threshold is a whole number, so a tie could fall either way; export again")
