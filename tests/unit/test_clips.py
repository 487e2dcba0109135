"""A clip becomes the frames around its apex, in the memory of these frames; seconds that cannot be read are told."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.faces.media.video_limits import WHOLE, Gap, Span, VideoLimits
from bitface.params import VideoParams
from bitface.ports import TimedFrame, WatchVideo
from bitface.steps.people.reading.clips import Clip, read_clips

PARAMS = VideoParams(frames=4, window_s=1.0, every_s=0.1)


def video(levels: list[int], gaps: tuple[Gap, ...] = (), sides: tuple[int, ...] = (16,)) -> WatchVideo:
    """Ten frames a second, each of one grey level."""

    def watch(
        path: Path,
        every_s: float = 0.0,
        limits: VideoLimits = VideoLimits(),  # noqa: B008 - a frozen value
        on_gap: Callable[[Gap], None] = lambda _: None,
    ) -> Iterator[TimedFrame]:
        for number, level in enumerate(levels):
            side = sides[number % len(sides)]
            yield round(0.1 * number, 3), np.full((side, side, 3), level, np.uint8)
        for gap in gaps:
            on_gap(gap)

    return watch


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


def test_many_parts_of_a_video_cost_two_readings_and_each_is_as_if_alone() -> None:
    readings: list[float] = []

    def watch(path: Path, every_s: float = 0.0, *words: object, **more: object) -> Iterator[TimedFrame]:
        readings.append(every_s)
        return video(RISING)(path, every_s)

    spans = [WHOLE, Span(end_s=0.6), Span(start_s=1.0, end_s=1.3), Span(start_s=0.5, end_s=2.6), Span(start_s=2.95)]
    together = dict(read_clips(watch, PARAMS, Path("a.mp4"), spans))
    assert len(readings) == 2 and together.keys() == set(spans)
    for span, clip in together.items():
        alone = read_clip(video(RISING), PARAMS, Path("a.mp4"), span)
        assert clip is not None and (levels_of(clip), clip.fps) == (levels_of(alone), alone.fps)


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
    left = [video(RISING), video(RISING[:12])]
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
            yield 0.1 * number, frame

    spans = [Span(start_s=start, end_s=start + 2.0) for start in range(30)]
    for _ in read_clips(watch, PARAMS, Path("a.mp4"), spans):
        pass
    assert most <= PARAMS.window_s / PARAMS.every_s + PARAMS.frames
