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
        "step(stages.export, run, networks, job)",
        "step(stages.export, networks, run, job)",
        'expected "Calibrated"',
    ),
    "networks without calibrators": (
        "step(stages.calibrate, run, step(stages.train, run, data, job), data, job)",
        "step(stages.train, run, data, job)",
        'expected "Calibrated"',
    ),
    "another stage's finding": (
        "drifted=step(judging.drift, run, made, job)",
        "drifted=step(judging.explain, run, made, job)",
        'expected "Drifted"',
    ),
    "features that no data gate has seen": (
        "made = Made(data=data, model=model)",
        "made = Made(data=networks, model=model)",
        'expected "Data"',
    ),
    "one argument too few": (
        "step(judging.gate, run, made, findings, job)",
        "step(judging.gate, run, made)",
        "Missing",
    ),
}

STAGES = "src/bitface/usecases/stages.py"
JUDGING = "src/bitface/usecases/judging.py"
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
}
WRONG_ORDER = {
    "the rows of the data gate and its suites change places": (
        "validate_samples(run, originals(faces.every_row), job.tools.ports.table_checks())",
        "validate_samples(run, job.tools.ports.table_checks(), originals(faces.every_row))",
        'expected "ClipTable"',
    ),
}


MISTAKES = {FLOW: WRONG, JUDGING: WRONG_TOOLS, STAGES: WRONG_ORDER}


@pytest.mark.tools
@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed; `make check` installs it")
def test_what_is_wrong_in_the_flow_is_a_type_error(tmp_path: Path) -> None:
    """All mistakes in one copy of each file, in one run of mypy, and each of them is found."""
    shadows = []
    for number, (file, wrong_ones) in enumerate(MISTAKES.items()):
        text = (ROOT / file).read_text(encoding="utf-8") + "# a copy with mistakes\n"
        for right, wrong, _ in wrong_ones.values():
            assert text.count(right) == 1, right
            text = text.replace(right, wrong)
        (tmp_path / f"copy{number}.py").write_text(text, encoding="utf-8")
        shadows += ["--shadow-file", file, str(tmp_path / f"copy{number}.py")]
    command = [sys.executable, "-m", "mypy", *shadows, *MISTAKES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    for file, wrong_ones in MISTAKES.items():
        for words, least in Counter(words for _, _, words in wrong_ones.values()).items():
            assert sum(f"{file}:" in line and words in line for line in done.stdout.splitlines()) >= least, done.stdout
