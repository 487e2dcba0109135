"""Picks frames of a clip that is longer than is read of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from statistics import median


def evenly_spread(length: int, count: int) -> list[int]:
    """At most `count` of the indices below `length`, evenly spread from the first to the last."""
    if length <= count:
        return list(range(length))
    return [round(step * (length - 1) / max(1, count - 1)) for step in range(count)]


def around_apex(times_s: Sequence[float], changes: Sequence[float], window_s: float, count: int) -> list[int]:
    """At most `count` indices of frames, in their order, evenly spread in time over `window_s` seconds around the apex.

    An acted clip begins neutral, so its apex is where it differs most from its first frame. Near an end of the clip the window is
    moved inwards, and a shorter clip is taken whole.

    Args:
        times_s: of each frame, growing; at least one.
        changes: of each frame, how much it differs from the first.
        window_s: how many seconds the chosen frames may lie apart.
        count: at least 2.
    """
    apex_s = times_s[_apex(changes)]
    start_s = max(times_s[0], min(apex_s - window_s / 2, times_s[-1] - window_s))
    step_s = (min(start_s + window_s, times_s[-1]) - start_s) / (count - 1)
    return sorted({_nearest(times_s, start_s + step * step_s) for step in range(count)})


def _apex(changes: Sequence[float]) -> int:
    """The first of the frames with the largest change, each taken as the median of itself and its neighbours: a flash is no face."""
    steady = [(median(changes[max(0, index - 1) : index + 2]), own) for index, own in enumerate(changes)]
    return steady.index(max(steady))


def _nearest(times_s: Sequence[float], wanted_s: float) -> int:
    after = min(bisect_left(times_s, wanted_s), len(times_s) - 1)
    before = max(after - 1, 0)
    return before if wanted_s - times_s[before] <= times_s[after] - wanted_s else after
