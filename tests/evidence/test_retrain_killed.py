"""A retrain that is killed between its tasks, again and again, ends where one that nobody touched does."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitface.adapters.prefect_processes import client_settings, server

pytestmark = pytest.mark.timeout(7200)
Ask = Callable[..., dict[str, Any]]
SETS = [
    "synthetic.training_people=10",
    "synthetic.gate_people=6",
    "counterfactual.people=2",
    "synthetic.frames_per_clip=3",
    "synthetic.image_px=128",
    "training.epochs=2",
    "training.landmarks.count=16",
    "training.landmarks.choice=uniform",
    "explain.samples=2",
    "explain.region_samples=7",
    "explain.ig_steps=8",
    "explain.ig_steps_max=8",
    "explain.perturbed=1",
    "explain.path_steps=4",
    "explain.random_orders=1",
    "latency.rounds=20",
    "latency.warmup=2",
    "gate.bootstrap_resamples=200",
    "gate.permutations=999",
    "gate.latency_samples_min=20",
    "evaluation.bootstrap_resamples=100",
    "drift.permutations=999",
]
KILLS_IN_A_HOME = 5


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """`ask(home=..., kill_at=...)` runs the flow in a child, `ask(home=..., look=True)` says what it left."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = os.environ.copy()
    os.environ.update(PREFECT_HOME=str(folder / "prefect"), DO_NOT_TRACK="true", PREFECT_LOGGING_LEVEL="CRITICAL")
    try:
        with (
            server(folder, port, Path(os.environ["BITFACE_CACHE"])) as access,
            (folder / "errors").open("wb") as errors,
        ):
            process = subprocess.Popen(
                # No __main__ of a file: a process that draws faces would import it first, and all that it keeps warm.
                [sys.executable, "-c", "from retrain_server import main; main()"],
                cwd=Path(__file__).parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **client_settings(access), "OMP_NUM_THREADS": "1"},
                text=True,
                start_new_session=True,
            )
            assert process.stdin and process.stdout

            def send(**request: Any) -> dict[str, Any]:
                process.stdin.write(json.dumps({"sets": SETS, "kill_at": 0, **request}) + "\n")
                process.stdin.flush()
                return json.loads(process.stdout.readline())

            yield send
            process.stdin.close()
            process.wait(timeout=120)
            process.stdout.close()
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.mark.long
def test_a_retrain_killed_between_tasks_ends_as_if_nobody_had_touched_it(ask, tmp_path, rounds, state, never) -> None:
    """Five kills on the way in each home, one after the other; then it runs to its end."""
    kills, killed, longest = rounds(1, 60), 0, 0.0
    rendered = ask(home=str(tmp_path / "first"), kill_at=2)
    assert rendered["signal"] == 9, rendered
    shutil.copytree(tmp_path / "first", tmp_path / "rendered")
    whole = ask(home=str(tmp_path / "first"))
    assert whole["signal"] == 0 and whole["answer"], whole
    expected = ask(home=str(tmp_path / "first"), look=True)["answer"]
    boundaries = whole["answer"]["boundaries"]
    assert expected["intact"] and expected["models"] and boundaries > 28
    rng, homes = np.random.default_rng(23), 0
    while killed < kills:
        homes += 1
        home = tmp_path / f"killed{homes}"
        shutil.copytree(tmp_path / "rendered", home)
        points = sorted(rng.integers(1, boundaries + 1, min(KILLS_IN_A_HOME, kills - killed)).tolist())
        for point in points:
            answer = ask(home=str(home), kill_at=point)
            assert answer["signal"] == 9, (points, answer)
            killed += 1
        done = ask(home=str(home))
        assert done["signal"] == 0 and done["answer"], (points, done)
        longest = max(longest, done["answer"]["seconds"])
        left = ask(home=str(home), look=True)["answer"]
        crashed = left.pop("flow runs")
        assert left == {name: value for name, value in expected.items() if name != "flow runs"}, points
        assert crashed == ["Completed", *["Crashed"] * len(points)], points
        shutil.rmtree(home)
    figure = f"{never(killed)}; {boundaries} boundaries, {homes} projects, a run {longest:.0f} s at most"
    state("A retrain killed between tasks: an effect twice, or another result than an unkilled run's", figure, killed)
