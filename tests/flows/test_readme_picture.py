"""README's picture is drawn from what a run left: its size is what a page shows, and every figure on it is the run's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bitface.adapters.figures import caption_of
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.versions.shown.group_rows import slice_label

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "at-a-glance.png"
SIZE, BYTES_MOST = (1600, 800), 300_000
Draw = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def draw(environment, tmp_path_factory) -> Draw:
    """`draw(project, place, out)` runs the script as an engineer does, with a map of fewer draws than the default's."""
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    few = tmp_path_factory.mktemp("params") / "params.yaml"
    few.write_text(params.replace("ig_orders: 8", "ig_orders: 2").replace("ig_copies: 2", "ig_copies: 1"))

    def run(project: Path, *words: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "docs" / "draw_readme_picture.py"), *map(str, words)]
        told = environment(project) | {"BITFACE_PARAMS": str(few)}
        return subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=600)

    return run


@pytest.fixture(scope="module")
def drawn(done, draw: Draw, tmp_path_factory) -> Path:
    """The picture of the small run, whose people's pictures are gone: the face is rendered, and no dataset is read."""
    project = tmp_path_factory.mktemp("without data")
    shutil.copytree(done[0] / "home", project / "home")
    out = project / "picture.png"
    run = draw(project, project / "home", out)
    assert run.returncode == 0, run.stderr[-3000:]
    assert not (project / "data").exists()
    return out


@pytest.fixture
def words(drawn: Path) -> str:
    return caption_of(drawn)[1]


def cells_of(done) -> list[dict[str, Any]]:
    with zipfile.ZipFile(done[0] / "home" / "runs" / done[1]["run_id"] / "gate.zip") as archive:
        return list(json.loads(archive.read("gate.json"))["decision"]["cells"])


def test_a_picture_has_the_size_of_readme_and_loads_at_once(drawn: Path) -> None:
    for path in (drawn, PICTURE):
        with Image.open(path) as image:
            assert image.size == SIZE, path.name
        assert path.stat().st_size < BYTES_MOST, path.name
    assert f"(docs/{PICTURE.name})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_one_bit_costs_is_what_the_run_measured(words: str, done) -> None:
    summary = done[1]
    sizes, latency = summary["size_bytes"], summary["latency"]
    assert f"one-bit {sizes['one_bit'] / 1e3:.0f} kB; float {sizes['float'] / 1e3:.0f} kB" in words
    assert f"{sizes['float'] / sizes['one_bit']:.1f} times smaller" in words
    assert f"{latency['one-bit']['p50_ms']:.2f} ms; {latency['float']['p50_ms']:.2f} ms" in words
    right = {model["precision"]: model["macro_balanced_accuracy"] for model in summary["models"]}
    assert f"{right['one-bit']:.1%}; {right['float']:.1%}" in words
    (loss,) = (cell for cell in cells_of(done) if cell["kind"] == "binarization")
    assert f"{100 * abs(loss['value']):.1f} points {'less' if loss['value'] > 0 else 'more'}" in words
    assert f"limit {100 * loss['limit']:.1f}" in words


def test_groups_are_shown_with_the_intervals_and_the_limit_of_the_gate(words: str, done) -> None:
    cells = cells_of(done)
    required = [cell for cell in cells if cell["required"]]
    groups = [cell for cell in required if cell["kind"] == "slice" and cell["slice"]]
    assert {cell["attribute"] for cell in groups} == {"skin_tone", "age_band", "gender"} and len(groups) == 9
    for cell in groups:
        name = f"{cell['attribute'].replace('_', ' ')} {slice_label(cell['slice'])}"
        assert f"{name}: {cell['value']:.2f} ({cell['lo']:.2f} to {cell['hi']:.2f}), {cell['persons']} people" in words
    assert f"limit {groups[0]['limit']:.2f}" in words
    passed = sum(cell["state"] == "PASS" for cell in required)
    assert f"{passed} of {len(required)} required checks pass" in words
    verdict = {"promote": "Yes", "hold": "Not yet", "block": "No"}[done[1]["gate"]["decision"]]
    assert f"May it go live? {verdict}" in words


def test_the_strip_names_run_day_code_and_that_nobody_is_real(words: str, done) -> None:
    project, summary, _ = done
    with Ledger(sqlite_url(project / "home" / "ledger.db")) as ledger:
        commit = ledger.run(summary["run_id"]).code_commit
    assert f"run {summary['run_id']} of {summary['status']['judged_at'][:10]}, code {commit[:8]}" in words
    assert "Every person is rendered, none is real" in words
    assert "Every person is rendered, none is real" in caption_of(PICTURE)[1]


def test_a_home_without_a_version_says_what_to_do(draw: Draw, tmp_path: Path) -> None:
    run = draw(tmp_path, tmp_path / "home", tmp_path / "picture.png")
    assert run.returncode == 2 and "run `bitface retrain`" in run.stderr and "Traceback" not in run.stderr
    assert not (tmp_path / "picture.png").exists()
