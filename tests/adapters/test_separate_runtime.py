"""Claims about bundles of one network per emotion: one graph, every integer of the training graph, each its own head."""

import numpy as np
import pytest
import torch

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import IntegrityError
from bitface.models import bundle_spec
from bitface.models.extraction import graph_outputs, selftest_of
from bitface.models.face.face_net import FaceNet, FaceSpec
from bitface.models.landmark.landmark_codes import COORDINATES, CodeScale
from bitface.models.landmark.landmark_net import LandmarkNet, NetSpec
from bitface.models.separate import SeparateNets
from tests.networks import trained

SCALE = CodeScale(
    centre=np.linspace(-1, 1, COORDINATES, dtype=np.float32), inverse_step=np.full(COORDINATES, 300, np.float32)
)
SHARED = {"precision": "one-bit", "outputs": 1, "latent_clip": 1.5, "dropout": 0.0, "channels": 32, "lstm_units": 4}


def network(kind):
    def one(seed):
        torch.manual_seed(seed)
        if kind == "landmarks":
            return LandmarkNet(NetSpec(temporal_kernel=3, binary_layers=2, **SHARED), SCALE)
        return FaceNet(FaceSpec(stages=1, blocks=1, features=32, **SHARED))

    joined = SeparateNets([one(seed) for seed in range(3)])
    for member in joined.members:
        for name, parameter in member.named_parameters():
            if "norm" in name or "affine" in name:
                torch.nn.init.normal_(parameter)
        member.train()(*member.inputs_of(selftest_of(member, 1)))
    return joined.eval()


def model(joined):
    return trained(joined, emotions=("anger", "happiness", "neutral"), thresholds=np.array([0.4, 0.5, 0.6]))


@pytest.mark.parametrize("kind", ["landmarks", "crops"])
def test_the_runtime_counts_every_integer_of_the_training_graph(tmp_path, kind):
    joined = network(kind)
    export_bundle(model(joined), selftest_of(joined, 1), tmp_path)
    runtime, table = OneBitRuntime.load(tmp_path), selftest_of(joined, 99)
    counts, _, logits = graph_outputs(joined, table)
    inputs = table.column(joined.reads)
    assert np.array_equal(runtime.counts(inputs, table.lengths), counts)
    found = runtime.logits(inputs, table.lengths)
    assert np.abs(found - logits).max() < 1e-4
    assert not np.allclose(found[:, 0], found[:, 1])


def test_a_missing_head_is_refused(tmp_path):
    joined = network("landmarks")
    export_bundle(model(joined), selftest_of(joined, 1), tmp_path)
    spec = bundle_spec.parse_spec((tmp_path / bundle_spec.SPEC).read_bytes())
    arrays = bundle_spec.parse_arrays(bundle_spec.HEADS, (tmp_path / bundle_spec.HEADS).read_bytes(), spec)
    from bitface.adapters.openvino_runtime.networks import NETWORKS

    files = {name: (tmp_path / name).read_bytes() for name in bundle_spec.FILES}
    del arrays["1.heads"]
    with pytest.raises((TypeError, KeyError, IntegrityError)):
        NETWORKS[spec.network].load(files, spec, arrays, 1)
