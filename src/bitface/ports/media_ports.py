"""Pictures, videos and faces in them: what is asked of those who read, change and pack frames, and find faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bitface.faces.media.video_limits import Gap, Sampling, VideoFacts, VideoLimits
from bitface.faces.seen import SeenFace, SeenFaces
from bitface.params import FeatureParams

Frames = NDArray[np.uint8]
"""uint8 (T, H, W, 3), RGB."""
DecodeFrames = Callable[[bytes], Frames]
ReadVideo = Callable[[Path, int], Sequence[NDArray[np.uint8]]]
"""The frames of a video, uint8 (H, W, 3); at most the given number, evenly spread."""
Augment = Callable[[Frames, int], Frames]
"""The frames of one clip, all augmented in the same way, from a seed."""


class ReadImage(Protocol):
    """The pixels of a picture's file, named `name` in errors; links from the folder `below` on are not followed."""

    def __call__(self, path: Path, name: str, /, below: Path | None = None) -> Frames: ...


class ShownFrame(Protocol):
    """A decoded frame of a video, not yet as pixels: most of them are only passed by."""

    def pixels(self) -> Frames:
        """Uint8 (H, W, 3) RGB, upright, with square pixels."""
        ...

    def glance(self) -> NDArray[np.uint8]:
        """Grey levels uint8 (h, w), as it is stored and under 128 a side: enough to tell how much a frame differs from another."""
        ...


TimedFrame = tuple[float, ShownFrame]
"""Seconds from the first frame of a video, and the frame."""
DescribeVideo = Callable[[Path], VideoFacts]
"""Raises InputError where a video cannot be read at all."""


class WatchVideo(Protocol):
    """The frames of a video with their times, decoded as they are asked for.

    `on_gap` receives each part that cannot be read.
    """

    def __call__(
        self, path: Path, sampling: Sampling = ..., limits: VideoLimits = ..., on_gap: Callable[[Gap], None] = ...
    ) -> Iterator[TimedFrame]: ...


class EncodeFrames(Protocol):
    """Packs frames into bytes, deterministically."""

    def __call__(self, frames: Frames | Sequence[NDArray[np.uint8]], *, lossless: bool) -> bytes: ...


class Landmarker(Protocol):
    """Detects faces; opened once per thread and closed explicitly."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: Any) -> None: ...

    def see(self, frames: Frames, params: FeatureParams) -> SeenFaces: ...

    def see_all(self, image: NDArray[np.uint8], params: FeatureParams) -> tuple[SeenFace, ...]: ...
