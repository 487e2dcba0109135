"""R-EMO: random convolutions from a seed, heads from whole numbers, and a person who leaves without a trace in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import lstsq

from bitface.errors import InputError
from bitface.faces.regions import region_of_landmark
from bitface.models.random_kernels import DILATIONS, TAPS_MAX, face_kernels, landmark_kernels, padding
from bitface.models.random_net import RandomFaceNet, RandomFaceSpec
from bitface.models.selftest import selftest_crops
from bitface.params import read_params
from bitface.training.batches import apex_stills
from bitface.training.choice import macro_auc, targets_of
from bitface.training.closed_form import Statistics
from bitface.training.loop import load_model, predict_scores, save_model, train_pair
from tests.unit.test_training import PARAMS as TRAINED
from tests.unit.test_training import silent, toy

SHIPPED = read_params(Path(__file__).parents[2] / "params.yaml").training
RANDOM = SHIPPED.r_emo.model_copy(update={"landmark_kernels": 512, "copies": 2, "head": "closed_form"})
PARAMS = TRAINED.model_copy(update={"variant": "R-EMO", "r_emo": RANDOM})
SEED = 11
PINNED_LANDMARKS = ([[645, 1095], [379, 834]], [[279, 1191], [831, 16]], [-64.5, -31.5])
PINNED_FACES = [
    [-1, -1, 1, -1, 1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1, 1],
    [1, 1, 1, 1, -1, 1, -1, -1, -1, -1, -1, 1, 1, -1, -1, 1],
]


@pytest.fixture(scope="module")
def pair():
    return train_pair(toy(), PARAMS, SEED, silent)


def test_kernels_are_balanced_lie_in_one_region_and_follow_from_the_seed():
    drawn = landmark_kernels(5, 300, 8, 60)
    weights = drawn.dense()
    assert (weights.sum(axis=1) == 0).all()
    assert (np.abs(weights).sum(axis=1) == 8).all(), "no landmark is drawn twice"
    regions = region_of_landmark()[np.concatenate([drawn.plus, drawn.minus], axis=1) // 3]
    assert (regions == regions[:, :1]).all()
    assert (np.concatenate([drawn.plus, drawn.minus]) % 3 < 2).all(), "depth is not read"
    assert 50 < drawn.thresholds.std() < 70
    assert (drawn.thresholds % 1 == 0.5).all()
    assert np.array_equal(landmark_kernels(5, 300, 8, 60).plus, drawn.plus)
    assert not np.array_equal(landmark_kernels(6, 300, 8, 60).plus, drawn.plus)


def test_the_first_kernels_of_a_seed_are_these_on_every_machine():
    """Drawn once; a library or processor that draws others would ship another model under the same seed."""
    drawn = landmark_kernels(1, 2, 4, 60)
    assert (drawn.plus.tolist(), drawn.minus.tolist(), drawn.thresholds.tolist()) == PINNED_LANDMARKS
    assert face_kernels(1, 2).reshape(2, -1).tolist() == PINNED_FACES


@pytest.mark.parametrize("taps", [0, 3, TAPS_MAX + 2])
def test_taps_that_cannot_balance_or_do_not_fit_a_region_are_refused(taps):
    with pytest.raises(InputError, match=f"{taps} landmarks in a random kernel"):
        landmark_kernels(1, 4, taps, 60)


def test_face_kernels_are_balanced_and_their_padding_halves_a_side():
    assert (face_kernels(3, 64).sum(axis=(1, 2)) == 0).all()
    for dilation in DILATIONS:
        before, after = padding(dilation)
        assert (64 + before + after - 3 * dilation - 1) // 2 + 1 == 32


def face_net(seed=4, cells=4):
    spec = RandomFaceSpec(precision="one-bit", seed=seed, kernels=8, cells=cells, lstm_units=0, outputs=2, dropout=0.0)
    return RandomFaceNet(spec).eval()


@pytest.mark.parametrize("cells", [2, 8])
def test_counts_of_a_face_are_whole_bounded_and_blind_to_light(cells):
    """A brighter picture of more contrast has the same codes, so the same counts, up to what rounding moves."""
    network, table = face_net(cells=cells), selftest_crops(1, samples=2, frames=1)
    ones = torch.ones(2, dtype=torch.int64)
    counts = network.counts_of(torch.from_numpy(table.crops), ones[:, None] > 0, ones)
    assert torch.equal(counts, counts.round())
    assert counts.abs().max() <= network.spec.unit == (32 // cells) ** 2
    flat = torch.full((1, 1, 64, 64), 77, dtype=torch.uint8)
    of_flat = network.counts_of(flat, ones[:1, None] > 0, ones[:1])
    assert (of_flat == network.spec.unit).all(), "every sum of a picture without contrast is 0, and 0 is +1"


def test_scores_of_a_clip_do_not_depend_on_the_batch():
    network, table = face_net(), selftest_crops(2, samples=4, frames=2)
    inputs, lengths = network.inputs_of(table)
    whole = network(inputs, lengths).detach()
    alone = torch.cat([network(inputs[row : row + 1], lengths[row : row + 1]) for row in range(4)]).detach()
    assert torch.allclose(whole, alone, atol=1e-5)


def test_ridge_without_strength_is_least_squares():
    rng = np.random.default_rng(0)
    counts, targets = rng.integers(-9, 10, (200, 6)), rng.integers(0, 2, (200, 3))
    weights, biases = Statistics.of(counts, targets).solution(1e-12)
    wanted = lstsq(np.c_[counts, np.ones(200)], targets.astype(float))[0]
    np.testing.assert_allclose(np.vstack([weights, biases]), wanted, atol=1e-9)


def test_strength_means_the_same_for_counts_of_another_unit_and_for_rows_told_twice():
    rng = np.random.default_rng(0)
    counts, targets = rng.integers(-9, 10, (100, 6)), rng.integers(0, 2, (100, 3))
    weights, biases = Statistics.of(counts, targets).solution(0.5)
    fourfold = Statistics.of(counts * 4, targets).solution(0.5)
    twice = Statistics.of(np.tile(counts, (2, 1)), np.tile(targets, (2, 1))).solution(0.5)
    np.testing.assert_allclose(fourfold[0] * 4, weights, atol=1e-12)
    np.testing.assert_allclose(twice[0], weights, atol=1e-12)
    np.testing.assert_allclose(twice[1], biases, atol=1e-12)


def test_counts_that_never_vary_have_no_solution():
    with pytest.raises(InputError, match="all 5 rows"):
        Statistics.of(np.ones((5, 3), np.int8), np.ones((5, 1), np.int8)).solution(1.0)


def test_both_nets_recognise_people_they_never_saw():
    table = toy(people=40)
    gate = apex_stills(table.of_split("gate"))
    for model in train_pair(table, PARAMS, SEED, silent):
        assert (model.variant, model.best_epoch, model.history) == ("R-EMO", 0, ())
        assert macro_auc(targets_of(gate, model.emotions), predict_scores(model, gate)) > 0.85


@pytest.mark.trains
def test_an_lstm_can_be_trained_on_frozen_convolutions():
    params = PARAMS.model_copy(update={"r_emo": RANDOM.model_copy(update={"head": "lstm"}), "epochs": 6})
    gate = toy().of_split("gate")
    one_bit, _ = train_pair(toy(), params, SEED, silent)
    assert one_bit.network.spec.lstm_units == params.lstm_units
    assert macro_auc(targets_of(gate, one_bit.emotions), predict_scores(one_bit, gate)) > 0.8


def test_a_saved_model_holds_no_kernel_and_answers_the_same(pair, tmp_path):
    for name, model in zip(("one-bit", "float"), pair, strict=True):
        save_model(model, tmp_path / name)
        loaded = load_model(tmp_path / name)
        assert not any("kernel" in key or "threshold" in key for key in loaded.network.state_dict())
        assert np.array_equal(predict_scores(loaded, toy()), predict_scores(model, toy()))
