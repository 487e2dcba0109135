"""What cameras, editors and accidents make of a video: each file gives its clip, or its row is refused by name, by the real command."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bitface.adapters.media_files import decode_frames
from bitface.dataset.index import read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import read_shard
from tests.clips import acted, encoded, shown

Run = Callable[..., tuple[int, Any, str]]
LICENCE = {"id": "own", "name": "ours", "text": "for comparison", "purposes": ["benchmark"], "contexts": ["research"]}
LABELS = ("joy", "sad", "fear", "anger", "disgust", "surprise", "neutral")


def source(folder: Path, *rows: str) -> Path:
    """A folder whose manifest has these rows: path, start_s and end_s; each row is of a person of its own."""
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "licence.json").write_text(json.dumps(LICENCE))
    lines = [f"{row},p{number},{LABELS[number % 7]}" for number, row in enumerate(rows, start=1)]
    (folder / "manifest.csv").write_text("\n".join(["path,start_s,end_s,subject_id,label", *lines]) + "\n")
    return folder


def found(report: Any) -> dict[str, list[int]]:
    return {one["name"]: one["rows"] for one in report["findings"]}


def stored(project: Path) -> dict[str, NDArray[np.uint8]]:
    """The id in the manifest -> the frames of the person's one sample."""
    keys = KeyStore(project / "home" / "keys")
    clips = {}
    for one in read_index(project / "data"):
        shard = read_shard(project / "data", one.person, keys.key_of(one.person))
        clips[one.person] = decode_frames(shard.samples[one.sample_id])
    subjects = [f"p{number}" for number in range(1, 40)]
    return {subject: clips[own] for subject in subjects if (own := keys.pseudonym_of(subject)) in clips}


def greys(seed: int, count: int = 50) -> list[NDArray[np.uint8]]:
    """Frames of 64 x 48, of which number n has the level 40 + 2 n, and a corner that is dark."""
    noise = np.random.default_rng(seed).integers(0, 9, (48, 64, 1))
    frames = [np.repeat((40 + 2 * number + noise).astype(np.uint8), 3, axis=2) for number in range(count)]
    for frame in frames:
        frame[:16, :16] = 0
    return frames


def with_times(path: Path, frames: list[NDArray[np.uint8]], first_ms: int) -> Path:
    """A video whose first frame is at this time, which may be below zero."""
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", 5
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = first_ms + 40 * number, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_seconds_are_counted_from_the_first_frame_whatever_time_it_has(run: Run, project: Path) -> None:
    """As of a camera that gives the time of day, or of a part that was cut out of another video. What an MP4 has before zero is shown
    by no player, and not read: editors put there what was cut off.
    """
    folder = project / "clips"
    folder.mkdir()
    files = {"hour.mkv": 3_600_000, "hour.mp4": 3_600_000, "hour.ts": 3_600_000, "below.mkv": -800, "below.mp4": -800}
    for seed, (name, first_ms) in enumerate(files.items()):
        with_times(folder / name, greys(seed), first_ms)
    rows = [f"{name},{span}" for span in ("0,0.2", "1.2,1.4") for name in files]
    code, report, error = run("data", "import", source(folder, *rows), "--format", "video")
    assert code == 0, error
    assert found(report) == {"unreadable_clip": [10]}
    clips = stored(project)
    for number in (1, 2, 3, 4):
        levels = [frame[20:, 20:].mean() for frame in clips[f"p{number}"]]
        assert levels == pytest.approx([44 + 2 * n for n in (0, 1, 2, 4, 5)], abs=3)
        assert clips[f"p{number + 5}"][0, 20:, 20:].mean() == pytest.approx(44 + 60, abs=3)
    assert clips["p5"][0, 20:, 20:].mean() == pytest.approx(44 + 40, abs=3)


