"""Where a face is, how large and how tilted must not matter; how it is shaped and turned must."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitface.errors import InputError
from bitface.faces.alignment import (
    CROP_EYE_DISTANCE_PX,
    CROP_EYE_LINE_PX,
    aligned_crop,
    eye_distance,
    normalise_landmarks,
    pixel_owners,
    yaw_deg,
)

MIRRORED = ((33, 263), (133, 362), (234, 454), (127, 356), (93, 323), (61, 291))


def face(seed=0):
    """A face that is mirror-symmetric where pose is measured: eyes 60 px apart around (120, 100), level."""
    points = np.random.default_rng(seed).normal(0, 30, (478, 3))
    for number, (right, left) in enumerate(MIRRORED):
        half = 40 if number == 0 else 20 if number == 1 else 50 + number
        height = 0.0 if number < 2 else 10.0 * number
        points[right], points[left] = (-half, height, 5), (half, height, 5)
    return (points + np.array([120, 100, 0])).astype(np.float32)


def turned(points, roll_deg=0.0, yaw=0.0):
    around = np.array([120, 100, 5])
    a, b = np.radians(roll_deg), np.radians(yaw)
    roll = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    yawed = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
    return ((points - around) @ (roll @ yawed).T + around).astype(np.float32)


def test_eye_centres_of_a_normalised_face_lie_half_a_unit_left_and_right_of_the_origin():
    """The eyes are 60 px apart at (90, 100) and (150, 100), both at depth 5: a known answer."""
    level = normalise_landmarks(face())
    np.testing.assert_allclose(level[[33, 133]].mean(axis=0), [-0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(level[[263, 362]].mean(axis=0), [0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(level[454], [(50 + 2) / 60, 20 / 60, 0], atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    shift=st.tuples(*[st.floats(-500, 500)] * 3),
    scale=st.floats(0.05, 20),
    roll=st.floats(-179, 179),
    seed=st.integers(0, 50),
)
def test_normalisation_ignores_translation_scale_and_roll(shift, scale, roll, seed):
    original = face(seed)
    moved = (turned(original, roll) * scale + np.array(shift)).astype(np.float32)
    np.testing.assert_allclose(normalise_landmarks(moved), normalise_landmarks(original), atol=2e-3)


def test_normalising_twice_changes_nothing():
    once = normalise_landmarks(face())
    np.testing.assert_allclose(normalise_landmarks(once), once, atol=1e-6)


def test_normalisation_keeps_the_turn_of_the_head_and_its_height():
    """Eye distance is taken in space: turning by 40 degrees must not stretch the face by 1 / cos(40 degrees)."""
    straight, looking_aside = normalise_landmarks(face()), normalise_landmarks(turned(face(), yaw=40))
    assert np.abs(straight - looking_aside).max() > 0.3
    np.testing.assert_allclose(looking_aside[:, 1], straight[:, 1], atol=1e-5)


def test_a_frame_without_a_face_stays_zero_among_others():
    frames = np.stack([face(), np.zeros((478, 3), np.float32)])
    level = normalise_landmarks(frames)
    assert level.shape == (2, 478, 3)
    assert level.dtype == np.float32
    assert not level[1].any()
    np.testing.assert_array_equal(level[0], normalise_landmarks(face()))


def test_another_mesh_is_refused():
    with pytest.raises(InputError, match="478"):
        normalise_landmarks(np.zeros((4, 468, 3), np.float32))


def test_eye_distance_is_measured_in_the_image():
    assert eye_distance(face()) == pytest.approx(60)
    assert eye_distance(turned(face(), yaw=60)) == pytest.approx(30, abs=1e-3)


@pytest.mark.parametrize("angle", [-60, -30, 0, 15, 45])
@pytest.mark.parametrize("roll", [-40, 0, 90])
def test_yaw_is_the_angle_that_the_head_was_turned_by(angle, roll):
    assert yaw_deg(turned(face(), roll, angle)) == pytest.approx(angle, abs=0.01)


def test_mirrored_face_has_the_opposite_yaw():
    points = turned(face(), yaw=25)
    mirrored = points * (-1, 1, 1)
    for right, left in MIRRORED:
        mirrored[[right, left]] = mirrored[[left, right]]
    assert yaw_deg(mirrored.astype(np.float32)) == pytest.approx(-25, abs=0.01)


def test_no_face_has_yaw_zero():
    assert yaw_deg(np.zeros((3, 478, 3), np.float32)).tolist() == [0, 0, 0]


def dotted_image(points, side=240):
    """A black picture with a soft white disc on each eye."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    grey = np.zeros((side, side))
    for corners in ((33, 133), (263, 362)):
        x, y, _ = points[list(corners)].mean(axis=0)
        grey += 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 5.0**2))
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def centre_of_light(half, first_column):
    rows, columns = np.mgrid[: half.shape[0], : half.shape[1]] + 0.5
    weight = half.astype(float) / half.sum()
    return (columns * weight).sum() + first_column, (rows * weight).sum()


@pytest.mark.parametrize(("roll", "scale"), [(0, 1.0), (30, 1.0), (-75, 0.8), (10, 0.3)])
def test_eyes_of_a_crop_are_always_at_the_same_place(roll, scale):
    centre = np.array([120, 100, 0])
    points = ((turned(face(), roll) - centre) * scale + centre).astype(np.float32)
    crop = aligned_crop(dotted_image(points), points)
    assert crop.shape == (64, 64)
    assert crop.dtype == np.uint8
    right, left = centre_of_light(crop[:, :32], 0), centre_of_light(crop[:, 32:], 32)
    assert right == pytest.approx((32 - CROP_EYE_DISTANCE_PX / 2, CROP_EYE_LINE_PX), abs=0.5)
    assert left == pytest.approx((32 + CROP_EYE_DISTANCE_PX / 2, CROP_EYE_LINE_PX), abs=0.5)


def test_crop_without_a_face_is_black():
    crop = aligned_crop(np.full((50, 50, 3), 200, np.uint8), np.zeros((478, 3), np.float32))
    assert not crop.any()


def test_crop_beyond_the_image_is_black_there():
    """Eyes at the top edge: what would lie above the picture is black, what lies in it is not."""
    points = face() - np.array([0, 100, 0], np.float32)
    crop = aligned_crop(np.full((240, 240, 3), 200, np.uint8), points)
    assert not crop[: int(CROP_EYE_LINE_PX) - 1].any()
    assert (crop[int(CROP_EYE_LINE_PX) + 1 :, 8:56] == 200).all()


@pytest.mark.parametrize("number", [61, 199])
def test_a_spot_painted_at_a_landmark_is_nearest_to_that_landmark_in_the_crop(number):
    """Whatever the roll of the head: crop and landmarks share one frame."""
    points = face(seed=2)
    points[number] = (120, 150, 0)
    points = turned(points, roll_deg=20)
    x, y = points[number, :2]
    away = np.linalg.norm(points[:, :2] - points[number, :2], axis=1)
    points[(away > 0) & (away < 8)] += (200, 0, 0)
    image = np.zeros((240, 240, 3), np.uint8)
    rows, columns = np.mgrid[0:240, 0:240]
    image[(columns - x) ** 2 + (rows - y) ** 2 < 9] = 255
    crop = aligned_crop(image, points)
    row, column = np.unravel_index(crop.argmax(), crop.shape)
    assert pixel_owners(normalise_landmarks(points))[row, column] == number
