"""Turns BatchNorm and sign into one integer comparison, so that a one-bit layer is the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError

COUNT_LIMIT = 2**23
"""Counts stay below it: float32 then adds integers without rounding in any order, and still resolves halves."""


@dataclass(frozen=True, kw_only=True)
class FoldedNorm:
    """sign(BatchNorm(scale * n)) of an integer n, as sign(slope) * (n > threshold ? +1 : -1).

    `thresholds` float64 (C,): halves between two integers, so that no tie exists; `slopes` float64 (C,): derivative of
    the BatchNorm with respect to n, whose sign says whether the comparison is turned round.
    """

    thresholds: NDArray[np.float64]
    slopes: NDArray[np.float64]

    @property
    def is_flipped(self) -> NDArray[np.bool_]:
        """Channels, bool (C,), whose filter is negated on export, because their slope is negative."""
        return self.slopes < 0


def fold_norm(
    *,
    gamma: NDArray[np.float64],
    beta: NDArray[np.float64],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    epsilon: float,
    count_scale: NDArray[np.float64],
) -> FoldedNorm:
    """Thresholds and slopes of sign(gamma * (count_scale * n - mean) / sqrt(variance + epsilon) + beta), each (C,).

    With a positive slope the sign is +1 for n >= t (0 is +1), hence n > ceil(t) - 1/2. With a negative one it is +1 for
    n <= t, hence -1 for n > floor(t) + 1/2. With gamma = 0 the sign is that of beta for every n.

    Raises:
        InputError: a count scale is not positive, or a statistic is not finite.
    """
    if not (count_scale > 0).all() or not np.isfinite(np.stack([gamma, beta, mean, variance, count_scale])).all():
        raise InputError("BatchNorm holds a value that is not finite, or a count scale that is not positive; retrain")
    slopes = gamma * count_scale / np.sqrt(variance + epsilon)
    constant = np.where(beta >= 0, -np.inf, np.inf)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.where(slopes == 0, constant, mean / count_scale - beta / slopes)
    thresholds = np.where(slopes < 0, np.floor(root) + 0.5, np.ceil(root) - 0.5)
    limit = COUNT_LIMIT - 0.5
    return FoldedNorm(thresholds=np.clip(thresholds, -limit, limit), slopes=slopes)
