"""Attributions: exact on linear models, complete on smooth ones, and honest about the gap where a sign is inside."""

import numpy as np
import pytest
import torch
from torch import nn

from bitface.binarize.sign import approx_sign
from bitface.errors import InputError
from bitface.explain.attributions import Attribution, summarise
from bitface.explain.baselines import Baseline, Faces
from bitface.explain.integrated_gradients import (
    NoisyPaths,
    completed_gradients,
    gradient_of,
    integrated_gradients,
    refined,
)
from bitface.explain.region_shapley import region_shapley
from bitface.faces.regions import REGIONS, region_of_landmark
from bitface.models.landmark.landmark_codes import CodeScale
from bitface.models.landmark.landmark_net import LandmarkNet
from tests.draws import draws
from tests.networks import landmark_spec

EMOTIONS = ("happiness", "neutral")


class Linear(nn.Module):
    """f_e = sum over true frames of w_e . x."""

    def __init__(self, seed=0):
        super().__init__()
        weight = np.random.default_rng(seed).normal(size=(2, 478, 3)).astype(np.float32)
        self.weight = nn.Parameter(torch.from_numpy(weight))

    def forward(self, landmarks, lengths):
        is_frame = (torch.arange(landmarks.shape[1])[None] < lengths[:, None]).float()
        return torch.einsum("ntpc,epc,nt->ne", landmarks, self.weight, is_frame)


class Smooth(Linear):
    def forward(self, landmarks, lengths):
        return torch.tanh(0.05 * super().forward(landmarks, lengths))


class Signed(Linear):
    def forward(self, landmarks, lengths):
        return approx_sign(0.05 * super().forward(landmarks, lengths) - 0.5)


def faces(samples=3, frames=2, seed=1):
    drawn = np.random.default_rng(seed).normal(size=(samples, frames, 478, 3))
    return drawn.astype(np.float32), np.full(samples, frames, np.int64)


def flat_baseline(value=0.0):
    return Baseline(name="flat", face=np.full((478, 3), value, np.float32))


def explained(network, landmarks, lengths, baseline=None, steps=50, gradient="exact"):
    shown = Faces(inputs=landmarks, lengths=lengths, baseline=baseline or flat_baseline())
    return integrated_gradients(network, shown, emotions=EMOTIONS, steps=steps, gradient=gradient)


def completed(network, landmarks, lengths, baseline=None, orders=4, copies=4, noise=0.1):
    return completed_gradients(
        network,
        Faces(inputs=landmarks, lengths=lengths, baseline=baseline or flat_baseline()),
        emotions=EMOTIONS,
        region_of=region_of_landmark(),
        paths=NoisyPaths(orders=orders, copies=copies, noise=np.full((478, 3), noise, np.float32), seed=3),
    )


def attribution_of(values, differences, emotions=EMOTIONS, gradient="exact"):
    return Attribution(
        method="by hand",
        gradient=gradient,
        steps=np.full(len(values), 50),
        baseline="flat",
        emotions=emotions,
        values=values,
        outside=np.zeros(differences.shape),
        differences=differences,
    )


def test_a_linear_model_is_attributed_weight_times_change():
    """w * (x - b), summed over coordinates and frames: the known answer."""
    network, (landmarks, lengths) = Linear(), faces()
    result = explained(network, landmarks, lengths, flat_baseline(0.25))
    weight = network.weight.detach().numpy()
    expected = np.einsum("ntpc,epc->nep", landmarks - 0.25, weight)
    np.testing.assert_allclose(result.values, expected, atol=2e-5)
    assert result.gaps.max() < 1e-4


def test_only_samples_whose_maps_do_not_add_up_get_more_steps():
    """A steep sample takes more points until its gap is small; a flat one keeps the first ones, map for map."""
    landmarks, lengths = faces(samples=3)
    landmarks[1] *= 20

    def attribute(rows, steps):
        return explained(Smooth(), landmarks[rows], lengths[rows], steps=steps)

    made = refined(attribute, 3, steps=8, steps_max=512, gap=0.001)
    assert made.steps[0] == made.steps[2] == 8 < made.steps[1] <= 512
    assert attribute(np.arange(3), 8).sample_gaps()[1] > 0.001 >= made.sample_gaps().max()
    np.testing.assert_array_equal(made.values[0], attribute(np.arange(3), 8).values[0])
    capped = refined(attribute, 3, steps=8, steps_max=31, gap=0.001)
    assert capped.steps.tolist() == [8, 8, 8]
    assert capped.sample_gaps()[1] > 0.001, "a gap that stays is told"


