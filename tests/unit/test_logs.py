"""Log records: silent unless asked for, one JSON object a line on request, and no person in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def command(code: str, project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"BITFACE_HOME": str(project / "home"), "BITFACE_DATA": str(project / "data")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | own | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def asked(*words: str) -> str:
    return f"import sys; sys.argv = {['bitface', *words]!r}; from bitface.cli import main; main()"


@pytest.mark.tools
def test_nothing_is_logged_unless_it_is_asked_for(tmp_path: Path) -> None:
    done = command(asked("policy", "show"), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.tools
def test_a_command_is_a_line_of_json_without_what_it_was_given(tmp_path: Path) -> None:
    done = command(asked("consent", "show", "Anna-7"), tmp_path, BITFACE_LOG="debug", BITFACE_LOG_FORMAT="json")
    records = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [record["message"] for record in records] == ["command begins", "command ended"]
    assert records[1]["exit_code"] == done.returncode == 2
    assert records[1]["command"] == "consent show" and records[1]["level"] == "info" and records[1]["seconds"] >= 0
    assert "Anna" not in json.dumps(records)
    for words, said in ((("erase", "Anna"), "erase"), (("Anna", "Ben"), "")):
        done = command(asked(*words, "--dry-run"), tmp_path, BITFACE_LOG="info", BITFACE_LOG_FORMAT="json")
        (record,) = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        assert record["command"] == said


@pytest.mark.tools
def test_a_defect_is_a_record_that_names_the_file_with_the_way_it_took(tmp_path: Path) -> None:
    code = "import bitface.project; bitface.project.begin_project = lambda _: 1 / 0; " + asked("init", str(tmp_path))
    done = command(code, tmp_path, BITFACE_LOG="error", BITFACE_LOG_FORMAT="json")
    record = json.loads(next(line for line in done.stderr.splitlines() if line.startswith("{")))
    assert (done.returncode, record["message"], record["error"]) == (1, "defect", "ZeroDivisionError")
    assert record["traceback_file"] in done.stderr.splitlines()[-1]
    assert "begin_project" in Path(record["traceback_file"]).read_text()
    Path(record["traceback_file"]).unlink()


@pytest.mark.tools
def test_a_person_reads_the_same_in_a_line(tmp_path: Path) -> None:
    done = command(asked("policy", "show"), tmp_path, BITFACE_LOG="info")
    assert " info bitface.cli: command ended command=policy show exit_code=0 seconds=" in done.stderr


@pytest.mark.parametrize("wrong", [{"BITFACE_LOG": "loud"}, {"BITFACE_LOG": "info", "BITFACE_LOG_FORMAT": "xml"}])
def test_a_level_or_format_that_does_not_exist_is_refused_in_a_line(tmp_path: Path, wrong: dict[str, str]) -> None:
    done = command(asked("policy", "show"), tmp_path, **wrong)
    assert done.returncode == 2 and "use one of" in done.stderr and done.stderr.count("\n") == 1
