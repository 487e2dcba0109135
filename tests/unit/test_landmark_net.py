"""Claims about the network: codes, edges in time, stills, and the exported form of a one-bit net."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bitface.errors import InputError, IntegrityError
from bitface.models import bundle_spec
from bitface.models.exported import IntegerTrunk
from bitface.models.extraction import extract, graph_outputs
from bitface.models.landmark.landmark_codes import CodeScale, encode, scale_of, without_repeats
from bitface.models.landmark.landmark_net import LandmarkNet, window_rows
from bitface.models.selftest import check_no_real_faces, selftest_table
from tests.networks import landmark_spec, with_gammas_of_both_signs

SCALE = CodeScale(centre=np.zeros(1434, np.float32), inverse_step=np.full(1434, 127 / 4, np.float32))


def net(precision="one-bit", seed=0, kernel=3, layers=2):
    """A network of random weights, whose BatchNorms have run on noise and have gammas of both signs."""
    torch.manual_seed(seed)
    spec = landmark_spec(precision, temporal_kernel=kernel, binary_layers=layers, outputs=3)
    network = with_gammas_of_both_signs(LandmarkNet(spec, SCALE))
    network.train()
    network(torch.randn(40, 3, 478, 3), torch.full((40,), 3))
    return network.eval()


def clips(samples=5, frames=4, seed=0):
    return np.random.default_rng(seed).standard_normal((samples, frames, 478, 3)).astype(np.float32)


def test_codes_are_centred_scaled_rounded_to_even_and_clipped():
    values = np.zeros((1, 1, 478, 3), np.float32)
    values.reshape(-1)[:5] = np.array([0.5, 1.5, -2.4, 999, -999]) / (127 / 4)
    assert encode(values, SCALE).reshape(-1)[:6].tolist() == [0, 2, -2, 127, -127, 0]


def test_numpy_and_torch_make_the_same_codes():
    landmarks = clips(seed=3)
    assert np.array_equal(encode(landmarks, SCALE), net().codes(torch.from_numpy(landmarks)).detach().numpy())


def test_a_landmark_that_is_no_number_is_refused():
    landmarks = clips(1, 1)
    landmarks[0, 0, 7, 1] = np.nan
    with pytest.raises(InputError, match="not a number"):
        encode(landmarks, SCALE)


def test_the_scale_spans_four_deviations_and_has_a_floor():
    frames = np.zeros((2, 478, 3), np.float32)
    frames[1, 0, 0], frames[:, 0, 1] = 2.0, 0.5
    scale = scale_of(frames)
    assert scale.centre[0] == 1 and scale.inverse_step[0] == pytest.approx(127 / 4)
    assert scale.inverse_step[1] == pytest.approx(127 / 0.08)


def test_frames_that_repeat_and_padding_are_dropped():
    codes = np.zeros((2, 4, 1434), np.int8)
    codes[0, :, 0] = [5, 5, 6, 5]
    codes[1, :, 0] = [1, 2, 3, 4]
    picks, lengths = without_repeats(codes, np.array([4, 2]))
    assert lengths.tolist() == [3, 2]
    assert picks.tolist() == [[0, 2, 3], [0, 1, 1]]


@pytest.mark.parametrize("lengths", [[0], [3], [1, 1]])
def test_lengths_outside_the_clip_are_refused(lengths):
    with pytest.raises(InputError, match="lengths"):
        without_repeats(np.zeros((1, 2, 1434), np.int8), np.array(lengths))


def test_windows_repeat_the_edge_frame_of_each_clip():
    assert window_rows(torch.tensor([1, 3]), 3).tolist() == [[0, 0, 0], [1, 1, 2], [1, 2, 3], [2, 3, 3]]


@pytest.mark.parametrize("precision", ["one-bit", "float"])
def test_each_frame_of_a_constant_clip_counts_as_a_still(precision):
    """Temporal convolutions pad by repeating the edge frame."""
    network, frame = net(precision), torch.randn(1, 1434) * 30
    still = network.counts(frame.round(), network.neighbours(torch.tensor([1])))
    constant = network.counts(frame.round().repeat(5, 1), network.neighbours(torch.tensor([5])))
    assert torch.allclose(constant, still.expand(5, -1), atol=0 if precision == "one-bit" else 1e-5)


@pytest.mark.parametrize("precision", ["one-bit", "float"])
def test_frames_beyond_a_clips_length_are_never_read(precision):
    landmarks, lengths = torch.from_numpy(clips()), torch.tensor([1, 2, 3, 4, 2])
    network = net(precision)
    padded = landmarks.clone()
    padded[torch.arange(4)[None] >= lengths[:, None]] = float("nan")
    assert torch.equal(network(padded, lengths), network(landmarks, lengths))


def test_a_clips_counts_do_not_depend_on_its_batch():
    network, table = net(), selftest_table(SCALE, 5)
    counts, lengths, logits = graph_outputs(network, table)
    for row in range(len(table)):
        alone, _, logit = graph_outputs(network, table.where(np.array([row])))
        assert np.array_equal(alone[0, : lengths[row]], counts[row, : lengths[row]])
        assert np.allclose(logit[0], logits[row], atol=1e-5)


def test_one_bit_counts_are_integers_of_the_parity_and_size_of_their_window():
    counts, lengths, _ = graph_outputs(net(), selftest_table(SCALE, 5))
    assert np.abs(counts).max() <= 32 * 3 and not (counts % 2).any() and lengths.max() == 4


@pytest.mark.parametrize(("kernel", "layers"), [(3, 2), (1, 1), (5, 3)])
def test_the_exported_arrays_count_what_the_graph_counts(kernel, layers):
    """A plain int64 evaluation of stem, thresholds and filters, turned comparisons included."""
    network, table = net(seed=2, kernel=kernel, layers=layers), selftest_table(SCALE, 6)
    trunk, head = extract(network)
    assert (head.orientation < 0).any() or layers == 1
    counts, lengths, logits = graph_outputs(network, table)
    for row, length in enumerate(lengths):
        values = encode(table.landmarks[row : row + 1, :length], SCALE)[0].astype(np.int64) @ trunk.stem.T.astype(int)
        found = []
        for limits, filters in zip(trunk.thresholds, trunk.filters, strict=True):
            bits = np.pad(values, ((kernel // 2, kernel // 2), (0, 0)), "edge") > limits
            windows = np.stack([bits[k : k + length] for k in range(kernel)], axis=-1) * 2 - 1
            values = np.einsum("tck,ock->to", windows, filters.astype(int))
            found.append(values)
        assert np.array_equal(np.concatenate(found, axis=1) * head.orientation, counts[row, :length])
        answer = head.logits(np.concatenate(found, axis=1)[None].astype(np.float32))
        assert np.allclose(answer[0], logits[row], atol=1e-4)


def test_logits_have_a_gradient_to_every_kind_of_weight_and_to_landmarks():
    network, landmarks = net().train(), torch.from_numpy(clips()).requires_grad_()
    network(landmarks, torch.full((5,), 4)).square().sum().backward()
    assert landmarks.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_a_float_twin_has_no_integer_form():
    with pytest.raises(InputError, match="one-bit"):
        extract(net("float"))


def test_a_threshold_that_allows_a_tie_is_refused():
    trunk, _ = extract(net())
    with pytest.raises(InputError, match="tie"):
        IntegerTrunk(
            stem=trunk.stem, thresholds=(trunk.thresholds[0] + 0.5, trunk.thresholds[1]), filters=trunk.filters
        )


def test_a_selftest_of_somebodys_landmarks_is_refused():
    table = selftest_table(SCALE, 0)
    check_no_real_faces(table)
    with pytest.raises(InputError, match="must not contain a real face"):
        check_no_real_faces(replace(table, persons=np.full(len(table), "a" * 16)))


def test_a_spec_of_another_format_or_without_a_field_is_refused():
    with pytest.raises(IntegrityError, match="format"):
        bundle_spec.parse_spec(b'{"format": 1}')
    with pytest.raises(IntegrityError, match="cannot be read"):
        bundle_spec.parse_spec(f'{{"format": {bundle_spec.FORMAT}}}'.encode())


def test_a_header_that_claims_too_much_is_refused_before_it_is_read():
    with pytest.raises(IntegrityError, match="claims a header"):
        bundle_spec.parse_arrays("heads.safetensors", (2**40).to_bytes(8, "little") + b"{}", spec=None)
