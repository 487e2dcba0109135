"""Knows a picture again that was stored anew, made smaller or trimmed: by where it is brighter than beside it, and not by whose face it
shows.

The look of a picture is a difference hash (N. Krawetz, "Kind of Like That", 2013) of 512 bits: mean luminance on a grid of 17 x 17
fields, each compared with the field to its right and the one below. It is cut into 32 bands of 16 bits; two pictures are alike where 12
bands are equal, bands of one sign left out, since every plain background has them. docs/attacks.md says what that finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.faces.media.frame_choice import evenly_spread

BANDS: Final = 32
ALIKE_BANDS: Final = 12
"""Of 204 portraits by one camera no two of different people have more than 10."""
_FIELDS: Final = 17
_PIXELS: Final = 32 * _FIELDS
_LUMINANCE: Final = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_PLAIN: Final = (0, 0xFFFF)
_FRAMES: Final = 3
_Margins = tuple[float, float, float, float]
_NARROW, _WIDE = 0.01, 0.02
_MARGINS: Final = (
    (0.0, 0.0, 0.0, 0.0),
    (_NARROW,) * 4,
    (_WIDE,) * 4,
    (_WIDE, _WIDE, 0.0, 0.0),
    (0.0, 0.0, _WIDE, _WIDE),
    (_WIDE, 0.0, 0.0, _WIDE),
    (0.0, _WIDE, _WIDE, 0.0),
)
"""Left, top, right and bottom, as shares of a side: what may have been cut off a picture that is asked about."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """By what a picture is known again: the SHA-256 of its stored bytes, and its looks, 64 bytes each."""

    sha256: str
    looks: tuple[bytes, ...] = ()


def looks_kept(frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> tuple[bytes, ...]:
    """The looks of a sample that is stored: of a still one, of a clip those of its first, middle and last frame."""
    return tuple(look_of(frames[index]) for index in evenly_spread(len(frames), _FRAMES))


def looks_asked(frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> tuple[bytes, ...]:
    """The looks by which a sample is looked for: as it is, and as it was if up to a fiftieth of a side was cut off."""
    chosen = [frames[index] for index in evenly_spread(len(frames), _FRAMES)]
    return tuple(dict.fromkeys(look for frame in chosen for look in _looks(frame, _told_apart(frame))))


def _told_apart(frame: NDArray[np.uint8]) -> list[_Margins]:
    """The margins that give other fields than those before them: of a picture of 48 pixels a hundredth is no pixel."""
    height, width = (len(range(0, side, max(1, side // _PIXELS))) for side in frame.shape[:2])
    apart: dict[tuple[bytes, bytes], _Margins] = {}
    for left, top, right, bottom in _MARGINS:
        fields = _starts(height, top, bottom).tobytes(), _starts(width, left, right).tobytes()
        apart.setdefault(fields, (left, top, right, bottom))
    return list(apart.values())


def look_of(frame: NDArray[np.uint8], margins: _Margins = _MARGINS[0]) -> bytes:
    """The look of uint8 (H, W, 3) RGB, 64 bytes; `margins` are taken for cut off, see `looks_asked`."""
    return next(_looks(frame, [margins]))


def _looks(frame: NDArray[np.uint8], every: Iterable[_Margins]) -> Iterator[bytes]:
    # Every so many pixels are enough for a mean, and a picture of 25 megapixels would take a second.
    frame = frame[:: max(1, frame.shape[0] // _PIXELS), :: max(1, frame.shape[1] // _PIXELS)]
    height, width = frame.shape[:2]
    # The sum of any field is then a difference of four, for all margins alike.
    sums = np.zeros((height + 1, width + 1, 3), np.uint32)
    inside = sums[1:, 1:]
    np.cumsum(np.cumsum(frame, axis=1, dtype=np.uint32, out=inside), axis=0, out=inside)
    for left, top, right, bottom in every:
        rows, columns = _starts(height, top, bottom), _starts(width, left, right)
        down, across = _sizes(rows, height), _sizes(columns, width)
        below, above = sums[rows + down], sums[rows]
        fields = below[:, columns + across] - below[:, columns] - above[:, columns + across] + above[:, columns]
        means = fields @ _LUMINANCE / np.outer(down, across)
        inner = means[:-1, :-1]
        yield np.packbits([means[:-1, 1:] > inner, means[1:, :-1] > inner]).tobytes()


def bands_of(look: bytes) -> dict[int, int]:
    """Number of a band -> its 16 bits, without those of one sign."""
    bands = np.frombuffer(look, ">u2").tolist()
    return {number: band for number, band in enumerate(bands) if band not in _PLAIN}


def alike_among(asked: Iterable[bytes], kept: Sequence[bytes]) -> set[int]:
    """Which of the looks that are kept are like one of those that are asked about."""
    there = np.frombuffer(b"".join(kept), ">u2").reshape(len(kept), BANDS)
    tells = ~np.isin(there, _PLAIN)
    found: set[int] = set()
    for one in asked:
        equal = ((there == np.frombuffer(one, ">u2")) & tells).sum(axis=1)
        found.update(np.flatnonzero(equal >= ALIKE_BANDS).tolist())
    return found


@lru_cache(maxsize=1 << 10)
def _starts(length: int, before: float, behind: float) -> NDArray[np.intp]:
    """Where fields begin along a side of so many pixels; of what was cut off there is nothing to average."""
    edges = np.linspace(-before * length, (1 + behind) * length, _FIELDS + 1)[:-1]
    return np.clip(np.round(edges), 0, length - 1).astype(np.intp)


def _sizes(starts: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    return np.maximum(np.diff(np.append(starts, length)), 1)
