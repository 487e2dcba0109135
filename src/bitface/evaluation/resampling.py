"""People drawn with replacement, kept as one count per person: what many samples of many people can be resampled with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]
Columns = Floats | NDArray[np.int64] | NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PersonResamples:
    """Weights of n samples in R resamples of P people, without writing them out: `counts` (R, P), and each sample's person (n,).

    Stands where an array (R, n) of `person_weights` does, for sums: `rows @ columns`, `rows[:, mask]`, `rows.sum(axis=1)`.
    The sums are those of that array, but for the order in which they are added.
    """

    counts: Floats
    codes: NDArray[np.intp]

    def __matmul__(self, columns: Columns) -> Floats:
        """Weighted sums of columns (n,) or (n, K): float64 (R,) or (R, K)."""
        return np.asarray(self.counts @ sums_by_code(columns, self.codes, self.counts.shape[1]))

    def __getitem__(self, key: tuple[slice, NDArray[np.bool_] | NDArray[np.int64]]) -> PersonResamples:
        """The weights of the samples that `key[1]` picks."""
        return PersonResamples(self.counts, self.codes[key[1]])

    def sum(self, axis: int) -> Floats:
        """The weight of all samples in each resample, float64 (R,); `axis` is 1."""
        if axis != 1:
            raise InputError(f"sums of resamples run over samples, axis 1, not {axis}")
        return self @ np.ones(len(self.codes))


Rows = Floats | PersonResamples
"""Weights of samples in resamples, as an array (R, n) or by person."""


def person_weights(persons: Texts, resamples: int, seed: int) -> Floats:
    """How often each sample is in each resample of people drawn with replacement: whole numbers, float64 (resamples, n).

    Raises:
        InputError: no sample.
    """
    drawn = person_resamples(persons, resamples, seed)
    return drawn.counts[:, drawn.codes]


def person_resamples(persons: Texts, resamples: int, seed: int) -> PersonResamples:
    """The same draws, by person. Raises InputError where there is no sample."""
    names, codes = np.unique(persons, return_inverse=True)
    if len(names) == 0:
        raise InputError("no person to draw; the group is empty")
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return PersonResamples(counts.astype(np.float64), codes)


def sums_by_code(columns: Columns, codes: NDArray[np.intp], size: int) -> Floats:
    """Sums of columns (n,) or (n, K) over the samples of each code below `size`: float64 (size,) or (size, K)."""
    if columns.ndim == 1:
        return np.asarray(np.bincount(codes, weights=columns, minlength=size), dtype=np.float64)
    return np.stack([np.bincount(codes, weights=column, minlength=size) for column in columns.T], axis=1)
