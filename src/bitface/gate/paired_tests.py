"""Tests of two models on the same people: whose signs could as well be flipped, and how far one may lie behind."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from bitface.evaluation.resampling import sums_by_code

_SAME: Final = 1e-12
"""Sums that differ by less are one sum: floating-point addition must not break a tie."""
_AT_ONCE: Final = 500
"""Draws in memory: 7,000 people then take 28 MB, not 280."""


def by_person_sums(differences: NDArray[np.float64], persons: NDArray[np.str_]) -> NDArray[np.float64]:
    """Sums of per-sample differences, float64 (n, cells), over each person: float64 (people, cells)."""
    names, codes = np.unique(persons, return_inverse=True)
    return sums_by_code(differences, codes, len(names))


def sign_flip_p_values(sums: NDArray[np.float64], permutations: int, seed: int) -> NDArray[np.float64]:
    """One-sided p-values, float64 (cells,), that the candidate is worse: by-person sign-flip permutation test.

    If both models were equally good, a person's difference could as well have the other sign. All cells share the flips,
    and the observed signs count as one of them (Phipson & Smyth, 2010), so that p is never 0.

    `sums` float64 (people, cells): candidate minus champion, summed over each person's samples.
    """
    rng = np.random.default_rng(seed)
    observed, as_low = sums.sum(axis=0), np.zeros(sums.shape[1])
    for start in range(0, permutations, _AT_ONCE):
        size = (min(_AT_ONCE, permutations - start), len(sums))
        signs = 2.0 * rng.integers(2, size=size, dtype=np.int8) - 1.0
        as_low += (signs @ sums <= observed[None] + _SAME).sum(axis=0)
    return np.asarray((1 + as_low) / (1 + permutations))


def mcnemar_p_value(only_candidate: int, only_champion: int) -> float:
    """Exact one-sided p-value that the candidate is worse, from the samples that one model alone got right.

    Source: McNemar, 1947, with the binomial distribution; for cells in which each person has one sample.
    """
    return float(bdtr(only_candidate, only_candidate + only_champion, 0.5))
