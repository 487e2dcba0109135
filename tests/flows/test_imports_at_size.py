"""Large imports, with the real command: what is wrong with a whole manifest is said in one line."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import sleep, time

import numpy as np
import pytest
from PIL import Image

from bitface.bootstrap.opening import open_tools
from bitface.dataset.index import read_index
from bitface.dataset.interrupted_import import ImportSpool
from bitface.dataset.keys import KeyStore
from bitface.usecases.erasing import tonight
from tests.builders import begin_source, consent, write_consents, write_noise, write_rows

ROOT = Path(__file__).resolve().parents[2]


def test_a_manifest_of_another_folder_is_said_in_one_line(run, tmp_path: Path) -> None:
    """None of its files is there: not the reason of one row counts, but that the paths begin somewhere else."""
    source = tmp_path / "source"
    begin_source(source)
    write_rows(source, [f"faces/p{number}.png,p{number},fear" for number in range(300)])
    write_consents(source, [consent("p1")])
    for words in ([], ["--dry-run"]):
        code, _, error = run("data", "import", source, "--format", "folder", *words)
        assert code == 2
        assert "none of the 300 files that the rows name is in folder 'source', where their paths begin" in error
        assert "name the folder that they begin in" in error
    (source / "faces").mkdir()
    write_noise(source / "faces" / "p1.png", 1)
    code, done, error = run("data", "import", source, "--format", "folder")
    assert (code, done["people"], len(done["quarantined"])) == (0, 1, 299), error


ROWS = 420
"""More than one process reads by itself (`sample_packing._FRAMES_WORTH_PROCESSES`)."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of so many pictures of 21 people, each of which takes some milliseconds to be packed."""
    source = tmp_path_factory.mktemp("large") / "source"
    begin_source(source)
    rng = np.random.default_rng(0)
    for number in range(ROWS):
        pixels = rng.integers(0, 256, (160, 160, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(source / f"{number}.png", compress_level=0)
    write_rows(source, [f"{number}.png,p{number % 21},fear" for number in range(ROWS)])
    write_consents(source, [consent(f"p{number}") for number in range(21)])
    return source


@dataclass
class Importing:
    """An import as people run it, which leads a process group; `left` is what an interrupted one leaves in home."""

    process: subprocess.Popen[str]
    left: Path

    def wait_for_more_than(self, size: int) -> None:
        """Until so much is packed."""
        while not self.left.is_file() or self.left.stat().st_size <= size:
            assert self.process.poll() is None, self.process.communicate()
            sleep(0.01)

    def workers(self) -> list[int]:
        """The processes that pack."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int(place.joinpath("stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and b"spawn_main" in place.joinpath("cmdline").read_bytes():
                    found.append(int(place.name))
        return found

    def ended(self) -> tuple[int, str]:
        """Exit code and standard error."""
        _, said = self.process.communicate(timeout=300)
        return self.process.returncode, said


@contextlib.contextmanager
def importing(project: Path, source: Path, environment: Callable[[Path], dict[str, str]]) -> Iterator[Importing]:
    words = [sys.executable, "-m", "bitface.cli", "data", "import", str(source), "--format", "folder", "--json"]
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Importing(process, project / "home" / "importing" / "pictures")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_an_import_goes_on_after_a_kill_ctrl_c_and_a_lost_process(bitface, environment, tmp_path, large) -> None:
    """Nothing of it is in the dataset until it is whole; what it leaves shows no picture, and nothing is left of it in the end."""
    size = 0
    for how in ("kill", "Ctrl-C", "lost process"):
        with importing(tmp_path, large, environment) as command:
            command.wait_for_more_than(size)
            workers = command.workers()
            assert len(workers) == 2
            if how == "lost process":
                os.kill(workers[0], signal.SIGKILL)
            elif how == "Ctrl-C":
                os.killpg(command.process.pid, signal.SIGINT)
            else:
                command.process.kill()
            code, said = command.ended()
        assert code == {"kill": -signal.SIGKILL, "Ctrl-C": 130, "lost process": 2}[how], said
        if how == "lost process":
            assert re.search(r"while rows \d+ to \d+ were read, a worker process was ended from outside", said)
        assert ("going on from an interrupted import" in said) == (how != "kill")
        left = command.left.read_bytes()
        size = len(left)
        assert b"\x89PNG\r\n" not in left and b'"sha256"' not in left
        assert (command.left.parent.stat().st_mode & 0o777, command.left.stat().st_mode & 0o777) == (0o700, 0o600)
        assert not (tmp_path / "data").exists() and not (tmp_path / "data.dvc").exists()
    done = bitface(tmp_path, "data", "import", str(large), "--format", "folder", "--json")
    assert done.returncode == 0, done.stderr
    packed = re.search(r"packed so far: (\d+)", done.stderr)
    assert packed and 3 <= int(packed[1]) < ROWS
    said = json.loads(done.stdout)
    assert (said["admitted"], said["people"], said["quarantined"]) == (ROWS, 21, [])
    assert len({sample.sample_id for sample in read_index(tmp_path / "data")}) == ROWS
    assert not command.left.exists() and not list((tmp_path / "home" / "keys" / "imports").iterdir())


@pytest.fixture
def interrupted(run, project: Path) -> Interrupted:
    """An installation with two people, and what an import of others left."""
    source = project / "source"
    begin_source(source)
    write_rows(source, ["p1.png,p1,fear", "p2.png,p2,fear"])
    write_consents(source, [consent("p1"), consent("p2")])
    for number in (1, 2):
        write_noise(source / f"p{number}.png", number)
    assert run("data", "import", source, "--format", "folder")[0] == 0
    again = {"event_id": "e9", "state": "reaffirmed"}
    (project / "said.jsonl").write_text(json.dumps(consent("p2", **again)) + "\n")
    left = Interrupted(project / "home")
    with contextlib.suppress(KeyboardInterrupt), ImportSpool(left.home, left.keys) as spool:
        spool.put(b"a face", bytes(32), b"a note")
        raise KeyboardInterrupt
    assert left.is_there
    return left


@dataclass
class Interrupted:
    """What lies in home of an interrupted import."""

    home: Path

    @property
    def keys(self) -> KeyStore:
        return KeyStore(self.home / "keys")

    @property
    def is_there(self) -> bool:
        there = {(self.home / "importing" / "pictures").exists(), self.keys.import_begun() is not None}
        assert len(there) == 1
        return there.pop()

    def age(self, days: float) -> None:
        begun = time() - days * 86_400
        os.utime(self.home / "keys" / "imports" / "pictures", (begun, begun))


@pytest.mark.parametrize("words", ["consent withdraw p1 --reason asked", "consent record FILE", "erase p1"])
def test_what_an_interrupted_import_left_goes_with_the_next_word_about_consent(
    run, project, interrupted, words
) -> None:
    code, _, error = run(*words.replace("FILE", str(project / "said.jsonl")).split())
    assert code == 0, error
    assert not interrupted.is_there


@pytest.mark.parametrize("days", [2.9, 3.1, -1])
def test_what_an_interrupted_import_left_goes_after_three_days(run, project, interrupted, days: float) -> None:
    """By the next import and by the nightly look; also where the clock was put back, so that nobody knows how old it is."""
    interrupted.age(days)
    assert run("data", "import", project / "source", "--format", "folder")[0] == 0
    assert interrupted.is_there == (days == 2.9)
    if interrupted.is_there:
        interrupted.age(3.1)
        tools = open_tools()
        with tools.ledger:
            tonight(tools)
        assert not interrupted.is_there


def test_the_number_of_processes_changes_no_line_of_a_report(bitface, tmp_path, large) -> None:
    """Which rows, in which order, and why: with pictures that cannot be read, and one that is there twice."""
    (large / "broken.png").write_bytes((large / "7.png").read_bytes()[:900])
    rows = (
        large / "manifest.csv"
    ).read_text() + "broken.png,p1,fear\nbroken.png,p2,fear\ngone.png,p3,fear\n3.png,p9,fear\n"
    (tmp_path / "rows.csv").write_text(rows)
    reports = []
    for workers in (1, 2):
        params = tmp_path / f"{workers}.yaml"
        params.write_text((ROOT / "params.yaml").read_text().replace("\n  workers: 2 ", f"\n  workers: {workers} "))
        words = ["data", "import", str(large), "--manifest", str(tmp_path / "rows.csv"), "--format", "folder"]
        done = bitface(tmp_path / "fresh", *words, "--dry-run", "--json", BITFACE_PARAMS=str(params))
        assert done.returncode == 0, done.stderr
        reports.append(done.stdout)
    assert reports[0] == reports[1]
    said = json.loads(reports[0])
    assert (said["rows"], said["admitted"], len(said["quarantined"])) == (ROWS + 4, ROWS - 1, 5)