def test_a_part_in_the_middle_of_a_turned_video_is_upright(run: Run, project: Path) -> None:
    """A telephone turns its pictures beside the stream, and a jump goes past the head of the file."""
    folder, turns = project / "clips", (90, 180, 270)
    for degrees in turns:
        encoded(folder / f"{degrees}.mp4", greys(degrees), rotation=degrees, gop_size=10)
    rows = [f"{degrees}.mp4,1.2,1.6" for degrees in turns]
    code, _, error = run("data", "import", source(folder, *rows), "--format", "video")
    assert code == 0, error
    for number, degrees in enumerate(turns, start=1):
        turned = np.rot90(stored(project)[f"p{number}"], -degrees // 90, axes=(1, 2))
        assert turned.shape[1:] == (48, 64, 3)
        assert turned[:, :12, :12].mean() < 20 < 90 < turned[:, 20:, 20:].mean()


def hit_in_the_middle(path: Path) -> Path:
    """Random bytes over two of eight tenths of the file."""
    data = bytearray(path.read_bytes())
    begin, end = int(len(data) * 0.4), int(len(data) * 0.6)
    data[begin:end] = np.random.default_rng(1).bytes(end - begin)
    path.write_bytes(bytes(data))
    return path


def noisy(seed: int, count: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(count)]


def test_seconds_that_are_overwritten_are_lost_and_named_and_all_others_are_as_they_were(
    run: Run, project: Path
) -> None:
    """An AVI counts its frames: behind the hole they must not go under the label of the seconds that are lost."""
    folder, names = project / "clips", ("hit.mp4", "hit.mkv", "hit.avi")
    were = {}
    for seed, name in enumerate(names):
        encoded(folder / name, noisy(seed, 250), gop_size=5, **({"codec": "mpeg4"} if "avi" in name else {}))
        were[name] = [(time_s, frame.tobytes()) for time_s, frame in shown(folder / name)]
        hit_in_the_middle(folder / name)
    rows = [*(f"{name},," for name in names), *(f"{name},{n},{n + 0.9}" for name in names for n in range(10))]
    code, report, error = run("data", "import", source(folder, *rows), "--format", "video")
    assert code == 0, error
    refused = {one["row"] for one in report["quarantined"]}
    broken = next(one for one in report["findings"] if one["name"] == "broken_seconds")
    assert broken["rows"][:3] == [1, 2, 3] and "row 1: 3." in broken["detail"] and " to " in broken["detail"]
    clips = stored(project)
    for at, name in enumerate(names):
        own = [n for n in range(10) if 4 + 10 * at + n not in refused]
        assert {0, 1, 2, 7, 8, 9} <= set(own) and not {4, 5} <= set(own)
        for n in own:
            there = {pixels for time_s, pixels in were[name] if n <= time_s <= n + 0.9}
            assert all(frame.tobytes() in there for frame in clips[f"p{4 + 10 * at + n}"])


def sound_alone(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        frame.rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def without_a_frame(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        container.start_encoding()
    return path


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def test_what_is_no_video_of_a_face_is_refused_by_name(tmp_path: Path, bitface) -> None:
    folder = tmp_path / "clips"
    encoded(folder / "good.mp4", acted(1))
    sound_alone(folder / "sound.mp4")
    without_a_frame(folder / "empty.mp4")
    Image.fromarray(acted(2)[0]).save(folder / "picture.jpg")
    (folder / "picture.jpg").rename(folder / "picture.mp4")
    (folder / "nothing.mp4").write_bytes(b"")
    cut(encoded(folder / "cut.mp4", acted(3)), 0.5)
    rows = [f"{name}.mp4,," for name in ("good", "sound", "empty", "picture", "nothing", "cut")]
    rows += ["good.mp4,77,", "good.mp4,77,78"]
    done = bitface(tmp_path, "data", "import", str(source(folder, *rows)), "--format", "video", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    reasons = {one["row"]: one["reason"] for one in report["quarantined"]}
    assert found(report) == {"unreadable_clip": [2, 3, 4, 5, 6]} and reasons.keys() == {2, 3, 4, 5, 6, 7, 8}
    assert "has no moving picture" in reasons[2]
    assert all("is not a readable video; convert it" in reasons[row] for row in (4, 5, 6))
    assert all("correct start_s and end_s" in reasons[row] for row in (7, 8))


def test_odd_kinds_of_pixels_times_and_ends_are_read(tmp_path: Path, bitface) -> None:
    """Ten bits, colours in full, one frame, four thousand pixels, high dynamic range, a rate that varies, an end that is missing."""
    folder = tmp_path / "clips"
    encoded(folder / "ten.mp4", greys(1), pix_fmt="yuv420p10le", gop_size=10)
    encoded(folder / "full.mkv", greys(2), pix_fmt="yuv444p", gop_size=10)
    encoded(folder / "one.mp4", greys(3, 1))
    large = np.random.default_rng(4).integers(0, 256, (27, 48, 3), dtype=np.uint8).repeat(80, 0).repeat(80, 1)
    encoded(folder / "large.mp4", [large, large // 2, large // 3])
    encoded(folder / "hdr.mp4", greys(5), pix_fmt="yuv420p10le", color_trc=16, color_primaries=9, colorspace=9)
    encoded(folder / "rate.mkv", greys(6, 8), times_ms=[0, 40, 50, 400, 1000, 1010, 1100, 2500], gop_size=4)
    cut(encoded(folder / "cut.mkv", greys(7), gop_size=10), 0.6)
    names = ("ten.mp4", "full.mkv", "one.mp4", "large.mp4", "hdr.mp4", "rate.mkv", "cut.mkv")
    rows = [*(f"{name},," for name in names), "ten.mp4,0.4,1.2", "ten.mp4,0.8,1.6", "rate.mkv,0.9,1.2"]
    done = bitface(tmp_path, "data", "import", str(source(folder, *rows)), "--format", "video", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["quarantined"] == [] and report["admitted"] == 10
    assert found(report) == {"still_clip": [3], "hdr_video": [5], "broken_seconds": [7]}
    clips = stored(tmp_path)
    assert clips["p4"].shape[1:] == (2160, 3840, 3)
    assert clips["p8"][0, 20:, 20:].mean() == pytest.approx(44 + 2 * 10, abs=12)
    assert clips["p8"][-1, 20:, 20:].mean() == pytest.approx(clips["p9"][-1, 20:, 20:].mean() - 20, abs=3)
    assert [frame[20:, 20:].mean() for frame in clips["p10"]] == pytest.approx([52, 56], abs=3)
