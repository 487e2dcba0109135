"""A video gives its frames with their times, whatever the container; what is broken in it costs its own seconds."""

import subprocess
import sys
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest

from bitface.adapters.video_files import read_video
from bitface.errors import InputError, NotSupportedError, OverLimitError
from bitface.faces.media.video_limits import Gap, VideoLimits
from tests import clips
from tests.clips import shown

CONTAINERS = {
    "clip.mp4": "libx264",
    "clip.avi": "mpeg4",
    "clip.mov": "mpeg4",
    "clip.webm": "libvpx-vp9",
    "clip.flv": "flv",
    "clip.mkv": "libx264",
    "clip.ts": "mpeg2video",
    "clip.wmv": "wmv2",
}


def encoded(path, frames, codec="libx264", **how):
    """A clip of these frames with a key frame every tenth."""
    return clips.encoded(path, frames, codec=codec, gop_size=10, bit_rate=2_000_000, **how)


def greys(count, height=48, width=64):
    """Frames that get lighter, by 4 from each to the next, with some texture."""
    noise = np.random.default_rng(0).integers(0, 12, (height, width, 1))
    return [np.repeat((20 + 4 * (number % 48) + noise).astype(np.uint8), 3, axis=2) for number in range(count)]


def times_of(path, **how):
    return [round(time, 3) for time, _ in shown(path, **how)]


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_frame_comes_with_its_time_from_every_container(tmp_path, name):
    path = encoded(tmp_path / name, greys(30), CONTAINERS[name])
    found = list(shown(path))
    assert [time for time, _ in found] == pytest.approx([0.04 * number for number in range(30)], abs=2e-3)
    assert {(frame.shape, frame.dtype.name) for _, frame in found} == {((48, 64, 3), "uint8")}
    wanted = [25.5 + 4 * number for number in range(30)]
    assert [frame.mean() for _, frame in found] == pytest.approx(wanted, abs=6)


def test_colours_are_red_green_blue(tmp_path):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 255
    ((_, frame),) = shown(encoded(tmp_path / "red.mp4", [red]))
    assert frame[..., 0].mean() > 240
    assert frame[..., 1:].mean() < 20


@pytest.mark.parametrize(("rotation", "corner"), [(-90, (0, -1)), (90, (-1, 0)), (180, (-1, -1)), (0, (0, 0))])
def test_a_telephone_held_upright_gives_upright_frames(tmp_path, rotation, corner):
    """Stored lying, with the angle beside it: the bright corner is where a player shows it, and sides are exchanged."""
    picture = np.full((48, 64, 3), 30, np.uint8)
    picture[:16, :16] = 230
    ((_, frame),) = shown(encoded(tmp_path / "clip.mp4", [picture], rotation=rotation))
    assert frame.shape == ((64, 48, 3) if rotation in (-90, 90) else (48, 64, 3))
    row, column = (8 if place == 0 else -8 for place in corner)
    assert frame[row, column].mean() > 200
    assert frame.mean() < 80


def test_pixels_that_are_wider_than_high_are_made_square(tmp_path):
    path = encoded(tmp_path / "clip.mp4", greys(3), sample_aspect_ratio=Fraction(4, 3))
    assert {frame.shape for _, frame in shown(path)} == {(48, 85, 3)}


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4"])
def test_a_variable_frame_rate_keeps_its_times(tmp_path, name):
    times = [0, 40, 50, 400, 1000, 1010, 2500]
    path = encoded(tmp_path / name, greys(7), times_ms=times)
    assert times_of(path) == pytest.approx([time / 1000 for time in times], abs=2e-3)
    assert times_of(path, every_s=0.5) == pytest.approx([0, 1.0, 2.5], abs=2e-3)


def test_frames_are_sampled_by_time_and_not_by_number(tmp_path):
    path = encoded(tmp_path / "clip.mp4", greys(50))
    assert times_of(path, every_s=0.5) == [0, 0.52, 1.0, 1.52]
    assert times_of(path, every_s=0.04) == times_of(path)
    assert times_of(path, every_s=10) == [0]


def damaged(path, packets, how):
    """The clip with these packets of it overwritten."""
    with av.open(str(path)) as container:
        places = [(one.pos, one.size) for one in container.demux(video=0) if one.size]
    data = bytearray(path.read_bytes())
    for number in packets:
        start, size = places[number]
        data[start + 8 : start + size] = how(size - 8)
    path.write_bytes(bytes(data))
    return path


def noise_of(size):
    return np.random.default_rng(7).bytes(size)


@pytest.mark.parametrize("how", [noise_of, bytes], ids=["noise", "zeros"])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_broken_second_costs_that_second(tmp_path, name, how):
    """Four seconds with a key frame every ten: of the third second's frames some are overwritten."""
    path = damaged(encoded(tmp_path / name, greys(100)), range(52, 57), how)
    gaps = []
    times = times_of(path, on_gap=gaps.append)
    assert set(times) >= {round(0.04 * number, 3) for number in (*range(0, 48), *range(62, 100))}
    assert len(gaps) >= 1
    assert all(1.9 <= gap.start_s < gap.end_s <= 2.5 for gap in gaps)


def test_a_whole_clip_has_no_gap(tmp_path):
    gaps = []
    for name, codec in CONTAINERS.items():
        times_of(encoded(tmp_path / name, greys(60), codec), on_gap=gaps.append)
    assert gaps == []


