"""Accuracies of slices and of all others, by person, and what exchanging people's slices makes of their difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.evaluation.predictions import Predictions
from bitface.evaluation.resampling import sums_by_code

_AT_ONCE: Final = 250
_SAME: Final = 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SliceTable:
    """Right answers and samples of each person, float64 (P,), and who is in which slice, float64 (P, K) of 0 and 1."""

    right: Floats
    samples: Floats
    inside: Floats

    def gaps(self, rows: Floats | None = None) -> Floats:
        """Accuracy of all others less that of the slice, float64 (R, K), under weights of people (R, P); one row for None."""
        inside, outside = self._shares(rows)
        return outside - inside

    def accuracies(self, rows: Floats | None = None) -> Floats:
        """Accuracy of each slice, float64 (R, K), NaN where nobody is drawn."""
        return self._shares(rows)[0]

    def exchanged(self, order: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Accuracy of each slice and of all others when people's slices are exchanged: orders (D, P) -> two (D, K)."""
        return self._of(self.right[order] @ self.inside, self.samples[order] @ self.inside)

    def _shares(self, rows: Floats | None) -> tuple[Floats, Floats]:
        weights = np.ones((1, len(self.right))) if rows is None else rows
        right, samples = weights @ (self.right[:, None] * self.inside), weights @ (self.samples[:, None] * self.inside)
        return self._of(right, samples, weights @ self.right, weights @ self.samples)

    def _of(
        self, right: Floats, samples: Floats, all_right: Floats | None = None, all_samples: Floats | None = None
    ) -> tuple[Floats, Floats]:
        total_right = self.right.sum() if all_right is None else all_right[:, None]
        total = self.samples.sum() if all_samples is None else all_samples[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return right / samples, (total_right - right) / (total - samples)


@dataclass(frozen=True, eq=False)
class Nulls:
    """What exchanging people's slices gives: gaps (D, K), and the widest difference within each attribute (D, A)."""

    gaps: Floats
    widest: Floats


@dataclass(frozen=True, kw_only=True)
class WidestGap:
    """A largest less a smallest accuracy as `seen`, what is left of it when the bias of taking extremes is taken off, its interval.

    With no difference at all, extremes differ by chance; with a large one, hardly. The bias is therefore measured where the
    accuracies probably are: drawn towards their mean by the share of their variance that resampling explains (James & Stein,
    1961, positive part), plus the noise of resampled people. The ends are those of two pivotal intervals, of accuracies drawn all the
    way to their mean and of accuracies as they are, whichever lies farther out.
    """

    seen: float
    corrected: float
    lo: float
    hi: float

    @classmethod
    def of(cls, accuracies: Floats, draws: Floats, confidence: float) -> WidestGap:
        """From accuracies (K,) and those of resampled people (R, K)."""
        sound = draws[np.isfinite(draws).all(axis=1)]
        noise = sound - accuracies
        explained = float(sound.var(axis=0).mean() / max(float(accuracies.var(ddof=1)), 1e-12))
        likely = accuracies.mean() + max(0.0, 1 - explained) * (accuracies - accuracies.mean())
        seen, tail = float(np.ptp(accuracies)), (1 - confidence) / 2
        bias = float(np.ptp(likely + noise, axis=1).mean() - np.ptp(likely))
        corrected = max(0.0, seen - bias)
        levels = (np.full_like(accuracies, accuracies.mean()), accuracies)
        moves = [np.ptp(level + noise, axis=1) - np.ptp(level) for level in levels]
        low, high = min(np.quantile(m, tail) for m in moves), max(np.quantile(m, 1 - tail) for m in moves)
        ends = max(0.0, seen - float(high)), min(1.0, seen - float(low))
        return cls(seen=seen, corrected=corrected, lo=min(ends[0], corrected), hi=max(ends[1], corrected))


def table_of(predictions: Predictions, masks: list[NDArray[np.bool_]]) -> SliceTable:
    """Counts by person; a mask (n,) holds all samples of a person or none."""
    persons, first, codes = np.unique(predictions.persons, return_index=True, return_inverse=True)
    inside = np.stack([mask[first] for mask in masks], axis=1) if masks else np.zeros((len(persons), 0))
    right = sums_by_code(predictions.correct(), codes, len(persons))
    return SliceTable(right, sums_by_code(np.ones(len(codes)), codes, len(persons)), inside.astype(np.float64))


def nulls_of(table: SliceTable, groups: list[list[int]], permutations: int, seed: int) -> Nulls:
    """Gaps when slices are exchanged between people at random, all slices of a person together.

    `groups`: the columns of each attribute, whose widest difference is taken.
    """
    rng, people = np.random.default_rng(seed), np.arange(len(table.right))
    gaps, widest = [], []
    for start in range(0, permutations, _AT_ONCE):
        order = rng.permuted(np.tile(people, (min(_AT_ONCE, permutations - start), 1)), axis=1)
        inside, outside = table.exchanged(order)
        gaps.append(outside - inside)
        widest.append(widest_of(inside, groups))
    return Nulls(np.concatenate(gaps), np.concatenate(widest))


def p_values_of(observed: Floats, drawn: Floats) -> list[float]:
    """One-sided p-values that a figure (K,) is larger than exchanging explains, (D, K); the observed one counts as one draw."""
    as_far = (drawn >= observed[None] - _SAME).sum(axis=0)
    return [float(p) for p in (1 + as_far) / (1 + len(drawn))]


def widest_of(accuracies: Floats, groups: list[list[int]]) -> Floats:
    """Largest less smallest accuracy within each group of columns: (R, K) -> (R, A)."""
    return np.stack([np.ptp(accuracies[:, group], axis=1) for group in groups], axis=1)
