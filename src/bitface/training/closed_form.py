"""Solves R-EMO's heads at once, from whole-number statistics of what the random kernels count.

    Gram = sum of c c', moments = sum of c y', sums of c and of y, over counts c (F,) and targets y (E,), all int64
    W = (n Gram - s s' + strength * mean diagonal * I)^-1 (n moments - s t'),  b = (t - s' W) / n        (ridge regression)

s and t are the sums of c and y. Whole numbers have one sum in any order; the float64 solution follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.features import FaceValues
from bitface.models.random_net import RandomFaceNet, RandomLandmarkNet

LOGITS_PER_TARGET: Final = 6.0
"""A fitted 0 and a fitted 1 lie 3 logits to each side of 0."""
_ROWS_AT_ONCE: Final = 2048
_EXACT: Final = 2**53

RandomNet = RandomLandmarkNet | RandomFaceNet


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of n rows: `gram` int64 (F, F), `moments` (F, E), `sums` (F,), `positives` (E,)."""

    rows: int
    gram: NDArray[np.int64]
    moments: NDArray[np.int64]
    sums: NDArray[np.int64]
    positives: NDArray[np.int64]

    @classmethod
    def of(cls, counts: NDArray[np.int64] | NDArray[np.int8], targets: NDArray[np.int64] | NDArray[np.int8]) -> Self:
        """The statistics of counts (n, F) and targets (n, E).

        Raises:
            InputError: products could round: counts are too large to be added exactly.
        """
        largest = int(np.abs(counts, dtype=np.int64).max(initial=0))
        if _ROWS_AT_ONCE * largest**2 >= _EXACT:
            raise InputError(f"a count of {largest} is too large for exact statistics of {_ROWS_AT_ONCE} rows at once")
        features, outputs = counts.shape[1], targets.shape[1]
        gram, moments = np.zeros((features, features), np.int64), np.zeros((features, outputs), np.int64)
        for start in range(0, len(counts), _ROWS_AT_ONCE):
            # In float64 by BLAS, exact below 2^53 and many times faster than in int64.
            some = counts[start : start + _ROWS_AT_ONCE].astype(np.float64)
            gram += (some.T @ some).astype(np.int64)
            moments += (some.T @ targets[start : start + _ROWS_AT_ONCE].astype(np.float64)).astype(np.int64)
        return cls(
            rows=len(counts),
            gram=gram,
            moments=moments,
            sums=counts.sum(axis=0, dtype=np.int64),
            positives=targets.sum(axis=0, dtype=np.int64),
        )

    def solution(self, strength: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights float64 (F, E) and biases (E,) of a ridge regression of the targets; `strength` is above 0."""
        return ridge(self.rows, self.gram, self.moments, self.sums, self.positives, strength)


def ridge(
    rows: int,
    gram: NDArray[np.int64] | NDArray[np.float64],
    moments: NDArray[np.int64] | NDArray[np.float64],
    sums: NDArray[np.int64] | NDArray[np.float64],
    positives: NDArray[np.int64] | NDArray[np.float64],
    strength: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights float64 (F, E) and biases (E,) from sums as in Statistics, whole or real.

    `strength` is in units of the mean variance of a count, so that it means the same for any scale and any n.

    Raises:
        InputError: there is no row, or no count varies.
    """
    centred = np.asarray(rows * gram - np.outer(sums, sums), dtype=np.float64)
    spread = float(np.trace(centred)) / max(len(sums), 1)
    if not rows or spread <= 0:
        raise InputError(
            f"all {counted(rows, 'row')} of counts are the same; a closed-form head needs faces that differ"
        )
    centred[np.diag_indices(len(sums))] += strength * spread
    wanted = np.asarray(rows * moments - np.outer(sums, positives), dtype=np.float64)
    weights = scipy.linalg.solve(centred, wanted, assume_a="pos", overwrite_a=True, check_finite=False)
    biases = (positives - sums @ weights) / rows
    return np.asarray(weights, dtype=np.float64), np.asarray(biases, dtype=np.float64)


@torch.no_grad()
def counts_of(network: RandomNet, stills: FaceValues) -> NDArray[np.int8]:
    """What a one-bit network counts of stills (n, 1, ...), int8 (n, F)."""
    parts = (values.numpy().astype(np.int8) for values in _values(network, stills))
    return np.concatenate([np.zeros((0, network.spec.features), np.int8), *parts])


def _values(network: RandomNet, stills: FaceValues) -> Iterator[torch.Tensor]:
    for start in range(0, len(stills), _ROWS_AT_ONCE):
        some = torch.from_numpy(stills[start : start + _ROWS_AT_ONCE])
        ones = torch.ones(len(some), dtype=torch.int64)
        yield network.counts_of(some, ones[:, None] > 0, ones)


def set_heads(network: RandomNet, weights: NDArray[np.float64], biases: NDArray[np.float64]) -> None:
    """Makes the network answer by a solution on its counts, float64 (F, E) and (E,)."""
    _set_affine(
        network, mean=np.zeros(network.spec.features), deviation=np.full(network.spec.features, network.spec.unit)
    )
    _set_linear(network, weights * network.spec.unit, biases)


@torch.no_grad()
def solve_twin(
    network: RandomNet, stills: FaceValues, targets: NDArray[np.int64] | NDArray[np.int8], strength: float
) -> None:
    """Solves the heads of a float twin on its features, standardised over these stills."""
    values = torch.cat(list(_values(network, stills))).double()
    # Four deviations lie within the hard tanh.
    deviation = (4 * values.std(dim=0)).clamp_min(1e-6)
    _set_affine(network, mean=values.mean(dim=0).numpy(), deviation=deviation.numpy())
    features = ((values - values.mean(dim=0)) / deviation).clamp(-1, 1).numpy()
    y = targets.astype(np.float64)
    _set_linear(network, *ridge(len(y), features.T @ features, features.T @ y, features.sum(0), y.sum(0), strength))


def _set_affine(network: RandomNet, mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> None:
    norm = network.affine
    if norm.running_mean is None or norm.running_var is None:
        raise InputError("the network keeps no running statistics; build it again")
    with torch.no_grad():
        norm.running_mean.copy_(torch.from_numpy(mean))
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.copy_(torch.from_numpy(1 / deviation))
        norm.bias.zero_()


def _set_linear(network: RandomNet, weights: NDArray[np.float64], biases: NDArray[np.float64]) -> None:
    with torch.no_grad():
        network.heads.weight.copy_(torch.from_numpy(weights.T * LOGITS_PER_TARGET))
        network.heads.bias.copy_(torch.from_numpy((biases - 0.5) * LOGITS_PER_TARGET))
