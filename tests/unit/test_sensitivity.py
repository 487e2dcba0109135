"""Max-sensitivity against explanations whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bitface.explain.sensitivity import max_sensitivity

FACES = np.random.default_rng(0).normal(size=(4, 1, 6, 3)).astype(np.float32) + 3
DEVIATION = np.ones((6, 3), np.float32)


def of(explain, inputs=FACES, deviation=DEVIATION, **changes):
    return max_sensitivity(explain, inputs, deviation, **{"share": 0.1, "copies": 5, "seed": 0, **changes})


def test_what_never_moves_has_none():
    assert of(lambda faces, _: np.ones((len(faces), 2, 3))) == pytest.approx(np.zeros(4))


def test_what_is_the_face_moves_by_as_much_as_the_face():
    """The largest of five changes of 18 values, uniform in 0.1: its length is 0.1 * sqrt(18 / 3), more or less."""
    found = of(lambda faces, _: faces.astype(np.float64))
    expected = 0.1 * np.sqrt(18 / 3) / np.linalg.norm(FACES.reshape(4, -1), axis=1)
    assert np.all((found > 0.8 * expected) & (found < 1.5 * expected))
    assert of(lambda faces, _: 7.0 * faces.astype(np.float64)) == pytest.approx(found)


def test_a_change_that_is_drowned_by_rounding_is_none():
    """Grey levels are whole: a tenth of a level is no change, three levels are."""
    crops = np.full((2, 1, 8, 8), 100, np.uint8)
    one = np.ones((8, 8), np.float32)
    assert of(lambda faces, _: faces.astype(np.float64), crops, one).max() == 0
    assert of(lambda faces, _: faces.astype(np.float64), crops, 30 * one).min() > 0


def test_copies_come_one_after_another_and_are_the_same_each_time():
    seen = []

    def explain(faces, copies):
        seen.append((faces.copy(), copies))
        return faces.astype(np.float64)

    of(explain)
    of(explain)
    assert [copies for _, copies in seen] == [1, 5, 1, 5]
    assert np.array_equal(seen[1][0], seen[3][0])
    assert np.abs(seen[1][0].reshape(4, 5, -1) - FACES.reshape(4, 1, -1)).max() <= 0.1 + 1e-6
