"""A process that forks one child per request, so that a child can be killed anywhere without paying for imports again.

Reads one JSON request a line, answers one JSON line: {"signal": n or 0, "answer": what the child returned or null}.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from sqlalchemy import Engine, event

from bitface.adapters.mlflow_tracking import MlflowTracking
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.errors import BitfaceError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import (
    MODEL_NAME,
    ApprovalRule,
    DatasetEntry,
    DecisionEntry,
    MemberEntry,
    ModelEntry,
    RunEntry,
    StalePromotionError,
)
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.ports import TrackedRun, TrackedVersion
from bitface.steps.versions.promote import go_live, roll_back
from bitface.steps.versions.reconcile import keep_shown, project_aliases, reconcile

for kind in ("model_registry", "tracking"):  # once, for every child
    import_module(f"mlflow.store.{kind}.sqlalchemy_store")
PEOPLE = [f"s{number:015d}" for number in range(3)]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class FaultPoints:
    """Counts what reaches a disk or a database, and kills the process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.seen, self._kill_at = 0, kill_at
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, name, self.hit)
        self._copy, self._replace = shutil.copyfile, os.replace
        shutil.copyfile, os.replace = self.copyfile, self.replace  # type: ignore[assignment]

    def hit(self, *_: Any, **__: Any) -> None:
        self.seen += 1
        if self.seen == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def copyfile(self, *words: Any, **named: Any) -> Any:
        self.hit()
        return self._copy(*words, **named)

    def replace(self, *words: Any, **named: Any) -> None:
        self.hit()
        self._replace(*words, **named)
        self.hit()


def opened(home: Path) -> tuple[Ledger, MlflowTracking]:
    return Ledger(sqlite_url(home / "ledger.db")), MlflowTracking(home)


def setup(home: Path) -> dict[str, Any]:
    """Three people whose consent holds, and one dataset version of them."""
    ledger, _ = opened(home)
    consents = synthetic_consents(PEOPLE)
    ledger.record_notice(packaged_notice("synthetic-1"))
    ledger.record_consents(consents)
    members = [
        MemberEntry(
            sample_id=f"x{number}",
            person=consent.subject,
            sample_sha256=sha(f"x{number}"),
            split="train",
            licence_id="synthetic",
            consent_event_id=consent.event_id,
            consent_event_sha256=consent.sha256,
        )
        for number, consent in enumerate(consents)
    ]
    facts = {"manifest_sha256": sha("manifest"), "consent_snapshot_sha256": sha("snapshot"), "evidence": "synthetic"}
    dataset = DatasetEntry(
        version="d1", purpose="train", context="research", people=len(members), samples=len(members), **facts
    )
    ledger.record_dataset(dataset, members)
    return {}


def release(home: Path, number: int, kill_at: int = 0) -> dict[str, Any]:
    """All that a retrain does of a model that its gate let through: records, pictures of it in the registry, promotion."""
    points = FaultPoints(kill_at)
    ledger, tracking = opened(home)
    compared = ledger.champion()
    run_id, folder = f"run{number}", home / "runs" / f"run{number}"
    (folder / "bundle").mkdir(parents=True, exist_ok=True)
    (folder / "bundle" / "spec.json").write_text(json.dumps({"number": number}))
    codes = {"code_commit": "c0ffee", "params_sha256": sha("params")}
    ledger.record_run(
        RunEntry(
            run_id=run_id,
            dataset_version="d1",
            purpose="train",
            context="research",
            constraints_sha256=sha("constraints"),
            **codes,
        )
    )
    tracking.start(
        TrackedRun(
            run_id=run_id,
            started_at=datetime(2026, 6, 1, tzinfo=UTC),
            purpose="train",
            context="research",
            evidence="synthetic",
            dataset_version="d1",
            dataset_content="c0ffee.dir",
            manifest_sha256=sha("manifest"),
            consent_snapshot_sha256=sha("snapshot"),
            people=3,
            samples=3,
            params={},
            **codes,
        )
    )
    entry = ledger.record_model(
        ModelEntry(
            bundle_sha256=sha(f"bundle {number}"),
            weights_sha256=sha(f"weights {number}"),
            run_id=run_id,
            evidence="synthetic",
            purpose="train",
        )
    )
    ledger.record_decision(
        DecisionEntry(
            decision_sha256=sha(f"decision {number}"),
            bundle_sha256=entry.bundle_sha256,
            run_id=run_id,
            decision="promote",
            reasons=(),
        )
    )
    shown = TrackedVersion(
        name=MODEL_NAME,
        version=entry.version,
        run_id=run_id,
        bundle=folder / "bundle",
        bundle_sha256=entry.bundle_sha256,
        weights_sha256=entry.weights_sha256,
        decision="promote",
        decision_sha256=sha(f"decision {number}"),
        reasons=(),
        evidence="synthetic",
        purpose="train",
        context="research",
        dataset_version="d1",
        consent_snapshot_sha256=sha("snapshot"),
        headline={},
    )
    keep_shown(folder, shown)
    tracking.register(shown)
    current = compared if compared is None or compared.version != entry.version else None
    if current is not None or compared is None:
        go_live(
            entry.version,
            None if compared is None else compared.version,
            "synthetic",
            sha(f"decision {number}"),
            ApprovalRule(),
            ledger,
        )
    project_aliases(ledger, tracking)
    return {"points": points.seen, "version": entry.version}


