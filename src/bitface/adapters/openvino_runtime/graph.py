"""The integer trunk as an OpenVINO graph: written with explicit one-bit operations, compiled for each shape.

What was measured, and holds here: filters are packed with little-endian bits; a two-level FakeQuantize gives 0..1 and
compares `x > threshold`; edge padding comes before it, on counts; binary convolutions refuse dynamic shapes, so a graph
is compiled per shape; a `u1` tensor borrows numpy's memory, which has to outlive it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bitface.binarize.packing import pack_signs
from bitface.errors import IntegrityError
from bitface.models.bundle_spec import GRAPH, BundleSpec
from bitface.models.exported import IntegerTrunk
from bitface.models.landmark_codes import COORDINATES

_OPERATIONS: Final = frozenset(
    (
        *("Parameter", "Constant", "Convert", "MatMul", "Transpose", "Unsqueeze", "Squeeze", "Pad"),
        *("FakeQuantize", "BinaryConvolution", "Concat", "Result"),
    )
)
ROWS_AT_ONCE: Final = 32
_SHAPES_KEPT: Final = 16


def write_graph(trunk: IntegerTrunk, folder: Path) -> None:
    """Writes `model.xml` and `model.bin`: int8 stem, then per binary layer edge padding, comparison, convolution."""
    import openvino
    from openvino import opset13 as op

    kernel = trunk.filters[0].shape[2]
    codes = op.parameter([-1, -1, COORDINATES], openvino.Type.i8)
    codes.output(0).set_names({"codes"})
    stem = op.convert(op.constant(trunk.stem), "f32")
    counts = op.transpose(op.matmul(op.convert(codes, "f32"), stem, False, True), np.array([0, 2, 1]))
    values, layers, borrowed = op.unsqueeze(counts, np.array([2])), [], []
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
    joined = op.squeeze(op.concat(layers, 1), np.array([2]))
    graph = openvino.Model([op.result(op.transpose(joined, np.array([0, 2, 1])))], [codes], "landmark_trunk")
    # OpenVINO numbers its nodes by a counter of the process; the same model must be the same bytes.
    for position, node in enumerate(graph.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{position}")
    graph.output(0).set_names({"counts"})
    openvino.save_model(graph, folder / GRAPH, compress_to_fp16=False)
    borrowed.clear()


@dataclass(frozen=True, kw_only=True)
class _Compiled:
    """A graph of one shape with its input and output memory."""

    request: Any
    codes: NDArray[np.int8]
    counts: NDArray[np.float32]


class Compiler:
    """Compiles the graph per (rows, frames), the most recent shapes kept."""

    def __init__(self, graph: bytes, weights: bytes, spec: BundleSpec, threads: int) -> None:
        import openvino

        self._openvino, self._core = openvino, openvino.Core()
        self._features = spec.channels * spec.binary_layers
        self._weights = np.frombuffer(weights, np.uint8).copy()
        self._compiled: OrderedDict[tuple[int, int], _Compiled] = OrderedDict()
        self._settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            # Left on, activations of the stem may be quantised again, in groups, and counts are no longer integers.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            # Pinned to a core that someone else uses, a call of 0.04 ms waits for milliseconds.
            "ENABLE_CPU_PINNING": "NO",
            "INFERENCE_NUM_THREADS": str(threads),
        }
        try:
            self._model = self._core.read_model(graph, openvino.Tensor(self._weights))
        except RuntimeError as error:
            raise IntegrityError(
                f"OpenVINO {openvino.__version__} cannot read {GRAPH}; export the model again"
            ) from error
        found = {operation.get_type_name() for operation in self._model.get_ops()}
        if not found <= _OPERATIONS or len(self._model.inputs) != 1 or len(self._model.outputs) != 1:
            raise IntegrityError(f"{GRAPH} is not the graph of a landmark net; export the model again")

    def counts(self, codes: NDArray[np.int8]) -> NDArray[np.float32]:
        """Counts float32 (N, T, F) of codes int8 (N, T, 1434): a view that the next call overwrites."""
        rows, frames = codes.shape[:2]
        # Two sizes of batch only, or every number of faces in a picture would compile a graph.
        compiled = self._of_shape(1 if rows == 1 else ROWS_AT_ONCE, frames)
        compiled.codes[:rows] = codes
        compiled.request.infer()
        return compiled.counts[:rows]

    def _of_shape(self, rows: int, frames: int) -> _Compiled:
        compiled = self._compiled.get((rows, frames))
        if compiled is None:
            compiled = self._compiled[rows, frames] = self._compile(rows, frames)
            if len(self._compiled) > _SHAPES_KEPT:
                self._compiled.popitem(last=False)
        return compiled

    def _compile(self, rows: int, frames: int) -> _Compiled:
        model = self._model.clone()
        try:
            model.reshape([rows, frames, COORDINATES])
            if tuple(model.output().shape) != (rows, frames, self._features):
                raise IntegrityError(f"{GRAPH} gives {model.output().shape}, not {self._features} counts a frame")
            request = self._core.compile_model(model, "CPU", self._settings).create_infer_request()
            codes = np.zeros((rows, frames, COORDINATES), np.int8)
            counts = np.zeros((rows, frames, self._features), np.float32)
            request.set_input_tensor(self._openvino.Tensor(codes, shared_memory=True))
            request.set_output_tensor(self._openvino.Tensor(counts, shared_memory=True))
        except RuntimeError as error:
            raise IntegrityError(
                f"OpenVINO {self._openvino.__version__} cannot compile {GRAPH} for {rows} x {frames} frames"
            ) from error
        return _Compiled(request=request, codes=codes, counts=counts)
