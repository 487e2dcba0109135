"""Runs R-EMO's random convolutions, made again from the seed that a bundle ships: landmarks by numpy, faces by OpenVINO.

A kernel of landmarks adds eight codes: gathering them takes less than any graph. Face kernels are a convolution of whole
numbers in float32, a comparison, and means over squares of a power of two, all exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.openvino_runtime.compiler import Compiler
from bitface.adapters.openvino_runtime.exported_network import ExportedNetwork, scale_of, without_graph
from bitface.adapters.openvino_runtime.networks.face_graph import FaceRunner
from bitface.adapters.openvino_runtime.networks.landmark_graph import landmark_codes
from bitface.errors import InputError
from bitface.faces.features import CROP_PX, Reads
from bitface.models.bundle_spec import Arrays, BundleSpec, Files
from bitface.models.exported import FloatHead
from bitface.models.landmark.landmark_codes import CodeScale
from bitface.models.random_kernels import DILATIONS, LandmarkKernels, face_kernels, landmark_kernels, padding

if TYPE_CHECKING:
    from bitface.models.clip_net import ClipNet

_MAP_SIDE: Final = CROP_PX // 2


class RandomLandmarkTrunk:
    """Random kernels over landmarks: landmarks to codes, codes to +-1."""

    def __init__(self, kernels: LandmarkKernels, scale: CodeScale) -> None:
        self.reads: Reads = "flat_landmarks" if scale.is_flat else "landmarks"
        self._plus, self._minus = (np.ascontiguousarray(places.T) for places in (kernels.plus, kernels.minus))
        self._limits, self._scale = np.floor(kernels.thresholds).astype(np.int16), scale

    def codes(self, inputs: NDArray[Any]) -> NDArray[np.int8]:
        """Codes int8 (N, T, 1434) of landmarks float32 (N, T, 478, 3); raises InputError for another shape."""
        return landmark_codes(inputs, self._scale)

    def counts(self, codes: NDArray[Any]) -> NDArray[np.float32]:
        """+-1 of each kernel, float32 (N, T, F)."""
        flat = codes.reshape(-1, codes.shape[2]).astype(np.int16)
        sums = flat[:, self._plus].sum(axis=1, dtype=np.int16) - flat[:, self._minus].sum(axis=1, dtype=np.int16)
        signs = np.where(sums > self._limits, np.float32(1), np.float32(-1))
        return np.asarray(signs.reshape(*codes.shape[:2], -1), dtype=np.float32)


def random_face_graph(seed: int, kernels: int, cells: int) -> Any:
    """An OpenVINO model from int8 codes (M, 64, 64) to counts float32 (M, F, 1, 1)."""
    import openvino
    from openvino import opset13 as op

    codes = op.parameter([-1, CROP_PX, CROP_PX], openvino.Type.i8)
    pixels = op.convert(op.unsqueeze(codes, np.array([1])), "f32")
    halves = np.split(face_kernels(seed, kernels).astype(np.float32)[:, None], len(DILATIONS))
    maps = []
    for weights, dilation in zip(halves, DILATIONS, strict=True):
        before, after = padding(dilation)
        maps.append(
            op.convolution(pixels, op.constant(weights), [2, 2], [before, before], [after, after], [dilation, dilation])
        )
    # Sums are whole: above -0.5 is 0 or more, which is +1. (A two-level FakeQuantize that no binary convolution follows
    # ends the process in OpenVINO 2026.4.)
    bits = op.convert(op.greater(op.concat(maps, 1), op.constant(np.float32(-0.5))), "f32")
    side = _MAP_SIDE // cells
    share = op.avg_pool(bits, [side, side], [0, 0], [0, 0], [side, side], True)
    counts = op.subtract(op.multiply(share, op.constant(np.float32(2 * side**2))), op.constant(np.float32(side**2)))
    flat = op.reshape(counts, op.constant(np.array([0, kernels * cells**2, 1, 1])), True)
    return openvino.Model([op.result(flat)], [codes], "random_faces")


def load_random_landmark_net(
    files: Files,  # noqa: ARG001 - the spec's seed says all that a graph would
    spec: BundleSpec,
    heads: Arrays,
    threads: int,  # noqa: ARG001 - numpy gathers on one
) -> tuple[RandomLandmarkTrunk, FloatHead]:
    """Trunk and head of a bundle; raises KeyError, TypeError or InputError for another one's."""
    sizes, scale = spec.sizes, CodeScale(centre=heads.pop("centre"), inverse_step=heads.pop("inverse_step"))
    drawn = landmark_kernels(sizes["seed"], sizes["kernels"], sizes["taps"], sizes["threshold_codes"])
    head = FloatHead(**heads)
    _check_width(head, sizes["kernels"])
    return RandomLandmarkTrunk(drawn, scale), head


def load_random_face_net(
    files: Files,  # noqa: ARG001 - the spec's seed says all that a graph would
    spec: BundleSpec,
    heads: Arrays,
    threads: int,
) -> tuple[FaceRunner, FloatHead]:
    """Runner and head of a bundle; raises KeyError, TypeError or InputError for another one's."""
    sizes, head = spec.sizes, FloatHead(**heads)
    features = sizes["kernels"] * sizes["cells"] ** 2
    _check_width(head, features)
    graph = random_face_graph(sizes["seed"], sizes["kernels"], sizes["cells"])
    return FaceRunner(Compiler(graph, np.zeros(0, np.uint8), threads), features), head


def _check_width(head: FloatHead, features: int) -> None:
    if len(head.multiply) != features:
        raise InputError(f"the head reads {len(head.multiply)} counts, the spec's kernels make {features}")


def _write(network: ClipNet, folder: Path) -> Arrays:
    from bitface.models.extraction import readout

    if network.spec.precision != "one-bit":
        raise InputError("only a one-bit network is shipped; export the one-bit model of the pair")
    without_graph(folder)
    return readout(network, np.ones(network.spec.features, np.int8)).arrays()


def _write_with_scale(network: ClipNet, folder: Path) -> Arrays:
    return {**_write(network, folder), **scale_of(network)}


NETWORKS: Final = {
    "random_landmark_net": ExportedNetwork(write=_write_with_scale, load=load_random_landmark_net),
    "random_face_net": ExportedNetwork(write=_write, load=load_random_face_net),
}
