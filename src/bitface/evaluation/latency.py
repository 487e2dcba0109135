"""Times runtimes in turn, so that a busy moment of the machine slows all of them and not the one it fell on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Median and 95th percentile of wall milliseconds over so many rounds."""

    p50_ms: float
    p95_ms: float
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median and quartiles over rounds of one run's time over another's.

    `quiet` compares the fastest round of each, which other work on the machine disturbed least. Other work slows a
    network that moves megabytes more than one that stays in the caches, and so flatters a small one's median.
    """

    median: float
    lo: float
    hi: float
    quiet: float

    @property
    def cautious(self) -> float:
        """The lower of median and `quiet`: what may be claimed."""
        return min(self.median, self.quiet)


def interleaved_latency(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Latency]:
    """Median and 95th percentile of `interleaved_ms`."""
    return {name: latency_of(taken) for name, taken in interleaved_ms(runs, rounds, warmup, clock).items()}


def interleaved_ms(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int,
    clock: Callable[[], float] = time.perf_counter,
    calls: int = 1,
) -> dict[str, NDArray[np.float64]]:
    """Calls every run in each round, and starts each round with another one, after `warmup` rounds that do not count.

    Milliseconds of every call, float64 (rounds,) by name; the median of a turn where a run is called several times.

    Args:
        runs: by name; each call is one unit of work, for example one face at batch 1.
        rounds: timed rounds, at least 1.
        warmup: rounds before them, 0 or more.
        calls: of each run in its turn, one after the other, at least 1. With 1, a run finds the caches full of its rivals'
            weights.
        clock: seconds, growing.

    Raises:
        InputError: nothing to run, or a number of rounds out of range.
    """
    if not runs or rounds < 1 or warmup < 0 or calls < 1:
        raise InputError(
            f"{len(runs)} runs, {rounds} rounds of {calls} calls, {warmup} to warm up; at least 1, 1, 1 and 0 are needed"
        )
    names = list(runs)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-warmup, rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            taken = [_seconds(runs[name], clock) for _ in range(calls)]
            if turn >= 0:
                seconds[name].append(float(np.median(taken)))
    return {name: 1000 * np.array(taken) for name, taken in seconds.items()}


def ratio_of(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> Ratio:
    """How many times as long one run takes as another, from interleaved times (rounds,)."""
    lo, middle, hi = np.percentile(theirs / ours, [25, 50, 75])
    return Ratio(median=float(middle), lo=float(lo), hi=float(hi), quiet=float(theirs.min() / ours.min()))


def _seconds(run: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start


def latency_of(milliseconds: NDArray[np.float64]) -> Latency:
    """Median and 95th percentile of measured times (rounds,)."""
    median, high = np.percentile(milliseconds, [50, 95])
    return Latency(p50_ms=float(median), p95_ms=float(high), rounds=len(milliseconds))
