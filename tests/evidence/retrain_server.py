"""A process that forks one child per request to run the retrain flow, and kills it before or after the task that is asked for.

Reads one JSON request a line, {"home", "kill_at", "sets"}, answers one JSON line: {"signal": n or 0, "answer": what the child
returned or null, "error": its last words}. Everything slow is imported once; PREFECT_API_URL names a server that is there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from functools import wraps
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import great_expectations
import mlflow
from mlflow import MlflowClient

from bitface.bootstrap.orchestrator import home_tag
from bitface.bootstrap.places import workspace
from bitface.flows import retrain as flow
from bitface.gate.decision_bundle import read_recorded
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger

for kind in ("model_registry", "tracking"):  # once, for every child
    import_module(f"mlflow.store.{kind}.sqlalchemy_store")
for name in ("evidently_drift", "mediapipe_landmarks", "openvino_runtime", "figures", "great_expectations_checks"):
    import_module(f"bitface.adapters.{name}")
for name in (
    "evidently",
    "evidently.presets",
    "mediapipe",
    "openvino",
    "torch",
    "captum.attr",
    "bitface.training.loop",
):
    import_module(name)
TOOLS = (great_expectations, mlflow)


class Boundaries:
    """Counts the begins and ends of tasks, and kills the process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.passed, self._kill_at, self._lock = 0, kill_at, Lock()

    def cross(self) -> None:
        with self._lock:
            self.passed += 1
            if self.passed == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Any) -> Any:
        @wraps(function)
        def bounded(*given: Any, **named: Any) -> Any:
            self.cross()
            found = function(*given, **named)
            self.cross()
            return found

        return bounded


def retrain(kill_at: int, sets: list[str]) -> dict[str, Any]:
    """One run of the flow, whole or up to a boundary."""
    boundaries, plain, start = Boundaries(kill_at), flow.step, time.perf_counter()
    flow.step = lambda function, *fixed: plain(boundaries.around(function), *fixed)
    done = flow.run_here(flow.RetrainRequest(overrides=tuple(sets)))
    return {"boundaries": boundaries.passed, "run_id": done["run_id"], "seconds": time.perf_counter() - start}


def look(home: Path) -> dict[str, Any]:
    """What a finished retrain left, without times: two homes of the same retrain are alike in it."""
    with Ledger(sqlite_url(home / "home" / "ledger.db")) as ledger:
        models = ledger.models()
        found = {
            "models": [(model.version, model.run_id, model.bundle_sha256, model.weights_sha256) for model in models],
            "decisions": [[one.decision for one in ledger.decisions(model.bundle_sha256)] for model in models],
            "datasets": [ledger.run(model.run_id).dataset_version for model in models],
            "intact": ledger.verify_chain().intact,
        }
    cells = [
        cell
        for path in sorted((home / "home" / "runs").glob("*/gate.zip"))
        for cell in read_recorded(path).decision["cells"]
        if cell["kind"] != "latency"
    ]
    store = f"sqlite:///{home / 'home' / 'mlflow.db'}"
    client = MlflowClient(store)
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return {
        **found,
        "cells": cells,
        "shown runs": sorted((run.info.run_name, run.info.status) for run in runs),
        "shown versions": [one.tags["ledger.version"] for one in client.search_model_versions("name='bitface'")],
        "half done": [path.name for path in (home / "home").rglob("*.part*")],
        "flow runs": flow_runs(),
    }


def flow_runs() -> list[str]:
    """States of this home's flow runs on the server."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

    tags = FlowRunFilterTags(all_=[home_tag(workspace())])
    with get_client(sync_client=True) as client:
        return sorted(str(run.state_name) for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=tags)))


def child(request: dict[str, Any]) -> Any:
    home = Path(request["home"])
    os.environ.update(BITFACE_HOME=str(home / "home"), BITFACE_DATA=str(home / "data"))
    return look(home) if request.get("look") else retrain(request["kill_at"], request["sets"])


def serve(request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        try:
            said = {"answer": child(request), "error": ""}
        except BaseException:  # noqa: BLE001 - told to the test
            said = {"answer": None, "error": traceback.format_exc()[-3000:]}
        with os.fdopen(writing, "w") as out:
            out.write(json.dumps(said))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        text = answers.read()
    _, status = os.waitpid(process, 0)
    died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return {"signal": died, **(json.loads(text) if text else {"answer": None, "error": ""})}


def main() -> None:
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what tools print is no answer
    for line in sys.stdin:
        said.write(json.dumps(serve(json.loads(line))) + "\n")
        said.flush()


if __name__ == "__main__":
    main()
