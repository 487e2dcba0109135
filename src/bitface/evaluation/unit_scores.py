"""How well action units are read off faces, each figure with an interval over people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.evaluation.intervals import Interval, percentile_interval, seed_for
from bitface.evaluation.resampling import person_weights
from bitface.evaluation.scores import f1_of
from bitface.params import EvaluationParams

Floats = NDArray[np.float64]
_STILL = 1e-12
"""A variance below it is none: the unit does not move."""


@dataclass(frozen=True, kw_only=True)
class UnitReadings:
    """Of N frames and U units: `said` and `known` intensities float64 (N, U) in 0..1, `persons` str (N,).

    A unit counts as known to be shown from `shown_from` on, and as found from its own level on, `levels` float64 (U,).
    """

    units: tuple[int, ...]
    said: Floats
    known: Floats
    persons: NDArray[np.str_]
    levels: Floats
    shown_from: float


@dataclass(frozen=True, kw_only=True)
class UnitScore:
    """Figures of a unit: Pearson's correlation of intensities, F1 of being shown, and in how many frames it is shown."""

    shown: int
    correlation: Interval
    f1: Interval


@dataclass(frozen=True, kw_only=True)
class UnitReport:
    """Figures by number of FACS, their plain means, and `unjudged` units: unknown, never shown, or shown always."""

    units: Mapping[int, UnitScore]
    unjudged: tuple[int, ...]
    mean_correlation: Interval
    mean_f1: Interval


def score_units(readings: UnitReadings, params: EvaluationParams, seed: int) -> UnitReport:
    """All figures of a net's readings. A net that says the same of every face has a correlation of 0, not none.

    Raises:
        InputError: no unit can be judged.
    """
    known = readings.known
    shown = known >= readings.shown_from
    judged = np.flatnonzero(np.isfinite(known).all(0) & shown.any(0) & ~shown.all(0)).tolist()
    if not judged:
        units = counted(len(readings.units), "action unit")
        raise InputError(f"none of {units} is both shown and absent in {counted(len(known), 'frame')}")
    said, known, shown = readings.said[:, judged], known[:, judged], shown[:, judged]
    found = said >= readings.levels[judged]
    weights = person_weights(readings.persons, params.bootstrap_resamples, seed_for(seed, "units"))
    correlations = (correlation_of(said, known, None)[0], correlation_of(said, known, weights))
    f1 = (f1_of(shown, found, None)[0], f1_of(shown, found, weights))
    n, people = len(known), len(np.unique(readings.persons))

    def interval(figures: tuple[Floats, Floats], column: int | None, least: float) -> Interval:
        value, draws = figures
        own = (value.mean(), draws.mean(1)) if column is None else (value[column], draws[:, column])
        return percentile_interval(float(own[0]), own[1], params.confidence, n, people, least)

    return UnitReport(
        units={
            readings.units[index]: UnitScore(
                shown=int(shown[:, column].sum()),
                correlation=interval(correlations, column, -1.0),
                f1=interval(f1, column, 0.0),
            )
            for column, index in enumerate(judged)
        },
        unjudged=tuple(unit for index, unit in enumerate(readings.units) if index not in judged),
        mean_correlation=interval(correlations, None, -1.0),
        mean_f1=interval(f1, None, 0.0),
    )


def correlation_of(said: Floats, known: Floats, weights: Floats | None) -> Floats:
    """Pearson's correlation of columns (n, U) under each row of weights (R, n), float64 (R, U); one row of ones for None.

    NaN where `known` does not vary, 0 where only `said` does not.
    """
    rows = np.ones((1, len(said))) if weights is None else weights
    shares = rows / rows.sum(1, keepdims=True)
    # About the plain means, so that squares lose no digits.
    one, other = said - said.mean(0), known - known.mean(0)
    means = shares @ one, shares @ other
    covariance = shares @ (one * other) - means[0] * means[1]
    variances = [shares @ (x * x) - mean * mean for x, mean in zip((one, other), means, strict=True)]
    moves = np.minimum(*variances) > _STILL
    scale = np.sqrt(np.maximum(variances[0] * variances[1], _STILL**2))
    return np.where(variances[1] > _STILL, np.where(moves, covariance / scale, 0.0), np.nan)
