"""The wheel is the whole program: in an empty folder, away from any checkout, it begins a project and runs there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def bitface(installed: Path, project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the wheel in a project's folder."""
    return subprocess.run(
        [sys.executable, "-m", "bitface.cli", *words],
        cwd=project,
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith("BITFACE_") or name.endswith("CACHE")
        }
        | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_brings_all_that_it_needs_and_no_package_of_another_name(installed: Path) -> None:
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"bitface"}
    here = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*") if path.suffix != ".pyc"}
    flows = {Path("bitface/flows") / path.name for path in (ROOT / "flows").glob("*.py")}
    wanted = (
        {path for path in here if (ROOT / "src" / path).is_file()}
        | flows
        | {Path("bitface/params.yaml"), Path("bitface/glossary.md")}
    )
    found = {path.relative_to(installed) for path in (installed / "bitface").rglob("*") if path.is_file()}
    assert wanted == {path for path in found if path.suffix != ".pyc"}


def test_an_empty_folder_becomes_a_project_once_and_commands_run_in_it(installed: Path, tmp_path: Path) -> None:
    without = bitface(installed, tmp_path, "data", "status")
    assert (without.returncode, without.stdout) == (2, "")
    assert without.stderr.startswith("bitface: ") and "run `bitface init` here" in without.stderr
    begun = bitface(installed, tmp_path, "init")
    assert begun.returncode == 0 and "wrote params.yaml, .gitignore" in begun.stdout, begun.stderr
    assert (tmp_path / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()
    (tmp_path / "params.yaml").write_text((tmp_path / "params.yaml").read_text() + "# ours\n")
    again = bitface(installed, tmp_path, "init")
    assert again.returncode == 0 and "nothing was written" in again.stdout
    assert (tmp_path / "params.yaml").read_text().endswith("# ours\n")
    policy = bitface(installed, tmp_path, "policy", "show")
    assert policy.returncode == 0 and "no policy is in force yet" in policy.stdout, policy.stderr


def test_a_folder_that_cannot_be_one_is_told_in_a_line(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = bitface(installed, tmp_path, "init", "file")
    assert done.returncode == 2 and "'file' cannot be a project folder" in done.stderr, done.stderr
