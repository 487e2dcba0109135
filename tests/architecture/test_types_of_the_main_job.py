"""mypy sees into the main job: a stage that is handed another's result, or arguments that change places, fail `make check`."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOW = "flows/retrain.py"
WRONG = {
    "two arguments change places": (
        "step(stages.export, run, networks)",
        "step(stages.export, networks, run)",
        'expected "Calibrated"',
    ),
    "networks without calibrators": (
        "step(stages.calibrate, run, step(stages.train, run, data), data)",
        "step(stages.train, run, data)",
        'expected "Calibrated"',
    ),
    "another stage's finding": (
        "drifted=step(stages.drift, run, data)",
        "drifted=step(stages.explain, run, model, data)",
        'expected "Drifted"',
    ),
    "features that no data gate has seen": (
        "step(stages.evaluate, run, model, data)",
        "step(stages.evaluate, run, model, seen)",
        'expected "Data"',
    ),
    "one argument too few": (
        "step(stages.gate, run, model, findings, data)",
        "step(stages.gate, run, model)",
        "Missing",
    ),
}

STAGES = "flows/stages.py"
WRONG_TOOLS = {
    "pages are no figures": (
        "draw_figures(run, recorded, outcome, draw, mesh)",
        "draw_figures(run, recorded, outcome, report, mesh)",
        'expected "Figures"',
    ),
    "figures are no pages": (
        "write_reports(run, recorded, outcome, report)",
        "write_reports(run, recorded, outcome, draw)",
        'expected "Pages"',
    ),
    "the rows of the data gate and its suites change places": (
        "validate_samples(run, originals(seen.every_row), wiring.table_checks())",
        "validate_samples(run, wiring.table_checks(), originals(seen.every_row))",
        'expected "ClipTable"',
    ),
}


@pytest.mark.parametrize(("flow", "wrong_ones"), [(FLOW, WRONG), (STAGES, WRONG_TOOLS)], ids=["flow", "stages"])
@pytest.mark.tools
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed; `make check` installs it")
def test_what_is_wrong_in_the_flow_is_a_type_error(
    tmp_path: Path, flow: str, wrong_ones: dict[str, tuple[str, str, str]]
) -> None:
    """All mistakes in one copy of the flow, and each of them is found."""
    text = (ROOT / flow).read_text(encoding="utf-8")
    for right, wrong, _ in wrong_ones.values():
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    (tmp_path / "copy.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--shadow-file", flow, str(tmp_path / "copy.py"), flow]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    for words, least in Counter(words for _, _, words in wrong_ones.values()).items():
        assert sum(f"{flow}:" in line and words in line for line in done.stdout.splitlines()) >= least, done.stdout
