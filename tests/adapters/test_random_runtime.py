"""Claims about bundles of random convolutions: no graph and no kernel in them, and every integer of the training graph."""

import json

import numpy as np
import pytest
import torch

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import InputError, IntegrityError
from bitface.models import bundle_spec
from bitface.models.extraction import graph_outputs, selftest_of
from bitface.models.landmark.landmark_codes import COORDINATES, CodeScale
from bitface.models.random_net import RandomFaceNet, RandomFaceSpec, RandomLandmarkNet, RandomLandmarkSpec
from tests.networks import trained

SCALE = CodeScale(
    centre=np.linspace(-1, 1, COORDINATES, dtype=np.float32), inverse_step=np.full(COORDINATES, 300, np.float32)
)


def network(kind, precision="one-bit", seed=2**62 + 7, lstm_units=0):
    shared = {"precision": precision, "seed": seed, "lstm_units": lstm_units, "outputs": 2, "dropout": 0.0}
    torch.manual_seed(1)
    if kind == "landmarks":
        net = RandomLandmarkNet(RandomLandmarkSpec(kernels=96, taps=8, threshold_codes=60, **shared), SCALE)
    else:
        net = RandomFaceNet(RandomFaceSpec(kernels=16, cells=8, **shared))
    torch.nn.init.normal_(net.heads.weight, std=0.05)
    return net.eval()


def model(net):
    return trained(net, net.spec.precision, variant="R-EMO")


@pytest.mark.parametrize("kind", ["landmarks", "crops"])
@pytest.mark.parametrize("lstm_units", [0, 4])
def test_the_runtime_counts_every_integer_of_the_training_graph(tmp_path, kind, lstm_units):
    net = network(kind, lstm_units=lstm_units)
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    runtime, table = OneBitRuntime.load(tmp_path), selftest_of(net, 99)
    counts, lengths, logits = graph_outputs(net, table)
    assert lengths.max() > 1
    inputs = table.column(net.reads)
    assert np.array_equal(runtime.counts(inputs, table.lengths), counts)
    assert np.abs(runtime.logits(inputs, table.lengths) - logits).max() < 1e-4
    alone = np.concatenate([runtime.logits(inputs[[row]], table.lengths[[row]]) for row in range(len(inputs))])
    assert np.abs(alone - logits).max() < 1e-4


@pytest.mark.parametrize("kind", ["landmarks", "crops"])
def test_a_bundle_ships_the_seed_and_no_kernel(tmp_path, kind):
    net = network(kind)
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*bundle_spec.FILES_OF_A_SEED, bundle_spec.DIGESTS}
    spec = json.loads((tmp_path / bundle_spec.SPEC).read_bytes())
    assert spec["sizes"]["seed"] == 2**62 + 7
    assert not any("kernel" in name for name in spec["arrays"][bundle_spec.HEADS])


def test_a_graph_of_an_older_bundle_does_not_stay(tmp_path):
    (tmp_path / bundle_spec.GRAPH).write_text("<net/>")
    (tmp_path / bundle_spec.WEIGHTS).write_bytes(b"1")
    net = network("landmarks")
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    assert not (tmp_path / bundle_spec.GRAPH).exists()


def test_another_seed_fails_the_self_test(tmp_path):
    net = network("landmarks")
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    spec = json.loads((tmp_path / bundle_spec.SPEC).read_bytes())
    spec["sizes"]["seed"] += 1
    (tmp_path / bundle_spec.SPEC).write_bytes(bundle_spec.canonical(spec))
    files = {name: (tmp_path / name).read_bytes() for name in bundle_spec.FILES_OF_A_SEED}
    (tmp_path / bundle_spec.DIGESTS).write_bytes(bundle_spec.digests_of(files))
    with pytest.raises(IntegrityError, match="gives different counts"):
        OneBitRuntime.load(tmp_path)


@pytest.mark.parametrize("kind", ["landmarks", "crops"])
def test_kernels_that_do_not_fit_the_head_are_refused(tmp_path, kind):
    net = network(kind)
    export_bundle(model(net), selftest_of(net, 1), tmp_path)
    spec = json.loads((tmp_path / bundle_spec.SPEC).read_bytes())
    spec["sizes"]["kernels"] *= 2
    (tmp_path / bundle_spec.SPEC).write_bytes(bundle_spec.canonical(spec))
    files = {name: (tmp_path / name).read_bytes() for name in bundle_spec.FILES_OF_A_SEED}
    (tmp_path / bundle_spec.DIGESTS).write_bytes(bundle_spec.digests_of(files))
    with pytest.raises(IntegrityError, match="not the head of a random_"):
        OneBitRuntime.load(tmp_path)


def test_a_twin_is_not_shipped(tmp_path):
    net = network("landmarks", precision="float")
    with pytest.raises(InputError, match="only a one-bit network is shipped"):
        export_bundle(model(net), selftest_of(net, 1), tmp_path)
