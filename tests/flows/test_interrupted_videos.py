"""An import of videos that is interrupted goes on from the clips that it has read, by the real command."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep

import numpy as np
import pytest

from bitface.dataset.index import read_index
from tests.clips import encoded
from tests.flows.test_interrupts import none_left, running

CLIPS = 24
LICENCE = {"id": "own", "name": "ours", "text": "for comparison", "purposes": ["benchmark"], "contexts": ["research"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One video, and a manifest of its seconds, each of which takes a moment to be packed."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (45, 60, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1) for _ in range(10 * CLIPS)]
    path = tmp_path / "clips"
    encoded(path / "long.mp4", frames, times_ms=[100 * number for number in range(10 * CLIPS)], gop_size=20)
    rows = [f"long.mp4,p{number % 4},fear,{number},{number + 0.95}" for number in range(CLIPS)]
    (path / "manifest.csv").write_text("\n".join(["path,subject_id,label,start_s,end_s", *rows]) + "\n")
    (path / "licence.json").write_text(json.dumps(LICENCE))
    return path


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked up in /proc")
def test_after_ctrl_c_and_a_kill_no_clip_is_read_that_was_read(
    bitface, environment: Callable[[Path], dict[str, str]], tmp_path: Path, folder: Path
) -> None:
    words = ["data", "import", str(folder), "--format", "video", "--json"]
    left = tmp_path / "home" / "importing" / "pictures"
    sizes = []
    for number in (signal.SIGINT, signal.SIGKILL):
        with running([sys.executable, "-m", "bitface.cli", *words], **environment(tmp_path)) as command:
            while not left.is_file() or left.stat().st_size <= max(sizes, default=0):
                assert command.process.poll() is None, command.lines
                sleep(0.01)
            assert command.signalled(number) == (130 if number == signal.SIGINT else -number)
            assert none_left(command.mark)
        sizes.append(left.stat().st_size)
        assert b"\x89PNG\r\n" not in left.read_bytes() and not (tmp_path / "data").exists()
    done = bitface(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    packed = re.search(r"going on from an interrupted import; samples packed so far: (\d+)", done.stderr)
    assert packed and 2 <= int(packed[1]) <= CLIPS and sizes[0] < sizes[1]
    assert json.loads(done.stdout)["admitted"] == CLIPS == len(read_index(tmp_path / "data"))
    assert not left.exists() and not list((tmp_path / "home" / "keys" / "imports").iterdir())
    assert list(left.parent.iterdir()) == []
