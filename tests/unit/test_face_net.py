"""Claims about the face net: exact integers, borders, lengths, and sizes that cannot overflow."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bitface.binarize.folding import COUNT_LIMIT
from bitface.binarize.images import (
    RECTIFIED_SHARE,
    BinaryConv,
    Continuation,
    Int8Stem,
    base_factor,
    doubled,
    sum_pooled,
)
from bitface.binarize.layers import LATENT_START
from bitface.errors import InputError
from bitface.models.face.face_codes import encode_crops
from bitface.models.face.face_net import FaceNet
from tests.draws import draws
from tests.networks import face_spec, with_gammas_of_both_signs


def spec(precision="one-bit", **sizes):
    return face_spec(precision, outputs=3, **sizes)


def net(precision="one-bit", seed=0, **sizes):
    """A network of random weights, whose BatchNorms have run on noise and have gammas of both signs."""
    torch.manual_seed(seed)
    network = with_gammas_of_both_signs(FaceNet(spec(precision, **sizes)))
    network.train()
    network(crops(8), torch.ones(8, dtype=torch.int64))
    return network.eval()


plain_net = cache(net)
"""One that no test changes."""


def crops(samples=4, frames=1, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (samples, frames, 64, 64), dtype=np.uint8))


def test_the_backbone_of_64_channels_has_the_six_layers_of_the_paper():
    layers = [(layer.inputs, layer.outputs, layer.stride) for layer in spec(channels=64, stages=3, blocks=2).layers()]
    assert layers == [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1)]


@pytest.mark.parametrize("code", [-127, 127])
def test_the_stream_is_whole_and_below_the_limit_even_for_the_worst_weights_and_codes(code):
    """Every weight of one sign, every gain at its largest, every activation alike."""
    network, pooled = net(channels=64, stages=3, blocks=2), []
    network.readout.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    with torch.no_grad():
        network.stem.weight.fill_(100.0 if code > 0 else -100.0)
        for block in network.blocks:
            block.convolution.gain.fill_(99.0)
            block.convolution.weight.fill_(1.0)
        network.counts(torch.full((1, 64, 64), float(code)))
    largest = pooled[0].abs().max()
    assert COUNT_LIMIT / 32 < largest < COUNT_LIMIT


def test_counts_are_whole_and_at_most_the_places_they_are_read_from():
    network = net()
    counts = network.counts(network.codes(crops(3)[:, 0]))
    assert torch.equal(counts, counts.round()) and counts.std() > 0
    assert counts.abs().max() <= network.spec.last_channels * 16


def test_float32_counts_are_those_of_float64():
    network = net(stages=3, blocks=2)
    codes = network.codes(crops(2)[:, 0])
    assert torch.equal(network.counts(codes).double(), network.double().counts(codes.double()))


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 1.0), st.integers(-40, 40))
@settings(max_examples=draws(25, 12), deadline=None)
def test_numpy_and_the_graph_code_pixels_alike_and_light_changes_little(seed, contrast, light):
    """The mean and contrast of a face are its light's; half a grey level of rounding moves a code by two at most."""
    rng = np.random.default_rng(seed)
    picture = np.clip(rng.normal(128, 40, (1, 1, 64, 64)), 45, 210)
    pixels = np.rint(picture).astype(np.uint8)
    codes = encode_crops(pixels)
    assert np.array_equal(codes[0], plain_net().codes(torch.from_numpy(pixels[0])).numpy())
    dimmed = encode_crops(np.rint((picture - 128) * contrast + 128 + light).astype(np.uint8))
    limit = 2 + 127 * 4 * (1 / contrast - 1) / 40 + 0.5 * 42 / (40 * contrast)
    assert np.abs(dimmed.astype(int) - codes).max() <= limit


def test_a_flat_crop_has_codes_of_zero_and_a_gradient():
    flat = torch.full((1, 64, 64), 90.0, requires_grad=True)
    codes = net("float").codes(flat)
    codes.sum().backward()
    assert not codes.any() and flat.grad.isfinite().all()


