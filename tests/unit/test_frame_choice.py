"""A few frames of a clip stand for all of it."""

from __future__ import annotations

import pytest

from bitface.faces.media.frame_choice import evenly_spread


@pytest.mark.parametrize(
    ("length", "count", "chosen"),
    [(8, 4, [0, 2, 5, 7]), (3, 4, [0, 1, 2]), (4, 4, [0, 1, 2, 3]), (100, 1, [0]), (0, 4, [])],
)
def test_so_many_frames_are_chosen_from_first_to_last(length: int, count: int, chosen: list[int]) -> None:
    assert evenly_spread(length, count) == chosen
