"""The sanity check must fail for an explainer that looks at the picture and not at the model."""

import numpy as np
import pytest
import torch

from bitface.errors import InputError
from bitface.explain.attributions import summarise
from bitface.explain.baselines import Baseline, Faces
from bitface.explain.integrated_gradients import integrated_gradients
from bitface.explain.sanity import AGREEMENT_MAX, randomised, rank_agreement, speaks_of_what_was_learned
from bitface.models.landmark.landmark_codes import CodeScale
from bitface.models.landmark.landmark_net import LandmarkNet, NetSpec

SPEC = NetSpec(
    precision="float",
    channels=32,
    temporal_kernel=1,
    binary_layers=1,
    lstm_units=4,
    outputs=2,
    latent_clip=1.5,
    dropout=0.0,
)
EMOTIONS = ("happiness", "surprise")


@pytest.fixture(scope="module")
def network():
    """One whose stem reads the first forty landmarks twenty times as strongly as the rest: that is its knowledge."""
    torch.manual_seed(0)
    scale = CodeScale(centre=np.zeros(1434, np.float32), inverse_step=np.full(1434, 30, np.float32))
    made = LandmarkNet(SPEC, scale)
    with torch.no_grad():
        made.stem.weight[:, :120] *= 20
    made.train()(torch.from_numpy(stills()), torch.ones(40, dtype=torch.int64))
    return made.eval()


def stills(n=40):
    return np.random.default_rng(1).normal(size=(n, 1, 478, 3)).astype(np.float32)


def importance(network):
    faces = Faces(
        inputs=stills(),
        lengths=np.ones(40, np.int64),
        baseline=Baseline(name="zero", face=np.zeros((478, 3), np.float32)),
    )
    made = integrated_gradients(network, faces, emotions=EMOTIONS, steps=16, gradient="exact")
    return summarise(made).mean_absolute


def edges_only(_network):
    """A fake: how far each landmark is from the next, whatever the network."""
    found = np.abs(np.diff(stills()[:, 0], axis=1, append=0)).sum(axis=2).mean(axis=0)
    return np.stack([found, found])


def other(network):
    return randomised(network, torch.from_numpy(stills()), torch.ones(40, dtype=torch.int64), seed=3)


def test_a_real_explainer_passes_and_finds_what_is_known(network):
    found = importance(network)
    assert set(np.argsort(-found.mean(axis=0))[:40].tolist()) == set(range(40))
    assert speaks_of_what_was_learned(rank_agreement(found, importance(other(network))))


def test_a_fake_that_looks_at_edges_alone_fails(network):
    """It draws the same of both networks: 1, which is above the limit."""
    agreement = rank_agreement(edges_only(network), edges_only(other(network)))
    assert agreement == pytest.approx(1.0)
    assert agreement > AGREEMENT_MAX
    assert not speaks_of_what_was_learned(agreement)


def test_a_randomised_copy_has_the_same_weights_in_another_order_and_the_original_stays(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    copy = other(network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not copy.training
    for (name, own), theirs in zip(network.named_parameters(), copy.parameters(), strict=True):
        if own.ndim > 1:
            assert torch.equal(own.flatten().sort().values, theirs.flatten().sort().values), name
    assert not torch.equal(network.stem.weight, copy.stem.weight)


def test_agreement_is_one_with_itself_and_none_with_what_is_equal_everywhere():
    ranks = np.random.default_rng(2).random((2, 478))
    assert rank_agreement(ranks, ranks) == pytest.approx(1.0)
    assert rank_agreement(ranks, -ranks) == pytest.approx(-1.0)
    assert rank_agreement(ranks, np.ones((2, 478))) == 0.0


def test_importances_of_other_landmarks_cannot_be_compared():
    with pytest.raises(InputError, match="cannot be compared"):
        rank_agreement(np.ones((2, 478)), np.ones((3, 478)))


def test_agreement_on_landmarks_that_neither_reads_is_none():
    """Two nets that read the same ten landmarks and disagree on all of them are opposites, however many others are 0 in both."""
    one = np.zeros((2, 478))
    one[:, :10] = np.arange(1, 11)
    other = np.zeros((2, 478))
    other[:, :10] = np.arange(10, 0, -1)
    assert rank_agreement(one, other) == pytest.approx(-1)
    assert rank_agreement(one, one) == pytest.approx(1)
    assert rank_agreement(np.zeros((2, 478)), np.zeros((2, 478))) == 0
