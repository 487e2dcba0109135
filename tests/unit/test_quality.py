"""A sample is refused for a reason that a person can see, and never because of the colour of the skin in it."""

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.faces.quality import QUALITY_COLUMNS, frame_quality, quality_reasons, sharpness, worst_frame
from bitface.params import QualityParams

LIMITS = QualityParams(
    faces=1,
    eye_distance_px_min=18,
    sharpness_min=0.05,
    brightness_min=10,
    brightness_max=245,
    yaw_deg_max=45,
    admitted_share_min=0.8,
)
GOOD = dict(zip(QUALITY_COLUMNS, (1, 60, 0.7, 120, -5), strict=True))


def row(**changes):
    return [float(value) for value in (GOOD | changes).values()]


def textured(seed=0):
    return np.random.default_rng(seed).integers(60, 180, (64, 64)).astype(np.uint8)


def test_good_row_has_no_reason_against_it():
    assert quality_reasons(row(), LIMITS) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"faces": 0}, "no face found"),
        ({"faces": 2}, "2 faces found"),
        ({"eye_distance_px": 17.9}, "eye distance 17.9 px under 18"),
        ({"sharpness": 0.01}, "sharpness 0.010 under 0.05"),
        ({"brightness": 4}, "brightness 4 under 10"),
        ({"brightness": 250}, "brightness 250 over 245"),
        ({"yaw_deg": 50}, "head turned 50 degrees"),
        ({"yaw_deg": -50}, "head turned 50 degrees"),
    ],
)
def test_each_limit_refuses_with_its_own_reason(changes, reason):
    (only,) = quality_reasons(row(**changes), LIMITS)
    assert reason in only


@pytest.mark.parametrize(
    "changes",
    [{"eye_distance_px": 18}, {"sharpness": 0.05}, {"brightness": 10}, {"brightness": 245}, {"yaw_deg": -45}],
)
def test_value_on_its_limit_is_admitted(changes):
    assert quality_reasons(row(**changes), LIMITS) == ()


@pytest.mark.parametrize("column", QUALITY_COLUMNS)
def test_a_missing_measurement_is_a_reason(column):
    """NaN compares false with everything, so a rule written the other way round would let it through."""
    assert quality_reasons(row(**{column: float("nan")}), LIMITS)


def test_all_reasons_are_given_at_once():
    assert len(quality_reasons(row(faces=2, eye_distance_px=3, yaw_deg=80), LIMITS)) == 3


def test_row_of_another_width_is_refused():
    with pytest.raises(InputError, match="4 values"):
        quality_reasons(row()[:4], LIMITS)


def test_worst_frame_takes_the_worst_of_each_column():
    rows = np.array([[1, 60, 0.7, 120, -5], [1, 40, 0.9, 30, -20], [1, 50, 0.2, 140, 10]], np.float32)
    np.testing.assert_allclose(worst_frame(rows), [1, 40, 0.2, 30, -20])


@pytest.mark.parametrize(("counts", "worst"), [((1, 1), 1), ((1, 2), 2), ((2, 0), 0), ((0, 1), 0)])
def test_a_frame_without_a_face_is_worse_than_one_with_two(counts, worst):
    assert worst_frame(np.array([row(faces=count) for count in counts], np.float32))[0] == worst


def test_worst_of_no_frame_is_refused():
    with pytest.raises(InputError, match="at least 1"):
        worst_frame(np.zeros((0, 5), np.float32))


def test_sharpness_of_a_known_crop():
    """A checkerboard of 100 and 102: variance 1 and Laplacian +-8, variance 64, so the ratio is 64."""
    board = (100 + 2 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)
    assert sharpness(board) == pytest.approx(64)


def test_flat_crop_has_sharpness_zero():
    assert sharpness(np.full((2, 64, 64), 77, np.uint8)).tolist() == [0, 0]


@pytest.mark.parametrize("gain", [0.25, 0.5, 1.4])
def test_sharpness_does_not_depend_on_how_bright_light_or_skin_is(gain):
    """Plain variance of the Laplacian would fall sixteen-fold at a quarter of the light."""
    crop = textured()
    assert sharpness((crop * gain).astype(np.uint8)) == pytest.approx(float(sharpness(crop)), rel=0.05)


def test_blur_lowers_sharpness():
    crop = textured().astype(float)
    blurred = (crop + np.roll(crop, 1, 0) + np.roll(crop, 1, 1) + np.roll(crop, (1, 1), (0, 1))) / 4
    assert sharpness(blurred.astype(np.uint8)) < 0.5 * sharpness(textured())


def test_background_changes_neither_brightness_nor_sharpness():
    crop = textured()
    other = crop.copy()
    other[:, :8], other[:, 56:], other[:6] = 255, 0, 255
    points = np.zeros((2, 478, 3), np.float32)
    measured = frame_quality(np.array([1, 1]), points, np.stack([crop, other]))
    np.testing.assert_array_equal(measured[0], measured[1])
    assert measured.shape == (2, 5)
    assert measured.dtype == np.float32


def test_frame_quality_of_a_known_face():
    """Eyes 40 px apart, level and frontal, in a flat grey crop of 90."""
    points = np.zeros((1, 478, 3), np.float32)
    for right, left in ((33, 263), (133, 362), (234, 454), (127, 356), (93, 323), (61, 291)):
        points[0, right], points[0, left] = (80, 50, 0), (120, 50, 0)
    measured = frame_quality(np.array([1]), points, np.full((1, 64, 64), 90, np.uint8))
    np.testing.assert_allclose(measured, [[1, 40, 0, 90, 0]], atol=1e-5)
