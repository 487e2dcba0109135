"""Decoding that begins in the middle of a video gives the frames that it has there, or does not begin there."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bitface.adapters import video_decoding
from bitface.adapters.video_files import describe_video, frames_of_video
from bitface.errors import InputError
from bitface.faces.media.video_limits import Gap, Sampling
from tests.clips import encoded, shown

CONTAINERS = {
    "clip.mp4": "libx264",
    "clip.avi": "mpeg4",
    "clip.mov": "mpeg4",
    "clip.webm": "libvpx-vp9",
    "clip.flv": "flv",
    "clip.mkv": "libx264",
    "clip.ts": "libx264",
    "hevc.mp4": "libx265",
}
ORDERED = ("clip.avi", "clip.webm", "clip.flv")
"""Whose frames are decoded in the order in which they are shown."""


def noisy(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Frames of which none is like another."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(count)]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times of all frames that are decoded."""
    times: list[float] = []
    real = video_decoding._whole

    def counted(packet):
        frames = real(packet)
        times.extend(frame.time for frame in frames or ())
        return frames

    monkeypatch.setattr(video_decoding, "_whole", counted)
    return times


@pytest.mark.parametrize("name", CONTAINERS)
def test_from_the_middle_on_a_video_has_the_frames_that_it_has_there(
    tmp_path: Path, name: str, decoded: list[float]
) -> None:
    """With frames that need others shown after them, where the container has such: those before a key frame are not taken for whole."""
    between = {} if name in ORDERED else {"max_b_frames": 2}
    path = encoded(tmp_path / name, noisy(150), codec=CONTAINERS[name], gop_size=12, **between)
    assert describe_video(path).can_jump
    whole = [(time_s, frame.tobytes()) for time_s, frame in shown(path)]
    for begin_s in (0.05, 1.0, 3.3, 5.9, 7.0):
        decoded.clear()
        part = [(time_s, frame.tobytes()) for time_s, frame in shown(path, begin_s=begin_s)]
        assert part == [one for one in whole if one[0] >= begin_s]
    decoded.clear()
    next(shown(path, begin_s=5.9))
    assert len(decoded) < 75


def test_which_frames_are_due_does_not_depend_on_where_decoding_begins(tmp_path: Path) -> None:
    """The frame before the first one tells whether that one is the first after a multiple of `every_s`."""
    path = encoded(tmp_path / "clip.mp4", noisy(100), gop_size=10)
    due = [time_s for time_s, _ in shown(path, every_s=0.1)]
    for begin_s in (0.4, 0.44, 1.2, 2.0, 2.04, 3.9):
        assert [time for time, _ in shown(path, every_s=0.1, begin_s=begin_s)] == [t for t in due if t >= begin_s]


def test_from_a_key_frame_that_is_damaged_decoding_goes_back_to_one_that_is_whole(tmp_path: Path) -> None:
    """So that the damage is told as if all had been decoded."""
    path = encoded(tmp_path / "clip.mp4", noisy(150), gop_size=10)
    with av.open(str(path)) as container:
        keys = [(one.pos, one.size) for one in container.demux(video=0) if one.is_keyframe]
    data = bytearray(path.read_bytes())
    for start, size in keys[8:11]:
        data[start + 8 : start + size] = np.random.default_rng(7).bytes(size - 8)
    path.write_bytes(bytes(data))
    gaps: list[Gap] = []
    jumped: list[Gap] = []
    whole = [time_s for time_s, _ in shown(path, on_gap=gaps.append)]
    begin_s = (gaps[0].end_s or 0) - 0.1
    part = [time_s for time_s, _ in shown(path, begin_s=begin_s, on_gap=jumped.append)]
    assert part == [time_s for time_s in whole if time_s >= begin_s]
    assert jumped == gaps and len(gaps) == 1 and gaps[0].start_s < begin_s - 0.5


def joined(first: Path, second: Path) -> Path:
    """Two recordings in one file, as `cat` makes it: times begin anew in the middle."""
    first.write_bytes(first.read_bytes() + second.read_bytes())
    return first


def test_where_a_time_leads_to_two_places_there_is_no_jump(tmp_path: Path) -> None:
    twice = joined(*(encoded(tmp_path / name, noisy(50), gop_size=10) for name in ("a.ts", "b.ts")))
    assert not describe_video(twice).can_jump
    made_up = encoded(tmp_path / "c.avi", noisy(50), codec="libx264", gop_size=10, max_b_frames=2)
    assert not describe_video(made_up).can_jump


def test_where_key_frames_are_far_apart_or_decoding_does_not_begin_at_them_there_is_no_jump(tmp_path: Path) -> None:
    """As of a recording of a screen, which has one, and of a stream that renews its pictures strip by strip."""
    still = noisy(1) * 40
    times = [1000 * number for number in range(40)]
    assert describe_video(encoded(tmp_path / "a.mp4", still, times_ms=times, gop_size=25)).can_jump
    assert not describe_video(encoded(tmp_path / "b.mp4", still, times_ms=times, gop_size=50)).can_jump
    strips = {"x264-params": "intra-refresh=1:keyint=25:bframes=0:scenecut=0"}
    assert not describe_video(encoded(tmp_path / "c.mp4", noisy(150), gop_size=250, options=strips)).can_jump


@pytest.mark.parametrize(("transfer", "is_hdr"), [(1, False), (16, True), (18, True)])
def test_a_high_dynamic_range_is_told(tmp_path: Path, transfer: int, is_hdr: bool) -> None:
    path = encoded(tmp_path / "a.mp4", noisy(2), pix_fmt="yuv420p10le", color_trc=transfer, color_primaries=9)
    assert describe_video(path).is_hdr == is_hdr


def test_another_file_has_another_digest_and_a_copy_the_same(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.mp4", noisy(9))
    digest = describe_video(path).sha256
    path.rename(tmp_path / "b.mp4")
    assert describe_video(tmp_path / "b.mp4").sha256 == digest
    assert describe_video(encoded(tmp_path / "a.mp4", noisy(9, seed=1))).sha256 != digest


def test_what_is_no_video_has_no_facts(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(400))
    with pytest.raises(InputError, match="is not a readable video; convert it"):
        describe_video(tmp_path / "a.mp4")


def test_a_glance_is_small_grey_and_the_same_wherever_decoding_began(tmp_path: Path) -> None:
    large = [frame.repeat(5, 0).repeat(5, 1) for frame in noisy(30)]
    path = encoded(tmp_path / "a.mp4", large, gop_size=10)
    glances = {time_s: frame.glance() for time_s, frame in frames_of_video(path)}
    assert {(one.shape, one.dtype.name) for one in glances.values()} == {((80, 64), "uint8")}
    for time_s, frame in frames_of_video(path, Sampling(begin_s=0.7)):
        assert (frame.glance() == glances[time_s]).all()
