"""Streams that are closed, the plainest locale, devices and links in place of files, numbers beyond every calendar."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bitface.project import begin_project

ROOT = Path(__file__).resolve().parents[2]
LICENCE = json.dumps(
    {"id": "own", "name": "ours", "text": "for training", "purposes": ["train"], "contexts": ["research"]}
)
MANIFEST = "path,subject_id,label\na.png,p1,fear\n"
Run = Callable[..., tuple[int, Any, str]]


def shell(line: str, project: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A line of bash in which `$B` is the command."""
    own = {"BITFACE_HOME": str(project / "home"), "BITFACE_DATA": str(project / "data"), **environment}
    told = {**os.environ, **own, "B": f"{sys.executable} -m bitface.cli"}
    return subprocess.run(["bash", "-c", line], cwd=ROOT, env=told, capture_output=True, timeout=120)


def test_a_file_that_is_written_while_streams_are_closed_holds_what_belongs_into_it(project: Path) -> None:
    """As some schedulers start a program; tests/flows/test_closed_streams.py closes each."""
    key = project / "m.pem"
    done = shell(f"$B keys add --person Mara --role compliance --out {key} <&- >&- 2>&-", project)
    assert done.returncode == 0, done.stderr
    assert key.read_text().startswith("-----BEGIN") and key.read_text().strip().endswith("-----")


def test_the_plainest_locale_can_be_spoken_to(project: Path) -> None:
    """Python lets only bytes of file names through there, unlike in an encoding that is asked for by name."""
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell(f"$B keys add --person Mara --role compliance --out {project / 'm.pem'}", project, **plain)
    assert done.returncode == 0, done.stderr
    done = shell("$B gate show \u65e5\u672c", project, **plain)
    assert done.returncode == 2 and b"\\u" in done.stderr and b"bug" not in done.stderr


def test_a_current_folder_that_was_removed_is_named(project: Path) -> None:
    done = shell(f"mkdir {project}/gone; cd {project}/gone; rmdir {project}/gone; $B data status", project)
    assert done.returncode == 2 and b"the current folder was removed" in done.stderr, done.stderr


@pytest.mark.parametrize("kind", ["a folder", "a link to nowhere", "a link to itself", "a pipe", "a device"])
def test_what_has_the_name_of_the_parameters_is_never_passed_over_for_others(
    kind: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a command, which would go on with another project's, nor by `init`, which would say that it wrote them."""
    for name in ("BITFACE_HOME", "BITFACE_DATA", "BITFACE_PARAMS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    params = tmp_path / "params.yaml"
    {
        "a folder": params.mkdir,
        "a link to nowhere": lambda: params.symlink_to("nowhere"),
        "a link to itself": lambda: params.symlink_to("params.yaml"),
        "a pipe": lambda: os.mkfifo(params),
        "a device": lambda: params.symlink_to(os.devnull),
    }[kind]()
    for words in (("data", "status"), ("init", ".")):
        code, out, error = run(*words)
        assert (code, out) == (2, None) and "params.yaml' is " in error, error
    assert "params.yaml' is not a file, or a link to none; move it away" in error
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_link_to_a_file_is_a_params_yaml(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BITFACE_HOME", "BITFACE_DATA", "BITFACE_PARAMS"):
        monkeypatch.delenv(name, raising=False)
    begin_project(tmp_path / "first")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "params.yaml").symlink_to(tmp_path / "first" / "params.yaml")
    assert [path.name for path in begin_project(tmp_path / "second")] == [".gitignore"]
    monkeypatch.chdir(tmp_path / "second")
    code, _, error = run("data", "status")
    assert code == 2 and "there is no dataset yet" in error


@pytest.mark.parametrize("words", ["gate replay", "keys add --person Mara --role compliance --out m.pem --by"])
def test_no_device_is_read_in_place_of_a_file(words: str, project: Path) -> None:
    """`/dev/zero` has no end: read, it would fill the memory of the machine. A link is the file to which it leads."""
    (project / "link").symlink_to(ROOT / "pyproject.toml")
    done = shell(f"ulimit -v 4000000; $B {words} /dev/zero", project)
    assert done.returncode == 2 and b"neither a file nor a folder" in done.stderr, done.stderr
    done = shell(f"$B {words} {project}/link", project)
    assert done.returncode == 2 and b"neither a file" not in done.stderr and b"'link'" in done.stderr, done.stderr
    assert not (ROOT / "m.pem").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("consent", "expiring", "--days", "99999999999"), "36500"),
        (("audit", "as-of", "9999-12-31T23:59:59-12:00"), "outside the years 1 to 9999"),
        (("audit", "as-of", "0001-01-01T00:00:00+14:00"), "outside the years 1 to 9999"),
        (("data", "synthesize", "--people", "9999999999"), "less than or equal to 100000"),
        (("promote", "99999999999999999999999"), "2147483647"),
        (("approve", "99999999999999999999999", "--role", "reviewer", "--key", "none.pem"), "2147483647"),
        (("rollback", "--to", "99999999999999999999999"), "2147483647"),
        (("rollback", "--to", "-1"), "greater than or equal to 1"),
        (("schedule", "--every", "0"), "greater than or equal to 1"),
        (("schedule", "--every", "-1"), "greater than or equal to 1"),
        (("schedule", "--every", "inf"), "less than or equal to"),
        (("schedule", "--every", "nan"), "or equal to"),
        (("retrain", "--set", "drift.window_days=99999999999"), "less than or equal to 36500"),
    ],
)
def test_a_number_beyond_every_calendar_and_disk_is_bad_input(words, said: str, run: Run, project: Path) -> None:
    code, out, error = run(*words)
    assert (code, out) == (2, None) and said in error, error


