"""Claims about one-bit arithmetic: two symbols, packing without loss, and BatchNorm as one integer comparison."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bitface.binarize.folding import COUNT_LIMIT, fold_norm
from bitface.binarize.layers import BinaryActivation, BinaryTemporalConv, Int8Linear
from bitface.binarize.packing import pack_signs
from bitface.binarize.sign import approx_sign, clipped_sign, sign, straight_round
from bitface.errors import InputError

finite = st.floats(-1e6, 1e6, width=32)
signs = arrays.arrays(np.int8, arrays.array_shapes(max_dims=3, max_side=9), elements=st.sampled_from([-1, 1]))


@given(arrays.arrays(np.float32, st.integers(1, 30), elements=finite))
def test_sign_is_idempotent_and_never_zero(values):
    once = sign(torch.from_numpy(values))
    assert set(once.tolist()) <= {-1.0, 1.0}
    assert torch.equal(sign(once), once)


def test_sign_of_zero_is_plus_one():
    assert sign(torch.tensor([0.0, -0.0])).tolist() == [1, 1]


def test_approx_sign_has_the_triangular_gradient():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.25, 1.0], requires_grad=True)
    approx_sign(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 2, 1.5, 0]


def test_clipped_sign_lets_far_latent_weights_rest():
    x = torch.tensor([-1.6, -1.5, 0.0, 1.6], requires_grad=True)
    clipped_sign(x, 1.5).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]


def test_straight_round_rounds_half_to_even_and_passes_gradient():
    x = torch.tensor([0.5, 1.5, -2.4], requires_grad=True)
    rounded = straight_round(x)
    rounded.sum().backward()
    assert rounded.tolist() == [0, 2, -2] and x.grad.tolist() == [1, 1, 1]


@given(signs)
def test_packing_is_a_round_trip_of_one_bit_a_weight(weights):
    packed = pack_signs(weights)
    assert packed.nbytes == -(-weights.size // 8)
    assert np.array_equal(np.unpackbits(packed, count=weights.size, bitorder="little"), weights.ravel() > 0)


def test_the_first_weight_is_the_lowest_bit():
    assert pack_signs(np.array([1, -1, -1, -1, -1, -1, -1, -1, -1, 1], np.int8)).tolist() == [1, 2]


def test_a_third_symbol_does_not_fit():
    with pytest.raises(InputError, match="must be \\+1 or -1"):
        pack_signs(np.array([1, 0], np.int8))


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_the_fold_says_what_batch_norm_says_for_every_count(seed):
    """Counts -300..300, gammas of both signs: as the float64 BatchNorm, but for what it rounds around 0."""
    rng = np.random.default_rng(seed)
    gamma, beta, mean = rng.normal(size=(3, 20))
    variance, scale = rng.uniform(0.01, 4, (2, 20))
    mean *= 40 * scale
    folded = fold_norm(gamma=gamma, beta=beta, mean=mean, variance=variance, epsilon=1e-5, count_scale=scale)
    counts = np.arange(-300, 301)[:, None]
    real = gamma * (counts * scale - mean) / np.sqrt(variance + 1e-5) + beta
    integer = np.where(counts > folded.thresholds, 1, -1) * np.where(folded.is_flipped, -1, 1)
    clear = np.abs(real) > 1e-9
    assert np.array_equal(integer[clear], np.where(real >= 0, 1, -1)[clear])


def test_ties_go_to_plus_one_for_both_signs_of_gamma():
    """BatchNorm is exactly 0 at count 3: +1 there, whichever way it runs."""
    folded = fold_norm(
        gamma=np.array([1.0, -1.0]),
        beta=np.zeros(2),
        mean=np.full(2, 3.0),
        variance=np.ones(2),
        epsilon=0.0,
        count_scale=np.ones(2),
    )
    assert folded.thresholds.tolist() == [2.5, 3.5]
    assert folded.is_flipped.tolist() == [False, True]


def test_a_gamma_of_zero_leaves_the_sign_of_beta():
    folded = fold_norm(
        gamma=np.zeros(2),
        beta=np.array([0.0, -1.0]),
        mean=np.zeros(2),
        variance=np.ones(2),
        epsilon=1e-5,
        count_scale=np.ones(2),
    )
    assert folded.thresholds.tolist() == [-COUNT_LIMIT + 0.5, COUNT_LIMIT - 0.5]


def test_a_statistic_that_is_not_finite_is_refused():
    one = np.ones(1)
    with pytest.raises(InputError, match="finite"):
        fold_norm(gamma=one, beta=one * np.nan, mean=one, variance=one, epsilon=1e-5, count_scale=one)


def test_evaluation_is_the_folded_comparison_and_keeps_a_gradient():
    torch.manual_seed(0)
    activation = BinaryActivation(8)
    torch.nn.init.normal_(activation.norm.weight)
    counts = torch.randint(-50, 50, (40, 8)).float().requires_grad_()
    activation(counts, torch.full((8,), 0.1))
    activation.eval()
    out = activation(counts, torch.full((8,), 0.1))
    folded = activation.folded(torch.full((8,), 0.1))
    expected = (counts.detach().numpy() > folded.thresholds) != folded.is_flipped
    assert np.array_equal(out.detach().numpy() > 0, expected)
    out.sum().backward()
    assert counts.grad.abs().sum() > 0


def test_stem_counts_are_exact_integers_at_the_worst_codes():
    """Weights all alike reach the bound on the sum of products; the counts still are the int64 ones."""
    torch.manual_seed(0)
    stem = Int8Linear(1434, 4)
    with torch.no_grad():
        stem.weight[0] = 1.0
    weights = stem.integer_weights().detach().numpy().astype(np.int64)
    assert np.abs(weights).max() <= 127 and (127 * np.abs(weights).sum(1) <= COUNT_LIMIT).all()
    codes = np.sign(weights).sum(0).clip(-1, 1) * 127
    assert np.array_equal(stem(torch.from_numpy(codes[None].astype(np.float32))).detach().numpy()[0], weights @ codes)


def test_latent_weights_are_clipped():
    layer = BinaryTemporalConv(32, 32, 3, latent_clip=1.5)
    with torch.no_grad():
        layer.weight.fill_(-7)
    layer.clip_latents()
    assert layer.weight.unique().tolist() == [-1.5]
