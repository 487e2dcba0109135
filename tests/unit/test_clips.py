"""A clip becomes the frames around its apex, in the memory of these frames; seconds that cannot be read are told."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.faces.media.video_limits import ALL, WHOLE, Gap, Sampling, Span, VideoFacts, VideoLimits
from bitface.params import VideoParams
from bitface.ports import TimedFrame, WatchVideo
from bitface.steps.people.reading.clips import Clip, VideoFile, Videos
from bitface.steps.people.reading.clips import read_clips as read_clips_of

PARAMS = VideoParams(frames=4, window_s=1.0, every_s=0.1)


@dataclass(frozen=True)
class Still:
    """A frame as it is decoded."""

    frame: np.ndarray

    def pixels(self) -> np.ndarray:
        return self.frame

    def glance(self) -> np.ndarray:
        return np.ascontiguousarray(self.frame[..., 0])


def video(levels: list[int], gaps: tuple[Gap, ...] = (), sides: tuple[int, ...] = (16,)) -> WatchVideo:
    """Ten frames a second, each of one grey level."""

    def watch(
        path: Path,
        sampling: Sampling = ALL,
        limits: VideoLimits = VideoLimits(),  # noqa: B008 - a frozen value
        on_gap: Callable[[Gap], None] = lambda _: None,
    ) -> Iterator[TimedFrame]:
        for number, level in enumerate(levels):
            side, time_s = sides[number % len(sides)], round(0.1 * number, 3)
            if time_s >= sampling.begin_s:
                yield time_s, Still(np.full((side, side, 3), level, np.uint8))
        for gap in gaps:
            on_gap(gap)

    return watch


def read_clips(
    watch: WatchVideo, params: VideoParams, path: Path, spans: list[Span], can_jump: bool = True
) -> Iterator[tuple[Span, Clip | None]]:
    facts = VideoFacts(sha256=bytes(32), can_jump=can_jump, is_hdr=False)
    videos = Videos(describe=lambda _: facts, watch=watch, params=params)
    return read_clips_of(videos, VideoFile(path=path, facts=facts), spans)


def read_clip(watch: WatchVideo, params: VideoParams, path: Path, span: Span) -> Clip:
    ((_, clip),) = read_clips(watch, params, path, [span])
    assert clip is not None
    return clip


def levels_of(clip: Clip) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in clip.frames]


RISING = [10] * 10 + [10 + 10 * number for number in range(11)] + [110 - 10 * number for number in range(11)]


def test_an_acted_clip_gives_the_frames_around_its_apex_in_their_order() -> None:
    clip = read_clip(video(RISING), PARAMS, Path("a.mp4"), WHOLE)
    assert levels_of(clip) == [60, 90, 100, 70]
    assert clip.fps == pytest.approx(3.0) and clip.gaps == ()


@pytest.mark.parametrize(
    ("span", "levels"),
    [
        (Span(start_s=0.0, end_s=0.6), [10, 10, 10, 10]),
        (Span(start_s=1.0, end_s=1.3), [10, 20, 30, 40]),
        (Span(start_s=2.95), [20, 10]),
    ],
)
def test_only_the_seconds_that_are_named_are_looked_at(span: Span, levels: list[int]) -> None:
    assert levels_of(read_clip(video(RISING), PARAMS, Path("a.mp4"), span)) == levels


def test_the_first_frame_of_the_named_seconds_is_what_others_are_compared_with() -> None:
    """From the height of one expression on, the largest change is back to the face at rest."""
    clip = read_clip(video(RISING), PARAMS, Path("a.mp4"), Span(start_s=2.0))
    assert levels_of(clip)[-1] == 10


@pytest.mark.parametrize(("end_s", "remarks"), [(3.0, ()), (3.5, ()), (3.7, ("ends_early",)), (99, ("ends_early",))])
def test_a_video_that_ends_before_the_seconds_that_are_named_is_taken_and_that_is_said(
    end_s: float, remarks: tuple[str, ...]
) -> None:
    assert read_clip(video(RISING), PARAMS, Path("a.mp4"), Span(end_s=end_s)).remarks == remarks


def test_in_seconds_beyond_the_end_there_is_no_clip_and_the_others_stay() -> None:
    found = dict(read_clips(video(RISING), PARAMS, Path("a.mp4"), [Span(start_s=99), WHOLE]))
    assert found[Span(start_s=99)] is None and found[WHOLE] is not None


SPANS = [WHOLE, Span(end_s=0.6), Span(start_s=1.0, end_s=1.3), Span(start_s=0.5, end_s=2.6), Span(start_s=2.95)]


def begun(watch: WatchVideo, begins: list[float]) -> WatchVideo:
    """The same, and where each reading begins."""

    def begin(path: Path, sampling: Sampling = ALL, *words: object, **more: object) -> Iterator[TimedFrame]:
        begins.append(sampling.begin_s)
        return watch(path, sampling, *words, **more)

    return begin


@pytest.mark.parametrize("can_jump", [True, False])
def test_parts_that_lie_together_cost_two_readings_and_each_is_as_if_alone(can_jump: bool) -> None:
    begins: list[float] = []
    together = dict(read_clips(begun(video(RISING), begins), PARAMS, Path("a.mp4"), SPANS, can_jump))
    assert len(begins) == 2 and together.keys() == set(SPANS)
    for span, clip in together.items():
        alone = read_clip(video(RISING), PARAMS, Path("a.mp4"), span)
        assert clip is not None and (levels_of(clip), clip.fps) == (levels_of(alone), alone.fps)


@pytest.mark.parametrize(("can_jump", "begins"), [(True, [0.5, 30.0, 0.5, 30.0]), (False, [0.0, 0.0])])
def test_what_lies_between_parts_is_not_read_where_it_can_be_left_out(can_jump: bool, begins: list[float]) -> None:
    found: list[float] = []
    levels = [10] * 5 + [20] * 5 + [30] * 290 + [40, 50, 60, 70, 80, 90]
    spans = [Span(start_s=30.0), Span(start_s=0.5, end_s=1.6)]
    clips = dict(read_clips(begun(video(levels), found), PARAMS, Path("a.mp4"), spans, can_jump))
    assert found == begins
    assert [levels_of(clips[span]) for span in spans] == [[40, 60, 70, 90], [20, 20, 30, 30]]


def test_where_a_jump_leads_to_other_frames_the_video_is_read_from_its_beginning() -> None:
    """As where a container calls a frame a key frame that is none: what comes out there is not what was looked at."""

    def watch(path: Path, sampling: Sampling = ALL, **more: object) -> Iterator[TimedFrame]:
        wrong = [level + 1 for level in RISING] if sampling.begin_s > 1.4 else RISING
        return video(wrong)(path, sampling, **more)

    clip = read_clip(watch, PARAMS, Path("a.mp4"), Span(start_s=1.0, end_s=2.7))
    assert levels_of(clip) == levels_of(read_clip(video(RISING), PARAMS, Path("a.mp4"), Span(start_s=1.0, end_s=2.7)))
    assert not any(level % 10 for level in levels_of(clip))


@pytest.mark.parametrize(
    ("gap", "span", "told"),
    [
        (Gap(start_s=0.5, end_s=0.9), WHOLE, True),
        (Gap(start_s=0.5, end_s=None), WHOLE, True),
        (Gap(start_s=0.5, end_s=0.9), Span(start_s=1.0), False),
        (Gap(start_s=0.5, end_s=1.1), Span(start_s=1.0), True),
        (Gap(start_s=4.5, end_s=None), Span(start_s=1.0, end_s=9.0), True),
    ],
)
def test_a_part_that_cannot_be_read_is_told_where_it_is_of_the_clip(gap: Gap, span: Span, told: bool) -> None:
    assert bool(read_clip(video(RISING, gaps=(gap,)), PARAMS, Path("a.mp4"), span).gaps) == told


def test_a_file_that_changes_between_the_two_readings_is_refused() -> None:
    left = [video(RISING), *[video(RISING[:12])] * 2]
    with pytest.raises(InputError, match="changed while it was read"):
        read_clip(lambda *words, **more: left.pop(0)(*words, **more), PARAMS, Path("a.mp4"), WHOLE)


def test_a_stream_that_changes_its_size_is_read_without_a_crash() -> None:
    assert len(read_clip(video(RISING, sides=(16, 24)), PARAMS, Path("a.mp4"), WHOLE).frames) == 4


def test_no_more_frames_are_held_than_are_taken() -> None:
    alive = most = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def watch(*_: object, **__: object) -> Iterator[TimedFrame]:
        nonlocal alive, most
        for number in range(400):
            frame = np.full((8, 8, 3), number % 200, np.uint8)
            weakref.finalize(frame, gone)
            alive += 1
            most = max(most, alive)
            yield 0.1 * number, Still(frame)

    spans = [Span(start_s=start, end_s=start + 2.0) for start in range(30)]
    for _ in read_clips(watch, PARAMS, Path("a.mp4"), spans):
        pass
    assert most <= PARAMS.window_s / PARAMS.every_s + PARAMS.frames
