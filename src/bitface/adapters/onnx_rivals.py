"""Runs a float network elsewhere: exported to ONNX, quantised to int8, and timed by ONNX Runtime. Only `bench` needs it."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from torch import nn

MISSING: Final = "ONNX Runtime is not installed; run `make bench`, or `pip install -c constraints.txt -e '.[bench]'`"


def export_onnx(module: nn.Module, example: NDArray[Any], path: Path) -> None:
    """Writes `module`, called with the example, as ONNX of fixed shapes.

    Raises:
        InputError: the packages of the extra `bench` are missing.
    """
    import torch

    _needed()
    with _quiet():
        torch.onnx.export(module.eval(), (torch.from_numpy(example),), path, dynamo=True, external_data=False)


def quantise(path: Path, faces: Sequence[NDArray[Any]], out: Path) -> None:
    """Writes the network as int8: static, per channel, in quantise-dequantise form, calibrated on `faces`."""
    _needed()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = _input_name(path)

    class Faces(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left: Iterable[dict[str, NDArray[Any]]] = iter([{name: face} for face in faces])

        def get_next(self) -> dict[str, NDArray[Any]] | None:
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
        )
    prepared.unlink()


def onnx_runner(path: Path, face: NDArray[Any]) -> Callable[[], NDArray[np.float32]]:
    """Calls ONNX Runtime with the face, on one thread."""
    _needed()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: face}
    return lambda: np.asarray(session.run(None, feed)[0], dtype=np.float32)


def _input_name(path: Path) -> str:
    import onnx

    return str(onnx.load(path).graph.input[0].name)


def _needed() -> None:
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - torch's exporter asks for it
    except ImportError as error:
        raise InputError(MISSING) from error
    assert onnx and onnxruntime  # noqa: S101 - both are there


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
