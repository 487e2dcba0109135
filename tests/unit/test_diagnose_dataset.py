"""What the doctor advises about a dataset works: `dvc checkout` only where the pinned version is stored on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bitface.adapters.dvc_store import DvcStore
from bitface.dataset.manifest import write_manifest
from bitface.steps.audits.diagnose import _dataset

pytestmark = pytest.mark.tools
"""DVC alone takes a second to import."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "data", "pinned")


def write(data: Path, text: str) -> Path:
    data.mkdir(exist_ok=True)
    (data / "index.csv").write_text(text, encoding="utf-8")
    write_manifest(data)
    return data


def test_the_advised_checkout_brings_the_pinned_version_back(data: Path, tmp_path: Path) -> None:
    """Another dataset lies there, kept as a retrain keeps it; what the doctor says is run as it stands."""
    store = DvcStore(data, tmp_path / "elsewhere", tmp_path / "home")
    store.pin()
    write(data, "other")
    store.keep()
    advice = re.search(r"`dvc (checkout [^`]*)` in (\S+)", _dataset(data, store).remedy)
    assert advice is not None
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *advice[1].split()], cwd=advice[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (data / "index.csv").read_text(encoding="utf-8") == "pinned"
    assert _dataset(data, store).state == "ok"


@pytest.mark.parametrize("lost", ["a listing of another machine", "one file of it"])
def test_no_checkout_is_advised_of_what_is_not_stored_here(data: Path, tmp_path: Path, lost: str) -> None:
    store = DvcStore(data, tmp_path / "elsewhere", tmp_path / "home")
    store.pin()
    cache = tmp_path / ".dvc" / "cache"
    if lost == "one file of it":
        next(path for path in cache.rglob("*") if path.is_file() and path.suffix != ".dir").unlink()
    else:
        shutil.rmtree(cache)
    write(data, "other")
    finding = _dataset(data, store)
    assert finding.state == "warn" and "checkout" not in finding.remedy and "not stored" in finding.remedy


def test_an_altered_file_without_any_stored_version_is_not_to_be_restored(data: Path, tmp_path: Path) -> None:
    store = DvcStore(data, tmp_path / "elsewhere", tmp_path / "home")
    (data / "index.csv").write_text("altered", encoding="utf-8")
    finding = _dataset(data, store)
    assert finding.state == "fail" and "dvc" not in finding.remedy and "move data/ away" in finding.remedy
