"""Whether a map is right is asked of the model itself: on scores known by hand the right map wins and the wrong one loses."""

import numpy as np
import pytest
from scipy.special import expit

from bitface.explain.baselines import Baseline, Faces
from bitface.explain.faithfulness import faithfulness, unit_overlap
from bitface.faces.features import LANDMARKS
from bitface.faces.regions import REGIONS, region_of_landmark, regions_of_emotion

TELLING = np.arange(24)
FACE, BASELINE = np.ones((1, 1, LANDMARKS, 3), np.float32), np.zeros((LANDMARKS, 3), np.float32)


def score(stills, lengths):
    """Log odds: half a unit for each telling landmark that is there, from -6 to 6."""
    assert (lengths == 1).all()
    return stills[:, 0, TELLING, 0].sum(axis=1, keepdims=True) / 2 - 6


def asked(values, owners=None, face=FACE, baseline=BASELINE, model=score, steps=20):
    faces = Faces(
        inputs=face,
        lengths=np.ones(len(face), np.int64),
        baseline=Baseline(name="none", face=baseline),
        owners=owners,
    )
    return faithfulness(model, faces, values, np.zeros(len(face), np.int64), steps=steps, random_orders=8, seed=0)


def right_map():
    values = np.zeros((1, LANDMARKS))
    values[0, TELLING] = 1.0
    return values


def test_the_right_map_deletes_faster_and_inserts_faster_than_chance():
    found = asked(right_map())
    assert found.deletion[0] < 0.1 < found.deletion_random[0]
    assert found.insertion[0] > 0.9 > found.insertion_random[0]
    assert found.gain()[0] > 0.5


def test_the_wrong_way_round_is_worse_than_chance():
    assert asked(-right_map()).gain()[0] < -0.5


def test_the_area_is_the_mean_over_the_path():
    """Two steps: all 24 telling landmarks lie in the first half, so that deletion goes 6, -6, -6 in log odds."""
    found = asked(right_map(), steps=2)
    ends = expit(np.array([6.0, -6.0]))
    assert found.deletion[0] == pytest.approx((ends[0] / 2 + ends[1] + ends[1] / 2) / 2)
    assert found.insertion[0] == pytest.approx((ends[1] / 2 + ends[0] + ends[0] / 2) / 2)


def test_pixels_go_with_their_landmark_and_the_background_last():
    """Of an 8-bit crop half of whose pixels are landmark 5's: they go first, and what is no face goes last."""
    owners = np.full((1, 1, 64, 64), LANDMARKS)
    owners[:, :, :32] = 5
    crop, dark = np.full((1, 1, 64, 64), 200, np.uint8), np.zeros((64, 64), np.uint8)
    values = np.zeros((1, LANDMARKS))
    values[0, 5] = 1.0

    def bright(stills, _):
        return (stills[:, 0, :32].mean(axis=(1, 2)) / 20 - 5)[:, None]

    found = asked(values, owners, crop, dark, bright, steps=10)
    assert found.deletion[0] < 0.1
    assert found.insertion[0] > 0.9


def test_a_map_on_the_units_regions_overlaps_wholly_and_one_elsewhere_not_at_all():
    is_expected = np.isin(np.array(list(REGIONS))[region_of_landmark()], regions_of_emotion("happiness"))
    both = np.stack([is_expected, ~is_expected]).astype(float)
    assert unit_overlap(both[:1], ["happiness"]) == {"happiness": 1.0}
    assert unit_overlap(both[1:], ["happiness"])["happiness"] < 0.6
    assert unit_overlap(both[:1], ["neutral"]) == {}