@pytest.mark.parametrize(
    ("pins", "state"), [("", "ok"), ("torch==7.1\n", "ok"), ("torch==7.1+cpu\n", "ok"), ("torch==7.2\n", "warn")]
)
def test_doctor_warns_of_a_package_only_where_another_version_is_pinned(
    pins: str, state: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a project without constraints, a build for one kind of machine was told to be installed as it was."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "constraints.txt").write_text(pins)
    monkeypatch.chdir(tmp_path)
    version = importlib.metadata.version
    monkeypatch.setattr("importlib.metadata.version", lambda name: "7.1+cpu" if name == "torch" else version(name))
    rows = {row["what"]: row["state"] for row in run("doctor")[1]}
    assert rows["torch"] == state


def test_what_is_a_folder_is_not_said_to_be_missing(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("consents.jsonl", "licence.json", "manifest.csv"):
        (source / name).write_text({"licence.json": LICENCE, "manifest.csv": MANIFEST}.get(name, ""))
    code, _, error = run("consent", "record", source)
    assert code == 2 and f"'{source.name}' is a folder; name a file" in error
    for name in ("licence.json", "consents.jsonl", "manifest.csv"):
        text = (source / name).read_text()
        (source / name).unlink()
        (source / name).mkdir()
        code, _, error = run("data", "import", source, "--format", "folder")
        assert code == 2 and f"'{name}' is a folder" in error, error
        (source / name).rmdir()
        (source / name).write_text(text)


def test_a_person_has_one_name_however_it_is_typed(run: Run, project: Path) -> None:
    """Two approvals must be two people's: a name in capitals, with two spaces or a full-width letter makes nobody a second person."""
    first = project / "first.pem"
    add = ("keys", "add", "--role")
    assert run(*add, "compliance", "--person", " Mara\u200b  Lind ", "--out", first)[1]["person"] == "Mara Lind"
    for name in ("mara lind", "MARA LIND", "Mara.Lind", "\uff2dara lind", "MaraLind"):
        code, _, error = run(*add, "reviewer", "--person", name, "--by", first, "--out", project / "second.pem")
        assert code == 2 and "is on record as 'Mara Lind'" in error, (name, error)
    for name in ("", "  ", "\u200b", "---", "x" * 101):
        code, _, error = run(*add, "reviewer", "--person", name, "--by", first, "--out", project / "second.pem")
        assert code == 2 and "name" in error, (name, error)
    assert run(*add, "engineer", "--person", "Mara Lind", "--by", first, "--out", project / "second.pem")[0] == 0
    assert json.dumps(run("keys", "list")[1]).count('"Mara Lind"') == 2
