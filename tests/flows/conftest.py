"""The command line in a process of its own, as people run it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from filelock import FileLock

from bitface.adapters.prefect_processes import client_settings, server
from bitface.cli import main
from bitface.dataset.index import read_index
from bitface.dataset.keys import KeyStore

ROOT = Path(__file__).resolve().parents[2]
Bitface = Callable[..., subprocess.CompletedProcess[str]]
Run = Callable[..., tuple[int, Any, str]]
Trained = tuple[Path, dict[str, Any], int]


def environment_of(project: Path) -> dict[str, str]:
    """This process's environment on that folder, without what a command that ran in this process told Prefect."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return own | {"BITFACE_HOME": str(project / "home"), "BITFACE_DATA": str(project / "data")}


@pytest.fixture(scope="session")
def environment() -> Callable[[Path], dict[str, str]]:
    """`environment(project)` for a process that a test starts itself."""
    return environment_of


def fresh(project: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command in a new interpreter, exactly as people run it."""
    command = [sys.executable, "-m", "bitface.cli", *words]
    told = environment_of(project) | more
    return subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=1700)


class WarmProcess:
    """The process of `warm_process.py`, which begins with the first command and forks itself for each: a second saved, or twenty."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._one_at_a_time = folder, Lock()

    def run(self, project: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command, as `fresh` runs it."""
        with self._one_at_a_time:
            files = {name: self._folder / name for name in ("out", "err")}
            for file in files.values():
                file.write_bytes(b"")
            names = {name: str(file) for name, file in files.items()}
            told = {"words": words, "environment": environment_of(project) | more, "folder": str(ROOT)} | names
            orders, answers = self._process.stdin, self._process.stdout
            assert orders is not None and answers is not None
            orders.write(json.dumps(told) + "\n")
            orders.flush()
            code = answers.readline()
            assert code, f"the process that runs commands ended at {words}"
            said = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
        return subprocess.CompletedProcess(words, int(code), said["out"], said["err"])

    @cached_property
    def _process(self) -> subprocess.Popen[str]:
        words, pipe = [sys.executable, str(Path(__file__).with_name("warm_process.py"))], subprocess.PIPE
        return subprocess.Popen(words, cwd=ROOT, env=environment_of(self._folder), stdin=pipe, stdout=pipe, text=True)

    def end(self) -> None:
        """Without an order more it ends."""
        if "_process" in self.__dict__:
            self._process.communicate(timeout=60)


@pytest.fixture(scope="session")
def bitface_afresh() -> Bitface:
    """The same in a new interpreter, exactly as people run it."""
    return fresh


@pytest.fixture(scope="session")
def bitface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bitface]:
    """`bitface(project, *words, NAME=value)` runs a command on the home and the dataset of that folder, in a process of its own."""
    if os.environ.get("BITFACE_EVIDENCE") == "full":
        yield fresh
        return
    warm = WarmProcess(tmp_path_factory.mktemp("commands"))
    yield warm.run
    warm.end()


@pytest.fixture
def run(run_and_hear: Run) -> Run:
    """The same with the last line of standard error."""

    def call(*words: object) -> tuple[int, Any, str]:
        code, document, errors = run_and_hear(*words)
        return code, document, (errors.strip().splitlines() or [""])[-1]

    return call


@pytest.fixture
def run_and_hear(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, project: Path) -> Iterator[Run]:
    """`run_and_hear("consent", "show", "p1")` in this process: exit code, the JSON document if there is one, standard error."""
    before = set(os.environ)

    def call(*words: object) -> tuple[int, Any, str]:
        monkeypatch.setattr(sys, "argv", ["bitface", *map(str, words), "--json"])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        streams = capsys.readouterr()
        return code, json.loads(streams.out) if streams.out else None, streams.err

    yield call
    # A command tells Prefect where its home is; the next test's is another one.
    for name in [name for name in os.environ if name.startswith("PREFECT_") and name not in before]:
        del os.environ[name]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that lead to a Prefect server which is there already: a temporary one takes ten seconds to begin."""
    folder = tmp_path_factory.mktemp("prefect")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(folder / "prefect"))
        with server(folder, port, Path(os.environ["BITFACE_CACHE"])) as access:
            yield client_settings(access)


SETS = (
    "synthetic.training_people=30",
    "synthetic.gate_people=14",
    "counterfactual.people=2",
    "drift.permutations=999",
    "synthetic.frames_per_clip=3",
    "synthetic.image_px=144",
    "training.epochs=6",
    "explain.samples=14",
    "explain.region_samples=28",
    "explain.ig_steps=16",
    "explain.ig_steps_max=64",
    "explain.ig_orders=2",
    "explain.ig_copies=1",
    "explain.path_steps=5",
    "explain.random_orders=1",
    "explain.perturbed=1",
    "latency.rounds=100",
    "features.workers=1",  # tests run beside each other: more processes only import more
)
PLAIN = [word for one in SETS for word in ("--set", one)]
UNITS = ("enabled=true", "epochs=1", "frames_per_clip=1")
SMALL = [*PLAIN, *(word for one in UNITS for word in ("--set", f"action_units.{one}"))]
"""`PLAIN` retrains in seconds; `SMALL` is the same with action units."""


@pytest.fixture(scope="session")
def plain() -> list[str]:
    """The options of a retrain that takes seconds."""
    return PLAIN


@pytest.fixture(scope="session")
def small() -> list[str]:
    """The options of the retrain that made `done`: the same with action units."""
    return SMALL


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A project after one small retrain in an interpreter of its own, made once for all processes of the suite: to be copied, and not
    to be worked in.
    """
    own = tmp_path_factory.getbasetemp()
    place = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "trained"
    place.mkdir(exist_ok=True)
    with FileLock(place / "lock"):
        if not (place / "summary.json").is_file():
            run = fresh(place / "project", "retrain", "--json", *SMALL)
            assert run.returncode in (0, 3), run.stderr[-3000:]
            (place / "code").write_text(str(run.returncode))
            (place / "summary.json").write_text(run.stdout)
    return place / "project", json.loads((place / "summary.json").read_text()), int((place / "code").read_text())


@pytest.fixture(scope="module")
def done(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A project of the module's own after that retrain: its folder, the summary, the exit code."""
    project = tmp_path_factory.mktemp("project")
    _copy_project(trained[0], project)
    return project, *trained[1:]


def _copy_project(project: Path, target: Path) -> None:
    """A copy to be worked in. Weights, two thirds of its bytes, are the same files: they are only ever replaced as a whole."""

    def place(source: str, copy: str) -> None:
        if source.endswith(".safetensors"):
            os.link(source, copy)
        else:
            shutil.copy2(source, copy)

    shutil.copytree(project, target, dirs_exist_ok=True, copy_function=place)


@pytest.fixture
def copied(done: Trained, tmp_path: Path) -> Path:
    """The whole project once more, ledger and MLflow included."""
    _copy_project(done[0], tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def stills(done, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gate people's stills as pictures."""
    from PIL import Image

    from bitface.adapters.media_files import decode_frames
    from bitface.dataset.shards import read_shard

    project, folder = done[0], tmp_path_factory.mktemp("stills")
    keys = KeyStore(project / "none")
    gate = [row for row in read_index(project / "data") if row.split == "gate"]
    for person in {row.person for row in gate}:
        shard = read_shard(project / "data", person, keys.key_of(person))
        for row in (row for row in gate if row.person == person):
            frames = decode_frames(shard.samples[row.sample_id])
            Image.fromarray(frames[0]).save(folder / f"{row.sample_id}.png")
    return folder
