"""A few frames of a clip stand for all of it."""

from __future__ import annotations

import pytest

from bitface.faces.media.frame_choice import around_apex, evenly_spread


@pytest.mark.parametrize(
    ("length", "count", "chosen"),
    [(8, 4, [0, 2, 5, 7]), (3, 4, [0, 1, 2]), (4, 4, [0, 1, 2, 3]), (100, 1, [0]), (0, 4, [])],
)
def test_so_many_frames_are_chosen_from_first_to_last(length: int, count: int, chosen: list[int]) -> None:
    assert evenly_spread(length, count) == chosen


def every(step_s: float, count: int) -> list[float]:
    return [round(step_s * number, 3) for number in range(count)]


def peak(count: int, at: int) -> list[float]:
    return [float(max(0, 20 - abs(number - at))) for number in range(count)]


@pytest.mark.parametrize(
    ("times", "changes", "chosen"),
    [
        (every(0.1, 40), peak(40, 20), [15, 18, 22, 25]),
        (every(0.1, 40), peak(40, 2), [0, 3, 7, 10]),
        (every(0.1, 40), peak(40, 39), [29, 32, 36, 39]),
        (every(0.1, 6), peak(6, 5), [0, 2, 3, 5]),
        (every(0.1, 3), peak(3, 1), [0, 1, 2]),
        ([0.0], [0.0], [0]),
        (every(0.1, 30), [0.0] * 30, [0, 3, 7, 10]),
    ],
)
def test_the_frames_of_an_acted_clip_lie_around_its_largest_change(
    times: list[float], changes: list[float], chosen: list[int]
) -> None:
    assert around_apex(times, changes, 1.0, 4) == chosen


def test_a_flash_of_one_frame_is_no_apex() -> None:
    changes = peak(40, 25)
    changes[5] = 255.0
    assert around_apex(every(0.1, 40), changes, 1.0, 4) == around_apex(every(0.1, 40), peak(40, 25), 1.0, 4)


def test_frames_are_spread_by_time_and_not_by_number() -> None:
    """The rate falls from 20 to 2 frames a second in the middle of the window."""
    times = [*every(0.05, 21), 1.5, 2.0]
    assert around_apex(times, [0.0] * 10 + [9.0] * 13, 2.0, 5) == [0, 10, 20, 21, 22]
