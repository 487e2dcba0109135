"""Clips are packed the same by any number of processes; of one video little more than what is named is decoded, and nothing twice."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitface.adapters.media_files import encode_frames, read_image
from bitface.adapters.video_files import describe_video, frames_of_video
from bitface.dataset.incoming.import_rows import ImportRow, manifest_table, rows_of
from bitface.dataset.incoming.manifest_columns import OF_CLIPS
from bitface.errors import WorkerEndedError
from bitface.params import VideoParams
from bitface.ports import TimedFrame
from bitface.steps.people.reading import clip_packing
from bitface.steps.people.reading.clip_packing import ClipAnswer, ClipPacking, PackedClip, are_many, clip_answers
from bitface.steps.people.reading.clips import Videos
from bitface.steps.people.reading.sample_packing import Packing
from tests.clips import counting_decoded, encoded

PARAMS = VideoParams(frames=5, window_s=1.0, every_s=0.04)
SECONDS = 24


def packing(**changes: object) -> ClipPacking:
    videos = Videos(describe=describe_video, watch=frames_of_video, params=PARAMS)
    return ClipPacking(videos=replace(videos, **changes), packing=Packing(read=read_image, encode=encode_frames))


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A long and a short video, which take longer to write than to read."""
    folder, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(0)
    frames = [rng.integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1) for _ in range(25 * SECONDS)]
    long = encoded(folder / "long.mp4", frames, gop_size=50)
    return [long, encoded(folder / "other.flv", frames[:60], gop_size=10)]


@pytest.fixture
def rows(tmp_path: Path, videos: list[Path]) -> list[ImportRow]:
    """Every two seconds of a video in any order, parts of another one, and what is none."""
    for video in videos:
        shutil.copy(video, tmp_path)
    (tmp_path / "none.mp4").write_bytes(b"no video")
    lines = [f"long.mp4,p1,fear,{start},{start + 2}" for start in range(0, SECONDS, 2)]
    lines += ["other.flv,p2,fear,,", "other.flv,p2,joy,1,2", "other.flv,p2,joy,77,", "none.mp4,p3,joy,,"]
    np.random.default_rng(1).shuffle(lines)
    (tmp_path / "manifest.csv").write_text("\n".join(["path,subject_id,label,start_s,end_s", *lines]) + "\n")
    usable, refused = rows_of(manifest_table(tmp_path / "manifest.csv", known=OF_CLIPS), tmp_path)
    assert not refused
    return list(usable)


def by_row(answers: Iterator[ClipAnswer]) -> dict[int, ClipAnswer]:
    return {one.row.row: one for one in answers}


@pytest.mark.tools
def test_processes_change_no_answer(rows, monkeypatch) -> None:
    alone = list(clip_answers(rows, packing(), (), 2))
    assert len(alone) == len(rows) and not are_many(rows[:15])
    asked = []
    monkeypatch.setattr(clip_packing, "_CLIPS_WORTH_PROCESSES", 4)
    monkeypatch.setattr(clip_packing, "worker_processes", lambda *said: asked.append(said[0]) or real(*said))
    assert by_row(clip_answers(rows, packing(), (), 2)) == by_row(iter(alone))
    assert asked == [2]
    assert sum(one.clip is not None for one in alone) == SECONDS // 2 + 2


real = clip_packing.worker_processes


def test_clips_of_a_video_without_a_jump_are_handed_on_as_they_come(rows, monkeypatch) -> None:
    """And not when the last one is read; the answers are the same."""
    facts = replace(describe_video(rows[0].path.with_name("long.mp4")), can_jump=False)
    own = [row for row in rows if row.path.name == "long.mp4"]
    monkeypatch.setattr(clip_packing, "_answers_here", None)
    monkeypatch.setattr(clip_packing, "_CLIPS_WORTH_PROCESSES", 4)
    found = by_row(clip_answers(own, packing(describe=lambda _: facts), (), 2))
    assert found == by_row(clip_answers(own, packing(), (), 1))


def test_each_second_is_decoded_for_one_look_and_around_its_apex_again(rows) -> None:
    """Twelve clips of one video: not twelve times from its beginning, in whatever order the rows are."""
    own = [row for row in rows if row.path.name == "long.mp4"]
    with counting_decoded() as decoded:
        assert len(list(clip_answers(own, packing(), (), 1))) == SECONDS // 2
    assert 0 < decoded.frames < 3.5 * 25 * SECONDS
    late = [row for row in own if row.span.start_s == SECONDS - 4]
    with counting_decoded() as decoded:
        assert len(list(clip_answers(late, packing(), (), 1))) == 1
    assert 0 < decoded.frames < 25 * SECONDS / 2


def test_what_an_interrupted_import_has_is_not_read_again(rows) -> None:
    first = by_row(clip_answers(rows, packing(), (), 1))
    known = {one.content for one in first.values() if one.clip is not None}

    def watch(path: Path, *_: object, **__: object) -> Iterator[TimedFrame]:
        assert path.name == "other.flv", "what could not be read is tried again, and nothing else"
        return iter(())

    again = by_row(clip_answers(rows, packing(watch=watch), known, 1))
    for row, one in first.items():
        assert (again[row].content, again[row].refused) == (one.content, one.refused)
        assert again[row].clip is None


def test_another_file_other_seconds_and_other_parameters_are_another_clip(rows, tmp_path) -> None:
    ordered = sorted((row for row in rows if row.path.name == "long.mp4"), key=lambda row: row.row)[:1]
    contents = set()
    for other in (packing(), packing(params=PARAMS.model_copy(update={"frames": 4}))):
        contents |= {one.content for one in clip_answers(ordered, other, (), 1)}
    moved = replace(ordered[0], span=replace(ordered[0].span, end_s=ordered[0].span.start_s + 1.5))
    contents |= {one.content for one in clip_answers([moved], packing(), (), 1)}
    path = encoded(tmp_path / "long.mp4", [np.full((48, 64, 3), 9, np.uint8)] * 25 * SECONDS, gop_size=50)
    assert path == ordered[0].path
    contents |= {one.content for one in clip_answers(ordered, packing(), (), 1)}
    assert len(contents) == 4


def test_a_note_says_all_but_the_media(rows) -> None:
    clip = next(one.clip for one in clip_answers(rows, packing(), (), 1) if one.clip is not None)
    clip = replace(clip, remarks=("broken_seconds",), lost="1.0 to 2.0 s")
    assert PackedClip.noted(clip.note) == replace(clip, packed=replace(clip.packed, media=b""))


def end_here(*_: object, **__: object) -> Iterator[TimedFrame]:
    """As a system does where memory runs out."""
    assert multiprocessing.parent_process() is not None
    os._exit(9)


@pytest.mark.tools
def test_rows_of_a_process_that_is_lost_are_named(rows) -> None:
    with pytest.raises(WorkerEndedError, match=r"while rows \d+ to \d+ were read, a worker process was ended"):
        list(clip_answers(rows, packing(watch=end_here), (), 2))
