"""What surrounds a command: folders that are no project, places that cannot be written, outputs that cannot be spoken to."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bitface.cli import main

ROOT = Path(__file__).resolve().parents[2]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`command(*words)` runs the command line in this process: exit code, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bitface", *map(str, words)])
        capfd.readouterr()
        before = dict(os.environ)
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        for name in os.environ.keys() - before.keys():  # what a command tells Prefect holds for its own home alone
            del os.environ[name]
        streams = capfd.readouterr()
        return code, streams.out, streams.err

    return run


def is_one_line(error: str) -> bool:
    """Whether a refusal is one line of ours."""
    return error.startswith("bitface: ") and error.count("\n") == 1


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a params.yaml of another program, and nothing in the environment that says where bitface is."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "params.yaml").write_text("train: {lr: 0.1}\n")
    for name in ("BITFACE_HOME", "BITFACE_DATA", "BITFACE_PARAMS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    return folder


COMMANDS = (
    ("data", "status"),
    ("data", "validate"),
    ("data", "synthesize"),
    ("retrain",),
    ("predict", "a.png", "--purpose", "demo", "--context", "research"),
    ("explain", "a.png", "--purpose", "demo", "--context", "research"),
    ("drift",),
    ("audit", "log"),
    ("keys", "list"),
    ("consent", "show", "p1"),
    ("erase", "p1"),
    ("bench",),
    ("study", "models"),
    ("schedule",),
    ("worker",),
    ("ui",),
    ("gate", "show", "abc"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_leaves_anything_in_a_folder_that_is_no_project(words, command: Command, elsewhere: Path) -> None:
    code, out, error = command(*words)
    assert (code, out) == (2, "") and is_one_line(error), error
    assert "this params.yaml is not bitface's" in error
    assert [path.name for path in elsewhere.iterdir()] == ["params.yaml"]


def test_doctor_says_what_is_wrong_with_a_folder_that_is_no_project(command: Command, elsewhere: Path) -> None:
    code, out, error = command("doctor")
    assert (code, error) == (2, "")
    assert "this params.yaml is not bitface's" in out
    assert [path.name for path in elsewhere.iterdir()] == ["params.yaml"]


QUESTIONS = (
    ("data", "status"),
    ("data", "validate"),
    ("predict", ".", "--purpose", "demo", "--context", "research"),
    ("predict", ".", "--purpose", "demo", "--context", "research", "--model", "bitface/1"),
    ("drift",),
    ("audit", "log"),
    ("audit", "subject", "p1"),
    ("audit", "run", "abc"),
    ("audit", "model", "champion"),
    ("audit", "as-of", "2026-01-31T12:00:00Z"),
    ("audit", "erasure", "p1"),
    ("audit", "dpia"),
    ("keys", "list"),
    ("context", "list"),
    ("consent", "show", "p1"),
    ("consent", "expiring"),
    ("erase", "p1", "--dry-run"),
    ("gate", "show", "abc"),
    ("doctor",),
)


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_a_question_in_a_new_project_creates_nothing(words, command: Command, project: Path) -> None:
    code, _, error = command(*words)
    assert code in (0, 2, 3, 4), error
    assert list(project.iterdir()) == []


@pytest.fixture(params=["home", "data", "cache"])
def file_in_the_way(request, project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a place where a file lies instead of a folder: root, too, is refused there."""
    (project / "file").write_text("")
    monkeypatch.setenv(f"BITFACE_{request.param.upper()}", str(project / "file" / "below"))
    return request.param


@pytest.mark.parametrize("words", [("retrain",), ("data", "synthesize"), ("study", "models"), ("bench",), ("ui",)])
def test_what_could_not_be_kept_is_refused_before_the_work(words, command: Command, file_in_the_way: str) -> None:
    code, out, error = command(*words)
    assert (code, out) == (2, "") and is_one_line(error), error
    assert f"{file_in_the_way} '" in error and "a file exists where a folder is expected; move it away" in error


