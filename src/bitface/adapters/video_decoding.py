"""Decodes a stream from its beginning or from a key frame in the middle; what is damaged costs the frames up to the next key frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

# In a row, without one good part between: what follows is no video any more.
_UNREADABLE_MAX: Final = 64
_KEYS_APART_S: Final = 30.0
"""Encoders set them 2 to 10 seconds apart; a recording of a screen may have one alone."""
_AVI_HEAD: Final = 8
"""A chunk's name and size, where the index leads to; its packet lies behind them."""


def decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
    """Frames as they come, and None for damage, behind which decoding begins anew at the next frame that stands alone."""
    return _decoded(_packets(container, stream), stream)


def decoded_from(
    container: InputContainer, stream: VideoStream, begin: int, back: int
) -> Iterator[VideoFrame | None] | None:
    """The same from a key frame on that is not after `begin`, and looked for `back` before it, in units of the stream; None where no such
    frame comes out whole.

    What an open group of pictures shows before its key frame needs frames before it, and is left out.
    """
    from av.error import FFmpegError

    try:
        container.seek(begin - back, stream=stream)
    except FFmpegError:
        return None
    packets = _packets(container, stream)
    # Some containers lead to a time, and not to a key frame.
    key = next((one for one in packets if one is not None and one.is_keyframe), None)
    if key is None or key.pts is None or key.pts > begin:
        return None
    frames = _decoded(chain([key], packets), stream)
    for frame in frames:
        if frame is None or frame.pts is None or frame.pts > key.pts:
            return None
        if frame.pts == key.pts:
            return chain([frame], frames)
    return None


def is_worth_jumping(container: InputContainer, stream: VideoStream) -> bool:
    """Whether every packet says when it is shown, and times grow from key frame to key frame, so that a time leads to one place; and
    key frames are close enough that decoding from one on is less than from the beginning.
    """
    # AVI knows no such times: they are made up in the order of decoding, also of frames that are shown in another.
    if not stream.time_base or (container.format.name == "avi" and stream.codec_context.has_b_frames):
        return False
    decoded_at, shown_at, most_apart = None, stream.start_time or 0, int(_KEYS_APART_S / stream.time_base)
    is_first = True
    for packet in _packets(container, stream):
        if packet is None or not packet.size:
            continue
        if packet.pts is None or packet.pts - shown_at > most_apart or _is_before(packet.dts, decoded_at):
            return False
        if packet.is_keyframe and packet.pts <= shown_at and not is_first:
            return False
        decoded_at = decoded_at if packet.dts is None else packet.dts
        shown_at, is_first = packet.pts if packet.is_keyframe else shown_at, False
    return not is_first


def _is_before(time: int | None, last: int | None) -> bool:
    return time is not None and last is not None and time <= last


def _decoded(packets: Iterable[Packet[VideoStream] | None], stream: VideoStream) -> Iterator[VideoFrame | None]:
    from av.error import FFmpegError

    is_waiting = False
    for packet in packets:
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
    """The packets of a stream at their times, and None for one that cannot be read; ends where many of these follow on each other."""
    places, shift = _places(container, stream), 0
    for packet in _as_they_come(container, stream):
        if packet is not None and packet.dts is not None and packet.pos in places:
            before, shift = shift, places[packet.pos] - packet.dts
            if shift != before:
                yield None
            packet.dts += shift
            packet.pts = None if packet.pts is None else packet.pts + shift
        yield packet


def _places(container: InputContainer, stream: VideoStream) -> dict[int, int]:
    """Where AVI's index says that a packet lies -> its time; for its reader counts packets, and not those that are overwritten."""
    return (
        {one.pos + _AVI_HEAD: one.timestamp for one in stream.index_entries} if container.format.name == "avi" else {}
    )


def _as_they_come(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
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
