"""Compiles a graph of the bundle for each shape that is asked for, with input and output memory of its own."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray

from bitface.errors import IntegrityError
from bitface.models.bundle_spec import GRAPH

if TYPE_CHECKING:
    from openvino import InferRequest, Model

ROWS_AT_ONCE: Final = 32
_SHAPES_KEPT: Final = 16


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A graph of one shape with its input and output memory."""

    request: InferRequest
    inputs: NDArray[np.int8] | NDArray[np.uint8] | NDArray[np.float32]
    counts: NDArray[np.float32]


def save_graph(graph: Model, folder: Path) -> None:
    """Writes `model.xml` and `model.bin` of an OpenVINO model; the same model gives the same bytes."""
    import openvino

    # OpenVINO numbers its nodes by a counter of the process.
    for position, node in enumerate(graph.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{position}")
    graph.output(0).set_names({"counts"})
    openvino.save_model(graph, folder / GRAPH, compress_to_fp16=False)


class Compiler:
    """Compiles a graph per shape, the most recent ones kept: binary convolutions refuse dynamic shapes."""

    def __init__(self, model: Model, borrowed: NDArray[np.uint8], threads: int) -> None:
        """Of an OpenVINO model, and the memory that it borrows, which has to outlive it."""
        import openvino

        self._openvino, self._core = openvino, openvino.Core()
        self._model, self._borrowed = model, borrowed
        self._compiled: OrderedDict[tuple[int, ...], Compiled] = OrderedDict()
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

    @classmethod
    def reading(cls, graph: bytes, weights: bytes, operations: frozenset[str], threads: int) -> Self:
        """Of a file's bytes; the graph may hold only the named operations, one input and one output."""
        import openvino

        borrowed = np.frombuffer(weights, np.uint8).copy()
        try:
            model = openvino.Core().read_model(graph, openvino.Tensor(borrowed))
        except RuntimeError as error:
            raise IntegrityError(
                f"OpenVINO {openvino.__version__} cannot read {GRAPH}; export the model again"
            ) from error
        found = {operation.get_type_name() for operation in model.get_ops()}
        if not found <= operations or len(model.inputs) != 1 or len(model.outputs) != 1:
            raise IntegrityError(f"{GRAPH} is not the graph of the network named in the spec; export the model again")
        return cls(model, borrowed, threads)

    def of_shape(self, dtype: type[np.generic], inputs: tuple[int, ...], counts: tuple[int, ...]) -> Compiled:
        """The graph for inputs of this type and shape, whose answer must have the shape `counts`."""
        compiled = self._compiled.get(inputs)
        if compiled is None:
            compiled = self._compiled[inputs] = self._compile(np.zeros(inputs, dtype), np.zeros(counts, np.float32))
            if len(self._compiled) > _SHAPES_KEPT:
                self._compiled.popitem(last=False)
        return compiled

    def _compile(
        self, inputs: NDArray[np.int8] | NDArray[np.uint8] | NDArray[np.float32], counts: NDArray[np.float32]
    ) -> Compiled:
        model = self._model.clone()
        try:
            model.reshape(list(inputs.shape))
            if tuple(model.output().shape) != counts.shape:
                raise IntegrityError(
                    f"{GRAPH} gives {model.output().shape}, not {counts.shape}; export the model again"
                )
            request = self._core.compile_model(model, "CPU", self._settings).create_infer_request()
            request.set_input_tensor(self._openvino.Tensor(inputs, shared_memory=True))
            request.set_output_tensor(self._openvino.Tensor(counts, shared_memory=True))
        except RuntimeError as error:
            raise IntegrityError(
                f"OpenVINO {self._openvino.__version__} cannot compile {GRAPH} for inputs of {inputs.shape}"
            ) from error
        return Compiled(request=request, inputs=inputs, counts=counts)
