"""Says exactly how much each region of a face adds to a score: Shapley values over a few regions, every coalition asked.

    phi_i = sum over S without i of |S|! (k - |S| - 1)! / k! * (f(S and i) - f(S))                (Shapley, 1953)

f(S) is the score of a face that keeps the regions of S and has all others replaced by those of a baseline face. With k
regions that takes 2^k readings by the deployed model itself: no gradient, no sampling, and the values add up to
f(face) - f(baseline) by construction (efficiency). They are exact with respect to that baseline and to nothing else, so a
result names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.alignment import pixel_owners
from bitface.faces.features import FaceValues, Reads
from bitface.faces.regions import OUTSIDE, REGIONS, region_of_landmark, regions_of_owners

Score = Callable[[FaceValues, NDArray[np.int64]], NDArray[np.float32] | NDArray[np.float64]]
"""Scores (M, E), in log odds, of faces (M, T, ...) and their true numbers of frames int64 (M,)."""
REGIONS_MAX: Final = 12
"""4,096 readings; more take seconds."""
_VALUES_AT_ONCE: Final = 2**22


@dataclass(frozen=True, kw_only=True)
class RegionShapley:
    """What each region of one face adds to each emotion's score, against one baseline.

    `values` float64 (E, k), in log odds; `at_face` and `at_baseline` float64 (E,): the scores that the values lead from
    and to.
    """

    baseline: str
    regions: tuple[str, ...]
    values: NDArray[np.float64]
    at_face: NDArray[np.float64]
    at_baseline: NDArray[np.float64]

    @property
    def gap(self) -> float:
        """The largest |sum of values - (f(face) - f(baseline))| over emotions, in log odds: 0 up to rounding."""
        return float(np.abs(self.values.sum(axis=1) - (self.at_face - self.at_baseline)).max())


def regions_of_face(reads: Reads, landmarks: NDArray[np.float32]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Which region each value of a face belongs to, for `region_shapley`, and the names of the regions.

    Args:
        reads: what the model reads.
        landmarks: float32 (T, 478, 3), normalised; they say where in a crop the face is.

    Returns:
        int64 (478,) and the nine REGIONS for landmarks; int64 (T, 64, 64), REGIONS and OUTSIDE for crops.
    """
    if reads == "crops":
        return regions_of_owners(pixel_owners(landmarks)), (*REGIONS, OUTSIDE)
    return region_of_landmark(), tuple(REGIONS)


def region_shapley(
    score: Score,
    face: FaceValues,
    baseline: FaceValues,
    region_of: NDArray[np.int64],
    *,
    regions: Sequence[str],
    baseline_name: str,
) -> RegionShapley:
    """The exact Shapley values of the regions of one still or clip.

    Args:
        score: of the deployed model.
        face: one clip without its batch axis, (T, ...): landmarks (T, 478, 3) or crops (T, 64, 64).
        baseline: a face of the same kind and dtype, (...) or (T, ...).
        region_of: index into `regions` of each landmark (478,) or of each pixel of each frame (T, 64, 64). A region without
            any keeps the value 0.
        regions: names of the k regions.
        baseline_name: what the result says it was compared with.

    Raises:
        InputError: more than 12 regions or none, shapes that do not agree, or a region that has no name.
    """
    _check(face, baseline, region_of, len(regions))
    coalitions = all_coalitions(len(regions))
    lengths = np.full(len(coalitions), len(face), dtype=np.int64)
    asked = [
        np.asarray(score(mixed, lengths[: len(mixed)]), dtype=np.float64)
        for mixed in _mixed(face, baseline, region_of, coalitions)
    ]
    scores = np.concatenate(asked)
    return RegionShapley(
        baseline=baseline_name,
        regions=tuple(regions),
        values=(shapley_weights(len(regions)) @ scores).T,
        at_face=scores[-1],
        at_baseline=scores[0],
    )


@cache
def all_coalitions(players: int) -> NDArray[np.bool_]:
    """Every subset of k players once, bool (2^k, k): row c holds the bits of c, so the first is empty, the last is all."""
    coalitions = (np.arange(1 << players)[:, None] >> np.arange(players) & 1).astype(bool)
    coalitions.flags.writeable = False  # the next face is asked about the same ones
    return coalitions


@cache
def shapley_weights(players: int) -> NDArray[np.float64]:
    """The matrix (k, 2^k) that turns the values of `all_coalitions` into Shapley values."""
    coalitions = all_coalitions(players)
    size = coalitions.sum(axis=1)
    fact = [math.factorial(n) for n in range(players + 1)]
    share = np.array(
        [[fact[n - 1] * fact[players - n] if n else 0, fact[n] * fact[max(players - n - 1, 0)]] for n in size]
    )
    weights = np.where(coalitions, share[:, :1], -share[:, 1:]).T / fact[players]
    weights.flags.writeable = False
    return weights


def _mixed(
    face: FaceValues, baseline: FaceValues, region_of: NDArray[np.int64], coalitions: NDArray[np.bool_]
) -> Iterator[FaceValues]:
    """Faces of the coalitions in turn, (m, T, ...), as many at once as memory bears."""
    at_once = max(1, _VALUES_AT_ONCE // face.size)
    for start in range(0, len(coalitions), at_once):
        is_kept = coalitions[start : start + at_once][:, region_of]
        if region_of.ndim == 1:
            is_kept = is_kept[:, None, :, None]
        yield np.where(is_kept, face, baseline)


def _check(face: FaceValues, baseline: FaceValues, region_of: NDArray[np.int64], players: int) -> None:
    if not 1 <= players <= REGIONS_MAX:
        raise InputError(f"{counted(players, 'region')}; exact values take 2^k readings, use 1 to {REGIONS_MAX}")
    if face.ndim != 3 or not len(face) or region_of.shape not in (face.shape, face.shape[1:2]):
        raise InputError(f"regions of shape {region_of.shape} are not those of a face of shape {face.shape}")
    if baseline.shape not in (face.shape, face.shape[1:]) or baseline.dtype != face.dtype:
        raise InputError(f"a baseline of {baseline.dtype} {baseline.shape} for a face of {face.dtype} {face.shape}")
    if region_of.min() < 0 or region_of.max() >= players:
        raise InputError(f"a region numbered {region_of.max()} of {players}; name every region once")
