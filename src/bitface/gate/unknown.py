"""What the people could change of whom something is not known: they are taken to be where they would do most harm.

Whatever is hidden is among what is assumed here, so that hiding a value can only make a figure worse.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
UNKNOWN: Final = "unknown"
"""The value of an attribute of a person who did not tell it."""


def lowest_mean(
    sums: Floats, counts: Floats, inside: NDArray[np.bool_], hidden: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Who would be in a slice at worst: mask (P,) of its people and of the hidden ones who lower its mean most.

    `sums` and `counts` float64 (P,): what is averaged, and over how many samples, of each person; `inside` and `hidden` are
    masks of people, and nobody is in both. The slice has a person.
    """
    order = _lowest_first(sums, counts, hidden)
    means = (sums[inside].sum() + _running(sums[order])) / (counts[inside].sum() + _running(counts[order]))
    taken = inside.copy()
    taken[order[: int(means.argmin())]] = True
    return np.asarray(taken)


def widest_gap(
    right: Floats, samples: Floats, inside: NDArray[np.bool_], hidden: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Who would be in a slice at worst, bool (P,): accuracy of all others less that of the slice is then largest.

    Each hidden person belongs to one of the two. At the worst all hidden people up to some accuracy are in the slice, and the
    others are not; every such limit is tried that leaves a person outside. Arguments as in `lowest_mean`: right answers and
    samples of each person. A person is outside the slice.
    """
    order = _lowest_first(right, samples, hidden)
    left = len(right) - int(inside.sum()) - np.arange(len(order) + 1)
    slice_right, slice_n = (
        right[inside].sum() + _running(right[order]),
        samples[inside].sum() + _running(samples[order]),
    )
    some = left > 0
    gaps = (right.sum() - slice_right[some]) / (samples.sum() - slice_n[some]) - slice_right[some] / slice_n[some]
    taken = inside.copy()
    taken[order[: int(gaps.argmax())]] = True
    return np.asarray(taken)


def _lowest_first(sums: Floats, counts: Floats, hidden: NDArray[np.bool_]) -> NDArray[np.intp]:
    found = np.flatnonzero(hidden)
    return np.asarray(found[np.argsort(sums[found] / counts[found], kind="stable")])


def _running(values: Floats) -> Floats:
    """Sums of the first 0, 1, 2, ... values."""
    return np.concatenate([[0.0], np.cumsum(values)])