@pytest.mark.parametrize("words", [("data", "status"), ("policy", "show"), ("audit", "log")])
def test_a_question_is_not_answered_where_a_file_is_in_the_way(words, command: Command, file_in_the_way: str) -> None:
    """An answer like that of a new project would hide that a variable names the wrong place."""
    code, out, error = command(*words)
    assert (code, out) == (2, "") and is_one_line(error), error
    assert f"{file_in_the_way} '" in error and "a file exists where a folder is expected; move it away" in error


def test_a_place_that_is_a_link_to_nothing_is_said_to_be_one(
    command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "link").symlink_to(project / "gone")
    monkeypatch.setenv("BITFACE_HOME", str(project / "link"))
    code, _, error = command("policy", "show")
    assert code == 2 and f"'{project / 'link'}' is a link that leads nowhere; correct the link" in error


def test_doctor_has_a_row_for_a_place_that_cannot_be_written(command: Command, file_in_the_way: str) -> None:
    code, out, error = command("doctor", "--json")
    rows = {row["what"]: row for row in json.loads(out)}
    assert (code, error) == (2, "")
    assert rows[file_in_the_way]["state"] == "fail" and "a file exists where a folder" in rows[file_in_the_way]["found"]
    assert "BITFACE_" in rows[file_in_the_way]["remedy"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "there is no space left; free some"),
        (errno.EROFS, "the file system is read-only; mount it"),
        (errno.EACCES, "permission denied; get permission"),
        (errno.EDQUOT, "the quota is used up; free some"),
        (errno.ENAMETOOLONG, "the name is too long; give it a shorter one"),
    ],
)
def test_trouble_with_a_disk_is_no_defect_of_ours_wherever_it_shows(
    number: int, words: str, command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raised in the middle of a command, as it is and inside another library's error."""

    def broken(*_: object) -> None:
        try:
            raise OSError(number, os.strerror(number), str(project / "deep" / "file"))
        except OSError as error:
            raise RuntimeError("a tool's own words") from error

    monkeypatch.setattr("bitface.steps.people.dataset_status.dataset_status", broken)
    code, out, error = command("data", "status")
    assert (code, out) == (2, "") and is_one_line(error), error
    assert f"'{project}/deep/file': {words}" in error


def test_a_true_defect_is_one_line_and_a_file_without_its_words(
    command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of an error may name people; what is kept says only where it happened."""

    name = "Mara"

    def broken(*_: object) -> None:
        raise KeyError(name)

    monkeypatch.setattr("bitface.steps.people.dataset_status.dataset_status", broken)
    code, out, error = command("data", "status")
    assert (code, out) == (1, "") and is_one_line(error), error
    kept = Path(error.split()[-1])
    assert "KeyError" in kept.read_text() and "Mara" not in kept.read_text() and "in broken" in kept.read_text()
    kept.unlink()


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "log", "--html"),
        ("audit", "log", "--export"),
        ("audit", "dpia", "--out"),
        ("consent", "schema", "--out"),
        ("explain", "a.png", "--purpose", "demo", "--context", "research", "--out"),
        ("predict", "a.png", "--purpose", "demo", "--context", "research", "--csv"),
        ("keys", "add", "--person", "Mara", "--role", "compliance", "--out"),
        ("data", "synthesize", "--out"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("where", ["file/below.out", "folder", "x" * 300])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    words, where: str, command: Command, project: Path
) -> None:
    (project / "file").write_text("as it was")
    (project / "folder").mkdir()
    code, out, error = command(*words, project / where)
    assert (code, out) == (2, "") and is_one_line(error), error
    assert where[:30] in error and ("cannot be written" in error or "already exists" in error or "too long" in error)
    assert sorted(path.name for path in project.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_an_answer_is_one_line_and_devices_stay_devices(command: Command, project: Path) -> None:
    code, _, error = command("consent", "schema", "--out", "/dev/full")
    assert code == 2 and is_one_line(error) and "'/dev/full': there is no space left" in error
    assert Path("/dev/full").is_char_device()
    code, _, error = command("consent", "schema", "--out", "/dev/null")
    assert (code, error) == (0, "") and Path("/dev/null").is_char_device()


def run_alone(words: Sequence[str], project: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    own = {**os.environ, "BITFACE_HOME": str(project / "home"), "BITFACE_DATA": str(project / "data"), **environment}
    return subprocess.run(words, cwd=ROOT, env=own, capture_output=True, timeout=120)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_any_encoding_of_the_terminal_can_be_spoken_to(encoding: str, project: Path) -> None:
    for words in (["doctor"], ["predict", "--help"], ["gate", "show", "日本\udcff"]):
        done = run_alone([sys.executable, "-m", "bitface.cli", *words], project, PYTHONIOENCODING=encoding)
        assert done.returncode in (0, 2) and b"Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("words", ["--help", "doctor", "consent schema"])
def test_a_reader_that_leaves_early_is_no_error(words: str, project: Path) -> None:
    """`bitface ... | true`: silence, and the exit code that a shell gives to a program whose reader has left."""
    line = f"{sys.executable} -m bitface.cli {words} | true; echo ${{PIPESTATUS[0]}}"
    done = run_alone(["bash", "-c", line], project)
    assert done.stderr == b"" and int(done.stdout) in (0, 141)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_answer_that_finds_no_room_is_one_line(project: Path) -> None:
    done = run_alone(["bash", "-c", f"{sys.executable} -m bitface.cli consent schema > /dev/full"], project)
    assert done.returncode == 2 and is_one_line(done.stderr.decode())
    assert b"'standard output': there is no space left" in done.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("server", ["ui", "worker"])
def test_a_port_that_cannot_be_had_is_told_before_anything_starts(
    server: str, taken: int, command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    code, out, error = command(server, "--port", taken)
    assert (code, out) == (2, "") and is_one_line(error)
    assert f"port {taken} is taken; stop the process using it, or name another with --port" in error
    for port in (0, -1, 65536, 99999):
        code, out, error = command(server, "--port", port)
        assert (code, out) == (2, "") and is_one_line(error)
        assert f"{port} is not a valid port; name one from 1024 to 65535" in error


def test_ui_returns_what_its_server_returned(command: Command, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended:
        def wait(self) -> int:
            return 7

    monkeypatch.setattr(
        "bitface.adapters.servers.local_servers.local_server", lambda *_: contextlib.nullcontext(Ended())
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert command("ui", "--port", port)[0] == 7


@pytest.mark.parametrize(
    ("name", "value", "words", "said"),
    [
        ("BITFACE_HOME", "~nobody-of-this-name/x", ("data", "status"), "BITFACE_HOME: that user has no home folder"),
        ("BITFACE_PARAMS", "/nowhere/params.yaml", ("data", "status"), "parameter file 'params.yaml' does not exist"),
        ("BITFACE_PARAMS", "/", ("data", "status"), "is not a file"),
        ("BITFACE_LEDGER_URL", "nonsense", ("audit", "log"), "the ledger's URL cannot be parsed"),
        ("BITFACE_LEDGER_URL", "mysterydb://a/b", ("audit", "log"), "BITFACE_LEDGER_URL"),
        ("BITFACE_LEDGER_URL", "postgresql://host:port/x", ("audit", "log"), "the ledger's URL cannot be parsed"),
        ("BITFACE_LEDGER_URL", "sqlite:////dev/null/x.db", ("keys", "rotate"), ""),
        ("BITFACE_MASTER_KEY", "nonsense", ("keys", "rotate"), "BITFACE_MASTER_KEY is not a key"),
        ("BITFACE_MASTER_KEY_COMMAND", "/no/such/program", ("keys", "rotate"), "failed"),
        ("PREFECT_API_URL", "nonsense", ("retrain",), "PREFECT_API_URL"),
        ("PREFECT_API_URL", "http://127.0.0.1:9/api", ("retrain",), "PREFECT_API_URL"),
        ("PREFECT_API_URL", "http://127.0.0.1:9/api", ("schedule",), "PREFECT_API_URL"),
        ("PREFECT_API_URL", "http://127.0.0.1:9/api", ("worker",), "PREFECT_API_URL"),
    ],
)
def test_a_variable_that_holds_nonsense_is_bad_input(
    name: str, value: str, words, said: str, command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    code, out, error = command(*words)
    if said:
        assert (code, out) == (2, "") and is_one_line(error) and said in error, error
    assert code != 1, error
