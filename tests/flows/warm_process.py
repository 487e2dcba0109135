"""A process that has imported the tools, and forks itself for each command: two thirds of a short command's time are imports.

A fork is a process of its own: its environment, folder, output, threads, exit code and end are the command's. Orders come as lines of
JSON, answers are exit codes. `BITFACE_EVIDENCE=full` runs each command in a new interpreter instead, as the first retrain always is.
"""

from __future__ import annotations

import atexit
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
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

ALWAYS = (
    "bitface.adapters.dvc_store",
    "bitface.adapters.terminal.terminal_progress",
    "bitface.bootstrap.adapters",
    "bitface.bootstrap.opening",
    "bitface.cli.app",
    "bitface.ledger.ledger",
    "bitface.ports",
    "bitface.steps.people.writing",
    "dvc.repo",
    "pandas",
    "bitface.usecases.answers",
    "bitface.usecases.erasing",
    "bitface.usecases.models",
    "bitface.usecases.people",
    "scipy.stats",
)
FLOWS = ("bitface.flows.erase", "bitface.flows.retrain")
TRAINING = (
    "captum.attr",
    "evidently",
    "evidently.presets",
    "great_expectations",
    "great_expectations.expectations",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "sklearn.metrics",
    "torch",
    "torch._dynamo",  # the first optimiser imports it
    "bitface.adapters.synthetic_faces",
    "mediapipe.tasks.python",
    "model_signing",
    "openlineage.client",
)
NEEDED = {
    "erase": FLOWS,
    "retrain": (*TRAINING, *FLOWS),
    "study": (*TRAINING, *FLOWS),
    "drift": TRAINING,
    "data validate": TRAINING,
    "predict": ("mediapipe", "model_signing"),
    "explain": ("mediapipe", "model_signing", "torch", "captum.attr"),
}
"""What a command imports anyway; imported when one first comes, so that a process which gets none does without. OpenVINO is left out:
it begins a thread."""


class Withheld(MetaPathFinder, Loader):
    """Prefect, and our flows: imported already, and for a command not imported yet. Prefect reads its settings when it is imported, and
    they name a home; so all of it comes back at a command's first import, with settings read anew.
    """

    def __init__(self) -> None:
        names = [name for name in sys.modules if name.startswith(("prefect.", "bitface.flows")) or name == "prefect"]
        self._modules = {name: sys.modules.pop(name) for name in names}
        self._specs = {name: module.__spec__ for name, module in self._modules.items()}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self._modules else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._specs[module.__name__]
        sys.meta_path.remove(self)
        sys.modules.update(self._modules)
        importlib.import_module("prefect.context").refresh_global_settings_context()
        importlib.import_module("prefect.logging.configuration").setup_logging(incremental=False)


def main() -> None:
    """Answers one order after another."""
    _load(ALWAYS)
    importlib.import_module("bitface.cli.edge").command_line()
    while line := sys.stdin.buffer.raw.readline():  # type: ignore[attr-defined]  # unbuffered: a fork must not inherit a part
        order = json.loads(line)
        _load(NEEDED.get(order["words"][0], ()) or NEEDED.get(" ".join(order["words"][:2]), ()))
        gc.freeze()  # a fork that collects garbage would copy every page of it
        number = os.fork()
        if number == 0:
            _leave(_code_of(order))
        _, status = os.waitpid(number, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _load(names: tuple[str, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if names[: len(TRAINING)] == TRAINING:
            importlib.import_module("bitface.training.torchvision_cpu").load_torchvision()  # before anybody else does
        for name in names:
            importlib.import_module(name)
    assert threading.active_count() == 1, "a thread is not in a fork"


def _code_of(order: Mapping[str, Any]) -> int:
    """The exit code of the command, as the interpreter makes one of how a program ends."""
    try:
        _become(order)
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _leave(code: int) -> NoReturn:
    """As an interpreter ends: threads are waited for, exit functions run, output is written. But nothing is taken down: to take down
    what all these modules hold copies the pages of it, for half a second.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


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
    sys.meta_path.insert(0, Withheld())
    sys.path[0] = order["folder"]
    sys.argv[1:] = order["words"]
    runpy.run_module("bitface.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
