"""Times functions in turn, because a machine that slows down must slow all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError


def interleaved_ms(
    runs: Mapping[str, Callable[[], object]], rounds: int, warmup: int
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each call, float64 (rounds,) by name; each round calls every function once, after `warmup` rounds.

    Raises:
        InputError: no function, or no round.
    """
    if not runs or rounds < 1:
        raise InputError(f"{len(runs)} functions and {rounds} rounds measure nothing; give at least one of each")
    times = np.zeros((len(runs), rounds))
    for turn in range(-warmup, rounds):
        for row, run in enumerate(runs.values()):
            start = perf_counter_ns()
            run()
            if turn >= 0:
                times[row, turn] = (perf_counter_ns() - start) / 1e6
    return dict(zip(runs, times, strict=True))
