"""MediaPipe's faces arrive as our arrays, in pixels of the picture that was given."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitface.adapters.media_files import read_image
from bitface.adapters.mediapipe_landmarks import FaceLandmarks
from bitface.errors import InputError
from bitface.faces.quality import quality_reasons
from bitface.params import read_params

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
GREY = np.full((96, 96, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def seer(landmarker_file):
    with FaceLandmarks(landmarker_file) as landmarks:
        yield landmarks


@pytest.fixture(scope="module")
def portraits(london_images):
    return np.stack([read_image(path) for path in london_images[::17]])


def resized(image, width, height):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def test_portraits_give_one_good_face_each(seer, portraits):
    """12 pictures of the London set, across its people: shapes, types, ranges, and no reason to refuse one."""
    seen = seer.see(portraits, PARAMS.features)
    frames = len(portraits)
    assert seen.faces.tolist() == [1] * frames
    assert seen.landmarks.shape == seen.normalised.shape == (frames, 478, 3)
    assert seen.blendshapes.shape == (frames, 52)
    assert seen.crops.shape == (frames, 64, 64)
    assert {array.dtype.name for array in (seen.landmarks, seen.normalised, seen.blendshapes)} == {"float32"}
    assert seen.crops.dtype == np.uint8
    assert (seen.blendshapes >= 0).all()
    assert (seen.blendshapes <= 1).all()
    assert [quality_reasons(row, PARAMS.quality) for row in seen.quality] == [()] * frames


def test_smiles_are_seen_as_smiles(seer, london_images):
    """Blendshapes 44 and 45 are mouthSmileLeft and mouthSmileRight: the order of columns is what it is said to be."""
    by_label = {
        label: [read_image(path) for path in london_images if path.stem.endswith(label)][:12]
        for label in ("neutral", "smiling")
    }
    smile = {
        label: seer.see(np.stack(images), PARAMS.features).blendshapes[:, 44:46].mean()
        for label, images in by_label.items()
    }
    assert smile["smiling"] > smile["neutral"] + 0.3


def test_landmarks_are_in_pixels_of_the_original_whatever_its_size(seer, portraits):
    """Enlarging a small picture and padding it is undone: points scale with the picture, x and y on their own."""
    reference = seer.see(portraits[:1], PARAMS.features).landmarks[0]
    for width, height in ((128, 128), (512, 512), (200, 160), (3000, 2900)):
        points = seer.see(resized(portraits[0], width, height)[None], PARAMS.features).landmarks[0]
        shift = points[:, :2] / (width / 256, height / 256) - reference[:, :2]
        assert np.abs(shift).mean() < 2.0


def test_padding_does_not_move_the_points(seer, portraits):
    bare = PARAMS.features.model_copy(update={"pad_share": 0.0})
    with_border = seer.see(portraits[:1], PARAMS.features).landmarks[0]
    without = seer.see(portraits[:1], bare).landmarks[0]
    assert np.abs(with_border - without)[:, :2].mean() < 1.0


def test_mirrored_portrait_has_the_opposite_yaw(seer, portraits):
    yaw = seer.see(portraits, PARAMS.features).quality[:, 4]
    mirrored = seer.see(portraits[:, :, ::-1], PARAMS.features).quality[:, 4]
    np.testing.assert_allclose(mirrored, -yaw, atol=3)


def test_same_frames_give_the_same_numbers_whatever_was_seen_before(seer, portraits):
    once = seer.see(portraits[:2], PARAMS.features)
    again = seer.see(portraits[1:], PARAMS.features)
    np.testing.assert_array_equal(once.landmarks[1], again.landmarks[0])
    np.testing.assert_array_equal(once.blendshapes[1], again.blendshapes[0])


def test_frame_without_a_face_is_zeros_and_is_refused(seer):
    seen = seer.see(GREY[None], PARAMS.features)
    assert seen.faces.tolist() == [0]
    assert not any(array.any() for array in (seen.landmarks, seen.blendshapes, seen.normalised, seen.crops))
    assert quality_reasons(seen.quality[0], PARAMS.quality) == ("no face found",)


def test_two_people_in_a_picture_are_both_seen_larger_first(seer, portraits):
    small = np.full((256, 256, 3), portraits[1, 0, 0], np.uint8)
    small[38:218, 38:218] = resized(portraits[1], 180, 180)
    both = np.concatenate([small, portraits[0]], axis=1)
    faces = seer.see_all(both, PARAMS.features)
    assert len(faces) == 2
    assert faces[0].box[0] > 256 > faces[1].box[2]
    assert [face.quality[0] for face in faces] == [2, 2]
    assert all((face.box >= 0).all() and face.box[2] <= 512 and face.box[3] <= 256 for face in faces)
    assert any("2 faces" in reason for reason in quality_reasons(faces[0].quality, PARAMS.quality))


def test_small_face_in_a_large_picture_is_seen(seer, portraits):
    """A head of a fifth of the picture's side: padding alone would lose it."""
    scene = np.full((1152, 1152, 3), portraits[0, 0, 0], np.uint8)
    scene[-256:, :256] = portraits[0]
    (face,) = seer.see_all(scene, PARAMS.features)
    alone = seer.see_all(portraits[0], PARAMS.features)[0]
    assert np.abs(face.landmarks - alone.landmarks - (0, 1152 - 256, 0))[:, :2].mean() < 2.0


@pytest.fixture(scope="module")
def group_seer(landmarker_file):
    with FaceLandmarks(landmarker_file, faces_max=17) as landmarks:
        yield landmarks


def group_of(images, columns):
    """Portraits side by side."""
    rows = [np.concatenate(images[at : at + columns], axis=1) for at in range(0, len(images), columns)]
    return np.concatenate(rows)


