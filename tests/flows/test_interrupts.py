"""Ctrl-C, SIGTERM and a closed terminal end a command with all that it started, in one line, and the next run goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = "bitface: interrupted; finished work is kept, run the same command again to continue"
MARK = "LC_BITFACE_TEST_MARK"  # as for the language: what a server's environment may hold
TINY = (
    "training.epochs=1",
    "synthetic.training_people=10",
    "synthetic.gate_people=4",
    "counterfactual.people=2",
    "synthetic.frames_per_clip=3",
    "synthetic.image_px=144",
)
PATIENCE_S = 120  # of a busy machine; on a quiet one a command ends within 5 s

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked up in /proc")


def marked(mark: str) -> list[int]:
    """The processes that have a mark in their environment, as all have that a marked one started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if (
                f"{MARK}={mark}".encode() in path.read_bytes()
                and "Z" not in path.with_name("stat").read_text().split()[2]
            ):
                found.append(int(path.parent.name))
    return found


def none_left(mark: str) -> bool:
    end = monotonic() + PATIENCE_S
    while marked(mark) and monotonic() < end:
        sleep(0.1)
    return not marked(mark)


@dataclass
class Running:
    """A command as in a terminal: the leader of a process group, whose every line is kept."""

    process: subprocess.Popen[str]
    mark: str
    lines: list[str] = field(default_factory=list)

    def wait_for(self, words: str) -> None:
        """Until a line has these words."""
        end = monotonic() + 5 * PATIENCE_S
        while not any(words in line for line in self.lines):
            assert self.process.poll() is None and monotonic() < end, "".join(self.lines)
            sleep(0.05)

    def signalled(self, number: int, times: int = 1) -> int:
        """Its exit code after a signal to the whole group."""
        for _ in range(times):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            sleep(0.2)
        return self.process.wait(PATIENCE_S)


@contextlib.contextmanager
def running(words: list[str], **environment: str) -> Iterator[Running]:
    mark = uuid.uuid4().hex
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env={**inherited, **environment, MARK: mark, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    command = Running(process=process, mark=mark)
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: command.lines.extend(iter(process.stdout.readline, "")), daemon=True)  # type: ignore[union-attr]
    reader.start()
    try:
        yield command
    finally:
        for left in marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        process.wait()
        reader.join(PATIENCE_S)
        process.stdout.close()


@pytest.mark.long
@pytest.mark.timeout(1800)  # for a machine that does much else
def test_ctrl_c_at_every_stage_of_a_retrain_ends_all_of_it_and_the_next_run_goes_on(project: Path) -> None:
    sets = [word for setting in TINY for word in ("--set", setting)]
    words = [sys.executable, "-m", "bitface.cli", "retrain", "--profile", "quick", *sets]
    own = {"BITFACE_HOME": str(project / "home"), "BITFACE_DATA": str(project / "data")}
    rendered_in = []
    for stage in ("rendering", "seeing faces", "training "):
        with running(words, **own) as command:
            command.wait_for(stage)
            assert command.signalled(signal.SIGINT) == 130
            assert none_left(command.mark)
        said = [line.strip() for line in command.lines]
        assert said.count(LINE) == 1 and not [line for line in said if "Traceback" in line or "Error" in line], said
        rendered_in.append(any(line.startswith("rendering") for line in said))
    assert rendered_in == [True, True, False], "finished work is kept"


WORK = {
    "sleeping": "time.sleep(600)",
    # Python runs its own handlers between two steps of the main thread, and this is one step.
    "in one long step": "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)",
    "deaf to the first": "\n        try: time.sleep(600)\n        except BaseException: time.sleep(600)",
    "waiting for its threads": "threading.Thread(target=time.sleep, args=(600,)).start(); time.sleep(600)",
}


def busy(kind: str) -> list[str]:
    """A command line whose command does something for ten minutes."""
    return [sys.executable, "-c", PROGRAM.replace("WORK", WORK[kind])]


