"""The command line in a process of its own, as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
    """`bitface(project, *words)` runs a command on the home and the dataset of that folder."""

    def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bitface.cli", *words]
        return subprocess.run(
            command, cwd=ROOT, env=environment_of(project), capture_output=True, text=True, timeout=1700
        )

    return run
