"""The named numbers of a face: distances in eye distances, that move when the face does and not when it turns or grows."""

from __future__ import annotations

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.evaluation.projection import sparse_projection
from bitface.faces.alignment import normalise_landmarks
from bitface.faces.geometry import GEOMETRY_NAMES, face_geometry
from bitface.faces.measures import MEASURE_NAMES, family_of, measures_of


def face() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(478, 3)).astype(np.float32)


def measured(points: np.ndarray) -> dict[str, float]:
    return dict(zip(GEOMETRY_NAMES, face_geometry(points).tolist(), strict=True))


def test_spans_are_distances_between_points() -> None:
    points = face()
    found = measured(points)
    assert found["mouth_width"] == pytest.approx(np.linalg.norm(points[61] - points[291]), rel=1e-6)
    assert found["eye_opening_left"] == pytest.approx(np.linalg.norm(points[386] - points[374]), rel=1e-6)


def test_a_smile_raises_the_corners_and_an_open_mouth_opens() -> None:
    points = np.zeros((478, 3), np.float32)
    points[:, 2] = 1  # a point at 0 is one that a table of points does not have
    points[[61, 291], 1] = -0.1  # y grows downwards
    points[14, 1] = 0.3
    found = measured(points)
    assert found["mouth_corners_raised"] == pytest.approx(0.25)
    assert found["mouth_opening"] == pytest.approx(0.3)
    assert found["mouth_slant"] == 0
    points[61, 1] = -0.3
    assert measured(points)["mouth_slant"] == pytest.approx(0.2)


def test_measures_do_not_know_how_large_a_picture_is() -> None:
    points = face()
    once, twice = (face_geometry(normalise_landmarks(points * scale + 7 * scale)) for scale in (1, 2))
    assert once == pytest.approx(twice, rel=1e-4)


def test_columns_have_families_and_leave_out_how_many_faces_there_are() -> None:
    rows = measures_of(
        np.zeros((2, 52), np.float32), np.stack([face()] * 2), np.arange(10, dtype=np.float32).reshape(2, 5)
    )
    assert rows.shape == (2, len(MEASURE_NAMES)) and len(set(MEASURE_NAMES)) == 70
    assert {family_of(name) for name in MEASURE_NAMES} == {"blendshape", "geometry", "quality"}
    assert rows[:, -4:].tolist() == [[1, 2, 3, 4], [6, 7, 8, 9]]
    with pytest.raises(InputError, match="478"):
        face_geometry(np.zeros((3, 468, 3), np.float32))


def test_a_projection_keeps_distances_and_repeats() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(-100, 100, (40, 900)).astype(np.int32)
    projected = sparse_projection(counts, 400, 5)
    assert np.array_equal(projected, sparse_projection(counts, 400, 5))
    assert not np.array_equal(projected, sparse_projection(counts, 400, 6))
    ratio = np.linalg.norm(projected[:20] - projected[20:], axis=1) / np.linalg.norm(counts[:20] - counts[20:], axis=1)
    assert ratio == pytest.approx(np.full(20, np.sqrt(400 / 900)), rel=0.2)