PROGRAM = """
import hashlib, sys, threading, time
from bitface.cli import main
from bitface.cli.app import app

@app.command()
def busy() -> None:
    print('ready', flush=True)
    if True: WORK

sys.argv = ['bitface', 'busy']
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", WORK)
def test_a_signal_ends_a_command_whatever_it_does(kind: str, number: int) -> None:
    with running(busy(kind)) as command:
        command.wait_for("ready")
        assert command.signalled(number) == 128 + number
        assert none_left(command.mark)
    assert [line.strip() for line in command.lines] == ["ready", LINE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "Told"])
def test_a_signal_that_a_tool_takes_in_our_place_ends_the_command_in_the_same_way(raised: str, number: int) -> None:
    """As Prefect takes SIGTERM in a flow, to raise an error of its own; an ending by SIGTERM then said 130, or a traceback."""
    work = f"""
        class Told(BaseException): pass
        def tell(*_): raise {raised}
        for one in (1, 2, 15): signal.signal(one, tell)
        print('armed', flush=True)
        time.sleep(600)"""
    program = PROGRAM.replace("WORK", work).replace("import hashlib", "import signal, hashlib")
    with running([sys.executable, "-c", program]) as command:
        command.wait_for("armed")
        assert command.signalled(number) == 128 + number
    assert [line.strip() for line in command.lines] == ["ready", "armed", LINE]


@pytest.mark.parametrize("kind", ["deaf to the first", "waiting for its threads"])
def test_a_second_ctrl_c_waits_for_nothing(kind: str) -> None:
    with running(busy(kind)) as command:
        command.wait_for("ready")
        assert command.signalled(signal.SIGINT, times=3) == 130
    assert [line.strip() for line in command.lines] == ["ready", LINE]


POOL = """
import os, signal, sys, time
from bitface.pools import worker_processes

def said(text): print(text, flush=True)

def work(_): time.sleep(600)

if __name__ == "__main__":
    with worker_processes(2, said, ("ready",)) as pool:
        pool.submit(work, 1), pool.submit(work, 2)
        END
        time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_worker_processes_end_with_their_parent_and_say_nothing(number: int, tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group: the parent says what there is to say, and a killed one takes its workers along."""
    (tmp_path / "pool.py").write_text(POOL.replace("END", "pass"))
    with running([sys.executable, str(tmp_path / "pool.py")]) as command:
        command.wait_for("ready")
        if number == signal.SIGINT:
            command.signalled(number)
        else:
            command.process.send_signal(number)
        assert none_left(command.mark)
    text = "".join(command.lines)
    assert text.count("Traceback") == (1 if number == signal.SIGINT else 0), text
    assert "SpawnProcess" not in text


def test_work_of_a_pool_is_dropped_where_the_block_ends_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "pool.py").write_text(POOL.replace("END", "raise ValueError('enough')"))
    with running([sys.executable, str(tmp_path / "pool.py")]) as command:
        assert command.process.wait(PATIENCE_S) == 1
        assert none_left(command.mark)
    assert "ValueError: enough" in "".join(command.lines)


def test_a_worker_process_that_the_system_ends_is_said_in_one_line(tmp_path: Path) -> None:
    text = POOL.replace("END", "pool.submit(os._exit, 9).result()").replace(
        "pool.submit(work, 1), pool.submit(work, 2)", "pass"
    )
    (tmp_path / "pool.py").write_text(text)
    with running([sys.executable, str(tmp_path / "pool.py")]) as command:
        assert command.process.wait(PATIENCE_S) == 1
        assert none_left(command.mark)
    assert "WorkerEndedError: a worker process was ended from outside" in "".join(command.lines)


PARENT = """
import os, sys, time
from bitface.adapters.servers.own_processes import group

if __name__ == "__main__":
    with group(["child"], {**os.environ, "PYTHONPATH": os.pathsep.join([sys.argv[1], os.environ.get("PYTHONPATH", "")])}, None):
        time.sleep(600)
"""
CHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)"])
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_server_and_its_children_end_with_whoever_started_it_even_by_kill_9(number: int, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "parent.py").write_text(PARENT)
    with running([sys.executable, str(tmp_path / "parent.py"), str(tmp_path)]) as command:
        command.wait_for("ready")
        assert len(marked(command.mark)) == 3
        command.process.send_signal(number)
        assert none_left(command.mark)
