"""Limits follow the source's resolution: a crop of 48 pixels is not refused for the pixels that it never had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitface.faces.quality import frame_quality, limits_missed, quality_reasons
from bitface.faces.tight_crops import enlargement
from bitface.params import read_params

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml").quality
RIGHT_EYE = (362, 263)


@pytest.mark.parametrize(("size", "factor"), [((48, 48), 100 / 48), ((100, 80), 1), ((101, 60), 1), ((256, 256), 1)])
def test_a_picture_of_up_to_a_hundred_pixels_is_judged_as_one_of_a_hundred(
    size: tuple[int, int], factor: float
) -> None:
    assert enlargement(*size) == pytest.approx(factor)


def measured(eyes_px: float, side: int) -> np.ndarray:
    """Quality of a frontal face whose eyes are so far apart, in a picture of this side."""
    points = np.zeros((1, 478, 3), np.float32)
    points[0, RIGHT_EYE, 0] = eyes_px
    crop = np.random.default_rng(1).integers(60, 180, (1, 64, 64)).astype(np.uint8)
    return frame_quality(np.array([1]), points, crop, enlargement(side, side))[0]


def test_eyes_in_a_crop_are_measured_by_its_side() -> None:
    """Of 48 pixels, eyes 16 apart are a third of the picture: near enough. In a picture of 400 they are far away."""
    limit = PARAMS.eye_distance_px_min
    assert measured(16, 48)[1] == pytest.approx(16 * 100 / 48, rel=0.01) and measured(16, 400)[1] < limit
    assert not [reason for reason in quality_reasons(measured(16, 48), PARAMS) if "eye distance" in reason]
    assert [reason for reason in quality_reasons(measured(16, 400), PARAMS) if "eye distance" in reason]
    assert [reason for reason in quality_reasons(measured(7, 48), PARAMS) if "eye distance" in reason]
    assert measured(60, 400)[1] == pytest.approx(60, rel=0.01)


def test_the_limits_that_samples_miss_are_named_with_share_value_and_parameter_the_most_frequent_first() -> None:
    good, far, dark, none = (1, 60, 0.7, 120, 0), (1, 12, 0.7, 120, 0), (1, 60, 0.7, 4, -50), (0, 0, 0, 0, 0)
    found = limits_missed(np.array([good, far, far, far, dark, none, none, good], np.float32), PARAMS)
    assert found[0] == "38% eye distance under 18 px (quality.eye_distance_px_min; median 36)"
    assert found[1] == "25% no face found" and len(found) == 4
    assert any("head turned over 45 degrees (quality.yaw_deg_max; median 0)" in one for one in found)
    assert limits_missed(np.array([good], np.float32), PARAMS) == ()
    assert limits_missed(np.array([none], np.float32), PARAMS) == ("100% no face found",)
