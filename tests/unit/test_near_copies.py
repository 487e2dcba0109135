"""A picture that stands twice is found, however it was stored; pictures of one person are not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter

from bitface.errors import InputError
from bitface.faces.media.near_copies import ALIKE, near_copies

PX = 64


def faces(count: int, seed: int, own: float = 1.0) -> np.ndarray:
    """Crops that share what all faces share, and have details of their own."""
    shared = gaussian_filter(np.random.default_rng(0).normal(size=(PX, PX)), 4) * 20
    details = gaussian_filter(np.random.default_rng([seed, 1]).normal(size=(count, PX, PX)), (0, 1.5, 1.5)) * 5 * own
    return np.clip(128 + 60 * (shared + details) / 3, 0, 255).astype(np.uint8)


def moved(crop: np.ndarray, turn: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.full(2, (PX - 1) / 2)
    found = affine_transform(crop.astype(float), matrix, middle - matrix @ middle + shift, order=1, mode="nearest")
    return np.clip(found, 0, 255).astype(np.uint8)


def darker(crop: np.ndarray) -> np.ndarray:
    return (crop * 0.6 + 10).astype(np.uint8)


def smaller(crop: np.ndarray) -> np.ndarray:
    image = Image.fromarray(crop)
    return np.asarray(image.resize((40, 40), Image.Resampling.BILINEAR).resize((PX, PX), Image.Resampling.BILINEAR))


CHANGES = {
    "exact": lambda crop: crop,
    "mirrored": lambda crop: crop[:, ::-1],
    "darker": darker,
    "resized": smaller,
    "landmarks jumped": lambda crop: moved(crop, 0.04, 1.05, (1.5, -1.0)),
    "mirrored, darker, and landmarks jumped": lambda crop: darker(moved(crop[:, ::-1], -0.03, 0.96, (-1.0, 1.0))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_and_nothing_else_is(change) -> None:
    own = faces(40, 3)
    found = near_copies(np.concatenate([own, np.stack([CHANGES[change](crop) for crop in own[:20]])]))
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(row, row + 40) for row in range(20)]
    assert (found.alike >= ALIKE).all()


def test_a_copy_counts_once_from_either_side_and_three_copies_are_three_pairs() -> None:
    own = faces(10, 4)
    found = near_copies(np.concatenate([own, own[:1], own[:1]]))
    assert sorted(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, 10), (0, 11), (10, 11)]


def test_faces_that_share_much_are_not_copies() -> None:
    """As two pictures of one person, or of twins: alike at large, and not in details."""
    assert len(near_copies(faces(60, 5, own=0.9))) == 0


def test_crops_of_noise_are_no_copies_though_none_is_worth_a_second_look() -> None:
    assert len(near_copies(np.random.default_rng(8).integers(0, 255, (50, PX, PX), dtype=np.uint8))) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_one_crop_has_no_copy(count) -> None:
    assert len(near_copies(faces(2, 6)[:count])) == 0


def test_flat_crops_are_nobody_s_copy() -> None:
    """A crop of no face is black: many of them say nothing."""
    assert len(near_copies(np.zeros((5, PX, PX), np.uint8))) == 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="not uint8"):
        near_copies(np.zeros((3, 32, 32), np.uint8))
