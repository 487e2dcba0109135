"""An augmented clip is the same clip through another camera: seeded, changed as a whole, and still a face."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from bitface.adapters.media_files import read_image
from bitface.adapters.mediapipe_landmarks import FaceLandmarks
from bitface.errors import InputError
from bitface.faces.quality import quality_reasons
from bitface.params import read_params
from bitface.training.image_augmentation import augmented

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture(autouse=True)
def one_core():
    """As in a worker of the flow: several threads of torch on busy cores only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def clip(frames=3, height=96, width=80):
    rows, columns = np.mgrid[:height, :width]
    base = np.stack([rows * 2, columns * 3, 255 - rows - columns], axis=-1).clip(0, 255)
    return np.stack([np.roll(base, 2 * frame, axis=0) for frame in range(frames)]).astype(np.uint8)


def test_shape_and_type_stay_and_pixels_change():
    out = augmented(clip(), 1)
    assert out.shape == (3, 96, 80, 3)
    assert out.dtype == np.uint8
    assert np.abs(out.astype(int) - clip()).mean() > 5


def test_same_seed_gives_the_same_pixels_and_another_seed_others():
    np.testing.assert_array_equal(augmented(clip(), 7), augmented(clip(), 7))
    assert (augmented(clip(), 7) != augmented(clip(), 8)).any()


def test_neither_reads_nor_moves_the_global_generator():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = augmented(clip(), 3)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    np.testing.assert_array_equal(augmented(clip(), 3), first)


def test_threads_do_not_change_each_others_draws():
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: augmented(clip(), seed), range(8)))
    for seed, out in enumerate(together):
        np.testing.assert_array_equal(out, augmented(clip(), seed))


@pytest.mark.parametrize("seed", range(5))
def test_all_frames_of_a_clip_are_changed_alike(seed):
    """A still clip stays still: other draws per frame would look like movement of the face."""
    still = np.repeat(clip(1), 4, axis=0)
    out = augmented(still, seed)
    assert (out == out[:1]).all()
    np.testing.assert_array_equal(augmented(still[:1], seed), out[:1])


@pytest.mark.parametrize("seed", range(10))
def test_no_black_corner_comes_into_view(seed):
    out = augmented(np.full((1, 64, 64, 3), 200, np.uint8), seed)
    assert out.min() > 60


def test_input_is_left_as_it_was():
    frames = clip()
    augmented(frames, 2)
    np.testing.assert_array_equal(frames, clip())


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 3, 200, 3)])
def test_odd_sizes_work(shape):
    assert augmented(np.zeros(shape, np.uint8), 0).shape == shape


@pytest.mark.parametrize(
    "frames", [np.zeros((3, 8, 8), np.uint8), np.zeros((1, 8, 8, 3)), np.zeros((0, 8, 8, 3), np.uint8)]
)
def test_other_arrays_are_refused(frames):
    with pytest.raises(InputError, match="uint8"):
        augmented(frames, 0)


def test_augmented_portraits_still_show_one_good_face(landmarker_file, london_images):
    """12 portraits, one seed each: what training sees must pass the same rule as what it came from."""
    images = [read_image(path) for path in london_images[::17]]
    with FaceLandmarks(landmarker_file) as landmarks:
        changed = np.concatenate([augmented(image[None], seed) for seed, image in enumerate(images)])
        rows = landmarks.see(changed, PARAMS.features).quality
    assert [quality_reasons(row, PARAMS.quality) for row in rows] == [()] * len(images)