@pytest.mark.parametrize(("people", "columns"), [(1, 1), (3, 3), (4, 2), (6, 3), (12, 4)])
def test_everybody_in_a_group_is_seen_once(group_seer, london_images, people, columns):
    """Six people side by side were once seen as seven: two looks at one head."""
    faces = group_seer.see_all(
        group_of([read_image(path) for path in london_images[: 2 * people : 2]], columns), PARAMS.features
    )
    assert len(faces) == people
    cells = {(int((f.box[0] + f.box[2]) // 512), int((f.box[1] + f.box[3]) // 512)) for f in faces}
    assert len(cells) == people
    assert all(face.quality[0] == people for face in faces)


def test_of_more_people_than_are_looked_for_so_many_are_seen(seer, london_images):
    group = group_of([read_image(path) for path in london_images[:8:2]], 2)
    assert len(seer.see_all(group, PARAMS.features)) == 2


@pytest.mark.parametrize("side", [160, 300])
def test_a_small_face_in_a_large_scene_is_seen_as_if_it_were_cut_out(seer, portraits, side):
    """A head of a fifteenth of the longer side, and of a ninth: lost by any look at the whole."""
    small = resized(portraits[0], side, side)
    scene = np.full((1600, 2400, 3), 110, np.uint8)
    scene[500 : 500 + side, 1000 : 1000 + side] = small
    (face,) = seer.see_all(scene, PARAMS.features)
    alone = seer.see_all(small, PARAMS.features)[0]
    assert np.abs(face.landmarks - alone.landmarks - (1000, 500, 0))[:, :2].mean() < 0.01 * side
    assert face.box[0] > 1000 and face.box[2] < 1000 + side


def test_no_face_is_seen_in_scenes_without_one(group_seer, portraits):
    """Noise, edges, and a portrait whose face is covered."""
    rng = np.random.default_rng(0)
    covered = resized(portraits[0], 1024, 1024).copy()
    covered[150:900, 200:830] = covered[20, 20]
    checks = (np.indices((900, 1200)).sum(axis=0) // 60 % 2 * 255).astype(np.uint8)
    noise = rng.integers(0, 255, (700, 1000, 3), np.uint8)
    for scene in (covered, np.stack([checks] * 3, axis=-1), noise):
        assert group_seer.see_all(scene, PARAMS.features) == ()


def test_what_a_clip_is_trained_on_does_not_depend_on_looks_in_tiles(seer, portraits):
    scene = np.full((1, 1600, 2400, 3), 110, np.uint8)
    scene[0, 500:756, 1000:1256] = portraits[0]
    assert seer.see(scene, PARAMS.features).faces.tolist() == [0]


def test_see_and_see_all_agree_on_the_same_picture(seer, portraits):
    (face,) = seer.see_all(portraits[0], PARAMS.features)
    seen = seer.see(portraits[:1], PARAMS.features)
    np.testing.assert_array_equal(face.landmarks, seen.landmarks[0])
    np.testing.assert_array_equal(face.crop, seen.crops[0])


@pytest.mark.parametrize(
    "frames", [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), np.zeros((1, 8, 8, 4), np.uint8)]
)
def test_frames_of_another_shape_are_refused(seer, frames):
    with pytest.raises(InputError, match=r"shape|uint8"):
        seer.see(frames, PARAMS.features)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3000, 3), (3000, 1, 3)])
def test_picture_of_an_absurd_shape_has_no_face(seer, shape):
    assert seer.see_all(np.zeros(shape, np.uint8), PARAMS.features) == ()


def test_floating_point_picture_is_refused(seer):
    with pytest.raises(InputError, match="float64"):
        seer.see_all(np.zeros((8, 8, 3)), PARAMS.features)


def test_a_picture_that_mediapipe_fails_on_is_bad_input(landmarker_file, portraits, monkeypatch):
    """One such picture must not end a folder of them."""

    def fails(_):
        raise RuntimeError("INTERNAL: a node failed")

    with FaceLandmarks(landmarker_file) as landmarks:
        monkeypatch.setattr(landmarks._landmarker, "detect", fails)
        with pytest.raises(InputError, match="MediaPipe failed"):
            landmarks.see_all(portraits[0], PARAMS.features)


def test_closed_landmarker_says_so_and_closing_twice_is_harmless(landmarker_file):
    landmarks = FaceLandmarks(landmarker_file)
    landmarks.close()
    landmarks.close()
    with pytest.raises(InputError, match="closed"):
        landmarks.see(GREY[None], PARAMS.features)


def test_file_that_is_no_model_is_refused(tmp_path):
    file = tmp_path / "face_landmarker.task"
    with pytest.raises(InputError, match="face model not found"):
        FaceLandmarks(file)
    file.write_bytes(b"not a model")
    with pytest.raises(InputError, match="cannot load"):
        FaceLandmarks(file)


def test_opening_says_nothing_on_standard_error_and_loses_nothing_said_there(landmarker_file):
    """The library's start-up chatter is dropped line by line; another thread's words at that moment are not."""
    code = f"""
import os, numpy as np
from pathlib import Path
from bitface.adapters import mediapipe_landmarks as adapter
from bitface.adapters.terminal.native_chatter import without_chatter
from bitface.params import read_params
with without_chatter(b"known words"):
    os.write(2, b"a real error\\nand known words\\n")
with adapter.FaceLandmarks(Path({str(landmarker_file)!r})) as landmarks:
    landmarks.see(np.zeros((1, 64, 64, 3), np.uint8), read_params(Path("params.yaml")).features)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stderr == "a real error\n"
