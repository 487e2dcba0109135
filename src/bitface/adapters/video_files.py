"""Decodes videos frame by frame, in the memory of a few frames; what is broken in one costs its own seconds and no others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.video_decoding import decoded, decoded_from, is_worth_jumping
from bitface.counted_words import counted
from bitface.dataset.plain_files import opened
from bitface.errors import InputError, OverLimitError
from bitface.faces.media.file_kinds import VIDEO_HEAD_BYTES, container_of
from bitface.faces.media.frame_choice import evenly_spread
from bitface.faces.media.video_limits import ALL, Gap, Sampling, VideoFacts, VideoLimits
from bitface.ports import TimedFrame

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

LIMITS: Final = VideoLimits()

_CONVERT: Final = "convert it to MP4 or WebM"
# To look further for streams that a header does not name only serves files made to take long.
_PROBED: Final = {"probesize": str(8 << 20), "analyzeduration": "10000000"}
# Damage is an error, and not a smear where somebody's mouth was.
_STRICT: Final = {"err_detect": "crccheck+explode"}
# Where a file states no rate, and a frame no time.
_FRAMES_PER_S: Final = 25.0
# Less may be missing at the end of a whole file: sound lasts longer than the picture.
_MISSING_S: Final = 1.0
# How far before a frame decoding begins at a key frame; further where that one is damaged.
_BACK_S: Final = (0.0, 2.0, 8.0, 32.0, 128.0, 512.0)
_DIGEST_BYTES: Final = 1 << 20
_GLANCED: Final = 64
"""Points of a side at which frames are compared, and under twice as many."""
_HDR: Final = (16, 18)
"""Transfer characteristics of ITU-T H.273, table 3: SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG)."""


def describe_video(path: Path, limits: VideoLimits = LIMITS) -> VideoFacts:
    """What a video is, without its frames being decoded: it is read to its end, once for its digest and once for its times.

    Raises:
        InputError: not a plain file, no video by its first bytes or by its header, or more than a limit (OverLimitError).
    """
    import av

    with _reading(path, limits, lambda _: None) as reading:
        digest = hashlib.sha256(repr((av.__version__, av.library_versions)).encode())
        reading.file.seek(0)
        for part in iter(partial(reading.file.read, _DIGEST_BYTES), b""):
            digest.update(part)
        return reading.facts(digest.digest())


def frames_of_video(
    path: Path,
    sampling: Sampling = ALL,
    limits: VideoLimits = LIMITS,
    on_gap: Callable[[Gap], None] = lambda _: None,
) -> Iterator[TimedFrame]:
    """The frames of a video in the order of time.

    Memory does not grow with the length: the next frame is decoded when it is asked for. Rotation and the shape of pixels that the file
    states are applied. Times are the file's own, so that a variable frame rate is honoured, and grow from frame to frame.

    Args:
        path: a plain file, and no link.
        sampling: which frames.
        limits: what is refused.
        on_gap: told of each part that cannot be read, when it is over; decoding goes on at the next key frame.

    Raises:
        InputError: not a plain file, no video by its first bytes, no frame can be read, or more than a limit (OverLimitError); where
            the file does not say so itself, a limit shows after the frames before it.
    """
    due_s = 0.0
    with _reading(path, limits, on_gap) as reading:
        for time_s, shown in reading.frames(sampling.begin_s):
            is_due = sampling.is_due(time_s, due_s)
            due_s = sampling.due_after(time_s)
            if is_due and time_s >= sampling.begin_s:
                yield time_s, shown


def read_video(path: Path, count: int, limits: VideoLimits = LIMITS) -> tuple[NDArray[np.uint8], ...]:
    """At most `count` frames of a video, uint8 (H, W, 3) RGB, evenly spread from the first to the last that can be read.

    All are decoded one after another, twice, since what a container says of its length and of places to jump to is often wrong.

    Raises:
        InputError: as `frames_of_video`.
    """
    with _reading(path, limits, lambda _: None) as reading:
        length = sum(1 for _ in reading.frames())
        wanted = set(evenly_spread(length, count))
        return tuple(shown.pixels() for index, (_, shown) in enumerate(reading.frames()) if index in wanted)


@contextmanager
def _reading(path: Path, limits: VideoLimits, on_gap: Callable[[Gap], None]) -> Iterator[_Reading]:
    try:
        with opened(path, repr(path.name)) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.bytes_max:
                raise OverLimitError(f"{path.name!r} has {size} bytes, over {limits.bytes_max}; cut or convert it")
            # A script for FFmpeg, under the name of a video, would have it read any other file.
            container = container_of(file.read(VIDEO_HEAD_BYTES))
            if container is None:
                raise InputError(f"{path.name!r} is not a readable video; {_CONVERT}")
            yield _Reading(file=file, name=repr(path.name), container=container, limits=limits, on_gap=on_gap)
    except OSError as error:
        raise InputError(f"{path.name!r} cannot be read ({error.strerror}); check that it exists") from error


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """A file that is open, and by its first bytes of the container that FFmpeg calls so."""

    file: BinaryIO
    name: str
    container: str
    limits: VideoLimits
    on_gap: Callable[[Gap], None]

    def facts(self, sha256: bytes) -> VideoFacts:
        """What its header and the times of its packets say, and whether a jump to its middle succeeds."""
        with self._opened() as (container, stream):
            is_hdr, told = stream.codec_context.color_trc in _HDR, _Told.by(container, stream)
            is_worth = is_worth_jumping(container, stream)
        return VideoFacts(sha256=sha256, is_hdr=is_hdr, can_jump=is_worth and self._jumps_to(told.length_s / 2))

    def _jumps_to(self, time_s: float) -> bool:
        """Whether decoding can begin near this time."""
        for back_s in _BACK_S[:2]:
            with self._opened() as (container, stream):
                if _begun(container, stream, time_s, back_s) is not None:
                    return True
        return False

    def frames(self, begin_s: float = 0.0) -> Iterator[tuple[float, _Shown]]:
        """All frames that can be read, with their times; can be called again when it is over.

        Where `begin_s` is not 0 they begin with one before it, and not with the first one.
        """
        any_read = False
        for back_s in (*_BACK_S, begin_s):
            with self._opened() as (container, stream):
                told = _Told.by(container, stream)
                frames = _begun(container, stream, begin_s - told.frame_s, back_s)
                if frames is None:
                    continue
                for time_s, shown in self._timed(frames, told):
                    any_read = True
                    yield time_s, shown
                break
        if not any_read:
            raise InputError(f"{self.name} has no readable frame; {_CONVERT}")

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        from av.error import FFmpegError

        self.file.seek(0)
        try:
            with self._open() as container:
                yield container, self._stream(container)
        except (FFmpegError, ValueError) as error:
            raise InputError(f"{self.name} is not a readable video; {_CONVERT}") from error

    def _open(self) -> InputContainer:
        import av

        # This file and no other: what a container names besides, such as the parts of a playlist, is not opened.
        return av.open(
            self.file, "r", format=self.container, options=_PROBED, metadata_errors="replace", io_open=_refuse
        )

    def _stream(self, container: InputContainer) -> VideoStream:
        from av.stream import Disposition

        # A cover is a picture, and comes as a stream of one frame.
        streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
        if not streams:
            raise InputError(f"{self.name} has no moving picture; name a file that has one")
        seconds, most = _length_s(container), self.limits.seconds_max
        if seconds > most:
            raise OverLimitError(f"{self.name} lasts {seconds:.0f} s, over {most:g}; cut it")
        # None where no decoder reads what the file says it holds.
        codec: VideoCodecContext | None = streams[0].codec_context
        if codec is None:
            raise InputError(f"{self.name} is of a kind of video that is not read; {_CONVERT}")
        self._check_size(codec.width, codec.height)
        codec.options = _STRICT | {"max_pixels": str(self.limits.pixels_max)}
        return streams[0]

    def _timed(self, frames: Iterator[VideoFrame | None], told: _Told) -> Iterator[tuple[float, _Shown]]:
        """The frames with their times, each later than the one before it; reports what lies between where there is damage."""
        last_s, count, is_broken = -told.frame_s, 0, False
        for frame in frames:
            if frame is None:
                is_broken = True
                continue
            # Some files give no times, or begin to count anew where two were joined.
            own_s = last_s + told.frame_s if frame.time is None else frame.time - told.start_s
            time_s = own_s if own_s > last_s else last_s + told.frame_s
            count += 1
            self._check_length(time_s, count)
            self._check_size(frame.width * told.pixel_width, frame.height)
            if is_broken:
                self.on_gap(Gap(start_s=max(last_s, 0.0), end_s=time_s))
            last_s, is_broken = time_s, False
            yield time_s, _Shown(frame=frame, told=told)
        if count and (is_broken or last_s + told.frame_s + _MISSING_S < told.length_s):
            self.on_gap(Gap(start_s=last_s, end_s=None))

    def _check_length(self, time_s: float, count: int) -> None:
        if time_s > self.limits.seconds_max or count > self.limits.frames_max:
            most = f"{self.limits.seconds_max:g} s or {counted(self.limits.frames_max, 'frame')}"
            raise OverLimitError(f"{self.name} lasts over {most}; cut it")

    def _check_size(self, width: float, height: int) -> None:
        if width * height > self.limits.pixels_max:
            most = self.limits.pixels_max
            raise OverLimitError(f"{self.name} has {width:.0f} x {height} pixels, over {most}; make it smaller")


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What a file says of its stream: when it begins, how long it lasts (0: it does not say), how long one frame is shown as a rule,
    and how many times wider than high its pixels are; and what makes pixels of its frames.
    """

    start_s: float
    length_s: float
    frame_s: float
    pixel_width: float
    shrink: VideoReformatter
    convert: VideoReformatter

    @classmethod
    def by(cls, container: InputContainer, stream: VideoStream) -> Self:
        from av.video.reformatter import VideoReformatter

        unit = float(stream.time_base or 0)
        return cls(
            start_s=(stream.start_time or 0) * unit,
            length_s=(stream.duration or 0) * unit or _length_s(container),
            frame_s=1 / float(stream.average_rate or _FRAMES_PER_S),
            pixel_width=float(stream.sample_aspect_ratio or 1),
            shrink=VideoReformatter(),
            convert=VideoReformatter(),
        )


