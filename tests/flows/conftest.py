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


@pytest.fixture(scope="session")
def bitface() -> Bitface:
    """`bitface(project, *words)` runs a command on the home and the dataset of that folder."""

    def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"BITFACE_HOME": str(project / "home"), "BITFACE_DATA": str(project / "data")}
        command = [sys.executable, "-m", "bitface.cli", *words]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=800)

    return run
