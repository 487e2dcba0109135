"""Reads clips of a video as the few frames that a sequence net takes, in the memory of these frames, however long the video is."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.faces.media.frame_choice import around_apex
from bitface.faces.media.video_limits import Gap, Sampling, Span, VideoFacts
from bitface.params import VideoParams
from bitface.ports import DescribeVideo, ShownFrame, TimedFrame, WatchVideo

T = TypeVar("T")
_NEAR_S: Final = 4.0
"""Parts that lie no farther apart are read in one go: key frames do not lie closer as a rule."""
_EARLY_S: Final = 0.5
"""Frames are shown for less; so much sooner than it should, a video ends."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Frames uint8 (H, W, 3) in the order of time, how many of them come in a second, and the parts that could not be read.

    `ends_early`: whether the video ends before the seconds that were asked for. `is_hdr`: as in `VideoFacts`.
    """

    frames: tuple[NDArray[np.uint8], ...]
    fps: float
    gaps: tuple[Gap, ...]
    ends_early: bool = False
    is_hdr: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is odd about it, by its names in `oddities.SAYS`."""
        odd = {
            "broken_seconds": bool(self.gaps),
            "ends_early": self.ends_early and not self.gaps,
            "still_clip": len(self.frames) == 1,
            "hdr_video": self.is_hdr,
        }
        return tuple(name for name, is_so in odd.items() if is_so)


@dataclass(frozen=True, kw_only=True)
class Videos:
    """What clips are read with; it can be sent to a process."""

    describe: DescribeVideo
    watch: WatchVideo
    params: VideoParams


@dataclass(frozen=True, kw_only=True)
class VideoFile:
    """A video, and what is known of it."""

    path: Path
    facts: VideoFacts


def read_clips(videos: Videos, file: VideoFile, spans: Sequence[Span]) -> Iterator[tuple[Span, Clip | None]]:
    """For each part the frames around its apex (`faces.media.frame_choice.around_apex`), and None for one without a readable frame.

    Whatever else is read of the video, a part gives the same frames. Only seconds that are named are decoded, with those from the key
    frame before them on: once to find where a part differs most from its first frame, and around that once more for its frames. Of these
    only the ones of a part that is not complete are held, and they lie within `window_s`.

    Raises:
        InputError: what `videos.watch` raises, or the file changes meanwhile.
    """
    reading = _Reading(videos=videos, file=file)
    looks = [_Look(span=span) for span in spans]
    gaps: dict[Gap, None] = {}
    for run in _runs([(look.span.start_s, _end_of(look.span), look) for look in looks], file.facts):
        reading.look(run, lambda gap: gaps.update({gap: None}))
    yield from ((look.span, None) for look in looks if not look.times)
    parts = [_Part.of(look, videos.params, gaps, file.facts) for look in looks if look.times]
    left = {part.span: part for part in parts}
    for own in _runs([(part.times[0], part.times[-1], part) for part in parts], file.facts):
        for span, clip in reading.take(own, own[0].times[0]):
            del left[span]
            yield span, clip
    # Where a jump led to other frames than before, as to a key frame that is none, all is decoded once more.
    for span, clip in reading.take(tuple(left.values()), 0.0) if left and file.facts.can_jump else ():
        del left[span]
        yield span, clip
    if left:
        raise InputError("changed while it was read; leave it alone and import it again")


def _runs(intervals: Sequence[tuple[float, float, T]], facts: VideoFacts) -> Iterator[list[T]]:
    """What lies together in time, from `begin` to `end`; all of it where a video can only be read from its beginning."""
    own: list[T] = []
    until_s = 0.0
    for begin_s, end_s, one in sorted(intervals, key=lambda interval: interval[:2]):
        if own and facts.can_jump and begin_s > until_s + _NEAR_S:
            yield own
            own, until_s = [], 0.0
        own.append(one)
        until_s = max(until_s, end_s)
    if own:
        yield own


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """A video from which parts that lie together are read."""

    videos: Videos
    file: VideoFile

    def look(self, looks: Sequence[_Look], on_gap: Callable[[Gap], None]) -> None:
        """Looks at parts."""
        begin_s, end_s = min(look.span.start_s for look in looks), max(_end_of(look.span) for look in looks)
        for time_s, frame in self._watched(begin_s, end_s, on_gap):
            seen = frame.glance()
            for look in looks:
                look.add(time_s, seen)

    def take(self, parts: Sequence[_Part], begin_s: float) -> Iterator[tuple[Span, Clip]]:
        """The clips of parts whose frames are found as they were when they were looked at."""
        held: dict[Span, list[NDArray[np.uint8]]] = {part.span: [] for part in parts}
        for time_s, frame in self._watched(begin_s, max(part.times[-1] for part in parts)):
            due = [part for part in parts if part.span in held and part.is_next(len(held[part.span]), time_s, frame)]
            if not due:
                continue
            pixels = frame.pixels()
            for part in due:
                held[part.span].append(pixels)
                if len(held[part.span]) == len(part.times):
                    yield part.span, replace(part.clip, frames=tuple(held.pop(part.span)))

    def _watched(
        self, begin_s: float, end_s: float, on_gap: Callable[[Gap], None] = lambda _: None
    ) -> Iterator[TimedFrame]:
        begin_s = begin_s if self.file.facts.can_jump else 0.0
        sampling = Sampling(every_s=self.videos.params.every_s, begin_s=begin_s)
        frames = self.videos.watch(self.file.path, sampling, on_gap=on_gap)
        return takewhile(lambda timed: timed[0] <= end_s, frames)


@dataclass(frozen=True, kw_only=True)
class _Look:
    """The first look at a part: the time of each frame, its mean difference from the first one in grey levels, and its check sum."""

    span: Span
    times: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    first: list[NDArray[np.int16]] = field(default_factory=list)

    def add(self, time_s: float, seen: NDArray[np.uint8]) -> None:
        """Looks at a frame, where it is of the part."""
        if time_s < self.span.start_s or not self.span.reaches(time_s):
            return
        # A stream may change its size; such frames cannot be compared with the first, and do not make one clip.
        if not self.first or self.first[0].shape != seen.shape:
            self.first[:] = [seen.astype(np.int16)]
        self.times.append(time_s)
        self.changes.append(float(np.abs(seen - self.first[0]).mean()))
        self.sums.append(zlib.crc32(seen.data))


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A part whose frames are chosen: their times and check sums, and the clip without them."""

    span: Span
    times: tuple[float, ...]
    sums: tuple[int, ...]
    clip: Clip

    @classmethod
    def of(cls, look: _Look, params: VideoParams, gaps: Iterable[Gap], facts: VideoFacts) -> Self:
        span, last_s = look.span, look.times[-1]
        chosen = around_apex(look.times, look.changes, params.window_s, params.frames)
        times = tuple(look.times[index] for index in chosen)
        lasts_s = times[-1] - times[0]
        clip = Clip(
            frames=(),
            fps=round((len(times) - 1) / lasts_s if lasts_s else 1 / params.every_s, 3),
            gaps=tuple(gap for gap in gaps if span.meets(gap)),
            ends_early=span.end_s is not None and last_s + _EARLY_S < span.end_s,
            is_hdr=facts.is_hdr,
        )
        return cls(span=span, times=times, sums=tuple(look.sums[index] for index in chosen), clip=clip)

    def is_next(self, number: int, time_s: float, frame: ShownFrame) -> bool:
        """Whether a frame is the one of it that has this number."""
        return self.times[number] == time_s and self.sums[number] == zlib.crc32(frame.glance().data)


def _end_of(span: Span) -> float:
    return math.inf if span.end_s is None else span.end_s