def _length_s(container: InputContainer) -> float:
    """How long a file says that it lasts, from its first frame on; Matroska says when it ends."""
    begins = container.start_time if "matroska" in container.format.name else 0
    return max(0, (container.duration or 0) - (begins or 0)) / 1e6


def _begun(
    container: InputContainer, stream: VideoStream, before_s: float, back_s: float
) -> Iterator[VideoFrame | None] | None:
    """The frames from one on that is not after `before_s`, looked for so much before it, or from the first one; None where there is no
    whole key frame to begin with.
    """
    unit = stream.time_base
    if before_s <= back_s or not unit:
        return decoded(container, stream)
    return decoded_from(container, stream, int(before_s / unit) + (stream.start_time or 0), int(back_s / unit))


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A decoded frame, as `ports.ShownFrame`. One thread makes its pixels, so that they are the same on every machine."""

    frame: VideoFrame
    told: _Told

    def pixels(self) -> NDArray[np.uint8]:
        """Uint8 (H, W, 3) RGB as it is meant to be shown: with square pixels, and upright."""
        width = max(1, round(self.frame.width * self.told.pixel_width))
        shown = self.told.convert.reformat(self.frame, width, self.frame.height, "rgb24", threads=1)
        return np.ascontiguousarray(np.rot90(shown.to_ndarray(), round(self.frame.rotation / 90)))

    def glance(self) -> NDArray[np.uint8]:
        """Grey levels uint8 (h, w) of the frame as it is stored."""
        width, height = (side // max(1, side // _GLANCED) for side in (self.frame.width, self.frame.height))
        seen = self.told.shrink.reformat(self.frame, width, height, "gray", interpolation="AREA", threads=1)
        return np.ascontiguousarray(seen.to_ndarray())


def _refuse(*_: object) -> NoReturn:
    raise PermissionError("a video is one file; no other is opened for it")
