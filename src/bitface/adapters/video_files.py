"""Decodes videos frame by frame, in the memory of a few frames; what is broken in one costs its own seconds and no others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from bitface.dataset.plain_files import opened
from bitface.errors import InputError, OverLimitError
from bitface.faces.media.file_kinds import VIDEO_HEAD_BYTES, container_of
from bitface.faces.media.frame_choice import evenly_spread
from bitface.faces.media.video_limits import Gap, VideoLimits
from bitface.ports import TimedFrame

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

LIMITS: Final = VideoLimits()

_CONVERT: Final = "convert it to MP4 or WebM"
# To look further for streams that a header does not name only serves files made to take long.
_PROBED: Final = {"probesize": str(8 << 20), "analyzeduration": "10000000"}
# Damage is an error, and not a smear where somebody's mouth was.
_STRICT: Final = {"err_detect": "crccheck+explode"}
# Where a file states no rate, and a frame no time.
_FRAMES_PER_S: Final = 25.0
# Times are multiples of a file's own unit, mostly 1/90000 s or 1/1000 s, and a thirtieth is none.
_ROUNDING_S: Final = 5e-4
# Less may be missing at the end of a whole file: sound lasts longer than the picture.
_MISSING_S: Final = 1.0
# In a row, without one good part between: what follows is no video any more.
_UNREADABLE_MAX: Final = 64


def frames_of_video(
    path: Path,
    every_s: float = 0.0,
    limits: VideoLimits = LIMITS,
    on_gap: Callable[[Gap], None] = lambda _: None,
) -> Iterator[TimedFrame]:
    """The frames of a video in the order of time.

    Memory does not grow with the length: the next frame is decoded when it is asked for. Rotation and the shape of pixels that the file
    states are applied. Times are the file's own, so that a variable frame rate is honoured, and grow from frame to frame.

    Args:
        path: a plain file, and no link.
        every_s: one frame for each such time, the first at or after it; 0 gives all frames.
        limits: what is refused.
        on_gap: told of each part that cannot be read, when it is over; decoding goes on at the next key frame.

    Raises:
        InputError: not a plain file, no video by its first bytes, no frame can be read, or more than a limit (OverLimitError); where
            the file does not say so itself, a limit shows after the frames before it.
    """
    due_s = 0.0
    with _reading(path, limits, on_gap) as reading:
        for time_s, shown in reading.frames():
            if time_s >= due_s - _ROUNDING_S:
                due_s = (int((time_s + _ROUNDING_S) / every_s) + 1) * every_s if every_s > 0 else 0.0
                yield time_s, shown.pixels()


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

    def frames(self) -> Iterator[tuple[float, _Shown]]:
        """All frames that can be read, with their times; can be called again when it is over."""
        from av.error import FFmpegError

        self.file.seek(0)
        any_read = False
        try:
            with self._open() as container:
                stream = self._stream(container)
                told = _Told.by(container, stream)
                for time_s, frame in self._timed(_decoded(container, stream), told):
                    any_read = True
                    yield time_s, _Shown(frame=frame, pixel_width=told.pixel_width)
        except (FFmpegError, ValueError) as error:
            raise InputError(f"{self.name} is not a readable video; {_CONVERT}") from error
        if not any_read:
            raise InputError(f"{self.name} has no readable frame; {_CONVERT}")

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
        seconds, most = (container.duration or 0) / 1e6, self.limits.seconds_max
        if seconds > most:
            raise OverLimitError(f"{self.name} lasts {seconds:.0f} s, over {most:g}; cut it")
        # None where no decoder reads what the file says it holds.
        codec: VideoCodecContext | None = streams[0].codec_context
        if codec is None:
            raise InputError(f"{self.name} is of a kind of video that is not read; {_CONVERT}")
        self._check_size(codec.width, codec.height)
        codec.options = _STRICT | {"max_pixels": str(self.limits.pixels_max)}
        return streams[0]

    def _timed(self, frames: Iterator[VideoFrame | None], told: _Told) -> Iterator[tuple[float, VideoFrame]]:
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
            yield time_s, frame
        if count and (is_broken or last_s + told.frame_s + _MISSING_S < told.length_s):
            self.on_gap(Gap(start_s=last_s, end_s=None))

    def _check_length(self, time_s: float, count: int) -> None:
        if time_s > self.limits.seconds_max or count > self.limits.frames_max:
            most = f"{self.limits.seconds_max:g} s or {self.limits.frames_max} frames"
            raise OverLimitError(f"{self.name} lasts over {most}; cut it")

    def _check_size(self, width: float, height: int) -> None:
        if width * height > self.limits.pixels_max:
            most = self.limits.pixels_max
            raise OverLimitError(f"{self.name} has {width:.0f} x {height} pixels, over {most}; make it smaller")


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What a file says of its stream: when it begins, how long it lasts (0: it does not say), how long one frame is shown as a rule,
    and how many times wider than high its pixels are.
    """

    start_s: float
    length_s: float
    frame_s: float
    pixel_width: float

    @classmethod
    def by(cls, container: InputContainer, stream: VideoStream) -> Self:
        unit = float(stream.time_base or 0)
        return cls(
            start_s=(stream.start_time or 0) * unit,
            length_s=(stream.duration or 0) * unit or (container.duration or 0) / 1e6,
            frame_s=1 / float(stream.average_rate or _FRAMES_PER_S),
            pixel_width=float(stream.sample_aspect_ratio or 1),
        )


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A decoded frame, not yet as pixels: most of a video's frames are only passed by."""

    frame: VideoFrame
    pixel_width: float

    def pixels(self) -> NDArray[np.uint8]:
        """Uint8 (H, W, 3) RGB as it is meant to be shown: with square pixels, and upright."""
        width = max(1, round(self.frame.width * self.pixel_width))
        pixels = self.frame.to_ndarray(format="rgb24", width=width, height=self.frame.height)
        return np.ascontiguousarray(np.rot90(pixels, round(self.frame.rotation / 90)))


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
    """Frames as they come, and None for damage, behind which decoding begins anew at the next frame that stands alone."""
    from av.error import FFmpegError

    is_waiting = False
    for packet in _packets(container, stream):
        if packet is not None and is_waiting and packet.size and not packet.is_keyframe:
            continue
        try:
            frames = _whole(packet)
        except FFmpegError:
            frames = None
        is_waiting = frames is None
        if frames is None:
            stream.codec_context.flush_buffers()
            yield None
        else:
            yield from frames


def _whole(packet: Packet[VideoStream] | None) -> list[VideoFrame] | None:
    """The frames that a packet completes; None where the packet, or a frame in it, is said to be damaged."""
    if packet is None or packet.is_corrupt:
        return None
    frames = packet.decode()
    return None if any(frame.is_corrupt for frame in frames) else frames


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
    """The packets of a stream, and None for one that cannot be read; ends where many of these follow on each other."""
    from av.error import FFmpegError

    failed, packets = 0, container.demux(stream)
    while failed < _UNREADABLE_MAX:
        try:
            packet = next(packets, None)
        except FFmpegError:
            # An iterator that has raised is over; the container reads on.
            failed, packets = failed + 1, container.demux(stream)
            yield None
            continue
        if packet is None:
            return
        failed = 0
        yield packet


def _refuse(*_: object) -> NoReturn:
    raise PermissionError("a video is one file; no other is opened for it")
