"""What a network costs, counted by hand for small ones."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from bitface.binarize.cost import Cost
from bitface.models.counting import cost_of
from bitface.models.face.face_net import FaceNet, FaceSpec
from bitface.models.landmark.landmark_codes import COORDINATES, CodeScale
from bitface.models.landmark.landmark_net import LandmarkNet
from bitface.models.random_net import RandomFaceNet, RandomFaceSpec, RandomLandmarkNet, RandomLandmarkSpec
from bitface.models.separate import SeparateNets
from tests.networks import landmark_spec

NOTHING = np.ones(COORDINATES, np.float32)
SCALE = CodeScale(centre=NOTHING, inverse_step=NOTHING)


def landmark_net(precision, outputs=2):
    spec = landmark_spec(precision, lstm_units=4, outputs=outputs)
    return LandmarkNet(spec, SCALE).eval()


def test_a_landmark_net_by_hand():
    """An int8 stem of 1434 x 32, two binary layers of 32 x 32 x 3, heads of 64 x 2; the LSTM is stored and rests."""
    stem, binary, heads = 1434 * 32, 2 * 32 * 32 * 3, 64 * 2
    lstm = (64 + 4) * 16 + 2 * 16
    found = cost_of(landmark_net("one-bit"))
    assert (found.one_bit_weights, found.int8_weights) == (binary, stem)
    assert (found.one_bit_macs, found.int8_macs, found.float_macs) == (binary, stem, heads)
    # Two BatchNorms of 32 channels, the affine of 64, biases of heads, and what reads the LSTM.
    assert found.float_weights == heads + lstm + 2 * (2 * 32 + 64) + 2 + 4 * 2
    twin = cost_of(landmark_net("float"))
    assert twin.macs == twin.float_macs == found.macs
    assert twin.one_bit_weights == twin.int8_weights == 0


def test_the_reference_backbone_has_the_arithmetic_of_the_literature():
    """64 channels, 3 stages of 2: six 3x3 convolutions on maps of 32, 16 and 8 pixels, and a readout of 4 x 4."""
    spec = FaceSpec(
        precision="one-bit",
        channels=64,
        stages=3,
        blocks=2,
        features=128,
        lstm_units=4,
        outputs=7,
        latent_clip=1.5,
        dropout=0.0,
    )
    found = cost_of(FaceNet(spec).eval())
    layers = [(64, 64, 32), (64, 64, 32), (64, 128, 16), (128, 128, 16), (128, 256, 8), (256, 256, 8)]
    convolutions = sum(9 * inputs * outputs * side**2 for inputs, outputs, side in layers)
    assert found.one_bit_macs == convolutions + 256 * 128 * 16
    assert found.int8_macs == 64 * 9 * 32**2


@pytest.mark.parametrize("precision", ["one-bit", "float"])
def test_random_kernels_are_stored_nowhere_and_multiply_all_the_same(precision):
    shared = {"precision": precision, "seed": 1, "lstm_units": 0, "outputs": 2, "dropout": 0.0}
    landmarks = cost_of(
        RandomLandmarkNet(RandomLandmarkSpec(kernels=64, taps=8, threshold_codes=9, **shared), SCALE).eval()
    )
    faces = cost_of(RandomFaceNet(RandomFaceSpec(kernels=8, cells=4, **shared)).eval())
    assert landmarks.macs == 64 * 8 + 64 * 2
    assert faces.macs == 8 * 16 * 32 * 32 + 128 * 2
    assert landmarks.one_bit_weights == landmarks.int8_weights == 0
    assert landmarks.float_weights == 64 * 2 + 2 + 2 * 64


def test_separate_nets_cost_the_sum_of_their_members():
    members = [landmark_net("one-bit", outputs=1) for _ in range(3)]
    one, all_three = cost_of(members[0]), cost_of(SeparateNets(members).eval())
    assert all_three == Cost(**{name: 3 * count for name, count in asdict(one).items()})