def test_no_step_is_added_for_a_gradient_that_cannot_add_up():
    landmarks, lengths = faces()
    asked = []

    def attribute(rows, steps):
        asked.append(steps)
        return explained(Signed(), landmarks[rows], lengths[rows], steps=steps, gradient="straight-through")

    assert refined(attribute, 3, steps=8, steps_max=512, gap=1e-9).sample_gaps().max() > 1e-9
    assert asked == [8]


def test_maps_of_a_smooth_model_add_up_better_with_more_steps():
    """The gap is an error of the integral, so steps close it."""
    landmarks, lengths = faces()
    few = explained(Smooth(), 5 * landmarks, lengths, steps=8).gaps.max()
    many = explained(Smooth(), 5 * landmarks, lengths, steps=100).gaps.max()
    assert many < 0.01 < few


def test_maps_through_a_sign_do_not_add_up_and_say_so():
    """f changes by 0 or 2, whatever the stand-in's integral is."""
    landmarks, lengths = faces(samples=8)
    result = explained(Signed(), landmarks, lengths, gradient="straight-through")
    assert np.median(result.gaps) > 0.05
    assert result.label == "approximate, not additive"
    assert summarise(result).label == "approximate, not additive"


def test_frames_beyond_a_clip_s_length_get_nothing():
    """Padding is not evidence: what stands there cannot change a map."""
    landmarks, _ = faces(samples=2, frames=3)
    lengths = np.array([2, 3])
    changed = landmarks.copy()
    changed[0, 2] = 99.0
    first, second = (explained(Linear(), each, lengths).values for each in (landmarks, changed))
    np.testing.assert_array_equal(first, second)


def test_a_sample_is_explained_alike_alone_and_in_company():
    """Batching is for speed only."""
    landmarks, _ = faces(samples=5, frames=2)
    lengths = np.array([2, 1, 2, 1, 2])
    together = explained(Smooth(), landmarks, lengths).values
    alone = explained(Smooth(), landmarks[3:4], lengths[3:4]).values
    np.testing.assert_allclose(together[3:4], alone, atol=1e-6)


@pytest.mark.parametrize("precision", ["one-bit", "float"])
def test_a_landmark_net_is_explained_and_left_as_it_was(precision):
    """The network keeps its mode and its parameters their gradients; the label follows the precision."""
    spec = landmark_spec(precision, lstm_units=4, dropout=0.2)
    step = np.full(1434, 31.75, np.float32)
    network = LandmarkNet(spec, CodeScale(centre=np.zeros(1434, np.float32), inverse_step=step)).train()
    landmarks, lengths = faces()
    result = explained(network, landmarks, lengths, gradient=gradient_of(network))
    assert result.label == ("approximate, not additive" if precision == "one-bit" else "additive up to its gap")
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert np.isfinite(result.values).all()
    assert result.values.any()


def test_the_gap_is_the_share_of_a_score_left_unexplained():
    """Sum 3 of a change of 4 leaves a quarter; a change of nearly nothing is measured against 0.001."""
    values = np.zeros((2, 1, 478))
    values[0, 0, :3] = 1.0
    values[1, 0, 0] = 0.001
    made = attribution_of(values, np.array([[4.0], [0.0]]), emotions=("happiness",))
    np.testing.assert_allclose(made.gaps, [[0.25], [1.0]])
    np.testing.assert_allclose(made.sample_gaps(), [0.25, 1.0])


def test_a_summary_ranks_landmarks_and_weighs_regions():
    """Mean of |values| over samples: 3 on a mouth corner, 1 on the forehead, whatever the sign."""
    values = np.zeros((2, 1, 478))
    values[0, 0, 61], values[1, 0, 61] = 4.0, -2.0
    values[:, 0, 10] = 1.0
    summary = summarise(attribution_of(values, np.ones((2, 1)), emotions=("happiness",)))
    assert list(summary.ranking[0, :2]) == [61, 10]
    shares = dict(zip(REGIONS, summary.region_share[0], strict=True))
    assert shares["mouth"] == pytest.approx(0.75)
    assert shares["forehead"] == pytest.approx(0.25)
    assert summary.expected_mass[0] == pytest.approx(0.75)
    assert 0 < summary.expected_area[0] < 1


