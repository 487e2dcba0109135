"""A video of ten minutes is imported in the memory of one minute, and each of its seconds is decoded for one look."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bitface.adapters.media_files import encode_frames, read_image
from bitface.adapters.video_files import describe_video, frames_of_video
from bitface.dataset.incoming.import_rows import manifest_table, rows_of
from bitface.dataset.incoming.manifest_columns import OF_CLIPS
from bitface.params import read_params
from bitface.steps.people.reading.clip_packing import ClipPacking, clip_answers
from bitface.steps.people.reading.clips import Videos
from bitface.steps.people.reading.sample_packing import Packing
from tests.clips import counting_decoded
from tests.evidence.test_hostile_media import LICENCE, command

pytestmark = pytest.mark.timeout(36000)

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, RATE = 640, 360, 30
CLIP_S = 10
MORE_MB = 20
LABELS = ("joy", "sad", "fear", "anger", "disgust", "surprise", "neutral")


def drawn(second: float, noise: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A drawn face that sways, and opens its mouth once in ten seconds, on a background with the noise of a camera."""
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    x, y = 320 + 60 * np.sin(0.7 * second), 180 + 15 * np.sin(0.4 * second)
    opened = 4 + 22 * np.sin(np.pi * (second % CLIP_S) / CLIP_S) ** 2
    frame = np.full((HEIGHT, WIDTH, 3), (90, 110, 140), np.uint8)
    frame[((columns - x) / 95) ** 2 + ((rows - y) / 130) ** 2 < 1] = (205, 160, 130)
    for side in (-38, 38):
        frame[((columns - x - side) / 14) ** 2 + ((rows - y + 35) / 8) ** 2 < 1] = (40, 30, 30)
    frame[((columns - x) / 36) ** 2 + ((rows - y - 60) / opened) ** 2 < 1] = (120, 40, 50)
    return frame + noise[int(second * RATE) % len(noise)]


def filmed(folder: Path, seconds: int) -> Path:
    """A folder with a video of so many seconds, and a manifest of its clips in any order."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 6, (8, HEIGHT, WIDTH, 1), dtype=np.uint8)
    with av.open(str(folder / "long.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(seconds * RATE):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn(number / RATE, noise), format="rgb24")))
        container.mux(stream.encode(None))
    rows = [f"long.mp4,p1,{LABELS[at // CLIP_S % 7]},{at},{at + CLIP_S}" for at in range(0, seconds, CLIP_S)]
    np.random.default_rng(1).shuffle(rows)
    (folder / "manifest.csv").write_text("\n".join(["path,subject_id,label,start_s,end_s", *rows]) + "\n")
    (folder / "licence.json").write_text(json.dumps(LICENCE))
    return folder


def megabytes(project: Path, source: Path, clips: int) -> int:
    """Of the largest process of an import of so many clips."""
    code, out, error, peak = command(project, "data", "import", source, "--format", "video", "--json")
    assert code == 0, error
    assert json.loads(out)["admitted"] == clips and json.loads(out)["findings"] == []
    return peak


def frames_decoded(source: Path) -> int:
    rows, _ = rows_of(manifest_table(source / "manifest.csv", known=OF_CLIPS), source)
    videos = Videos(describe=describe_video, watch=frames_of_video, params=read_params(ROOT / "params.yaml").video)
    packing = Packing(read=partial(read_image, below=source), encode=encode_frames)
    with counting_decoded() as decoded:
        answers = list(clip_answers(rows, ClipPacking(videos=videos, packing=packing), (), 1))
    assert len(answers) == len(rows) and all(one.clip is not None for one in answers)
    return decoded.frames


def test_a_long_video_takes_the_memory_of_a_short_one_and_is_decoded_little_more_than_once(
    tmp_path: Path, rounds, state
) -> None:
    """Clips of ten seconds in any order: one look at each second, and from a key frame on to the apex once more."""
    short_s, long_s = rounds(10, 60), rounds(20, 600)
    peaks = []
    for name, seconds in (("short", short_s), ("long", long_s)):
        source = filmed(tmp_path / name, seconds)
        peaks.append(megabytes(tmp_path / f"{name} project", source, seconds // CLIP_S))
    assert peaks[1] - peaks[0] < MORE_MB
    decoded = frames_decoded(source) / (long_s * RATE)
    assert decoded < 2.5
    state(
        f"A video of {long_s} s as clips of {CLIP_S} s against one of {short_s} s: memory of an import, and how often a frame is decoded",
        f"{peaks[1]} MB against {peaks[0]} MB; {decoded:.2f} times",
        long_s // CLIP_S,
    )
