"""Intervals that survive small groups and several faces of one person: resampled by person, and never zero wide by luck."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bitface.errors import InputError
from bitface.evaluation.resampling import Rows

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure and what the data leave open about it: `lo` to `hi` from `n` samples of `persons` people.

    `undefined_share`: the share of resamples in which the figure did not exist, for example without one smiling face.
    They are counted as if they lay beyond both ends, so that they can only widen the interval.
    """

    value: float
    lo: float
    hi: float
    n: int
    persons: int
    undefined_share: float = 0.0


def wilson(share: float, n: float, confidence: float) -> tuple[float, float]:
    """The score interval of a proportion. Source: Wilson, 1927, JASA 22.

    Args:
        share: observed proportion, 0..1.
        n: observations; need not be whole, see `effective_n`.
        confidence: for example 0.95.

    Raises:
        InputError: no observation, or a share outside 0..1.
    """
    if not n > 0 or not 0 <= share <= 1:
        raise InputError(f"no interval for a share of {share} of {n} observations; bring at least one sample")
    # The formula of statsmodels' proportion_confint, which takes 0.6 s to import and sixty times as long for one share. In its
    # order of operations the ends are the same to the last bit, and so are decisions that are replayed.
    observed = share * n / n
    quantile = -float(ndtri((1 - confidence) / 2))
    squared = quantile * quantile
    whole = 1 + squared / n
    centre = (observed + squared / (2 * n)) / whole
    half = quantile * math.sqrt(observed * (1 - observed) / n + squared / (4 * (n * n))) / whole
    lo, hi = max(0.0, centre - half), min(1.0, centre + half)
    # At 0 and 1 the formula gives the bound itself, up to a rounding error that must not matter.
    return (0.0 if share == 0 else lo), (1.0 if share == 1 else hi)


def effective_n(correct: NDArray[np.bool_], persons: Texts | NDArray[np.intp], intraclass_correlation: float) -> float:
    """How many independent samples a proportion over clustered samples is worth: n divided by the design effect.

    The design effect is the by-person (linearised) variance over the binomial one, never below 1 (Kish, 1965). Where all
    samples are right or all are wrong it cannot be estimated, and 1 + (m - 1) * `intraclass_correlation` is assumed, with
    m the mean samples of a person.

    `correct` bool (n,), `persons` str (n,) or their numbers, `intraclass_correlation` 0..1.

    Raises:
        InputError: no sample.
    """
    n = len(correct)
    if n == 0:
        raise InputError("no sample to count; the group is empty")
    _, codes = np.unique(persons, return_inverse=True)
    people = int(codes.max()) + 1
    share = float(correct.mean())
    assumed = 1 + (n / people - 1) * intraclass_correlation
    if share in (0.0, 1.0) or people < 2:
        return n / max(1.0, assumed)
    residual = np.bincount(codes, weights=correct - share)
    clustered = float((residual**2).sum()) / n**2 * people / (people - 1)
    return n / max(1.0, clustered / (share * (1 - share) / n))


def percentile_interval(
    value: float, draws: Floats, confidence: float, n: int, persons: int, least: float = 0.0, most: float = 1.0
) -> Interval:
    """The percentile interval of resampled figures (resamples,), NaN where undefined. Source: Efron, 1979.

    An undefined draw counts as below `lo` and as above `hi`, so its ignorance widens; the ends are kept within least..most.
    """
    tail = (1 - confidence) / 2
    undefined = np.isnan(draws)
    # What np.quantile of methods "lower" and "higher" gives, without its checks, which take longer than so few draws.
    low, high = math.floor(tail * (len(draws) - 1)), math.ceil((1 - tail) * (len(draws) - 1))
    lo = float(np.partition(np.where(undefined, least, draws), low)[low])
    hi = float(np.partition(np.where(undefined, most, draws), high)[high])
    return Interval(
        value=float(value),
        lo=min(max(lo, least), most),
        hi=min(max(hi, least), most),
        n=n,
        persons=persons,
        undefined_share=float(undefined.mean()),
    )


def proportion_interval(
    correct: NDArray[np.bool_],
    persons: Texts,
    weights: Rows,
    confidence: float,
    intraclass_correlation: float,
) -> Interval:
    """A proportion with the wider, at each end, of Wilson's interval at the effective n and the by-person bootstrap.

    Both, because the bootstrap of a group without an error is zero wide, and Wilson's knows nothing of uneven people.

    `correct` bool (n,), `persons` str (n,), `weights` (resamples, n) of `person_weights` or its like; the correlation within a person
    counts where it cannot be estimated, see `effective_n`.

    Raises:
        InputError: no sample.
    """
    share = float(correct.mean()) if len(correct) else math.nan
    names, codes = np.unique(persons, return_inverse=True)
    low, high = wilson(share, effective_n(correct, codes, intraclass_correlation), confidence)
    with np.errstate(invalid="ignore"):
        draws = weights @ correct / weights.sum(axis=1)
    drawn = percentile_interval(share, draws, confidence, len(correct), len(names))
    return widened(drawn, low, high)


def widened(interval: Interval, lo: float, hi: float) -> Interval:
    """The interval stretched to reach at least lo and hi."""
    return Interval(
        value=interval.value,
        lo=min(interval.lo, lo),
        hi=max(interval.hi, hi),
        n=interval.n,
        persons=interval.persons,
        undefined_share=interval.undefined_share,
    )


def quantile_interval(samples: Floats, share: float, confidence: float) -> Interval:
    """A quantile with its order-statistic interval (normal approximation of the ranks; Conover, 1999, section 3.2).

    `samples` float64 (n,), for example milliseconds; `share` 0.5 is the median. Raises InputError when there is none.
    """
    n = len(samples)
    if not n:
        raise InputError("no time was measured; measure at least one round")
    ordered = np.sort(samples)
    half = _quantile(confidence) * math.sqrt(n * share * (1 - share))
    value = float(np.quantile(ordered, share))
    lo = float(ordered[max(0, math.floor(n * share - half) - 1)])
    hi = float(ordered[min(n - 1, math.ceil(n * share + half))])
    return Interval(value=value, lo=min(lo, value), hi=max(hi, value), n=n, persons=0)


def mean_of_two(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float]:
    """Limits of the mean of two independent figures, each (value, lo, hi). Source: MOVER, Zou & Donner, 2008."""
    (a, a_lo, a_hi), (b, b_lo, b_hi) = first, second
    middle = (a + b) / 2
    return middle - math.hypot(a - a_lo, b - b_lo) / 2, middle + math.hypot(a_hi - a, b_hi - b) / 2


def seed_for(seed: int, name: str) -> int:
    """A seed of its own for each named figure, so that adding a figure changes no other."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)