def test_a_map_without_preference_reaches_just_the_area():
    """So a mass above the area is what counts; neutral expects nothing, and is not scored."""
    summary = summarise(attribution_of(np.ones((3, 2, 478)), np.full((3, 2), 478.0)))
    assert summary.expected_mass[0] == pytest.approx(summary.expected_area[0])
    assert summary.expected_mass[1] is None and summary.expected_area[1] is None
    assert summary.gap_max == 0


def test_a_map_of_zeros_prefers_no_landmark():
    """No share of nothing is invented: the mass lies as the landmarks do."""
    summary = summarise(attribution_of(np.zeros((1, 2, 478)), np.zeros((1, 2))))
    np.testing.assert_allclose(summary.region_share.sum(axis=1), 1.0)
    assert summary.expected_mass[0] == pytest.approx(summary.expected_area[0])


@pytest.mark.parametrize(
    ("landmarks", "lengths"),
    [
        (np.zeros((0, 1, 478, 3), np.float32), np.zeros(0, np.int64)),
        (np.zeros((1, 1, 468, 3), np.float32), np.ones(1, np.int64)),
        (np.zeros((1, 1, 478, 3), np.float32), np.full(1, 2)),
    ],
)
def test_input_of_another_shape_is_refused(landmarks, lengths):
    """No sample, the older mesh, more frames than there are."""
    with pytest.raises(InputError):
        explained(Linear(), landmarks, lengths)


def test_outputs_without_a_name_are_refused():
    """A column explained under another emotion's name would be worse than none."""
    landmarks, lengths = faces()
    with pytest.raises(InputError, match="2 outputs for 1 emotion"):
        integrated_gradients(
            Linear(),
            Faces(inputs=landmarks, lengths=lengths, baseline=flat_baseline()),
            emotions=("happiness",),
            steps=8,
            gradient="exact",
        )


class LinearPixels(nn.Module):
    """f_e = sum over true frames of w_e . x, of crops."""

    def __init__(self):
        super().__init__()
        weight = np.random.default_rng(3).normal(size=(2, 64, 64)).astype(np.float32)
        self.weight = nn.Parameter(torch.from_numpy(weight))

    def forward(self, crops, lengths):
        is_frame = (torch.arange(crops.shape[1])[None] < lengths[:, None]).float()
        return torch.einsum("nthw,ehw,nt->ne", crops, self.weight, is_frame)


def test_pixels_are_counted_to_their_landmark_and_sums_stay():
    """Columns of each crop belong to landmark 7, to 9, and to none: by hand, w * (x - b) of each part."""
    crops = np.random.default_rng(4).integers(0, 256, (3, 2, 64, 64), dtype=np.uint8)
    owners = np.broadcast_to(np.repeat([7, 9, 478], [32, 20, 12]), crops.shape).astype(np.int64)
    network, baseline = LinearPixels(), Baseline(name="grey", face=np.full((64, 64), 128, np.uint8))
    shown = Faces(inputs=crops, lengths=np.full(3, 2), baseline=baseline, owners=owners)
    result = integrated_gradients(network, shown, emotions=EMOTIONS, steps=8, gradient="exact")
    pixels = np.einsum("nthw,ehw->nehw", crops - 128.0, network.weight.detach().numpy().astype(np.float64))
    np.testing.assert_allclose(result.values[..., 7], pixels[..., :32].sum((2, 3)), rtol=1e-3, atol=0.1)
    np.testing.assert_allclose(result.values[..., 9], pixels[..., 32:52].sum((2, 3)), rtol=1e-3, atol=0.1)
    np.testing.assert_allclose(result.outside, pixels[..., 52:].sum((2, 3)), rtol=1e-3, atol=0.1)
    assert np.count_nonzero(result.values.any(axis=(0, 1))) == 2
    assert result.gaps.max() < 1e-3, "what lies beside the face is part of the sum"


def test_crops_without_owners_and_landmarks_with_them_are_refused():
    crops, lengths = np.zeros((1, 1, 64, 64), np.uint8), np.ones(1, np.int64)
    baseline = Baseline(name="grey", face=np.zeros((64, 64), np.uint8))
    with pytest.raises(InputError, match="counted to"):
        Faces(inputs=crops, lengths=lengths, baseline=baseline)


