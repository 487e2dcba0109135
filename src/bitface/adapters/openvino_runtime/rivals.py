"""Runs a float or int8 network by OpenVINO as it comes, to time our one-bit graph against."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import FaceValues

_HINTS: Final = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""Of a network in ONNX; the int8 one says in itself what is quantised."""

_TRY: Final = "import sys, openvino; openvino.Core().compile_model(sys.argv[1], 'CPU')"


def openvino_runner(path: Path, face: FaceValues, precision: str) -> Callable[[], NDArray[np.float32]] | None:
    """Calls OpenVINO with the face, on one thread; None where it cannot compile the network.

    That is tried in a process of its own first: OpenVINO 2026.4 ends the process on the int8 form of some networks.
    """
    import openvino

    words = [sys.executable, "-c", _TRY, str(path)]
    if subprocess.run(words, check=False, capture_output=True, timeout=120).returncode:  # noqa: S603 - our own interpreter
        return None
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": "1",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "ENABLE_CPU_PINNING": "NO",
    }
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(face, shared_memory=True))

    def run() -> NDArray[np.float32]:
        request.infer()
        return np.asarray(request.get_output_tensor().data, dtype=np.float32)

    return run
