"""A face keeps its number while it can be followed, and no other face gets it."""

from __future__ import annotations

import numpy as np
import pytest

from bitface.faces.tracks import Tracks

STILL = np.full((64, 64), 90, np.uint8)


def box(x: float, y: float = 0.0, side: float = 40.0) -> np.ndarray:
    return np.array([x, y, x + side, y + side], np.float32)


def test_two_faces_that_pass_by_each_other_in_any_order_keep_their_numbers() -> None:
    tracks = Tracks()
    assert tracks.numbers([box(0), box(200)], 0.0, STILL) == (1, 2)
    assert tracks.numbers([box(190), box(12)], 0.2, STILL) == (2, 1)
    assert tracks.numbers([box(20, 12), box(175, 10), box(400)], 0.4, STILL) == (1, 2, 3)


def test_a_face_that_moves_by_half_of_itself_is_followed_and_one_further_off_is_another() -> None:
    for moved, same in ((20.0, True), (23.0, True), (60.0, False)):
        tracks = Tracks()
        tracks.numbers([box(0)], 0.0, STILL)
        assert (tracks.numbers([box(moved)], 0.2, STILL) == (1,)) is same


def test_of_two_near_faces_each_gets_the_nearest_and_no_number_is_given_twice() -> None:
    tracks = Tracks()
    tracks.numbers([box(0)], 0.0, STILL)
    assert tracks.numbers([box(10), box(2)], 0.2, STILL) == (2, 1)


@pytest.mark.parametrize(("away_s", "number"), [(0.8, 1), (1.3, 2)])
def test_a_face_that_was_hidden_for_a_moment_keeps_its_number(away_s: float, number: int) -> None:
    tracks = Tracks()
    tracks.numbers([box(0)], 0.0, STILL)
    tracks.numbers([], 0.2, STILL)
    assert tracks.numbers([box(0)], away_s, STILL) == (number,)


def test_where_frames_are_seconds_apart_a_face_that_is_in_each_keeps_its_number() -> None:
    tracks = Tracks()
    assert [tracks.numbers([box(0)], time_s, STILL) for time_s in (0.0, 2.0, 4.0)] == [(1,)] * 3
    tracks.numbers([], 6.0, STILL)
    assert tracks.numbers([box(0)], 8.0, STILL) == (2,)


def test_behind_a_cut_everyone_is_new_even_at_the_same_place() -> None:
    tracks = Tracks()
    tracks.numbers([box(0)], 0.0, STILL)
    assert tracks.numbers([box(0)], 0.2, STILL + 10) == (1,), "somebody switched a lamp on"
    assert tracks.numbers([box(0)], 0.4, np.full((64, 64), 200, np.uint8)) == (2,)
    assert tracks.numbers([box(0)], 0.6, np.full((48, 64), 200, np.uint8)) == (3,), "another size is another shot"