def test_regions_sum_what_their_landmarks_got():
    """61 and 291 are corners of the mouth, 10 is forehead; what lies outside comes last."""
    values = np.zeros((1, 1, 478))
    values[0, 0, [61, 291, 10]] = 2.0, -0.5, 1.0
    made = attribution_of(values, np.ones((1, 1)), emotions=("happiness",))
    regions = dict(zip((*REGIONS, "outside"), made.by_region()[0, 0], strict=True))
    assert regions["mouth"] == 1.5 and regions["forehead"] == 1.0
    assert sum(abs(value) for value in regions.values()) == 2.5


def test_completed_maps_add_up_through_a_sign():
    """What straight-through gradients leave unexplained is the model's own change, so nothing is left."""
    landmarks, lengths = faces(samples=8)
    result = completed(Signed(), landmarks, lengths)
    assert result.gaps.max() < 1e-9
    assert set(np.unique(result.differences)) <= {-2.0, 0.0, 2.0}
    assert summarise(result).label.startswith("additive")


def test_completed_maps_of_a_linear_model_are_weight_times_change():
    """Where the gradient is right nothing is missing, and completion adds nothing."""
    network, (landmarks, lengths) = Linear(), faces()
    expected = np.einsum("ntpc,epc->nep", landmarks - 0.25, network.weight.detach().numpy())
    result = completed(network, landmarks, lengths, flat_baseline(0.25))
    np.testing.assert_allclose(result.values, expected, atol=1e-4)


class Stepped(nn.Module):
    """Two signs: the first landmark's x decides the first output, the last one's the second; nothing else matters."""

    def forward(self, landmarks, lengths):
        del lengths
        return approx_sign(landmarks[:, 0, [0, 477], 0] - 0.5)


def test_completed_maps_find_what_a_sign_was_turned_by():
    """Known by hand: the output turns from -1 to +1 by one landmark alone, so that landmark gets all of the 2."""
    landmarks = np.ones((1, 1, 478, 3), np.float32)
    result = completed(Stepped(), landmarks, np.ones(1, np.int64))
    expected = np.zeros((1, 2, 478))
    expected[0, 0, 0] = expected[0, 1, 477] = 2.0
    np.testing.assert_allclose(result.values, expected, atol=1e-6)


def test_a_change_without_any_gradient_is_spread_evenly_over_its_region_and_still_adds_up():
    """A stand-in gradient of 0 says nothing about where; the sum still holds."""

    class Flat(Linear):
        def forward(self, landmarks, lengths):
            return super().forward(landmarks, lengths).round().detach() + 0 * landmarks.sum()

    landmarks, lengths = faces(samples=1)
    result = completed(Flat(), landmarks, lengths)
    assert result.gaps.max() < 1e-9
    for region in range(len(REGIONS)):
        assert np.ptp(result.values[0, 0, region_of_landmark() == region]) < 1e-9


def test_noise_is_the_same_for_a_face_in_any_company():
    landmarks, lengths = faces(samples=4)
    together = completed(Signed(), landmarks, lengths).values
    np.testing.assert_array_equal(together[2:3], completed(Signed(), landmarks[2:3], lengths[2:3]).values)


def test_over_many_orders_the_regions_of_completed_maps_are_their_shapley_values():
    """Signs of sums of regions: nothing is linear, and the mean over orders still goes to the exact values, as the root of their number."""
    orders = draws(300, 60)
    network, (landmarks, lengths) = Signed(), faces(samples=1, frames=1, seed=5)
    exact = region_shapley(
        lambda x, n: network(torch.from_numpy(x), torch.from_numpy(n)).detach().numpy(),
        landmarks[0],
        flat_baseline().face,
        region_of_landmark(),
        regions=tuple(REGIONS),
        baseline_name="flat",
    )
    few, many = (completed(network, landmarks, lengths, orders=n, copies=1) for n in (2, orders))
    errors = [np.abs(made.by_region()[0, :, :9] - exact.values).max() for made in (few, many)]
    limit = 0.1 * np.sqrt(300 / orders)
    assert np.abs(exact.values).max() > 0.2 and errors[1] < limit < errors[0]


def test_an_odd_number_of_orders_is_refused():
    landmarks, lengths = faces(samples=1)
    with pytest.raises(InputError, match="3 orders"):
        completed(Linear(), landmarks, lengths, orders=3)
