"""A landmark net's integer trunk as an OpenVINO graph: written with explicit one-bit operations, and run.

What was measured, and holds here: filters are packed with little-endian bits; a two-level FakeQuantize gives 0..1 and
compares `x > threshold`; edge padding comes before it, on counts; binary convolutions refuse dynamic shapes, so a graph
is compiled per shape; a `u1` tensor borrows numpy's memory, which has to outlive it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.openvino_runtime.compiler import ROWS_AT_ONCE, Compiler, save_graph
from bitface.adapters.openvino_runtime.exported_network import ExportedNetwork, heads_of, members_of, scale_of
from bitface.binarize.packing import pack_signs
from bitface.errors import InputError
from bitface.faces.features import LANDMARKS, Reads
from bitface.models.bundle_spec import GRAPH, WEIGHTS, Arrays, BundleSpec, Files
from bitface.models.exported import FloatHead, IntegerTrunk, SeparateHeads
from bitface.models.landmark.landmark_codes import CodeScale, encode

if TYPE_CHECKING:
    from bitface.models.clip_net import ClipNet
    from bitface.models.landmark.landmark_net import LandmarkNet

_OPERATIONS: Final = frozenset(
    (
        *("Parameter", "Constant", "Convert", "MatMul", "Transpose", "Unsqueeze", "Squeeze", "Pad"),
        *("FakeQuantize", "BinaryConvolution", "Concat", "Result"),
    )
)


def write_landmark_graph(trunks: Sequence[IntegerTrunk], folder: Path) -> None:
    """Writes `model.xml` and `model.bin` of one trunk, or of several side by side on the same codes."""
    import openvino
    from openvino import opset13 as op

    codes = op.parameter([-1, -1, trunks[0].stem.shape[1]], openvino.Type.i8)
    codes.output(0).set_names({"codes"})
    real, borrowed = op.convert(codes, "f32"), list[NDArray[np.uint8]]()
    parts = [layer for trunk in trunks for layer in _layers(trunk, real, borrowed)]
    joined = op.squeeze(op.concat(parts, 1), np.array([2]))
    graph = openvino.Model([op.result(op.transpose(joined, np.array([0, 2, 1])))], [codes], "landmark_trunk")
    save_graph(graph, folder)
    borrowed.clear()


def _layers(trunk: IntegerTrunk, codes: Any, borrowed: list[NDArray[np.uint8]]) -> list[Any]:
    """Counts of every binary layer: int8 stem, then edge padding, comparison, convolution. `borrowed` must outlive them."""
    import openvino
    from openvino import opset13 as op

    kernel = trunk.filters[0].shape[2]
    stem = op.convert(op.constant(trunk.stem), "f32")
    counts = op.transpose(op.matmul(codes, stem, False, True), np.array([0, 2, 1]))
    values, layers = op.unsqueeze(counts, np.array([2])), []
    for thresholds, filters in zip(trunk.thresholds, trunk.filters, strict=True):
        before, after = np.array([0, 0, 0, kernel // 2]), np.array([0, 0, 0, (kernel - 1) // 2])
        limit = op.constant(thresholds.reshape(1, -1, 1, 1))
        zero, one = op.constant(np.float32(0)), op.constant(np.float32(1))
        bits = op.fake_quantize(op.pad(values, before, after, "edge", zero), limit, limit, zero, one, 2)
        packed = pack_signs(filters)
        borrowed.append(packed)
        shape = openvino.Shape([*filters.shape[:2], 1, kernel])
        constant = op.constant(openvino.Tensor(packed, shape, openvino.Type.u1))
        values = op.binary_convolution(bits, constant, [1, 1], [0, 0], [0, 0], [1, 1], "xnor-popcount", -1.0)
        layers.append(values)
    return layers


def landmark_codes(inputs: NDArray[Any], scale: CodeScale) -> NDArray[np.int8]:
    """Codes int8 (N, T, C) of landmarks float32 (N, T, 478, 3); raises InputError for another shape."""
    if inputs.ndim != 4 or inputs.shape[1] < 1 or inputs.shape[2:] != (LANDMARKS, 3):
        raise InputError(f"landmarks of shape {inputs.shape} are not (clips, frames, {LANDMARKS}, 3)")
    return encode(inputs.astype(np.float32, copy=False), scale)


class LandmarkTrunk:
    """A landmark net's integer part, loaded: landmarks to codes, codes to counts."""

    def __init__(self, compiler: Compiler, scale: CodeScale, features: int) -> None:
        self.reads: Reads = "flat_landmarks" if scale.is_flat else "landmarks"
        self._compiler, self._scale, self._features = compiler, scale, features

    def codes(self, inputs: NDArray[Any]) -> NDArray[np.int8]:
        """Codes int8 (N, T, C) of landmarks float32 (N, T, 478, 3); raises InputError for another shape."""
        return landmark_codes(inputs, self._scale)

    def counts(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Counts float32 (N, T, F) of at most 32 clips, all of T true frames: a view that the next call overwrites."""
        rows, frames = codes.shape[:2]
        # Two sizes of batch only, or every number of faces in a picture would compile a graph.
        size = 1 if rows == 1 else ROWS_AT_ONCE
        compiled = self._compiler.of_shape(
            np.int8, (size, frames, self._scale.coordinates), (size, frames, self._features)
        )
        compiled.inputs[:rows] = codes
        compiled.request.infer()
        return compiled.counts[:rows]


def load_landmark_net(files: Files, spec: BundleSpec, heads: Arrays, threads: int) -> tuple[LandmarkTrunk, FloatHead]:
    """Trunk and head of a bundle's bytes; raises IntegrityError, KeyError, TypeError or InputError for other ones."""
    return _trunk(files, spec, heads, threads, parts=1), FloatHead(**heads)


def load_separate_landmark_nets(
    files: Files, spec: BundleSpec, heads: Arrays, threads: int
) -> tuple[LandmarkTrunk, SeparateHeads]:
    """Trunks side by side, and their heads; raises as `load_landmark_net` does."""
    return _trunk(files, spec, heads, threads, parts=spec.sizes["outputs"]), SeparateHeads.of(heads)


def _trunk(files: Files, spec: BundleSpec, heads: Arrays, threads: int, parts: int) -> LandmarkTrunk:
    """Takes the scale out of `heads`."""
    scale = CodeScale(centre=heads.pop("centre"), inverse_step=heads.pop("inverse_step"), landmarks=spec.landmarks)
    compiler = Compiler.reading(files[GRAPH], files[WEIGHTS], _OPERATIONS, threads)
    return LandmarkTrunk(compiler, scale, spec.sizes["channels"] * spec.sizes["binary_layers"] * parts)


def _write(network: ClipNet, folder: Path) -> Arrays:
    from bitface.models.extraction import extract

    parts = [extract(cast("LandmarkNet", one)) for one in members_of(network)]
    write_landmark_graph([trunk for trunk, _ in parts], folder)
    return {**heads_of(network, [head for _, head in parts]), **scale_of(network)}


NETWORKS: Final = {
    "landmark_net": ExportedNetwork(write=_write, load=load_landmark_net),
    "separate_landmark_net": ExportedNetwork(write=_write, load=load_separate_landmark_nets),
}
