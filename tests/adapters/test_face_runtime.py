"""Claims about bundles of face networks alone: whatever was pruned, borders and turned comparisons included."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.errors import InputError, IntegrityError
from bitface.models import bundle_spec
from bitface.models.extraction import graph_outputs, selftest_of
from bitface.models.face.face_codes import encode_crops
from bitface.models.face.face_extraction import extract_face
from bitface.models.face.pruning import pruned
from bitface.models.selftest import selftest_crops
from bitface.training.trained import load_model, save_model
from tests.networks import face_net, trained


def model(precision="one-bit", seed=0, **sizes):
    return trained(face_net(precision, seed, **sizes), precision)


def pruned_model(widths, channels=32, seed=0, blocks=1):
    """A random network of which random channels have been kept, none of whose integers is tuned again."""
    whole = model(seed=seed, stages=len(widths), blocks=blocks, channels=channels)
    rng = np.random.default_rng(seed)
    small = pruned(whole.network, [rng.random(width) for width in whole.network.spec.widths], widths)
    return replace(whole, network=small)


@st.composite
def some_widths(draw):
    """Channels of a net, and widths that it can be pruned to."""
    channels, widths = draw(st.sampled_from([32, 64, 96])), []
    for stage in range(draw(st.integers(1, 3))):
        most = 2 * widths[-1] if stage else channels
        widths.append(32 * draw(st.integers(1, most // 32)))
    return channels, widths


def continued(layer, stream):
    """The shortcut of a block of stride 2 in int64."""
    squares = stream.reshape(len(stream), stream.shape[1] // 2, 2, -1, 2).sum(axis=(2, 4))
    return squares[layer.sources]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("face")
    export_bundle(model(), selftest_of(model().network, 1), folder)
    return folder


@given(some_widths(), st.integers(0, 2**16), st.integers(1, 2))
@settings(max_examples=12, deadline=None)
def test_the_runtime_counts_every_integer_of_a_pruned_graph(sizes, seed, blocks):
    """Whatever is kept: a plain doubling, each channel once, or some channels twice."""
    channels, widths = sizes
    trained, table = pruned_model(widths, channels, seed, blocks), selftest_crops(seed, samples=3, frames=1)
    with TemporaryDirectory() as folder:
        export_bundle(trained, selftest_of(trained.network, seed), Path(folder))
        runtime = OneBitRuntime.load(Path(folder))
    counts, _, logits = graph_outputs(trained.network, table)
    assert np.array_equal(runtime.counts(table.crops, table.lengths), counts)
    assert np.abs(runtime.logits(table.crops, table.lengths) - logits).max() < 1e-4


@pytest.mark.parametrize("widths", [(32, 64), (32, 32), (64, 96)])
def test_a_saved_pruned_net_answers_the_same_after_loading(tmp_path, widths):
    trained, table = pruned_model(widths, 64), selftest_crops(4)
    save_model(trained, tmp_path)
    loaded = load_model(tmp_path).network
    assert loaded.spec == trained.network.spec and loaded.spec.widths == widths
    assert np.array_equal(graph_outputs(loaded, table)[2], graph_outputs(trained.network, table)[2])


def test_a_model_saved_before_there_was_pruning_still_loads(tmp_path):
    save_model(model(), tmp_path)
    spec = json.loads((tmp_path / "spec.json").read_text())
    del spec["net"]["sources"]
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert load_model(tmp_path).network.spec == model().network.spec


@pytest.mark.parametrize("make", [lambda: model(seed=3), lambda: pruned_model((64, 96), 64, seed=3)])
def test_the_exported_arrays_count_what_the_graph_counts(make):
    """A plain int64 evaluation, padding by loops, without any library of convolutions."""
    network, table = make().network, selftest_crops(3, samples=1, frames=1)
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
            stream = continued(layer, stream)
        stream = stream + added[:, : stream.shape[1], : stream.shape[2]] * layer.factors[:, None, None]
    read = trunk.readout
    pooled = stream.reshape(len(stream), 4, read.pooled_side, 4, read.pooled_side).sum(axis=(2, 4))
    signs = np.where(pooled > read.thresholds[:, None, None], 1, -1)
    signs[read.is_flipped] *= -1
    counts, _, _ = graph_outputs(network, table)
    assert np.array_equal(np.einsum("chw,fchw->f", signs, read.filters.astype(np.int64)), counts[0, 0])


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


def test_a_float_twin_has_no_integer_form():
    with pytest.raises(InputError, match="one-bit"):
        extract_face(model("float").network)
