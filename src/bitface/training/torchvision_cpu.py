"""The one place that torchvision comes through: its registry build expects CUDA and dies next to a CPU build of torch."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Final

import torch

_NMS_SCHEMA: Final = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS: Final = ("torchvision::nms", "torchvision::qnms")
# An operator can be declared once in a process; the first two users may be two threads.
_LOCK: Final = threading.Lock()


def load_torchvision() -> ModuleType:
    """Imports torchvision, whatever build of it lies beside whatever build of torch.

    Where its compiled part cannot load, `transforms.v2`, `models` and most of `ops` work all the same, while `nms` and
    the reading and writing of image files raise torchvision's own error: use Pillow for the latter. Takes seconds the
    first time, and may be called again from any thread.

    Raises:
        ImportError: torchvision is not installed.
    """
    with _LOCK:
        if "torchvision" not in sys.modules and needs_declaration(torch.version.cuda, _torchvision_version_text()):
            for name in _OPERATORS:
                torch.library.define(name, _NMS_SCHEMA)
        return importlib.import_module("torchvision")


def needs_declaration(torch_cuda: str | None, torchvision_version_text: str) -> bool:
    """Whether a torchvision made for CUDA meets a torch made without: its import then asks for operators that are not there.

    In every other pair the compiled part loads and declares them itself; a second declaration would fail.
    """
    return torch_cuda is None and "+cu" in torchvision_version_text


def _torchvision_version_text() -> str:
    # Read and not imported: importing it is what fails.
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return ""
    return Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
