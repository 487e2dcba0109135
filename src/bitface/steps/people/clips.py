"""Reads a clip of a video as the few frames that a sequence net takes, in the memory of these frames, however long the video is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Final

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


ReadClip = Callable[[Path, Span], Clip]
"""Reads some seconds of a video; what it raises is a video's own fault."""


def read_clip(watch: WatchVideo, params: VideoParams, path: Path, span: Span) -> Clip:
    """The frames around the apex of a clip (`faces.media.frame_choice.around_apex`).

    The video is decoded twice, once to find the apex and once for its frames: nothing else of it is held.

    Raises:
        InputError: what `watch` raises, or none of these seconds can be read, or the file changes meanwhile.
    """
    gaps: list[Gap] = []
    times, changes = _changes(_within(watch(path, params.every_s, on_gap=gaps.append), span))
    if not times:
        raise InputError("no frame can be read in these seconds; correct start_s and end_s, or leave them empty")
    chosen = [times[index] for index in around_apex(times, changes, params.window_s, params.frames)]
    shown = _within(watch(path, params.every_s), Span(start_s=chosen[0], end_s=chosen[-1]))
    frames = tuple(frame for time_s, frame in shown if time_s in chosen)
    if len(frames) != len(chosen):
        raise InputError("changed while it was read; leave it alone and import it again")
    lasts_s = chosen[-1] - chosen[0]
    fps = round((len(chosen) - 1) / lasts_s if lasts_s else 1 / params.every_s, 3)
    return Clip(
        frames=frames,
        fps=fps,
        gaps=tuple(gap for gap in gaps if span.meets(gap)),
        ends_early=span.end_s is not None and times[-1] + _EARLY_S < span.end_s,
    )


def _within(frames: Iterator[TimedFrame], span: Span) -> Iterator[TimedFrame]:
    begun = dropwhile(lambda timed: timed[0] < span.start_s, frames)
    return takewhile(lambda timed: span.reaches(timed[0]), begun)


def _changes(frames: Iterator[TimedFrame]) -> tuple[list[float], list[float]]:
    """The time of each frame, and its mean difference from the first one, in grey levels."""
    times: list[float] = []
    changes: list[float] = []
    first: NDArray[np.float32] | None = None
    for time_s, frame in frames:
        seen = _seen(frame)
        # A stream may change its size; such frames cannot be compared with the first, and do not make one clip.
        first = seen if first is None or first.shape != seen.shape else first
        times.append(time_s)
        changes.append(float(np.abs(seen - first).mean()))
    return times, changes


def _seen(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels at some points, float32: enough to tell how much a frame differs from another."""
    rows, columns = (max(1, side // _COMPARED) for side in frame.shape[:2])
    return np.asarray(frame[::rows, ::columns].mean(axis=2), dtype=np.float32)
