"""Other runtimes: a network that is exported answers as it did, int8 nearly so, and one that is refused is no crash."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from bitface.adapters import onnx_rivals
from bitface.adapters.onnx_rivals import check_installed, export_onnx, onnx_runner, quantise
from bitface.adapters.openvino_runtime.rivals import openvino_runner
from bitface.errors import InputError

onnx = pytest.importorskip("onnx", reason="the extra `bench` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `bench` is not installed")
pytest.importorskip("onnxscript", reason="the extra `bench` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(1, 8, 3, stride=2)
        self.heads = nn.Linear(8 * 7 * 7, 3)

    def forward(self, x):
        return self.heads(torch.relu(self.convolution(x)).flatten(1))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    faces = [np.random.default_rng(seed).normal(size=(1, 1, 16, 16)).astype(np.float32) for seed in range(16)]
    export_onnx(Small(), faces[0], folder / "net.onnx")
    error = quantise(folder / "net.onnx", faces, folder / "net.int8.onnx")
    with torch.no_grad():
        wanted = Small()(torch.from_numpy(faces[0])).numpy()
    return folder, faces[0], wanted, error


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_float_network_answers_as_it_did(exported, runtime):
    folder, face, wanted, _ = exported
    path = folder / "net.onnx"
    run = onnx_runner(path, face) if runtime == "onnxruntime" else openvino_runner(path, face, "fp32")
    np.testing.assert_allclose(run(), wanted, atol=1e-4)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_int8_form_answers_nearly_so(exported, runtime):
    folder, face, wanted, _ = exported
    path = folder / "net.int8.onnx"
    run = onnx_runner(path, face) if runtime == "onnxruntime" else openvino_runner(path, face, "int8")
    found = run()
    assert not np.array_equal(found, wanted)
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()


def test_quantising_says_how_far_the_int8_answers_are_off(exported):
    """A rival that answers something else would be no rival: rounding to eight bits costs a few percent, and not nothing."""
    assert 0 < exported[3] < 0.1


def test_weights_are_quantised_per_channel_and_activations_in_place(exported):
    """A step of its own for each of the 8 filters, and steps in front of convolution and matrix product."""
    graph = onnx.load(exported[0] / "net.int8.onnx").graph
    steps = {one.name: list(one.dims) for one in graph.initializer if one.name.endswith("weight_scale")}
    assert [8] in steps.values()
    assert [node.op_type for node in graph.node].count("QuantizeLinear") >= 2


def test_a_network_that_openvino_cannot_take_has_no_runner(tmp_path, exported):
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    assert openvino_runner(tmp_path / "broken.onnx", exported[1], "fp32") is None


def test_a_missing_package_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for refused in (check_installed, lambda: onnx_runner(tmp_path / "net.onnx", np.zeros(1, np.float32))):
        with pytest.raises(InputError, match="make bench") as found:
            refused()
        assert str(found.value) == onnx_rivals.MISSING