def back(home: Path, to: int, kill_at: int = 0) -> dict[str, Any]:
    """A rollback, ledger and registry."""
    points = FaultPoints(kill_at)
    ledger, tracking = opened(home)
    roll_back(to, "test", ledger)
    project_aliases(ledger, tracking)
    return {"points": points.seen}


def put_right(home: Path) -> dict[str, Any]:
    """What every command does first."""
    ledger, tracking = opened(home)
    return {"said": reconcile(home / "runs", ledger, lambda: tracking)}


def look(home: Path) -> dict[str, Any]:
    """What ledger and registry say, and what lies in the registry's files without belonging to a version."""
    ledger, tracking = opened(home)
    champion = ledger.champion()
    found = tracking.shown(MODEL_NAME)
    places = {path.parent.parent.name for path in tracking.artefacts.glob("**/bundle") if path.is_dir()}
    client = MlflowClient(tracking.store_uri)
    versions = client.search_model_versions(f"name='{MODEL_NAME}'") if found.versions else []
    used = {str(one.tags["bundle.place"]).split("/")[0] for one in versions}
    return {
        "ledger": champion.version if champion else None,
        "shown": found.aliases.get("champion"),
        "recorded": [model.version for model in ledger.models() if ledger.decisions(model.bundle_sha256)],
        "registered": sorted(int(one.tags["ledger.version"]) for one in versions),
        "orphans": sorted(places - used),
        "intact": ledger.verify_chain().intact,
    }


def swap(home: Path, mine: list[int], times: int) -> dict[str, Any]:
    """Promotes one of two versions `times` times, each time from what the champion was when it looked."""
    ledger, _ = opened(home)
    done = stale = 0
    while done < times:
        current = ledger.champion()
        target = next(version for version in mine if current is None or version != current.version)
        try:
            ledger.promote(
                Move(
                    to_version=target,
                    expected_previous=current.version if current else None,
                    decision_sha256=sha(f"decision {target}"),
                    actor="test",
                )
            )
            done += 1
        except StalePromotionError:
            stale += 1
    return {"done": done, "stale": stale}


def answer_of(request: dict[str, Any]) -> dict[str, Any]:
    function = {"setup": setup, "release": release, "back": back, "put_right": put_right, "look": look, "swap": swap}
    return function[request.pop("do")](Path(request.pop("home")), **request)


def forked(request: dict[str, Any]) -> tuple[int, int]:
    """Starts a child on a request; returns its id and the end of the pipe that its answer comes through."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            said: Any = answer_of(request)
        except BitfaceError as error:
            said = {"refused": f"{type(error).__name__}: {error}"}
        with os.fdopen(writing, "w") as pipe:
            pipe.write(json.dumps(said))
        os._exit(0)
    os.close(writing)
    return child, reading


def main() -> None:
    for line in sys.stdin:
        requests = json.loads(line)
        children = [forked(request) for request in requests]
        answers = []
        for child, reading in children:
            with os.fdopen(reading) as pipe:
                text = pipe.read()
            _, status = os.waitpid(child, 0)
            killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            answers.append({"signal": killed, "answer": json.loads(text) if text else None})
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
