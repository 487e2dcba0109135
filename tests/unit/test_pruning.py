"""Claims about pruning: which channels stay, that what stays is copied, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bitface.errors import InputError
from bitface.models.counting import cost_of
from bitface.models.face.face_net import FaceNet, FaceSpec
from bitface.models.face.pruning import kept_channels, pruned
from bitface.training.importance import channel_importance

SPEC = FaceSpec(
    precision="one-bit",
    channels=64,
    stages=2,
    blocks=1,
    features=32,
    lstm_units=4,
    outputs=2,
    latent_clip=1.5,
    dropout=0.0,
)


def pictures(count: int = 6, seed: int = 0) -> torch.Tensor:
    shades = np.random.default_rng(seed).integers(0, 256, (count, 1, 64, 64), dtype=np.uint8)
    return torch.from_numpy(shades)


def net(spec: FaceSpec = SPEC, seed: int = 0) -> FaceNet:
    """Random weights, whose BatchNorms have seen pictures."""
    torch.manual_seed(seed)
    network = FaceNet(spec)
    network.train()(pictures(8), torch.ones(8, dtype=torch.int64))
    return network.eval()


def any_importance(spec: FaceSpec, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random(width) for width in spec.widths]


def test_the_most_important_channels_stay_and_a_channel_counts_for_its_copies() -> None:
    """Alone, channels 0 and 1 of the first stage matter most; the copies of 2 outweigh them, and both of them stay."""
    importance = [np.array([3.0, 2.0, 1.0]), np.array([0.0, 0.1, 4.0, 0.0, 0.0, 5.0])]
    kept = kept_channels(importance, [(0, 1, 2, 0, 1, 2)], [2, 2])
    assert [own.tolist() for own in kept] == [[0, 2], [2, 5]]


def test_a_copy_stays_only_with_its_source() -> None:
    """Three of four copies: those of channel 1 matter more than the second of channel 0, and channel 2 is gone."""
    importance = [np.array([9.0, 9.0, 0.0]), np.array([2.0, 4.0, 7.0, 1.0, 3.0, 0.0])]
    kept = kept_channels(importance, [(0, 1, 2, 0, 1, 2)], [2, 3])
    assert [own.tolist() for own in kept] == [[0, 1], [0, 1, 4]]


@pytest.mark.parametrize(
    ("widths", "words"), [([2], "1 widths for a net of 2"), ([1, 3], "keep fewer of this"), ([0, 2], "0 channels")]
)
def test_widths_that_cannot_be_kept_are_refused(widths: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        kept_channels([np.ones(3), np.ones(6)], [(0, 1, 2, 0, 1, 2)], widths)


def test_a_net_of_which_nothing_is_taken_answers_the_same() -> None:
    network = net()
    same = pruned(network, any_importance(SPEC, 1), SPEC.widths)
    assert torch.equal(same.counts(same.codes(pictures()[:, 0])), network.counts(network.codes(pictures()[:, 0])))
    assert same.spec.layers() == network.spec.layers()


def test_what_stays_is_copied_and_sources_are_those_of_before() -> None:
    network, importance = net(), any_importance(SPEC, 2)
    small = pruned(network, importance, (32, 32))
    first, second = kept_channels(importance, SPEC.stage_sources, (32, 32))
    assert small.spec.widths == (32, 32)
    assert torch.equal(small.blocks[1].convolution.weight, network.blocks[1].convolution.weight[second][:, first])
    assert torch.equal(small.readout.activation.norm.running_var, network.readout.activation.norm.running_var[second])
    (sources,) = small.spec.stage_sources
    assert first[list(sources)].tolist() == (second % 64).tolist()


def test_a_pruned_net_can_be_pruned_again_and_costs_less() -> None:
    once = pruned(net(), any_importance(SPEC, 3), (64, 96))
    twice = pruned(once, any_importance(once.spec, 4), (32, 32))
    assert twice.spec.widths == (32, 32)
    # One block of each stage on 32 x 32 and 16 x 16 places, and the readout of 4 x 4.
    assert cost_of(twice).one_bit_macs == 9 * 32 * 32 * (32**2 + 16**2) + 32 * 32 * 16


def test_a_gradient_reaches_every_kind_of_weight_of_a_pruned_net() -> None:
    small = pruned(net(), any_importance(SPEC, 5), (32, 32)).train()
    small(pictures(), torch.ones(6, dtype=torch.int64)).square().sum().backward()
    found = {name: p.grad for name, p in small.named_parameters() if "lstm" not in name and "clip" not in name}
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in found.values())


def test_empty_channels_have_no_importance_and_go() -> None:
    """Half of the first stage's channels are empty: neither the stem nor the block writes them."""
    network = net()
    silent = np.sort(np.random.default_rng(6).permutation(64)[:32])
    with torch.no_grad():
        network.stem.weight[silent] = 0
        network.blocks[0].convolution.gain[silent] = 0
    targets = np.tile(np.array([[0, 1], [1, 0]], np.float32), (3, 1))
    importance = channel_importance(network, pictures().numpy(), targets)
    assert [len(own) for own in importance] == [64, 128]
    assert (importance[0][silent] == 0).all() and (np.delete(importance[0], silent) > 0).all()
    kept, _ = kept_channels([importance[0], np.zeros(128)], SPEC.stage_sources, (32, 64))
    assert set(kept.tolist()) == set(range(64)) - set(silent.tolist())


def test_importance_leaves_the_net_as_it_was_whatever_the_batches() -> None:
    network, targets = net(), np.ones((6, 2), np.float32)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    channel_importance(network, pictures().numpy(), targets)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters()) and not network.training


def test_a_float_twin_is_not_pruned() -> None:
    with pytest.raises(InputError, match="twin"):
        pruned(FaceNet(replace(SPEC, precision="float")), any_importance(SPEC, 7), (32, 32))


@pytest.mark.parametrize(
    ("sources", "words"),
    [((), "sources of 0 stages"), (((0,) * 33,), "33 channels"), (((64,) * 32,), "beyond the 64")],
)
def test_sources_that_do_not_fit_are_refused(sources: tuple[tuple[int, ...], ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(SPEC, sources=sources)
