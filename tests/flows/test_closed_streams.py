"""A command whose standard streams are closed does its work, and writes into no file what was meant for a reader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = f"{sys.executable} -m bitface.cli"


def shell(line: str, project: Path) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "BITFACE_HOME": str(project / "home"), "BITFACE_DATA": str(project / "data")}
    return subprocess.run(["bash", "-c", line], cwd=ROOT, env=own, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_no_exit_code(closed: str, project: Path) -> None:
    done = shell(f"{LINE} consent show p1 {closed}; echo $?", project)
    assert done.stdout.splitlines()[-1:] == ["2"], done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") <= 1


def test_a_file_does_not_take_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    """It would receive whatever a library prints by number."""
    file = tmp_path / "kept"
    program = f"""
import os
from bitface.cli.streams import open_closed_streams
open_closed_streams()
kept = open({str(file)!r}, "w")
os.write(1, b"meant for a reader"); print("the same"); os.system("echo and a child process")
kept.write("own"); kept.close()
"""
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "$0" <&- >&- 2>&-', program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        timeout=60,
        check=False,
    )
    assert (done.returncode, file.read_text()) == (0, "own")
