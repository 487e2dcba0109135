"""Tiles cover a scene so that no small head is cut by all of them, and one head is one face however often it is seen."""

from __future__ import annotations

import numpy as np
import pytest

from bitface.faces.scenes import distinct, is_portrait, largest_share, tiles_of


def face(left: float, top: float, side: float) -> np.ndarray:
    """478 landmarks that span a square box, eyes in its upper half."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0.2, 0.8, (478, 3))
    points[0], points[1] = (0, 0, 0), (1, 1, 0)
    points[[33, 133], :2], points[[263, 362], :2] = (0.3, 0.35), (0.7, 0.35)
    return (points * side + [left, top, 0]).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(1600, 2400), (2400, 1600), (1024, 1024), (512, 300), (400, 8000)])
def test_every_head_of_half_a_tile_lies_whole_in_a_tile(height: int, width: int) -> None:
    tiles = list(tiles_of(height, width, 0.0))
    assert len(tiles) <= 25
    head = -(-max(height, width) // 3) // 2
    for left in range(0, max(1, width - head), 7):
        for top in range(0, max(1, height - head), 11):
            right, bottom = min(left + head, width), min(top + head, height)
            assert any(t[0] <= left and t[1] <= top and t[2] >= right and t[3] >= bottom for t in tiles), (left, top)


@pytest.mark.parametrize(("height", "width"), [(1600, 2400), (512, 300), (3000, 4000)])
def test_small_tiles_are_an_eighth_and_never_smaller_than_a_small_head_needs(height: int, width: int) -> None:
    tiles = list(tiles_of(height, width, 0.0, per_side=8))
    assert len(tiles) <= 225
    assert {max(right - left, bottom - top) for left, top, right, bottom in tiles} == {
        max(160, -(-max(height, width) // 8))
    }


def test_small_pictures_and_pictures_of_large_faces_are_not_cut_into_tiles() -> None:
    assert list(tiles_of(511, 300, 0.0)) == []
    assert list(tiles_of(1600, 2400, 0.25)) == []
    assert not is_portrait(0.3) and is_portrait(0.6)


def test_the_share_of_a_face_is_of_the_longer_sides() -> None:
    assert largest_share([face(10, 10, 60), face(0, 0, 120)], 200, 400) == pytest.approx(0.3)
    assert largest_share([], 200, 400) == 0


def test_one_head_that_is_seen_twice_is_one_face_and_neighbours_are_two() -> None:
    faces = [face(0, 0, 100), face(5, 3, 110), face(90, 0, 100), face(30, 30, 40)]
    assert distinct(faces) == [1, 2]
    assert distinct([]) == []
