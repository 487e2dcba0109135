"""A picture that is all face is found without surroundings, and nothing else is taken for a face."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bitface.adapters.face_networks import FaceNetworks
from bitface.adapters.face_networks.picture_regions import Region
from bitface.adapters.face_networks.tight_face import find_tight_faces
from bitface.adapters.media_files import read_image
from bitface.adapters.mediapipe_landmarks import FaceLandmarks
from bitface.errors import InputError
from bitface.params import read_params
from bitface.training.landmarks.mirror import mirror_order

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture(scope="module")
def networks(landmarker_file):
    return FaceNetworks(landmarker_file)


@pytest.fixture(scope="module")
def seer(landmarker_file):
    with FaceLandmarks(landmarker_file) as landmarks:
        yield landmarks


@pytest.fixture(scope="module")
def portraits(london_images):
    return np.stack([read_image(path) for path in london_images[::40]])


def tight(portrait, landmarks, side=48):
    """From the brows to the chin, and no hair: a crop that leaves a detector nothing to go by."""
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    centre, half = (low + high) / 2, 0.42 * float((high - low).max())
    box = (*(centre - half).round().astype(int), *(centre + half).round().astype(int))
    return np.asarray(Image.fromarray(portrait).crop(box).resize((side, side), Image.Resampling.LANCZOS)), box


def apart(one, other):
    """Mean distance in eye distances."""
    eyes = np.linalg.norm(other[[33, 133], :2].mean(axis=0) - other[[263, 362], :2].mean(axis=0))
    return np.linalg.norm((one - other)[:, :2], axis=1).mean() / eyes


def test_tight_crops_are_found_where_the_whole_portrait_has_the_face(networks, seer, portraits):
    for portrait in portraits:
        whole = seer.see(portrait[None], PARAMS.features).landmarks[0]
        crop, box = tight(portrait, whole)
        (points,) = find_tight_faces(networks, crop)
        assert points.shape == (478, 3) and points.dtype == np.float32
        moved = (whole - (box[0], box[1], 0)) * (48 / (box[2] - box[0]))
        assert apart(points, moved) < 0.12


def test_the_mirrored_crop_has_the_mirrored_face(networks, seer, portraits):
    crop, _ = tight(portraits[0], seer.see(portraits[:1], PARAMS.features).landmarks[0])
    (points,), (mirrored,) = (find_tight_faces(networks, np.ascontiguousarray(one)) for one in (crop, crop[:, ::-1]))
    assert apart(mirrored[mirror_order()] * (-1, 1, 1) + (47, 0, 0), points) < 0.06


def nothing_of(kind, rng):
    rows, columns = np.mgrid[0:48, 0:48]
    if kind == "noise":
        return rng.integers(0, 256, (48, 48))
    if kind == "blank":
        return np.full((48, 48), rng.integers(0, 256)) + rng.normal(0, 2, (48, 48))
    if kind == "checks":
        return (rows // 6 + columns // 6) % 2 * 200
    if kind == "grating":
        return 127 + 120 * np.sin((rows * rng.normal() + columns * rng.normal()) * 0.4)
    if kind == "blobs":
        return np.asarray(Image.fromarray(rng.integers(0, 256, (6, 6)).astype(np.uint8)).resize((48, 48), 3))
    picture = Image.new("L", (192, 192), 230)
    draw = ImageDraw.Draw(picture)
    if kind == "head without features":
        draw.ellipse((46, 26, 146, 166), fill=int(rng.integers(40, 180)))
    else:
        for line in range(6):
            draw.text((8, 8 + 30 * line), "".join(rng.choice(list("abcdef gh"), 24)), fill=0)
    return np.asarray(picture.resize((48, 48)))


@pytest.mark.parametrize("kind", ["noise", "blank", "checks", "grating", "blobs", "text", "head without features"])
def test_what_is_no_face_is_not_taken_for_one(networks, kind):
    """The mesh network gives a mesh of anything; without the looks that must agree, most kinds here are faces."""
    for seed in range(3):
        grey = np.clip(nothing_of(kind, np.random.default_rng(seed)), 0, 255).astype(np.uint8)
        assert find_tight_faces(networks, np.repeat(grey[..., None], 3, axis=2)) == []


@pytest.mark.parametrize("limit", ["_SURE_FROM", "_FACE_FROM"])
def test_each_limit_is_needed(networks, monkeypatch, limit):
    """The rule itself: with either limit taken away, a blob becomes a face."""
    monkeypatch.setattr(f"bitface.adapters.face_networks.tight_face.{limit}", -99.0)
    blobs = [nothing_of("blobs", np.random.default_rng(seed)).astype(np.uint8) for seed in range(6)]
    assert any(find_tight_faces(networks, np.repeat(grey[..., None], 3, axis=2)) for grey in blobs)


def test_a_face_that_two_looks_make_sure_of_gets_no_more(networks, seer, portraits, monkeypatch):
    crop, _ = tight(portraits[0], seer.see(portraits[:1], PARAMS.features).landmarks[0], side=100)
    looks, mesh = [], networks.mesh
    monkeypatch.setattr(networks, "mesh", lambda *look: looks.append(look) or mesh(*look))
    assert len(find_tight_faces(networks, crop)) == 1
    assert len(looks) == 2


@pytest.mark.parametrize("sides", [(48, 48), (48, 36), (36, 48), (1, 1), (128, 3), (128, 128)])
@pytest.mark.parametrize("grey", [0, 255])
def test_a_picture_of_one_tone_has_no_face_whatever_its_shape(networks, sides, grey):
    assert find_tight_faces(networks, np.full((*sides, 3), grey, np.uint8)) == []


def test_two_people_in_a_crop_are_two_faces(seer, portraits):
    """So that the quality gate can refuse the picture: whose expression the label names is not known."""
    both = np.concatenate([portraits[0], portraits[1]], axis=1)
    crop = np.asarray(Image.fromarray(both).resize((128, 64), Image.Resampling.LANCZOS))
    assert seer.see(crop[None], PARAMS.features).faces.tolist() == [2]
    assert len(seer.see_all(crop, PARAMS.features)) == 2


def test_blendshapes_are_those_of_the_landmarker(networks, seer, portraits):
    seen = seer.see(portraits, PARAMS.features)
    for points, scores in zip(seen.landmarks, seen.blendshapes, strict=True):
        np.testing.assert_allclose(networks.blendshapes(points), scores, atol=1e-3)


def test_the_mesh_of_a_portrait_is_that_of_the_landmarker(networks, seer, portraits):
    points = seer.see(portraits[:1], PARAMS.features).landmarks[0]
    found, score = networks.mesh(portraits[0], Region.of_mesh(points))
    assert score > 0.9
    assert apart(found, points) < 0.03


def test_small_pictures_alone_are_seen_by_the_networks(seer, portraits, monkeypatch):
    """A crop never meets the landmarker, and what is larger never meets the networks alone: its points stay as they were."""
    crop, _ = tight(portraits[0], seer.see(portraits[:1], PARAMS.features).landmarks[0])
    asked, closely = [], []
    monkeypatch.setattr(seer, "_detect", lambda image, *_: asked.append(image.shape) or [])
    monkeypatch.setattr(seer, "_look_closely", lambda image: closely.append(image.shape) or [])
    seer.see(crop[None], PARAMS.features)
    assert (asked, closely) == ([], [(48, 48, 3)])
    seer.see(np.zeros((1, 129, 48, 3), np.uint8), PARAMS.features)
    assert (asked, closely) == ([(129, 48, 3)] * 2, [(48, 48, 3)])


def test_see_gives_a_tight_crop_its_face_with_all_columns(seer, portraits):
    crop, _ = tight(portraits[0], seer.see(portraits[:1], PARAMS.features).landmarks[0])
    seen = seer.see(crop[None], PARAMS.features)
    assert seen.faces.tolist() == [1]
    assert seen.blendshapes.max() > 0.1 and seen.crops.any() and seen.quality[0, 1] > 10
    np.testing.assert_array_equal(seer.see_all(crop, PARAMS.features)[0].landmarks, seen.landmarks[0])


def test_a_bundle_without_the_networks_is_refused(tmp_path):
    (tmp_path / "face_landmarker.task").write_bytes(b"not a bundle")
    with pytest.raises(InputError, match=r"holds no face_detector.tflite that can be read"):
        FaceNetworks(tmp_path / "face_landmarker.task")
