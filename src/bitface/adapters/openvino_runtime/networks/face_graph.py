"""A face net's integer trunk as an OpenVINO graph: written with explicit one-bit operations, and run frame by frame.

What was measured, and holds here: a two-level FakeQuantize may give 1..0 in single channels, which turns a comparison;
padding of a binary convolution is -1 after that turn; a whole factor and the residual are added by the convolution
itself; averages over squares of a power of two and products with whole numbers below 2^23 are exact in float32. A 1x1
convolution of zeros and ones picks channels faster than Gather does, whose layout is another, and as exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.openvino_runtime.compiler import Compiler, save_graph
from bitface.adapters.openvino_runtime.exported_network import ExportedNetwork, heads_of, members_of
from bitface.binarize.packing import pack_signs
from bitface.errors import InputError
from bitface.faces.features import CROP_PX, Reads
from bitface.models.bundle_spec import GRAPH, WEIGHTS, Arrays, BundleSpec, Files
from bitface.models.exported import FloatHead, SeparateHeads
from bitface.models.face.exported_face import BinaryLayer, FaceTrunk, Readout
from bitface.models.face.face_codes import encode_crops

if TYPE_CHECKING:
    from bitface.models.clip_net import ClipNet
    from bitface.models.face.face_net import FaceNet

_OPERATIONS: Final = frozenset(
    (
        *("Parameter", "Constant", "Convert", "Unsqueeze", "Convolution", "FakeQuantize", "BinaryConvolution"),
        *("Multiply", "Add", "AvgPool", "Concat", "Result"),
    )
)


def write_face_graph(trunks: Sequence[FaceTrunk], folder: Path) -> None:
    """Writes `model.xml` and `model.bin`: int8 codes (M, 64, 64) to counts float32 (M, F, 1, 1), of several side by side."""
    import openvino
    from openvino import opset13 as op

    codes = op.parameter([-1, CROP_PX, CROP_PX], openvino.Type.i8)
    codes.output(0).set_names({"codes"})
    pixels = op.convert(op.unsqueeze(codes, np.array([1])), "f32")
    borrowed: list[NDArray[np.uint8]] = []
    counts = [_counts(trunk, pixels, borrowed) for trunk in trunks]
    joined = counts[0] if len(counts) == 1 else op.concat(counts, 1)
    save_graph(openvino.Model([op.result(joined)], [codes], "face_trunk"), folder)
    borrowed.clear()


def _counts(trunk: FaceTrunk, pixels: Any, borrowed: list[NDArray[np.uint8]]) -> Any:
    """One trunk's counts. `borrowed` must outlive the graph: a `u1` tensor borrows numpy's memory."""
    from openvino import opset13 as op

    packed = [*(pack_signs(layer.filters) for layer in trunk.layers), pack_signs(trunk.readout.filters)]
    borrowed += packed
    stream = op.convolution(pixels, op.convert(op.constant(trunk.stem), "f32"), [2, 2], [1, 1], [1, 1], [1, 1])
    for layer, filters in zip(trunk.layers, packed, strict=False):
        stream = op.add(_added(layer, stream, filters), stream if layer.stride == 1 else _continued(layer, stream))
    pooled = _pooled(stream, trunk.readout.pooled_side)
    return _counted(pooled, trunk.readout, packed[-1], stride=1, pad=0)


def _added(layer: BinaryLayer, stream: Any, packed: NDArray[np.uint8]) -> Any:
    """What a block adds to the stream."""
    from openvino import opset13 as op

    return op.multiply(_counted(stream, layer, packed, layer.stride, pad=1), op.constant(_by_channel(layer.factors)))


def _counted(stream: Any, layer: BinaryLayer | Readout, packed: NDArray[np.uint8], stride: int, pad: int) -> Any:
    """Comparison and binary convolution."""
    import openvino
    from openvino import opset13 as op

    limit = op.constant(_by_channel(layer.thresholds))
    low, high = (op.constant(_by_channel(flipped)) for flipped in (layer.is_flipped, ~layer.is_flipped))
    bits = op.fake_quantize(stream, limit, limit, low, high, 2)
    filters = op.constant(openvino.Tensor(packed, openvino.Shape(layer.filters.shape), openvino.Type.u1))
    pads = [pad, pad]
    return op.binary_convolution(bits, filters, [stride, stride], pads, pads, [1, 1], "xnor-popcount", -1.0)


def _pooled(stream: Any, side: int) -> Any:
    """Squares of the stream summed."""
    from openvino import opset13 as op

    if side == 1:
        return stream
    mean = op.avg_pool(stream, [side, side], [0, 0], [0, 0], [side, side], True)
    return op.multiply(mean, op.constant(np.float32(side * side)))


def _continued(layer: BinaryLayer, stream: Any) -> Any:
    """The shortcut of a block of stride 2: squares summed, then the channel that each output continues."""
    from openvino import opset13 as op

    summed, own = _pooled(stream, 2), np.arange(layer.filters.shape[1])
    if np.array_equal(layer.sources, np.tile(own, 2)):
        return op.concat([summed, summed], 1)
    if np.array_equal(layer.sources, own):
        return summed
    picks = (layer.sources[:, None] == own).astype(np.float32)
    return op.convolution(summed, op.constant(picks[..., None, None]), [1, 1], [0, 0], [0, 0], [1, 1])


def _by_channel(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32).reshape(1, -1, 1, 1)


class FaceRunner:
    """A face net's integer part, loaded: crops to codes, codes to counts."""

    reads: ClassVar[Reads] = "crops"

    def __init__(self, compiler: Compiler, features: int) -> None:
        self._compiler, self._features = compiler, features

    def codes(self, inputs: NDArray[Any]) -> NDArray[np.int8]:
        """Codes int8 (N, T, 64, 64) of crops uint8 (N, T, 64, 64); raises InputError for another shape or type."""
        if (
            inputs.ndim != 4
            or inputs.shape[1] < 1
            or inputs.shape[2:] != (CROP_PX, CROP_PX)
            or inputs.dtype != np.uint8
        ):
            raise InputError(
                f"crops of {inputs.dtype} {inputs.shape} are not uint8 (clips, frames, {CROP_PX}, {CROP_PX})"
            )
        return encode_crops(inputs)

    def counts(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """Counts float32 (N, T, F), all of T true frames; a still's is a view that the next call overwrites.

        Frame by frame: a batch does not make a binary net faster.
        """
        compiled = self._compiler.of_shape(np.int8, (1, CROP_PX, CROP_PX), (1, self._features, 1, 1))
        if codes.shape[:2] == (1, 1):
            compiled.inputs[:] = codes[0]
            compiled.request.infer()
            return compiled.counts.reshape(1, 1, self._features)
        counts = np.empty((*codes.shape[:2], self._features), np.float32)
        for place in np.ndindex(codes.shape[:2]):
            compiled.inputs[:] = codes[place]
            compiled.request.infer()
            counts[place] = compiled.counts[0, :, 0, 0]
        return counts


def load_face_net(files: Files, spec: BundleSpec, heads: Arrays, threads: int) -> tuple[FaceRunner, FloatHead]:
    """Runner and head of a bundle's bytes; raises IntegrityError, KeyError, TypeError or InputError for other ones."""
    return _runner(files, spec, threads, parts=1), FloatHead(**heads)


def load_separate_face_nets(
    files: Files, spec: BundleSpec, heads: Arrays, threads: int
) -> tuple[FaceRunner, SeparateHeads]:
    """Trunks side by side, and their heads; raises as `load_face_net` does."""
    return _runner(files, spec, threads, parts=spec.sizes["outputs"]), SeparateHeads.of(heads)


def _runner(files: Files, spec: BundleSpec, threads: int, parts: int) -> FaceRunner:
    compiler = Compiler.reading(files[GRAPH], files[WEIGHTS], _OPERATIONS, threads)
    return FaceRunner(compiler, spec.sizes["features"] * parts)


def _write(network: ClipNet, folder: Path) -> Arrays:
    from bitface.models.face.face_extraction import extract_face

    parts = [extract_face(cast("FaceNet", one)) for one in members_of(network)]
    write_face_graph([trunk for trunk, _ in parts], folder)
    return heads_of(network, [head for _, head in parts])


NETWORKS: Final = {
    "face_net": ExportedNetwork(write=_write, load=load_face_net),
    "separate_face_net": ExportedNetwork(write=_write, load=load_separate_face_nets),
}
