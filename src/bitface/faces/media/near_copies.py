"""Finds faces that stand twice in a set: the very same picture, or one that was stored anew, trimmed, mirrored, resized or lit otherwise.

It compares pictures and recognises nobody: two pictures of one person are not alike here. Of aligned crops, so that no trimming
matters, details of a few pixels are kept: neither how light a picture is, nor its noise. For each crop those most like it, as it is and
mirrored, are looked up by blocks of products. Landmarks of a small picture jump by pixels, so both of a pair are then laid upon one
another by a turn, a scale and a shift (inverse compositional alignment: Baker & Matthews, 2004), and their correlation decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.faces.features import CROP_PX

ALIKE: Final = 0.9
"""Correlation of two crops, once laid upon one another, from which they are copies."""
_MOST_LIKE: Final = 16
"""How many crops are looked at for each; a picture that stands more often is found by its chain of copies."""
_WORTH_A_LOOK: Final = 0.15
_BANDS: Final = ((3.0, 9.0), (1.0, 3.0))
_LOOKED_UP: Final = (1.5, 4.0)
_ROUGHLY: Final = 0.88
_ROUNDS: Final = 5
_ROWS: Final = 512
_PAIRS: Final = 1024
_STEP: Final = 2
_MARGIN: Final = 12
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Pairs of rows that show one picture: `first` < `second`, int64 (C,), and how alike they are, 0..1, float32 (C,)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    alike: Floats

    def __len__(self) -> int:
        return len(self.first)


def near_copies(crops: NDArray[np.uint8]) -> Copies:
    """Copies among aligned grey crops uint8 (N, 64, 64).

    Raises:
        InputError: crops of another shape.
    """
    if crops.ndim != 3 or crops.shape[1:] != (CROP_PX, CROP_PX) or crops.dtype != np.uint8:
        raise InputError(f"crops of {crops.dtype} {crops.shape} are not uint8 (N, {CROP_PX}, {CROP_PX})")
    if len(crops) < 2:
        none = np.zeros(0, np.int64)
        return Copies(first=none, second=none, alike=np.zeros(0, np.float32))
    coarse, fine = (_band(crops, *widths) for widths in _BANDS)
    first, second, mirrored = _candidates(_band(crops, *_LOOKED_UP))
    parts = (_Pairs(first[some], second[some], mirrored[some]) for some in _slices(len(first), _PAIRS))
    alike = np.concatenate([_alike(coarse, fine, part) for part in parts] or [np.zeros(0, np.float32)])
    found = alike >= ALIKE
    return Copies(first=first[found], second=second[found], alike=alike[found])


def _band(crops: NDArray[np.uint8], narrow: float, wide: float) -> Floats:
    """A difference of Gaussians of each crop, float32 (N, 64, 64)."""
    from scipy.ndimage import gaussian_filter

    grey = crops.astype(np.float32)
    return np.asarray(
        gaussian_filter(grey, (0, narrow, narrow)) - gaussian_filter(grey, (0, wide, wide)), dtype=np.float32
    )


def _candidates(band: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Pairs of rows, each once, that are among the most alike of one of them, and whether they are mirrored."""
    small = band[:, 2:62:_STEP, 2:62:_STEP]
    own, other = _unit(small), _unit(small[:, :, ::-1])
    count = min(_MOST_LIKE, len(band) - 1)
    pairs: dict[tuple[int, int], bool] = {}
    for rows in _slices(len(band), _ROWS):
        straight, turned = own[rows] @ own.T, other[rows] @ own.T
        likeness = np.maximum(straight, turned)
        likeness[np.arange(len(likeness)), np.arange(rows.start, rows.start + len(likeness))] = -1
        best = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        mine = np.repeat(np.arange(len(likeness)), count)
        theirs = best.ravel()
        worth = likeness[mine, theirs] >= _WORTH_A_LOOK
        for row, column in zip(mine[worth].tolist(), theirs[worth].tolist(), strict=True):
            pair = (min(row + rows.start, column), max(row + rows.start, column))
            pairs[pair] = bool(turned[row, column] > straight[row, column])
    ordered = sorted(pairs)
    table = np.array(ordered, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1], np.array([pairs[pair] for pair in ordered], dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """P pairs of rows, int64 (P,), and whether the second is mirrored, bool (P,)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    def where(self, picked: NDArray[np.intp]) -> _Pairs:
        return _Pairs(self.first[picked], self.second[picked], self.mirrored[picked])


def _alike(coarse: Floats, fine: Floats, pairs: _Pairs) -> Floats:
    """Correlation of pairs when the second is laid upon the first, float32 (P,); -1 where already the coarse look tells them apart."""
    found, rough_grid, grid = np.full(len(pairs.first), -1, np.float32), _grid(2 * _STEP), _grid(_STEP)
    start = _Laid(scale=np.ones(len(found), np.complex64), shift=np.zeros(len(found), np.complex64))
    rough = start.moved(coarse, pairs, rough_grid)
    near = np.flatnonzero(rough.likeness(coarse, pairs, rough_grid) >= _ROUGHLY)
    laid = _Laid(scale=rough.scale[near], shift=rough.shift[near]).moved(fine, pairs.where(near), grid)
    found[near] = laid.likeness(fine, pairs.where(near), grid)
    return found


@dataclass(frozen=True, eq=False, kw_only=True)
class _Laid:
    """How the second of P pairs is laid upon the first: z -> scale z + shift, complex64 (P,), of z = x + iy from the middle of a crop."""

    scale: NDArray[np.complex64]
    shift: NDArray[np.complex64]

    def likeness(self, band: Floats, pairs: _Pairs, place: NDArray[np.complex64]) -> Floats:
        """Correlations, float32 (P,)."""
        return np.asarray((_unit(_sampled(band, pairs.first, place)) * self._values(band, pairs, place)).sum(axis=1))

    def moved(self, band: Floats, pairs: _Pairs, place: NDArray[np.complex64]) -> _Laid:
        """Laid so that the second looks most like the first."""
        template, norm = _unit_and_norm(_sampled(band, pairs.first, place))
        across, down = (
            (_sampled(band, pairs.first, place + one) - _sampled(band, pairs.first, place - one)) / (2 * norm)
            for one in (1, 1j)
        )
        steps = np.stack(
            [across * place.real + down * place.imag, down * place.real - across * place.imag, across, down], axis=1
        )
        steps -= steps.mean(axis=2, keepdims=True)
        slopes = np.linalg.inv(steps @ steps.transpose(0, 2, 1) + 1e-6 * np.eye(4, dtype=np.float32))
        laid = self
        for _ in range(_ROUNDS):
            error = laid._values(band, pairs, place) - template
            a, b, x, y = (slopes @ (steps @ error[:, :, None]))[:, :, 0].T
            turned = (1 + a + 1j * b).astype(np.complex64)
            laid = _Laid(scale=laid.scale / turned, shift=laid.shift - laid.scale * (x + 1j * y) / turned)
        return laid

    def _values(self, band: Floats, pairs: _Pairs, place: NDArray[np.complex64]) -> Floats:
        there = self.scale[:, None] * place + self.shift[:, None]
        return _unit(_sampled(band, pairs.second, np.where(pairs.mirrored[:, None], -there.conj(), there)))


def _grid(step: int) -> NDArray[np.complex64]:
    """Places of the inner face as x + iy from the middle of a crop, complex64 (K,)."""
    line = np.arange(_MARGIN, CROP_PX - _MARGIN, step) - (CROP_PX - 1) / 2
    return np.asarray((line[None, :] + 1j * line[:, None]).ravel(), dtype=np.complex64)


def _sampled(band: Floats, rows: NDArray[np.int64], places: NDArray[np.complex64]) -> Floats:
    """Bilinear values of some rows of a band (N, 64, 64) at places (P, K) or (K,): float32 (P, K)."""
    middle, most = (CROP_PX - 1) / 2, CROP_PX - 1.001
    x, y = np.clip(places.real + middle, 0, most), np.clip(places.imag + middle, 0, most)
    left, top = x.astype(np.int64), y.astype(np.int64)
    right_share, low_share = (x - left).astype(np.float32), (y - top).astype(np.float32)
    corner = rows[:, None] * CROP_PX**2 + top * CROP_PX + left
    upper_left, upper_right, lower_left, lower_right = (
        band.ravel().take(corner + step) for step in (0, 1, CROP_PX, CROP_PX + 1)
    )
    upper = upper_left + right_share * (upper_right - upper_left)
    lower = lower_left + right_share * (lower_right - lower_left)
    return np.asarray(upper + low_share * (lower - upper), dtype=np.float32)


def _unit(values: Floats) -> Floats:
    return _unit_and_norm(values)[0]


def _unit_and_norm(values: Floats) -> tuple[Floats, Floats]:
    """Rows of mean 0 and length 1, float32 (N, K), and what they were divided by, (N, 1)."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    centred = flat - flat.mean(axis=1, keepdims=True)
    norm = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    return np.asarray(centred / norm, dtype=np.float32), np.asarray(norm, dtype=np.float32)


def _slices(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))
