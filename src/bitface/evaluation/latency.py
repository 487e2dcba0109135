"""Times runtimes in turn, so that a busy moment of the machine slows all of them and not the one it fell on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError

REFERENCE: Final = "reference"
"""The name of the fixed work that takes its turn beside the runtimes."""
Clock = Callable[[], float]
Times = dict[str, NDArray[np.float64]]


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Timings:
    """Milliseconds of every round, float64 (rounds,) by name: by the clock on the wall, and of processor time.

    Processor time is that of the whole process, so that work which a runtime hands to another thread counts. `cpu_ms` also
    holds `REFERENCE`.
    """

    wall_ms: Mapping[str, NDArray[np.float64]]
    cpu_ms: Mapping[str, NDArray[np.float64]]

    @property
    def slowdown(self) -> float:
        """Median over fastest time of the reference work: 1 on a machine that does nothing else."""
        return slowdown_of(self.cpu_ms[REFERENCE])


def slowdown_of(reference_ms: NDArray[np.float64]) -> float:
    """Median over fastest processor time of the reference work (rounds,); 1 where the clock is too coarse to see it."""
    fastest = float(reference_ms.min())
    return float(np.median(reference_ms)) / fastest if fastest > 0 else 1.0


def reference_work() -> Callable[[], object]:
    """Fixed work of a one-bit network's kind, about 0.1 ms: exclusive or and counted bits of 64 rows of 256 words."""
    rng = np.random.default_rng(0)
    words = rng.integers(2**63, size=(64, 256), dtype=np.uint64)
    code = rng.integers(2**63, size=256, dtype=np.uint64)

    def work() -> object:
        return [np.bitwise_count(words ^ code).sum(axis=1, dtype=np.int64) for _ in range(4)]

    return work


def quietest_timings(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int,
    attempts: int,
    slowdown_max: float,
    clocks: Sequence[Clock] = (time.perf_counter, time.process_time),
) -> Timings:
    """Times runs interleaved with the reference work, again where other work on the machine disturbed it.

    Of at most `attempts` measurements it keeps the one whose reference work was slowed least, and ends with the first that
    was slowed by `slowdown_max` or less. The choice looks at the reference alone, never at what is to be judged.

    Args:
        runs: as in `interleaved_ms`.
        rounds: timed rounds of a measurement, at least 1.
        warmup: rounds before them, 0 or more.
        attempts: at least 1.
        slowdown_max: median over fastest time of the reference, at least 1.
        clocks: seconds on the wall, and of processor time.

    Raises:
        InputError: as `interleaved_ms`.
    """
    best = _beside_reference(runs, rounds, warmup, clocks)
    for _ in range(attempts - 1):
        if best.slowdown <= slowdown_max:
            break
        best = min(best, _beside_reference(runs, rounds, warmup, clocks), key=lambda found: found.slowdown)
    return best


def _beside_reference(
    runs: Mapping[str, Callable[[], object]], rounds: int, warmup: int, clocks: Sequence[Clock]
) -> Timings:
    if not runs:
        raise InputError("no run to time beside the reference work; give at least one")
    wall, cpu = _interleaved({**runs, REFERENCE: reference_work()}, rounds, warmup, clocks)
    return Timings(wall_ms={name: wall[name] for name in runs}, cpu_ms=cpu)


def undisturbed_ms(
    cpu_ms: NDArray[np.float64], reference_ms: NDArray[np.float64], wall_ms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a run takes by itself, float64 (rounds,) milliseconds: nothing that other processes do can add to it.

    Each round's processor time, divided by how much longer the reference work took in that round than in its fastest, since
    neighbours that share caches slow both. Never below the run's fastest wall time, so that a run that waits, works in another
    process, or is finer than the processor's clock is not taken for nothing.
    """
    fastest = float(reference_ms.min())
    slowed = reference_ms / fastest if fastest > 0 else np.ones_like(reference_ms)
    return np.asarray(np.maximum(cpu_ms / slowed, float(wall_ms.min())))


def interleaved_latency(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int,
    clock: Clock = time.perf_counter,
) -> dict[str, Latency]:
    """Median and 95th percentile of `interleaved_ms`."""
    return {name: latency_of(taken) for name, taken in interleaved_ms(runs, rounds, warmup, clock).items()}


def interleaved_ms(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int,
    clock: Clock = time.perf_counter,
    calls: int = 1,
) -> Times:
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
    return _interleaved(runs, rounds, warmup, (clock,), calls)[0]


def ratio_of(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> Ratio:
    """How many times as long one run takes as another, from interleaved times (rounds,)."""
    lo, middle, hi = np.percentile(theirs / ours, [25, 50, 75])
    return Ratio(median=float(middle), lo=float(lo), hi=float(hi), quiet=float(theirs.min() / ours.min()))


def _interleaved(
    runs: Mapping[str, Callable[[], object]], rounds: int, warmup: int, clocks: Sequence[Clock], calls: int = 1
) -> list[Times]:
    """Milliseconds by each of the clocks."""
    if not runs or rounds < 1 or warmup < 0 or calls < 1:
        raise InputError(
            f"{counted(len(runs), 'run')}, {counted(rounds, 'round')} of {counted(calls, 'call')}, {warmup} to warm up; at least "
            "1, 1, 1 and 0 are needed"
        )
    names = list(runs)
    seconds: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    for turn in range(-warmup, rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            taken = [_seconds(runs[name], clocks) for _ in range(calls)]
            if turn >= 0:
                seconds[name].append(np.median(taken, axis=0))
    return [{name: 1000 * np.array(taken)[:, row] for name, taken in seconds.items()} for row in range(len(clocks))]


def _seconds(run: Callable[[], object], clocks: Sequence[Clock]) -> list[float]:
    # The clock read first is read last again, so that it times the others too and not the other way round.
    start = [clock() for clock in clocks]
    run()
    end = [clock() for clock in reversed(clocks)][::-1]
    return [last - first for first, last in zip(start, end, strict=True)]


def latency_of(milliseconds: NDArray[np.float64]) -> Latency:
    """Median and 95th percentile of measured times (rounds,)."""
    median, high = np.percentile(milliseconds, [50, 95])
    return Latency(p50_ms=float(median), p95_ms=float(high), rounds=len(milliseconds))
