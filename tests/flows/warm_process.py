"""A process that has imported the tools, and forks itself for each command: two thirds of a short command's time are imports.

A fork is a process of its own: its environment, folder, output, threads, exit code and end are the command's. Orders come as lines of
JSON, answers are exit codes. `BITFACE_EVIDENCE=full` runs each command in a new interpreter instead, as the first retrain always is.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from typing import Any

ALWAYS = (
    "bitface.adapters.dvc_store",
    "bitface.adapters.terminal_progress",
    "bitface.cli.app",
    "bitface.ledger.ledger",
    "bitface.ports",
    "bitface.steps.people.writing",
    "dvc.repo",
    "pandas",
    "scipy.stats",
)
TRAINING = (
    "captum.attr",
    "evidently",
    "evidently.presets",
    "great_expectations",
    "great_expectations.expectations",
    "matplotlib.figure",
    "mlflow",
    "sklearn.metrics",
    "torch",
)
NEEDED = {
    "retrain": TRAINING,
    "study": TRAINING,
    "drift": TRAINING,
    "predict": ("mediapipe",),
    "explain": ("mediapipe", "torch", "captum.attr"),
}
"""What a command imports anyway; imported when one first comes, so that a process which gets none does without. Prefect is left out:
it reads its settings when it is imported, and they name a home; and OpenVINO, which begins a thread."""


def main() -> None:
    """Answers one order after another; in a fork, returns when the command has ended."""
    _load(ALWAYS)
    while line := sys.stdin.buffer.raw.readline():  # type: ignore[attr-defined]  # unbuffered: a fork must not inherit a part
        order = json.loads(line)
        _load(NEEDED.get(order["words"][0], ()))
        gc.freeze()  # a fork that collects garbage would copy every page of it
        number = os.fork()
        if number == 0:
            _become(order)
            return
        _, status = os.waitpid(number, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _load(names: tuple[str, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if names is TRAINING:
            importlib.import_module("bitface.training.torchvision_cpu").load_torchvision()  # before anybody else does
        for name in names:
            importlib.import_module(name)
    assert threading.active_count() == 1, "a thread is not in a fork"


def _become(order: Mapping[str, Any]) -> None:
    """From here on this is `python -m bitface.cli WORDS`."""
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["folder"])
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["out"], os.O_WRONLY),
        (2, order["err"], os.O_WRONLY),
    ):
        os.dup2(os.open(name, flags), number)
    sys.path[0] = order["folder"]
    sys.argv[1:] = order["words"]
    runpy.run_module("bitface.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
