"""A face net's integer trunk as an OpenVINO graph: written with explicit one-bit operations, and run frame by frame.

What was measured, and holds here: a two-level FakeQuantize may give 1..0 in single channels, which turns a comparison;
padding of a binary convolution is -1 after that turn; a whole factor and the residual are added by the convolution
itself; averages of four and products with whole numbers below 2^23 are exact in float32. A Reshape behind the last
Transpose makes the plugin forget the Transpose in some sizes: numpy reshapes instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.openvino_runtime.compiler import Compiler, save_graph
from bitface.binarize.packing import pack_signs
from bitface.errors import InputError
from bitface.faces.features import CROP_PX, Reads
from bitface.models.bundle_spec import Arrays, BundleSpec
from bitface.models.exported import FloatHead
from bitface.models.exported_face import BinaryLayer, FaceHead, FaceTrunk

_OPERATIONS: Final = frozenset(
    (
        *("Parameter", "Constant", "Convert", "Unsqueeze", "Subtract", "Convolution", "FakeQuantize"),
        *("BinaryConvolution", "Multiply", "Add", "AvgPool", "Concat", "Transpose", "Result"),
    )
)


def write_face_graph(trunk: FaceTrunk, folder: Path) -> None:
    """Writes `model.xml` and `model.bin`: uint8 crops (M, 64, 64) to counts float32 (M, side, side, C)."""
    import openvino
    from openvino import opset13 as op

    crops = op.parameter([-1, CROP_PX, CROP_PX], openvino.Type.u8)
    crops.output(0).set_names({"crops"})
    centred = op.subtract(op.convert(op.unsqueeze(crops, np.array([1])), "f32"), op.constant(np.float32(128)))
    stem = op.convert(op.constant(trunk.stem), "f32")
    stream, borrowed = op.convolution(centred, stem, [2, 2], [1, 1], [1, 1], [1, 1]), []
    for layer in trunk.layers:
        # A `u1` tensor borrows numpy's memory, which has to outlive it.
        borrowed.append(pack_signs(layer.filters))
        stream = op.add(_added(layer, stream, borrowed[-1]), stream if layer.stride == 1 else _pooled_twice(stream))
    counts = op.transpose(stream, np.array([0, 2, 3, 1]))
    save_graph(openvino.Model([op.result(counts)], [crops], "face_trunk"), folder)
    borrowed.clear()


def _added(layer: BinaryLayer, stream: Any, packed: NDArray[np.uint8]) -> Any:
    """What a block adds to the stream."""
    import openvino
    from openvino import opset13 as op

    limit = op.constant(_by_channel(layer.thresholds))
    low, high = (op.constant(_by_channel(flipped)) for flipped in (layer.is_flipped, ~layer.is_flipped))
    bits = op.fake_quantize(stream, limit, limit, low, high, 2)
    filters = op.constant(openvino.Tensor(packed, openvino.Shape(layer.filters.shape), openvino.Type.u1))
    steps = [layer.stride, layer.stride]
    counts = op.binary_convolution(bits, filters, steps, [1, 1], [1, 1], [1, 1], "xnor-popcount", -1.0)
    return op.multiply(counts, op.constant(_by_channel(layer.factors)))


def _pooled_twice(stream: Any) -> Any:
    from openvino import opset13 as op

    mean = op.avg_pool(stream, [2, 2], [0, 0], [0, 0], [2, 2], True)
    summed = op.multiply(mean, op.constant(np.float32(4)))
    return op.concat([summed, summed], 1)


def _by_channel(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32).reshape(1, -1, 1, 1)


class FaceRunner:
    """A face net's integer part, loaded: crops to counts."""

    reads: ClassVar[Reads] = "crops"

    def __init__(self, compiler: Compiler, side: int, features: int) -> None:
        self._compiler, self._counted = compiler, (1, side, side, features)

    def codes(self, inputs: NDArray[Any]) -> NDArray[np.uint8]:
        """The crops uint8 (N, T, 64, 64) as they are; raises InputError for another shape or type."""
        if (
            inputs.ndim != 4
            or inputs.shape[1] < 1
            or inputs.shape[2:] != (CROP_PX, CROP_PX)
            or inputs.dtype != np.uint8
        ):
            raise InputError(
                f"crops of {inputs.dtype} {inputs.shape} are not uint8 (clips, frames, {CROP_PX}, {CROP_PX})"
            )
        return inputs

    def counts(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Counts float32 (N, T, positions, C), all of T true frames; a still's is a view that the next call overwrites.

        Frame by frame: a batch does not make a binary net faster.
        """
        compiled = self._compiler.of_shape(np.uint8, (1, CROP_PX, CROP_PX), self._counted)
        if codes.shape[:2] == (1, 1):
            compiled.inputs[:] = codes[0]
            compiled.request.infer()
            return compiled.counts.reshape(1, 1, -1, self._counted[-1])
        counts = np.empty((*codes.shape[:2], *self._counted[1:]), np.float32)
        for place in np.ndindex(codes.shape[:2]):
            compiled.inputs[:] = codes[place]
            compiled.request.infer()
            counts[place] = compiled.counts[0]
        return counts.reshape(*codes.shape[:2], -1, self._counted[-1])


def load_face_net(
    graph: bytes, weights: bytes, spec: BundleSpec, heads: Arrays, threads: int
) -> tuple[FaceRunner, FaceHead]:
    """Runner and head of a bundle's bytes; raises IntegrityError, KeyError, TypeError or InputError for other ones."""
    compiler = Compiler(graph, weights, _OPERATIONS, threads)
    side, features = CROP_PX >> spec.sizes["stages"], spec.sizes["channels"] << (spec.sizes["stages"] - 1)
    head = FaceHead(position_weights=heads.pop("position_weights"), readout=FloatHead(**heads))
    return FaceRunner(compiler, side, features), head
