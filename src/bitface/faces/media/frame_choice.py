"""Picks frames of a clip that is longer than is read of it."""

from __future__ import annotations


def evenly_spread(length: int, count: int) -> list[int]:
    """At most `count` of the indices below `length`, evenly spread from the first to the last."""
    if length <= count:
        return list(range(length))
    return [round(step * (length - 1) / max(1, count - 1)) for step in range(count)]
