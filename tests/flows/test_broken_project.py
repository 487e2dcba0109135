"""A params.yaml that is there and is no file: the command refuses, and works on no other project."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bitface.project import begin_project

KINDS: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "broken link": lambda path: path.symlink_to("gone.yaml"),
    "circle": lambda path: path.symlink_to(path.name),
    "device": lambda path: path.symlink_to(os.devnull),
}


def run_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Without any variable that says where bitface's places are."""
    own = {name: value for name, value in os.environ.items() if name not in ("BITFACE_HOME", "BITFACE_DATA")}
    command = [sys.executable, "-m", "bitface.cli", *words]
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("kind", KINDS)
def test_a_params_yaml_that_is_no_file_is_not_replaced_by_another_project(kind: str, tmp_path: Path) -> None:
    """The package's checkout is a project too: its people would be shown, and could be erased."""
    KINDS[kind](tmp_path / "params.yaml")
    done = run_in(tmp_path, "data", "status")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1, done.stderr
    assert "'params.yaml' is " in done.stderr or "'params.yaml' does not exist" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("kind", KINDS)
def test_init_says_that_a_name_is_taken_by_no_file(kind: str, tmp_path: Path) -> None:
    """It does not say that it wrote what it did not write."""
    KINDS[kind](tmp_path / "params.yaml")
    done = run_in(tmp_path, "init", ".")
    assert (done.returncode, done.stdout) == (2, "")
    assert "params.yaml' is not a file, or a link to none; move it away" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_link_to_a_file_is_a_params_yaml(tmp_path: Path) -> None:
    begin_project(tmp_path / "first")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "params.yaml").symlink_to(tmp_path / "first" / "params.yaml")
    assert [path.name for path in begin_project(tmp_path / "second")] == [".gitignore"]
    done = run_in(tmp_path / "second", "data", "status")
    assert done.returncode == 2 and "there is no dataset yet" in done.stderr
