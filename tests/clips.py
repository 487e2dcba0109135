"""Tiny videos that tests encode: a grey face that changes for a while, as an acted clip does, and what may be wrong with a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bitface.adapters import video_decoding
from bitface.adapters.video_files import frames_of_video
from bitface.faces.media.video_limits import Sampling

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 400000\n"
"""What Git leaves in place of a video where LFS is not installed."""


def acted(seed: int = 0, count: int = 30, apex: int = 20, side: int = 48) -> list[NDArray[np.uint8]]:
    """Frames of a picture of its own, part of which gets lighter towards the apex and darker again."""
    still = np.random.default_rng(seed).integers(20, 120, (side // 8, side // 8, 1)).repeat(8, 0).repeat(8, 1)
    frames = []
    for number in range(count):
        frame = still.repeat(3, 2)
        frame[side // 2 :, : side // 2] += max(0, 120 - 12 * abs(number - apex))
        frames.append(frame.astype(np.uint8))
    return frames


CODECS = {".flv": "flv", ".webm": "libvpx-vp9"}


def encoded(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    times_ms: Sequence[int] | None = None,
    rotation: int = 0,
    **of_stream: object,
) -> Path:
    """A video of these frames, uint8 (H, W, 3), 25 a second or at the times that are given, each of which stands alone.

    `of_stream` sets what the codec is told: `codec`, `gop_size`, `bit_rate`, `sample_aspect_ratio`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(of_stream.pop("codec", CODECS.get(path.suffix, "libx264")), rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for name, value in {"gop_size": 1, **of_stream}.items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times_ms:
                frame.pts, frame.time_base = times_ms[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(
    path: Path, every_s: float = 0.0, begin_s: float = 0.0, **how: object
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """The frames of a video as pixels."""
    for time_s, frame in frames_of_video(path, Sampling(every_s=every_s, begin_s=begin_s), **how):
        yield time_s, frame.pixels()


@dataclass
class Decoded:
    """How many frames were decoded so far."""

    frames: int = 0


@contextmanager
def counting_decoded() -> Iterator[Decoded]:
    """Counts every frame that this process decodes, whichever video it is of."""
    decoded, whole = Decoded(), video_decoding._whole

    def counted(packet: av.Packet) -> list[av.VideoFrame] | None:
        frames = whole(packet)
        decoded.frames += len(frames or ())
        return frames

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video_decoding, "_whole", counted)
        yield decoded


def damaged(path: Path, packets: Sequence[int]) -> Path:
    """These packets of a file overwritten; each is a frame."""
    with av.open(str(path)) as container:
        places = [(one.pos, one.size) for one in container.demux(video=0) if one.size and one.pos is not None]
    data = bytearray(path.read_bytes())
    for start, size in (places[number] for number in packets):
        data[start + 8 : start + size] = np.random.default_rng(7).bytes(size - 8)
    path.write_bytes(bytes(data))
    return path


def crema_tables(folder: Path, listed: Sequence[str], face: Mapping[str, str] | None = None) -> None:
    """CREMA-D's tables, with three actors, for clips of these names; of ten people eight vote on a face as it was acted."""
    (folder / "processedResults").mkdir(parents=True)
    (folder / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
        '1002,21,"Female","Caucasian","Hispanic"\n1003,30,"Female","Unknown","Not Hispanic"\n'
        '1064,40,"Male","Asian","Not Hispanic"\n1076,25,"Female","African American","Not Hispanic"\n'
    )
    summary, votes = ['"","FileName","VoiceVote","FaceVote"'], ['"","A","D","F","H","N","S","fileName","numResponses"']
    for number, name in enumerate(listed, start=1):
        acted_as = name.split("_")[2][0]
        summary.append(f'"{number}","{name}","N","{(face or {}).get(name, acted_as)}"')
        for kind, share in (("1", 1), ("2", 8), ("3", 9)):
            counts = ",".join(
                str(share if letter == acted_as else (10 - share) * (letter == "D")) for letter in "ADFHNS"
            )
            votes.append(f'"{kind}{number:05d}",{counts},"{name}",10')
    (folder / "processedResults" / "summaryTable.csv").write_text("\n".join(summary) + "\n")
    (folder / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(votes) + "\n")
