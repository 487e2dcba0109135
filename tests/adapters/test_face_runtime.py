"""Claims about the runtime of face bundles: every integer of the training graph, borders and turned comparisons included."""

import json

import numpy as np
import pytest
import torch

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import InputError, IntegrityError
from bitface.models import bundle_spec
from bitface.models.extraction import graph_outputs, selftest_of
from bitface.models.face_codes import encode_crops
from bitface.models.face_extraction import extract_face
from bitface.models.face_net import FaceNet, FaceSpec
from bitface.models.selftest import selftest_crops
from bitface.training.trained import TrainedModel, load_model, save_model


def model(precision="one-bit", seed=0, stages=2, blocks=1):
    """A random network whose BatchNorms have run on pictures and have gammas of both signs."""
    torch.manual_seed(seed)
    spec = FaceSpec(
        precision=precision,
        channels=32,
        stages=stages,
        blocks=blocks,
        features=32,
        lstm_units=8,
        outputs=2,
        latent_clip=1.5,
        dropout=0.0,
    )
    network = FaceNet(spec)
    for name, parameter in network.named_parameters():
        if "norm" in name or "affine" in name:
            torch.nn.init.normal_(parameter)
    table = selftest_crops(seed, samples=6)
    network.train()(torch.from_numpy(table.crops), torch.from_numpy(table.lengths))
    return TrainedModel(
        network=network.eval(),
        variant="T-EMO",
        precision=precision,
        emotions=("happiness", "neutral"),
        thresholds=np.array([0.4, 0.6]),
        untrained=(),
        history=(),
        best_epoch=0,
        train_s=0.0,
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("face")
    export_bundle(model(), selftest_of(model().network, 1), folder)
    return folder


@pytest.mark.parametrize(("seed", "stages", "blocks"), [(1, 3, 2), (2, 1, 1)])
def test_the_runtime_counts_every_integer_of_the_training_graph(tmp_path, seed, stages, blocks):
    trained = model(seed=seed, stages=stages, blocks=blocks)
    assert any(layer.is_flipped.any() for layer in extract_face(trained.network)[0].layers)
    export_bundle(trained, selftest_of(trained.network, seed), tmp_path)
    runtime, table = OneBitRuntime.load(tmp_path), selftest_crops(seed + 100, samples=6, frames=3)
    counts, _, logits = graph_outputs(trained.network, table)
    assert np.array_equal(runtime.counts(table.crops, table.lengths), counts)
    assert np.abs(runtime.logits(table.crops, table.lengths) - logits).max() < 1e-4


def test_the_exported_arrays_count_what_the_graph_counts():
    """A plain int64 evaluation, padding by loops, without any library of convolutions."""
    network, table = model(seed=3).network, selftest_crops(3, samples=1, frames=1)
    trunk, _ = extract_face(network)

    def convolved(padded, filters, stride):
        side = (padded.shape[1] - 3) // stride + 1
        windows = np.stack([padded[:, i : i + stride * side : stride, j : j + stride * side : stride]
                            for i in range(3) for j in range(3)], axis=1)  # fmt: skip
        return np.einsum("ckhw,ock->ohw", windows, filters.reshape(*filters.shape[:2], 9).astype(np.int64))

    border = ((0, 0), (1, 1), (1, 1))
    codes = encode_crops(table.crops)[0].astype(np.int64)
    stream = convolved(np.pad(codes, border), trunk.stem, 2)[:, :32, :32]
    for layer in trunk.layers:
        signs = np.where(stream > layer.thresholds[:, None, None], 1, -1)
        signs[layer.is_flipped] *= -1
        added = convolved(np.pad(signs, border, constant_values=-1), layer.filters, layer.stride)
        if layer.stride == 2:
            squares = stream.reshape(len(stream), stream.shape[1] // 2, 2, -1, 2).sum(axis=(2, 4))
            stream = np.concatenate([squares, squares])
        stream = stream + added[:, : stream.shape[1], : stream.shape[2]] * layer.factors[:, None, None]
    read = trunk.readout
    pooled = stream.reshape(len(stream), 4, read.pooled_side, 4, read.pooled_side).sum(axis=(2, 4))
    signs = np.where(pooled > read.thresholds[:, None, None], 1, -1)
    signs[read.is_flipped] *= -1
    counts, _, _ = graph_outputs(network, table)
    assert np.array_equal(np.einsum("chw,fchw->f", signs, read.filters.astype(np.int64)), counts[0, 0])


def test_scores_do_not_depend_on_the_batch_and_a_still_is_a_constant_clip(exported):
    runtime, table = OneBitRuntime.load(exported), selftest_crops(9, samples=5)
    together = runtime.scores(table.crops, table.lengths)
    alone = [runtime.scores(table.crops[row : row + 1], table.lengths[row : row + 1])[0] for row in range(5)]
    assert np.allclose(together, alone, atol=1e-6)
    still = table.crops[:, :1]
    one = runtime.scores(still, np.ones(5, np.int64))
    assert np.array_equal(runtime.scores(still.repeat(4, axis=1), np.full(5, 4)), one)


def test_a_face_bundle_says_that_it_reads_crops_and_refuses_landmarks(exported):
    runtime = OneBitRuntime.load(exported)
    assert runtime.reads == "crops"
    with pytest.raises(InputError, match="not uint8"):
        runtime.scores(np.zeros((1, 1, 478, 3), np.float32), np.ones(1, np.int64))


@pytest.mark.parametrize("network", ["landmark_net", "other_net"])
def test_a_bundle_that_names_another_network_is_refused(exported, tmp_path, network):
    files = {name: (exported / name).read_bytes() for name in bundle_spec.FILES}
    spec = json.loads(files["spec.json"])
    files["spec.json"] = bundle_spec.canonical({**spec, "network": network})
    for name, content in {**files, bundle_spec.DIGESTS: bundle_spec.digests_of(files)}.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(IntegrityError):
        OneBitRuntime.load(tmp_path)


@pytest.mark.parametrize("precision", ["one-bit", "float"])
def test_a_saved_face_net_answers_the_same_after_loading(tmp_path, precision):
    trained, table = model(precision), selftest_crops(4)
    save_model(trained, tmp_path)
    _, _, logits = graph_outputs(load_model(tmp_path).network, table)
    assert np.array_equal(logits, graph_outputs(trained.network, table)[2])


def test_a_float_twin_has_no_integer_form():
    with pytest.raises(InputError, match="one-bit"):
        extract_face(model("float").network)
