"""The command line in a process of its own, as people run it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bitface.adapters.prefect_processes import client_settings, server

ROOT = Path(__file__).resolve().parents[2]
Bitface = Callable[..., subprocess.CompletedProcess[str]]


def environment_of(project: Path) -> dict[str, str]:
    """This process's environment on that folder, without what a command that ran in this process told Prefect."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return own | {"BITFACE_HOME": str(project / "home"), "BITFACE_DATA": str(project / "data")}


@pytest.fixture(scope="session")
def environment() -> Callable[[Path], dict[str, str]]:
    """`environment(project)` for a process that a test starts itself."""
    return environment_of


@pytest.fixture(scope="session")
def bitface() -> Bitface:
    """`bitface(project, *words, NAME=value)` runs a command on the home and the dataset of that folder."""

    def run(project: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bitface.cli", *words]
        told = environment_of(project) | more
        return subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=1700)

    return run


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that lead to a Prefect server which is there already: a temporary one takes ten seconds to begin."""
    folder = tmp_path_factory.mktemp("prefect")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(folder / "prefect"))
        with server(folder, port) as access:
            yield client_settings(access)