def test_where_the_end_is_missing_that_is_said(tmp_path):
    path = encoded(tmp_path / "clip.mkv", greys(100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    gaps = []
    times = times_of(path, on_gap=gaps.append)
    assert 10 < len(times) < 90
    assert gaps[-1] == Gap(start_s=pytest.approx(times[-1], abs=1e-3), end_s=None)


def test_memory_does_not_grow_with_the_length(tmp_path):
    path = encoded(tmp_path / "clip.mp4", greys(200, 240, 320))
    tracemalloc.start()
    for number, _ in enumerate(shown(path)):
        if number == 20:
            early = tracemalloc.get_traced_memory()[1]
    late = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert late - early < 240 * 320 * 3


def test_no_more_is_decoded_than_is_asked_for(tmp_path):
    frames = shown(encoded(tmp_path / "clip.mp4", greys(50)), limits=VideoLimits(frames_max=10))
    assert next(frames)[0] == 0
    frames.close()


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (VideoLimits(bytes_max=100), "bytes, over 100; cut or convert"),
        (VideoLimits(seconds_max=1), "lasts 2 s, over 1; cut"),
        (VideoLimits(frames_max=20), "over 3600 s or 20 frames; cut"),
        (VideoLimits(pixels_max=3000), "64 x 48 pixels, over 3000; make it smaller"),
    ],
)
def test_more_than_a_limit_is_refused_with_the_value_and_the_limit(tmp_path, limits, what):
    path = encoded(tmp_path / "clip.mp4", greys(50))
    with pytest.raises(OverLimitError, match=what):
        list(shown(path, limits=limits))


def test_a_clip_that_says_nothing_of_its_length_is_still_limited(tmp_path):
    path = encoded(tmp_path / "clip.ts", greys(50), "mpeg2video")
    with pytest.raises(OverLimitError, match=r"lasts (over )?"):
        list(shown(path, limits=VideoLimits(seconds_max=1)))


@pytest.mark.parametrize("size", [600, 2000])
def test_an_mp4_without_its_index_is_refused_in_one_line(tmp_path, size):
    path = encoded(tmp_path / "clip.mp4", greys(50))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match="is not a readable video; convert it") as caught:
        list(shown(path))
    assert "\n" not in str(caught.value)


def test_links_are_not_followed(tmp_path):
    (tmp_path / "link.mp4").symlink_to(encoded(tmp_path / "clip.mp4", greys(3)))
    with pytest.raises(NotSupportedError, match="link"):
        list(shown(tmp_path / "link.mp4"))


def test_a_cover_is_no_video(tmp_path):
    with av.open(str(tmp_path / "song.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        frame.rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with pytest.raises(InputError, match="no moving picture"):
        list(shown(tmp_path / "song.mp4"))


def test_frames_spread_over_a_clip_are_its_first_its_last_and_between(tmp_path):
    found = read_video(encoded(tmp_path / "clip.webm", greys(31), "libvpx-vp9"), 4)
    assert [frame.mean() for frame in found] == pytest.approx([25.5, 65.5, 105.5, 145.5], abs=6)


def test_what_was_looked_at_is_what_is_decoded(tmp_path, monkeypatch):
    """The name may lead to another file by the time that the decoder opens it, twice: before the first pass, and before the second."""
    path, other = encoded(tmp_path / "clip.mp4", greys(3)), encoded(tmp_path / "other.mp4", greys(40)[-3:])
    real = av.open

    def swapped(*words, **options):
        path.unlink(missing_ok=True)
        path.symlink_to(other)
        return real(*words, **options)

    monkeypatch.setattr(av, "open", swapped)
    assert all(frame.mean() < 50 for frame in read_video(path, 3))


@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
        "v=0\nm=video 5004 RTP/AVP 96\n",
    ],
    ids=["concat", "HLS", "DASH", "SDP"],
)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.mts"])
def test_a_script_under_the_name_of_a_video_reads_no_other_file(tmp_path, script, name):
    """FFmpeg goes by what is in a file: a list of other files is a video to it."""
    encoded(tmp_path / "secret.mp4", greys(2))
    (tmp_path / name).write_text(script)
    with pytest.raises(InputError, match="not a readable video"):
        read_video(tmp_path / name, 4)


@pytest.mark.parametrize(
    "content", [b"", b"no video at all", b"RIFF" + bytes(200), b"RIFF" + bytes(4) + b"AVI " + bytes(99)]
)
def test_what_is_no_video_is_said_in_one_line(tmp_path, content):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(InputError, match="not a readable video"):
        read_video(tmp_path / "clip.mp4", 4)


def test_mutated_files_are_read_or_refused_in_one_line(tmp_path):
    """Sixty for each of four containers, one to forty bytes changed, cut or doubled: no crash, nothing on standard error."""
    code = f"""
import random, sys
from pathlib import Path
from bitface.adapters.video_files import describe_video, frames_of_video
from bitface.errors import InputError
from bitface.faces.media.video_limits import ALL, Sampling
for name in ("clip.mp4", "clip.mkv", "clip.avi", "clip.webm"):
    whole = Path({str(tmp_path)!r}, name).read_bytes()
    for seed in map(int, sys.argv[1:]):
        rng, data = random.Random(seed), bytearray(whole)
        for _ in range(rng.randint(1, 40)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if seed % 3 == 0:
            data = data[: rng.randrange(len(data))]
        path = Path({str(tmp_path)!r}, "bad-" + name)
        path.write_bytes(bytes(data))
        try:
            middle = Sampling(begin_s=0.6) if describe_video(path).can_jump else ALL
            for sampling in (ALL, middle):
                count = sum(1 for _ in frames_of_video(path, sampling))
                assert count <= 60, count
        except InputError as error:
            assert "\\n" not in str(error) and "bad-" in str(error), str(error)
"""
    for name in ("clip.mp4", "clip.mkv", "clip.avi", "clip.webm"):
        encoded(tmp_path / name, greys(30), CONTAINERS[name])
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, range(60))], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