def test_beyond_the_border_of_a_binary_map_lies_minus_one():
    """Nine +1 weights on a map of +1: 9 inside, 3 of 9 are beyond at an edge and 5 at a corner."""
    layer = BinaryConv(1, 1, 1, unit=3, latent_clip=1.5)
    with torch.no_grad():
        layer.weight.fill_(0.5)
    assert layer.base_factor == base_factor(1, 3) == 1
    counted = layer(torch.ones(1, 1, 3, 3))[0, 0]
    assert counted.tolist() == [[-1, 3, -1], [3, 9, 3], [-1, 3, -1]]


def test_beyond_the_border_of_a_picture_lies_its_mean():
    stem = Int8Stem(1, unit=64)
    with torch.no_grad():
        stem.weight.fill_(42 / 64)
    assert stem(torch.ones(1, 1, 4, 4))[0, 0].tolist() == [[4, 6], [6, 9]]


def test_a_one_bit_net_starts_with_the_signs_the_statistics_and_the_heads_of_its_twin():
    twin, one_bit = net("float", seed=1), FaceNet(spec())
    one_bit.start_from(twin)
    for mine, its in zip((*one_bit.blocks, one_bit.readout), (*twin.blocks, twin.readout), strict=True):
        assert torch.equal(mine.convolution.effective_weight(), torch.where(its.convolution.weight >= 0, 1.0, -1.0))
        assert torch.equal(mine.activation.norm.running_var, its.norm.running_var)
    assert torch.equal(one_bit.stem.weight, twin.stem.weight)
    assert torch.equal(one_bit.heads.weight, twin.heads.weight)


def test_a_channel_starts_with_the_mean_size_of_its_real_filter():
    layer = BinaryConv(4, 2, 1, 64, 1.5)
    layer.start_from(torch.tensor([0.1, -0.2])[:, None, None, None].expand(2, 4, 3, 3))
    assert torch.allclose(layer.gain, RECTIFIED_SHARE * torch.tensor([0.6, 1.2]))
    assert torch.allclose(layer.weight.abs().mean(), torch.tensor(LATENT_START / 2))


def test_the_shortcut_sums_squares_and_duplicates_channels():
    stream = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert Continuation(1, doubled(1))(sum_pooled(stream, 2))[0].tolist() == [[[10, 18], [42, 50]]] * 2


def test_a_pruned_shortcut_continues_the_channels_that_it_names():
    stream = torch.arange(3.0).reshape(1, 3, 1, 1)
    assert Continuation(3, (2, 0, 2))(stream).flatten().tolist() == [2, 0, 2]


@pytest.mark.parametrize("precision", ["one-bit", "float"])
def test_frames_beyond_a_clips_length_are_never_read(precision):
    pictures, lengths = crops(4, 3), torch.tensor([1, 2, 3, 1])
    padded = pictures.clone()
    padded[torch.arange(3)[None] >= lengths[:, None]] = 7
    network = net(precision)
    assert torch.equal(network(padded, lengths), network(pictures, lengths))


@pytest.mark.parametrize("precision", ["one-bit", "float"])
def test_logits_have_a_gradient_to_every_kind_of_weight_and_to_pixels(precision):
    network, pictures = net(precision).train(), crops(4).float().requires_grad_()
    network(pictures, torch.ones(4, dtype=torch.int64)).square().sum().backward()
    assert pictures.grad.abs().sum() > 0
    found = {name: p.grad for name, p in network.named_parameters() if "lstm" not in name and "clip" not in name}
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in found.values())


@pytest.mark.parametrize("sizes", [{"channels": 48}, {"stages": 0}, {"stages": 5}, {"blocks": 0}])
def test_sizes_that_do_not_pack_or_do_not_fit_a_crop_are_refused(sizes):
    with pytest.raises(InputError):
        spec(**sizes)
