"""Runs a float network elsewhere: exported to ONNX, quantised to int8, and timed by ONNX Runtime. Only `bench` needs it."""

from __future__ import annotations

import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.faces.features import FaceValues

if TYPE_CHECKING:
    from torch import nn

PACKAGES: Final = ("onnx", "onnxruntime", "onnxscript")
"""Of the extra `bench`; torch's exporter asks for the last one."""
MISSING: Final = "ONNX Runtime is not installed; run `make bench`, or `pip install -c constraints.txt -e '.[bench]'`"


_QUANTISED: Final = ("Conv", "Gemm", "MatMul")
"""All else stays float: whole numbers everywhere are slower in both runtimes (ONNX Runtime 1.78 ms, not 1.50 ms), further
off (4.5 %, not 2.7 %), and end OpenVINO's process on some networks."""


def export_onnx(module: nn.Module, example: FaceValues, path: Path) -> None:
    """Writes `module`, called with the example, as ONNX of fixed shapes.

    Raises:
        InputError: the packages of the extra `bench` are missing.
    """
    import torch

    check_installed()
    with _quiet():
        torch.onnx.export(module.eval(), (torch.from_numpy(example),), path, dynamo=True, external_data=False)


def quantise(path: Path, faces: Sequence[FaceValues], out: Path) -> float:
    """Writes the network as int8: static, per channel, in quantise-dequantise form, calibrated on `faces`.

    Returns:
        how far its answers to `faces` are off: the root of their mean squared error over the float answers' deviation.
    """
    check_installed()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = _input_name(path)

    class Faces(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterable[dict[str, FaceValues]] = iter([{name: face} for face in faces])

        def get_next(self) -> dict[str, FaceValues] | None:
            return next(self._left, None)  # type: ignore[call-overload,no-any-return]

    prepared = out.with_suffix(".prepared.onnx")
    with _quiet():
        quant_pre_process(path, prepared)
        quantize_static(
            prepared,
            out,
            Faces(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(_QUANTISED),
        )
    prepared.unlink()
    wanted, found = _answers(path, faces), _answers(out, faces)
    return float(np.sqrt(np.mean((found - wanted) ** 2)) / max(float(wanted.std()), 1e-12))


def onnx_runner(path: Path, face: FaceValues) -> Callable[[], NDArray[np.float32]]:
    """Calls ONNX Runtime with the face, on one thread."""
    session = _session(path)
    feed = {session.get_inputs()[0].name: face}
    return lambda: np.asarray(session.run(None, feed)[0], dtype=np.float32)


def check_installed() -> None:
    """Raises InputError when the packages of the extra `bench` are missing; imports none of them."""
    if any(importlib.util.find_spec(name) is None for name in PACKAGES):
        raise InputError(MISSING)


def _answers(path: Path, faces: Sequence[FaceValues]) -> NDArray[np.float32]:
    session = _session(path)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: face})[0] for face in faces])


def _session(path: Path) -> Any:
    check_installed()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _input_name(path: Path) -> str:
    import onnx

    return str(onnx.load(path).graph.input[0].name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporter and quantiser talk on every channel there is."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
