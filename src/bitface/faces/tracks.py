"""Which face of a frame is which of the frames before, by its place alone: a number means nothing outside its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

_OVERLAP_MIN: Final = 0.2
"""Intersection over union of two boxes from which they are one face: frames are a fifth of a second apart, and heads move."""
_REACH: Final = 0.6
"""Sides of a box that a face which moves faster may be away, if nothing else is as near."""
_FORGOTTEN_S: Final = 1.0
"""A face that was not seen for so long gets a new number, unless it was in the frame before this one."""
_CUT: Final = 0.15
"""Mean change of grey levels, as a share of white, that no movement of heads makes: another picture begins."""


@dataclass(kw_only=True)
class _Track:
    number: int
    box: NDArray[np.float32]
    seen_s: float


@dataclass
class Tracks:
    """The faces of one video, numbered from 1 in the order in which they appear."""

    _open: list[_Track] = field(default_factory=list)
    _begun: int = 0
    _glance: NDArray[np.uint8] | None = None
    _before_s: float = 0.0

    def numbers(
        self, boxes: Sequence[NDArray[np.float32]], time_s: float, glance: NDArray[np.uint8]
    ) -> tuple[int, ...]:
        """The number of each face of the next frame.

        Args:
            boxes: float32 (4,) each: left, top, right, bottom in pixels.
            time_s: seconds from the first frame, more than at the call before.
            glance: grey levels uint8 (h, w) of the whole frame, by which a cut to another picture is seen.
        """
        if self._is_cut(glance):
            self._open.clear()
        self._glance = glance
        since, self._before_s = min(time_s - _FORGOTTEN_S, self._before_s), time_s
        self._open = [track for track in self._open if track.seen_s >= since]
        known = _matched([track.box for track in self._open], boxes)
        tracks = [self._open[known[index]] if index in known else self._new(box) for index, box in enumerate(boxes)]
        for track, box in zip(tracks, boxes, strict=True):
            track.box, track.seen_s = box, time_s
        return tuple(track.number for track in tracks)

    def _new(self, box: NDArray[np.float32]) -> _Track:
        self._begun += 1
        track = _Track(number=self._begun, box=box, seen_s=0.0)
        self._open.append(track)
        return track

    def _is_cut(self, glance: NDArray[np.uint8]) -> bool:
        before = self._glance
        if before is None or before.shape != glance.shape:
            return before is not None
        return bool(np.abs(glance.astype(np.float32) - before).mean() > 255 * _CUT)


def _matched(before: Sequence[NDArray[np.float32]], now: Sequence[NDArray[np.float32]]) -> dict[int, int]:
    """Index of a box -> index of the box before it, the best pairs first, each box in one pair at most."""
    pairs = [(_likeness(old, new), at, index) for at, old in enumerate(before) for index, new in enumerate(now)]
    found: dict[int, int] = {}
    for likeness, at, index in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if likeness > 0 and index not in found and at not in found.values():
            found[index] = at
    return found


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """1 to 2 for boxes that overlap enough, 0 to 1 for such as lie near each other, the more the nearer, and 0 for others."""
    overlap = _overlap(one, other)
    if overlap >= _OVERLAP_MIN:
        return 1.0 + overlap
    centre, side = (one[:2] + one[2:]) / 2, float(np.mean([one[2:] - one[:2], other[2:] - other[:2]]))
    away = float(np.linalg.norm(centre - (other[:2] + other[2:]) / 2))
    return max(0.0, 1.0 - away / (_REACH * side)) if side > 0 else 0.0


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    inside = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None)
    shared = float(inside.prod())
    whole = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()) - shared
    return shared / whole if whole > 0 else 0.0
