"""The main job, whole: real tools on a small synthetic set, from nothing to a decision on record."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from bitface.adapters.empty_databases import EmptyDatabase
from bitface.adapters.prefect_processes import running_server
from bitface.dataset.index import read_index
from bitface.faces.records import AGE_BANDS, GENDERS, SKIN_TONE_GROUPS
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.people.lease import holding
from bitface.steps.retrain.plan import code_commit

KEYS = {
    "run_id",
    "dataset",
    "models",
    "latency",
    "size_bytes",
    "explain",
    "gate",
    "version",
    "alias",
    "seconds",
}


def test_a_retrain_from_nothing_leaves_the_summary_of_the_contract(done) -> None:
    _, summary, code = done
    assert set(summary) >= KEYS
    assert set(summary["dataset"]) >= {"version", "people", "samples", "admitted", "quarantined"}
    assert summary["dataset"]["admitted"] + summary["dataset"]["quarantined"] == summary["dataset"]["samples"]
    assert {model["precision"] for model in summary["models"]} == {"one-bit", "float"}
    assert set(summary["models"][0]) >= {
        "name",
        "variant",
        "emotions",
        "macro_auc",
        "macro_balanced_accuracy",
        "train_s",
    }
    assert set(summary["gate"]) >= {"decision", "bundle", "cells"}
    asked = summary["counterfactual"]["cells"]
    assert set(asked) == {
        f"{c}/{f}" for c in ("again", "skin_tone", "age_texture", "light") for f in ("changed", "shift")
    }
    assert all(0 <= cell["lo"] <= cell["value"] <= cell["hi"] for cell in asked.values())
    assert code == (0 if summary["gate"]["decision"] == "promote" else 3)
    assert summary["took_s"] > 0
    assert summary["alias"] == {"promote": "champion", "hold": "demo", "block": None}[summary["gate"]["decision"]]


def test_probabilities_are_calibrated_by_people_who_neither_train_nor_judge(done) -> None:
    """4 or 5 of 30 training people are of split test: too few to leave an emotion out, and the run says so."""
    _, summary, _ = done
    said = summary["calibration"]
    assert "people of split test" in said["calibrated_on"]
    assert "too few of them show" in said["calibrated_on"]
    assert said["confidence"] == 0.9
    assert said["coverage"]["value"] == said["mean_set_size"] / len(said["emotions"]) == said["abstained"] == 1
    assert {"age_band", "gender"} <= {name.partition(":")[0] for name in said["slices"]}
    for model in summary["models"]:
        assert all(0 <= own["ece"] <= 1 for own in model["emotions"].values())


def test_the_decision_replays_bit_for_bit(done, bitface) -> None:
    project, summary, _ = done
    run = bitface(project, "gate", "replay", summary["gate"]["bundle"], "--json")
    assert run.returncode == 0, run.stderr[-2000:]
    replayed = json.loads(run.stdout)
    assert replayed["identical"] is True
    assert replayed["decision"] == summary["gate"]["decision"]
    assert not [cell for cell in replayed["cells"] if cell["state"] == "NOT-RUN" and cell["required"]]


def test_what_a_decision_rests_on_names_nobody_and_opens_where_its_key_is_alone(done, tmp_path, bitface) -> None:
    """The bundle in the home and MLflow's copy of it: a decision to read, and rows of people that no other installation reads."""
    project = done[0]
    bundles = list((project / "home").rglob("gate.zip"))
    assert len(bundles) == 2 and len({path.read_bytes() for path in bundles}) == 1, "the home's, and the one in MLflow"
    samples = read_index(project / "data")
    names = {one.sample_id for one in samples} | {one.person for one in samples}
    with zipfile.ZipFile(bundles[0]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for content in (bundles[0].read_bytes(), *members.values()):
        assert not [name for name in names if name.encode() in content]
    document = json.loads(members.pop("gate.json"))
    groups = [*AGE_BANDS, *GENDERS, *SKIN_TONE_GROUPS]
    people = (json.dumps(document["evidence"]).encode(), *members.values())
    assert not [group for group in groups for content in people if len(group) > 4 and group.encode() in content]
    elsewhere = bitface(tmp_path, "gate", "replay", str(bundles[0]))
    assert elsewhere.returncode == 2 and elsewhere.stderr.count("\n") == 1 and not (tmp_path / "home").exists()
    assert "its key is not on this installation; replay it where it was made" in elsewhere.stderr


def test_the_second_run_with_nothing_changed_computes_nothing(done, bitface, small, served) -> None:
    project, summary, _ = done
    run = bitface(project, "retrain", "--json", *small, **served)
    assert run.returncode == 0, run.stderr[-2000:]
    again = json.loads(run.stdout)
    assert again["reused"] == ["everything"]
    assert again["run_id"] == summary["run_id"]
    assert again["version"] == summary["version"]


def test_the_ledger_holds_run_members_decision_and_an_unbroken_chain(done, bitface) -> None:
    project, summary, _ = done
    with sqlite3.connect(project / "home" / "ledger.db") as ledger:
        count = {
            table: ledger.execute(f"select count(*) from {table}").fetchone()[0]  # noqa: S608 - constant names
            for table in ("runs", "dataset_members", "models", "decisions", "promotions")
        }
    assert count["runs"] == count["models"] == count["decisions"] == 1
    assert count["dataset_members"] == summary["dataset"]["samples"]
    assert count["promotions"] == int(summary["alias"] is not None), "champion or demo"
    doctor = bitface(project, "doctor", "--json")
    rows = {row["what"]: row["state"] for row in json.loads(doctor.stdout)}
    assert rows["ledger"] == rows["dataset"] == "ok" or rows["dataset"] == "warn"


def test_a_new_home_begins_with_prefect_s_own_tables_and_the_cache_keeps_no_run(done) -> None:
    """The tables that the migrations made, which are in the cache from then on; what was run is in the home alone."""
    kept = EmptyDatabase(cache=Path(os.environ["BITFACE_CACHE"]), tool="prefect", own_tables=()).kept
    tables, runs = [], []
    for database in (kept, done[0] / "home" / "prefect" / "prefect.db"):
        with closing(sqlite3.connect(database)) as opened:
            tables.append(set(opened.execute("select name, sql from sqlite_master")))
            runs.append(opened.execute("select count(*) from flow_run").fetchone()[0])
    assert tables[0] == tables[1] and runs[0] == 0 and runs[1] >= 1


def test_mlflow_shows_the_run_its_models_figures_and_the_version(done) -> None:
    project, summary, _ = done
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project / 'home' / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'bitface retrain'")
    runs = client.search_runs([experiment.experiment_id])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert (len(parents), len(runs)) == (1, 4)
    tags, metrics = parents[0].data.tags, parents[0].data.metrics
    assert tags["gate.decision"] == summary["gate"]["decision"]
    assert {
        "dataset.version",
        "dataset.manifest_sha256",
        "consent.snapshot_sha256",
        "code.commit",
        "params.sha256",
    } <= set(tags)
    assert {"happiness/auc", "happiness/auc.lo", "slice/gender:female/accuracy", "latency/one-bit/p50_ms"} <= set(
        metrics
    )
    assert {"happiness/ece", "happiness/ece_uncalibrated", "macro/ece", "conformal/mean_set_size"} <= set(metrics)
    shares = ("conformal/coverage", "conformal/abstained", "happiness/coverage", "slice/gender:female/coverage")
    for name in shares:
        assert 0 <= metrics[f"{name}.lo"] <= metrics[name] <= metrics[f"{name}.hi"] <= 1, name
    assert any(name.startswith("slice/age_band:") and name.endswith("/coverage") for name in metrics)
    assert {"action_units/AU12/correlation", "action_units/AU12/f1", "action_units/fusion/one-bit/auc_gain.lo"} <= set(
        metrics
    )
    figures = {Path(file.path).name for file in client.list_artifacts(parents[0].info.run_id, "figures")}
    assert {
        "confusion.png",
        "roc.png",
        "slices.png",
        "attribution_one_bit.png",
        "overview.png",
        "action_units.png",
    } <= figures
    assert {"reliability.png", "coverage.png"} <= figures
    (version,) = client.search_model_versions("name='bitface'")
    assert version.tags["gate.decision"] == summary["gate"]["decision"]
    with Ledger(sqlite_url(project / "home" / "ledger.db")) as ledger:
        on_record = ledger.run(summary["run_id"])
    # One spelling each: what a page calls a dataset or a commit is what an auditor asks the ledger for.
    assert {tags["dataset.version"], version.tags["dataset.version"], on_record.dataset_version} == {
        summary["dataset"]["recorded_as"]
    }
    assert tags["dataset.content"] == summary["dataset"]["version"]
    assert tags["code.commit"] == on_record.code_commit == code_commit(Path(__file__).resolve().parents[2])


def test_nothing_in_the_clear_holds_landmarks_or_pictures_of_people(done) -> None:
    """Outside the encrypted shards and features there is no array of landmarks, crop or frame."""
    project, _, _ = done
    arrays = [path for path in (project / "home").rglob("*") if path.suffix in (".npy", ".jpg", ".jpeg")]
    assert not arrays
    for path in (project / "home" / "runs").rglob("*.zip"):
        assert path.stat().st_size < 5_000_000


def test_a_second_retrain_waits_for_its_turn_and_then_puts_an_alias_back_that_a_hand_moved(
    copied, bitface, small, served
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{copied / 'home' / 'mlflow.db'}")
    (version,) = client.search_model_versions("name='bitface'")
    client.set_registered_model_alias("bitface", "previous", version.version)
    with (
        Ledger(sqlite_url(copied / "home" / "ledger.db")) as ledger,
        holding(ledger, "retrain", timedelta(minutes=5)),
    ):
        run = bitface(copied, "retrain", "--json", *small, **served)
    assert run.returncode == 2 and "a retrain is already running" in run.stderr and "Traceback" not in run.stderr
    run = bitface(copied, "retrain", "--json", *small, **served)
    assert run.returncode == 0, run.stderr[-2000:]
    assert (
        "alias previous was moved by hand" in run.stderr
        and "previous" not in client.get_registered_model("bitface").aliases
    )


def test_a_schedule_fires(copied, bitface, environment, small) -> None:
    """Deployments, a server and a worker: a retrain that is due within seconds runs, and its result is JSON."""
    deployed = bitface(copied, "schedule", "--every", "5", "--json", *small)
    assert deployed.returncode == 0, deployed.stderr[-2000:]
    assert {row["name"]: row["schedules"] for row in json.loads(deployed.stdout)}["retrain"] == ["every 5 s"]
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    worker = subprocess.Popen(
        [sys.executable, "-m", "bitface.cli", "worker", "--port", str(port)],
        env=environment(copied),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert worker.stdout is not None
        assert f"http://127.0.0.1:{port}" in worker.stdout.readline()
        end, states = time.monotonic() + 900, []
        while "Completed" not in states and time.monotonic() < end:
            time.sleep(1)
            with closing(sqlite3.connect(copied / "home" / "prefect" / "prefect.db")) as database:
                states = [
                    row[0]
                    for row in database.execute("select state_name from flow_run where deployment_id is not null")
                ]
        assert "Completed" in states, (copied / "home" / "prefect" / "worker.log").read_text()[-3000:]
    finally:
        os.killpg(worker.pid, signal.SIGTERM)
        worker.wait(timeout=120)
        worker.stdout.close()
    kept = [json.loads(path.read_text()) for path in (copied / "home" / "prefect" / "storage").iterdir()]
    assert any(stored.get("reused") == ["everything"] for stored in kept), (
        "results are JSON, and this one says what it did"
    )
    # On a busy machine the worker runs out of time for an orderly end, and its server ends after it, by itself.
    end = time.monotonic() + 120
    while is_answered(port) and time.monotonic() < end:
        time.sleep(0.1)
    assert not is_answered(port), "the server ended with the worker"
    assert running_server(copied / "home") is None


def is_answered(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
