"""Reads clips of a video as the few frames that a sequence net takes, in the memory of these frames, however long the video is."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.faces.media.frame_choice import around_apex
from bitface.faces.media.video_limits import Gap, Span
from bitface.params import VideoParams
from bitface.ports import TimedFrame, WatchVideo

_COMPARED: Final = 64
"""Points of a side at which frames are compared."""
_EARLY_S: Final = 0.5
"""Frames are shown for less; so much sooner than it should, a video ends."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Frames uint8 (H, W, 3) in the order of time, how many of them come in a second, and the parts that could not be read.

    `ends_early`: whether the video ends before the seconds that were asked for.
    """

    frames: tuple[NDArray[np.uint8], ...]
    fps: float
    gaps: tuple[Gap, ...]
    ends_early: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd about it, by its names in `oddities.SAYS`."""
        odd = {
            "broken_seconds": bool(self.gaps),
            "ends_early": self.ends_early and not self.gaps,
            "still_clip": len(self.frames) == 1,
        }
        return tuple(name for name, is_so in odd.items() if is_so)


ReadClips = Callable[[Path, Collection[Span]], Iterator[tuple[Span, Clip | None]]]
"""Reads some parts of a video, each of which comes when it is complete, and None for one in which no frame can be read."""


def read_clips(
    watch: WatchVideo, params: VideoParams, path: Path, spans: Collection[Span]
) -> Iterator[tuple[Span, Clip | None]]:
    """For each part the frames around its apex (`faces.media.frame_choice.around_apex`).

    However many parts there are, the video is decoded twice: once to find where each differs most from its first frame, and once for
    the frames. Of these only the ones of a part that is not complete are held, and they lie within `window_s`.

    Raises:
        InputError: what `watch` raises, or the file changes meanwhile.
    """
    gaps: list[Gap] = []
    looks = [_Look(span=span) for span in spans]
    for time_s, frame in _until(max(map(_end_of, spans)), watch(path, params.every_s, on_gap=gaps.append)):
        seen = _seen(frame)
        for look in looks:
            look.add(time_s, seen)
    yield from ((look.span, None) for look in looks if not look.times)
    parts = [_Part.of(look, params, gaps) for look in looks if look.times]
    wanted: dict[float, list[_Part]] = {}
    for part in parts:
        for time_s in part.times:
            wanted.setdefault(time_s, []).append(part)
    for time_s, frame in _until(max(wanted, default=-1.0), watch(path, params.every_s)):
        for part in wanted.pop(time_s, ()):
            part.frames.append(frame)
            if len(part.frames) == len(part.times):
                yield part.span, replace(part.clip, frames=tuple(part.frames))
                part.frames.clear()
    if wanted:
        raise InputError("changed while it was read; leave it alone and import it again")


@dataclass(frozen=True, kw_only=True)
class _Look:
    """The first look at a part: the time of each frame, and its mean difference from the first one, in grey levels."""

    span: Span
    times: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    first: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, time_s: float, seen: NDArray[np.float32]) -> None:
        """Looks at a frame, where it is of the part."""
        if time_s < self.span.start_s or not self.span.reaches(time_s):
            return
        # A stream may change its size; such frames cannot be compared with the first, and do not make one clip.
        if not self.first or self.first[0].shape != seen.shape:
            self.first[:] = [seen]
        self.times.append(time_s)
        self.changes.append(float(np.abs(seen - self.first[0]).mean()))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A part whose frames are chosen: their times, those that were read, and the clip without them."""

    span: Span
    times: tuple[float, ...]
    clip: Clip
    frames: list[NDArray[np.uint8]] = field(default_factory=list)

    @classmethod
    def of(cls, look: _Look, params: VideoParams, gaps: Iterable[Gap]) -> Self:
        span, last_s = look.span, look.times[-1]
        chosen = around_apex(look.times, look.changes, params.window_s, params.frames)
        times = tuple(look.times[index] for index in chosen)
        lasts_s = times[-1] - times[0]
        clip = Clip(
            frames=(),
            fps=round((len(times) - 1) / lasts_s if lasts_s else 1 / params.every_s, 3),
            gaps=tuple(gap for gap in gaps if span.meets(gap)),
            ends_early=span.end_s is not None and last_s + _EARLY_S < span.end_s,
        )
        return cls(span=span, times=times, clip=clip)


def _end_of(span: Span) -> float:
    return math.inf if span.end_s is None else span.end_s


def _until(end_s: float, frames: Iterator[TimedFrame]) -> Iterator[TimedFrame]:
    return takewhile(lambda timed: timed[0] <= end_s, frames)


def _seen(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels at some points, float32: enough to tell how much a frame differs from another."""
    rows, columns = (max(1, side // _COMPARED) for side in frame.shape[:2])
    return np.asarray(frame[::rows, ::columns].mean(axis=2), dtype=np.float32)
