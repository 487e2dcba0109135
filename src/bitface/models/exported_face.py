"""What is left of a one-bit face net when it only has to answer: integer arrays and a small float head, in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.models.exported import FloatHead


@dataclass(frozen=True, kw_only=True)
class BinaryLayer:
    """One block: `stream += factors * (filters * sign)`, sign = +1 where stream > threshold, turned where `is_flipped`.

    `thresholds` float32 (I,), halves between integers; `is_flipped` bool (I,); `filters` int8 +-1 (O, I, 3, 3), beyond
    the border lies -1; `factors` int32 (O,). With `stride` 2 the stream is summed over 2x2 squares and duplicated.
    """

    thresholds: NDArray[np.float32]
    is_flipped: NDArray[np.bool_]
    filters: NDArray[np.int8]
    factors: NDArray[np.int32]
    stride: int

    def __post_init__(self) -> None:
        outputs, inputs = self.filters.shape[:2]
        if self.thresholds.shape != (inputs,) or self.is_flipped.shape != (inputs,) or self.factors.shape != (outputs,):
            raise InputError(
                f"a binary layer of {inputs} to {outputs} channels has arrays of other lengths; export again"
            )
        if (self.thresholds == np.rint(self.thresholds)).any():
            raise InputError("a threshold is a whole number, so a tie could fall either way; export again")


@dataclass(frozen=True, kw_only=True)
class FaceTrunk:
    """The integer part. `stem` int8 (C, 1, 3, 3), of stride 2 on pixels minus 128; beyond the border lies 0."""

    stem: NDArray[np.int8]
    layers: tuple[BinaryLayer, ...]


@dataclass(frozen=True, kw_only=True)
class FaceHead:
    """The float part: `position_weights` float32 (positions, C) make one number of each channel; `readout` does the rest."""

    position_weights: NDArray[np.float32]
    readout: FloatHead

    @property
    def orientation(self) -> int:
        """No exported count is the negative of the trained one."""
        return 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for a file."""
        return {"position_weights": self.position_weights, **self.readout.arrays()}

    def logits(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits float32 (N, E) of counts (N, T, positions, C), all of T true frames."""
        return self.readout.logits(np.einsum("ntpc,pc->ntc", counts, self.position_weights))
