"""A telephone's video, and a crop that is all face, through the real command."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    shared = Path(__file__).parents[2].parent / "shared" / "data" / "london" / "images"
    if not shared.is_dir():
        pytest.skip("the London set is not here")
    return np.asarray(Image.open(sorted(shared.glob("*.jpg"))[0]).convert("RGB"))


def test_a_video_that_was_filmed_upright_is_explained_upright(done, bitface, portrait, tmp_path) -> None:
    """Stored lying on its side, as telephones store it: read as it is stored, it has no face."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        stream.set_display_rotation(-90)
        lying = np.ascontiguousarray(np.rot90(portrait))
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lying, format="rgb24")))
        container.mux(stream.encode(None))
    words = (
        "explain",
        str(path),
        "--purpose",
        "demo",
        "--context",
        "research",
        "--out",
        str(tmp_path / "r.html"),
        "--json",
    )
    run = bitface(done[0], *words)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["faces"]


def test_a_broken_video_is_one_line(done, bitface, tmp_path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(400))
    run = bitface(done[0], "explain", str(tmp_path / "clip.mp4"), "--purpose", "demo", "--context", "research")
    assert run.returncode == 2
    assert "'clip.mp4' is not a readable video; convert it to MP4 or WebM" in run.stderr
    assert "Traceback" not in run.stderr and len(run.stderr.strip().splitlines()) <= 2
