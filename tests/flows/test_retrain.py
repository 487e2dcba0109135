"""The main job, whole: real tools on a small synthetic set, from nothing to a decision on record."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bitface.dataset.files import sha256_of
from bitface.dataset.index import read_index, write_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import write_manifest
from bitface.dataset.sealed_evidence import seal_evidence
from bitface.faces.records import AGE_BANDS, GENDERS, SKIN_TONE_GROUPS
from bitface.gate.bundle import write_bundle
from bitface.gate.decision import evaluate_gate
from bitface.gate.evidence import GateEvidence
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import AssetEntry, DecisionEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.policy_document import policy_of
from bitface.params import read_params
from bitface.steps.gate import opened_bundle
from bitface.steps.lease import holding
from bitface.steps.plan import code_commit
from bitface.steps.promote import stand_in
from bitface.steps.reconcile import project_aliases
from bitface.steps.summary import summary_text

SETS = (
    "synthetic.training_people=30",
    "synthetic.gate_people=14",
    "counterfactual.people=2",
    "drift.permutations=999",
    "synthetic.frames_per_clip=3",
    "synthetic.image_px=144",
    "training.epochs=6",
    "explain.samples=14",
    "latency.rounds=100",
)
PLAIN = [word for one in SETS for word in ("--set", one)]
SMALL = [*PLAIN, "--set", "action_units.enabled=true", "--set", "action_units.epochs=1"]
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


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, bitface) -> tuple[Path, dict, int]:
    """A project after one retrain: its folder, the summary, the exit code."""
    project = tmp_path_factory.mktemp("project")
    run = bitface(project, "retrain", "--json", *SMALL)
    assert run.returncode in (0, 3), run.stderr[-3000:]
    return project, json.loads(run.stdout), run.returncode


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


def test_an_auditor_replays_a_copy_that_was_handed_out_and_that_is_noted(copied, done, tmp_path, bitface) -> None:
    run_id, out = done[1]["run_id"], tmp_path / "auditor" / "gate.zip"
    out.parent.mkdir()
    given = bitface(copied, "gate", "open", run_id, "--out", str(out), "--json")
    assert given.returncode == 0, given.stderr[-2000:]
    shown = json.loads(bitface(copied, "audit", "run", run_id, "--json").stdout)
    assert json.loads(given.stdout)["sha256"] in {row["decision_sha256"] for row in shown if row["kind"] == "decision"}
    replayed = bitface(out.parent, "gate", "replay", str(out), "--json")
    assert replayed.returncode == 0 and json.loads(replayed.stdout)["identical"] is True
    person = next(one.person for one in read_index(copied / "data") if one.split == "gate")
    rows = json.loads(bitface(copied, "audit", "subject", person, "--json").stdout)
    noted = [row["person"] for row in rows if row["kind"] == "opened"]
    assert f"evidence of run {run_id}, in the clear" in noted
    inside = bitface(copied, "gate", "open", run_id, "--out", str(copied / "home" / "copy.zip"))
    assert inside.returncode == 2 and "would be inside this installation's home or dataset" in inside.stderr


def test_a_version_that_was_judged_again_is_promoted_by_hand(copied, done, bitface) -> None:
    """Held at first; the very bundle judged once more, in a run of more people, whose gate lets it through."""
    home, run_id, keys = copied / "home", "again", KeyStore(copied / "home" / "keys")
    assert done[1]["alias"] == "demo"
    before = opened_bundle(home / "runs" / done[1]["run_id"] / "gate.zip", keys)
    evidence = _of_many(before.evidence)
    decision, path = evaluate_gate(evidence, before.params, 1), home / "runs" / run_id / "gate.zip"
    assert decision.verdict == "promote"
    path.parent.mkdir()
    seal = partial(seal_evidence, keys=keys, renew=True)
    sha256 = write_bundle(path, evidence, before.params, 1, decision, {"run": run_id}, seal)
    params = read_params(Path(__file__).resolve().parents[2] / "params.yaml")
    with Ledger(sqlite_url(home / "ledger.db")) as ledger:
        (model,) = ledger.models()
        ledger.record_run(replace(ledger.run(model.run_id), run_id=run_id))
        facts = {"bundle_sha256": model.bundle_sha256, "run_id": run_id}
        ledger.record_decision(DecisionEntry(**facts, decision_sha256=sha256, decision="promote", reasons=()))
        ledger.record_judged_by(sha256, policy_of(params))
        asset = AssetEntry(run_id=run_id, path=f"runs/{run_id}/gate.zip", kind="report", sha256=sha256_of(path))
        ledger.record_assets([asset])
    moved = bitface(copied, "promote", "1", "--json")
    assert moved.returncode == 0, moved.stderr[-2000:]
    assert (json.loads(moved.stdout)["to_version"], json.loads(moved.stdout)["decision_sha256"]) == (1, sha256)
    shown = bitface(copied, "gate", "show", run_id)
    assert shown.stdout.startswith("bitface/1 · CHAMPION · ")


def _of_many(evidence: GateEvidence, times: int = 40) -> GateEvidence:
    """The same stills, of forty times as many people, always told right."""

    def more(texts: np.ndarray) -> np.ndarray:
        return np.concatenate([np.char.add(texts, f"-{number}") for number in range(times)])

    own, people = evidence.one_bit, more(np.unique(evidence.one_bit.persons))
    labels = np.tile(own.labels, times)
    told = replace(
        own,
        sample_ids=more(own.sample_ids),
        persons=more(own.persons),
        labels=labels,
        scores=np.where(labels[:, None] == np.array(own.emotions), 0.9, 0.1),
        folds=np.zeros(len(labels), dtype=np.int64),
    )
    slices = {
        str(person): {
            "age_band": AGE_BANDS[number % 4],
            "gender": GENDERS[number % 2],
            "skin_tone": SKIN_TONE_GROUPS[number % 3],
            "ancestry": "a",
        }
        for number, person in enumerate(people)
    }
    return replace(evidence, one_bit=told, twin=told, slices=slices)


def test_the_second_run_with_nothing_changed_computes_nothing(done, bitface) -> None:
    project, summary, _ = done
    run = bitface(project, "retrain", "--json", *SMALL)
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


def test_what_is_handed_on_is_signed_and_says_what_it_is_made_of(done, copied, stills, bitface) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    summary = done[1]
    folder = copied / "home" / "runs" / summary["run_id"] / "bundle"
    assert {"model_card.md", "mlbom.cdx.json", "provenance.json", "signature.sig", "spec.json"} <= {
        path.name for path in folder.iterdir()
    }
    bill = (folder / "mlbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    card = json.loads(bill)["metadata"]["component"]["modelCard"]
    figures = card["quantitativeAnalysis"]["performanceMetrics"]
    assert {"everybody", "emotion: happiness", "gender: female"} <= {figure["slice"] for figure in figures}
    assert all(float(one["confidenceInterval"]["lowerBound"]) <= float(one["value"]) for one in figures)
    made = json.loads((folder / "provenance.json").read_text())
    for subject in made["subject"]:
        assert hashlib.sha256((folder / subject["name"]).read_bytes()).hexdigest() == subject["digest"]["sha256"]
    asked = (
        str(next(stills.iterdir())),
        "--model",
        f"bitface/{summary['version']}",
        "--purpose",
        "demo",
        "--context",
        "research",
    )
    assert bitface(copied, "predict", *asked).returncode == 0
    (folder / "model_card.md").write_text("a better model")
    touched = bitface(copied, "predict", *asked)
    assert touched.returncode == 2 and "signature fails verification" in touched.stderr


@pytest.fixture(scope="module")
def shuffled(done, tmp_path_factory: pytest.TempPathFactory, bitface, served) -> tuple[Path, dict]:
    """The same people with labels that say nothing, for a net of random convolutions: its folder and the summary."""
    project = tmp_path_factory.mktemp("shuffled")
    _share_people(done[0], project)
    samples = read_index(project / "data")
    labels = np.random.default_rng(5).permutation([sample.label for sample in samples])
    write_index(project / "data", [replace(s, label=str(new)) for s, new in zip(samples, labels, strict=True)])
    write_manifest(project / "data")
    run = bitface(project, "retrain", "--json", *PLAIN, "--set", "training.variant=R-EMO", **served)
    assert run.returncode == 3, run.stderr[-2000:]
    return project, json.loads(run.stdout)


def _share_people(project: Path, beside: Path) -> None:
    """The same people, and what was made of their faces, in another project, so that `done` stays as it is."""
    shutil.copytree(project / "data", beside / "data")
    shutil.copytree(project / "home" / "stages" / "features", beside / "home" / "stages" / "features")


def test_a_model_of_shuffled_labels_is_blocked(shuffled, bitface) -> None:
    """Labels that say nothing must not get through, and the refusal is exit code 3."""
    project, summary = shuffled
    assert summary["gate"]["decision"] == "block"
    assert summary["alias"] is None
    said = summary_text(summary)
    worst = summary["gate"]["causes"][0]
    assert "not an error" in said and worst["state"] == "FAIL" and worst["name"] in said.partition("Why")[2]
    look = f"bitface predict FILE --model bitface/{summary['version']} --purpose demo --context research"
    assert said.splitlines()[-1].strip() == look
    line = "bitface/1 · BLOCKED · evidence synthetic · for demo in research · not live"
    assert summary["status"]["line"] == line
    nobody = bitface(project, "predict", "face.png", "--purpose", "demo", "--context", "research")
    assert nobody.returncode == 2 and "bitface/1 (blocked, " in nobody.stderr and look in nobody.stderr
    assert bitface(project, "audit", "model", "bitface/1").stdout.splitlines()[0] == line
    shown = bitface(project, "gate", "show", summary["run_id"], "--json")
    assert json.loads(shown.stdout)["status"]["line"] == line
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project / 'home' / 'mlflow.db'}")
    assert [one.tags["status"] for one in client.search_model_versions("name='bitface'")] == [line]


def test_a_demo_answers_where_no_version_is_named_and_for_a_demo_alone(copied, stills, tmp_path, bitface) -> None:
    """The gate's word is `hold`, there is no champion, and everybody in it is synthetic."""
    from mlflow import MlflowClient

    from bitface.adapters.mlflow_tracking import MlflowTracking

    with Ledger(sqlite_url(copied / "home" / "ledger.db")) as ledger:
        (model,) = ledger.models()
        facts = {"bundle_sha256": model.bundle_sha256, "run_id": model.run_id, "reasons": ()}
        ledger.record_decision(DecisionEntry(decision_sha256="0" * 64, decision="hold", **facts))
        stand_in(model.version, "0" * 64, ledger)
        project_aliases(ledger, MlflowTracking(copied / "home"))
    picture, research = str(min(stills.iterdir())), ("--context", "research")
    line = "bitface/1 · HELD, alias demo · evidence synthetic · for demo in research · not live"
    table = tmp_path / "out.csv"
    found = bitface(copied, "predict", picture, "--purpose", "demo", *research, "--json", "--csv", str(table))
    assert found.returncode == 0, found.stderr[-2000:]
    (row,) = json.loads(found.stdout)
    status = row["model"]["status"]
    assert (status["line"], status["alias"], status["purposes"], status["contexts"]) == (
        line,
        "demo",
        ["demo"],
        ["research"],
    )
    assert line in table.read_text()
    assert line in bitface(copied, "predict", picture, "--purpose", "demo", *research).stdout
    page = tmp_path / "page.html"
    why = bitface(copied, "explain", picture, "--purpose", "demo", *research, "--out", str(page))
    assert why.returncode == 0 and line in why.stdout, why.stderr[-2000:]
    assert "evidence synthetic" in page.read_text().partition("<h1>")[0], (
        "how the model stands is the first thing on the page"
    )
    for named in ((), ("--model", "bitface/1"), ("--model", "demo")):
        refused = bitface(copied, "predict", picture, *named, "--purpose", "evaluate", *research)
        assert refused.returncode == 4 and "demo" in refused.stderr and "evaluate" in refused.stderr
    client = MlflowClient(f"sqlite:///{copied / 'home' / 'mlflow.db'}")
    (version,) = client.search_model_versions("name='bitface'")
    aliases = client.get_registered_model("bitface").aliases
    assert {alias: str(at) for alias, at in aliases.items()} == {"demo": str(version.version)}
    assert version.tags["status"] == line


def test_random_convolutions_go_the_same_way(shuffled) -> None:
    _, summary = shuffled
    assert {model["variant"] for model in summary["models"]} == {"R-EMO"}
    assert summary["gate"]["cells"]["not_run"] == 0


def test_a_study_compares_variants_on_people_that_no_gate_judges(done, tmp_path, bitface, served) -> None:
    project = tmp_path
    _share_people(done[0], project)
    words = ("--variants", "landmarks R,landmarks T", "--set", "study.folds=3", "--set", "study.seeds=1")
    few = ("--set", "study.random_draws=2", "--set", "study.workers=1", "--set", "training.epochs=2")
    run = bitface(project, "study", "models", "--profile", "default", "--json", *SMALL, *words, *few, **served)
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout)
    judged = {sample.person for sample in read_index(project / "data") if sample.split != "gate"}
    assert found["people"] == len(judged)
    trainings = {(one["variant"], one["precision"]): one["trainings"] for one in found["variants"]}
    assert trainings == {
        ("landmarks R", "one-bit"): 2,
        ("landmarks R", "float"): 2,
        ("landmarks T", "one-bit"): 1,
        ("landmarks T", "float"): 1,
    }
    assert found["reference"] == "landmarks T"
    assert set(found["still_ms"]) == {"landmarks R", "landmarks T"} and min(found["still_ms"].values()) > 0
    assert "out of fold" in Path(found["page"]).read_text()


def test_what_is_served_is_what_the_ledger_names_whatever_the_registry_shows(copied, stills, bitface, done) -> None:
    """Tags and aliases moved by hand, the folder of another model, a link in its place: the registered bundle answers, or nothing."""
    from mlflow import MlflowClient

    version = f"bitface/{done[1]['version']}"
    asked = (
        "predict",
        str(min(stills.iterdir())),
        "--purpose",
        "demo",
        "--context",
        "research",
        "--json",
        "--model",
        version,
    )
    before = bitface(copied, *asked)
    assert before.returncode == 0, before.stderr[-2000:]
    client = MlflowClient(f"sqlite:///{copied / 'home' / 'mlflow.db'}")
    (shown,) = client.search_model_versions("name='bitface'")
    client.set_model_version_tag("bitface", shown.version, "bundle.place", "../../elsewhere")
    client.set_model_version_tag("bitface", shown.version, "bundle.sha256", "0" * 64)
    client.set_registered_model_alias("bitface", "champion", shown.version)
    after = bitface(copied, *asked)
    assert after.returncode == 0
    assert [row["faces"][0]["emotions"] for row in json.loads(after.stdout)] == [
        row["faces"][0]["emotions"] for row in json.loads(before.stdout)
    ]
    (bundle,) = (copied / "home" / "runs").glob("*/bundle")
    moved = bundle.rename(bundle.with_name("moved"))
    bundle.symlink_to(moved)
    linked = bitface(copied, *asked)
    assert linked.returncode == 2 and "reached by a link" in linked.stderr
    bundle.unlink()
    gone = bitface(copied, *asked)
    assert gone.returncode == 2 and "are gone" in gone.stderr


def test_limits_of_a_command_line_are_not_the_policy_and_promote_nothing(copied, bitface, served) -> None:
    """The first retrain put params.yaml's limits into force; a later one by others is judged, says so, and goes live nowhere."""
    shown = json.loads(bitface(copied, "policy", "show", "--json").stdout)
    assert shown["profiles"]["default"]["gate"]["disparity_max"] < 0.5 and shown["reason"].startswith(
        "the first policy"
    )
    loose = ("--set", "gate.disparity_max=0.5", "--set", "promotion.approvals_required=1")
    run = bitface(copied, "retrain", "--json", *PLAIN, *loose, **served)
    assert run.returncode == 3, run.stderr[-2000:]
    summary = json.loads(run.stdout)
    assert summary["alias"] != "champion"
    for name in ("gate.disparity_max 0.5 instead of", "promotion.approvals_required 1 instead of 0"):
        assert name in summary["withheld"], summary["withheld"]
    changed = copied / "params.yaml"
    text = (Path(__file__).resolve().parents[2] / "params.yaml").read_text()
    assert "approvals_required: 0" in text
    changed.write_text(text.replace("approvals_required: 0", "approvals_required: 2"))
    unsigned = bitface(copied, "policy", "adopt", "--why", "two people from now on", BITFACE_PARAMS=str(changed))
    assert unsigned.returncode == 4 and "signed by compliance" in unsigned.stderr


def test_a_shard_makes_nobody_synthetic_and_admits_nobody(copied, bitface) -> None:
    """Whoever can write into the folder has the published key: a made-up person, with receipts that name somebody else."""
    from bitface.consent.known_sources import synthetic_consents
    from bitface.dataset.shards import read_shard, write_shard
    from bitface.steps.contents import sample_of

    data, keys = copied / "data", KeyStore(copied / "none")
    samples = list(read_index(data))
    person, made_up, other = samples[0].person, "s" + "0" * 15, "r" + "0" * 15
    shard = read_shard(data, person, keys.key_of(person))
    media = next(iter(shard.samples.values()))
    receipts = [event.model_dump(mode="json") for event in synthetic_consents([other])]
    forged = replace(
        shard,
        subject=replace(shard.subject, person=made_up),
        samples={f"{made_up}-00": media},
        facial_actions={},
        consent_receipts=receipts,
    )
    write_shard(data, forged, keys.key_of(made_up))
    write_index(
        data, [*samples, sample_of(f"{made_up}-00", made_up, hashlib.sha256(media).hexdigest(), "fear", 3, 25.0)]
    )
    write_manifest(data)
    judged = bitface(copied, "data", "validate", "--json")
    quarantined = {row["sample_id"]: row["reason"] for row in json.loads(judged.stdout)["quarantined"]}
    assert quarantined == {
        f"{made_up}-00": "it claims to be synthetic, but differs from what is rendered with these parameters"
    }
    with Ledger(sqlite_url(copied / "home" / "ledger.db")) as ledger:
        assert ledger.consents(other) == ()


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


def test_faces_that_were_predicted_are_held_against_those_that_the_model_was_judged_on(
    done, copied, stills, tmp_path, bitface
) -> None:
    version = f"bitface/{done[1]['version']}"
    asked = ("--model", version, "--purpose", "demo", "--context", "research")
    nothing = bitface(copied, "drift", "--model", version)
    assert nothing.returncode == 2 and "predict --log" in nothing.stderr
    few = bitface(copied, "predict", str(next(stills.iterdir())), *asked, "--log")
    assert few.returncode == 0, few.stderr[-2000:]
    assert "too few to distinguish drift" in bitface(copied, "drift", "--model", version).stderr
    assert bitface(copied, "predict", str(stills), *asked, "--log").returncode == 0
    same = bitface(copied, "drift", "--model", version, "--json")
    assert same.returncode == 0, same.stderr[-2000:]
    found = json.loads(same.stdout)
    assert found["people_current"] == len(list(stills.iterdir())) and found["people_reference"] >= 14
    assert found["families"] == ["blendshape", "embedding", "geometry", "prediction", "quality"]
    assert found["drifted"] == [] and found["asks_for_retrain"] is False
    for by in (2, 3, 4):
        _darken(stills, tmp_path / "dark" / str(by), by)
    assert bitface(copied, "predict", str(tmp_path / "dark"), *asked, "--log").returncode == 0
    moved = json.loads(bitface(copied, "drift", "--model", version, "--window", "1d", "--json").stdout)
    assert moved["asks_for_retrain"] is True and "quality/brightness" in {one["name"] for one in moved["drifted"]}
    kept = b"".join(path.read_bytes() for path in (copied / "home" / "predictions").rglob("*") if path.is_file())
    assert kept and b"quality" not in kept and b".png" not in kept


def _darken(pictures: Path, folder: Path, by: int) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for path in pictures.iterdir():
        with Image.open(path) as image:
            image.point(lambda grey: grey // by).save(folder / path.name)


def test_predict_obeys_policy_and_reads_only_registered_bundles(done, tmp_path: Path, bitface) -> None:
    project, summary, _ = done
    from PIL import Image

    from bitface.adapters.media_files import decode_frames
    from bitface.dataset.shards import read_shard

    sample = next(row for row in read_index(project / "data") if row.split == "gate" and row.label == "happiness")
    shard = read_shard(project / "data", sample.person, KeyStore(project / "none").key_of(sample.person))
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = folder / "face.png"
    Image.fromarray(decode_frames(shard.samples[sample.sample_id])[0]).save(picture)
    model = ("--model", f"bitface/{summary['version']}")
    refused = bitface(project, "predict", str(picture), *model, "--purpose", "infer", "--context", "workplace")
    assert refused.returncode == 4
    assert "prohibited" in refused.stderr
    synthetic = bitface(project, "predict", str(picture), *model, "--purpose", "infer", "--context", "consumer")
    assert synthetic.returncode == 4
    table = tmp_path / "out.csv"
    words = ("--purpose", "demo", "--context", "research", "--json", "--csv", str(table))
    (folder / "broken.png").write_bytes(picture.read_bytes()[:500])
    (folder / "._face.png").write_bytes(b"\0\5\x16\7")
    allowed = bitface(project, "predict", str(folder), *model, *words)
    assert allowed.returncode == 2
    assert "1 of 2 inputs could not be read, all others were; first: 'broken.png'" in allowed.stderr
    assert "2 inputs: 1 abstained, 1 unreadable; 1 hidden or system file left out" in allowed.stderr
    broken, one = json.loads(allowed.stdout)
    assert (broken["status"], broken["faces"]) == ("unreadable", []) and broken["reason"]
    (face,) = one["faces"]
    assert set(face) >= {"box", "emotions", "set", "abstained", "timings_ms", "regions"}
    assert all(0 <= p <= 1 for p in face["emotions"].values())
    assert set(face["set"]) == set(face["emotions"])
    assert face["abstained"] is True
    assert len(table.read_text().splitlines()) == 3
    report = tmp_path / "report.html"
    words = (*model, "--purpose", "demo", "--context", "research", "--json", "--out", str(report))
    explained = bitface(project, "explain", str(picture), *words)
    assert explained.returncode == 0, explained.stderr[-2000:]
    (why,) = json.loads(explained.stdout)["faces"]
    assert why["gap_max"] < 1e-6 and why["ig"]["method"] == "completed gradients" and why["ig"]["gap_median"] < 1e-3
    assert "mouth" in why["regions"] and "://" not in report.read_text()
    (tmp_path / "empty").mkdir()
    assert bitface(project, "explain", str(tmp_path / "empty"), *words).returncode == 2


@pytest.fixture
def copied(done, tmp_path: Path) -> Path:
    """The whole project once more, ledger and MLflow included."""
    project, _, _ = done
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_a_second_retrain_waits_for_its_turn_and_then_puts_an_alias_back_that_a_hand_moved(copied, bitface) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{copied / 'home' / 'mlflow.db'}")
    (version,) = client.search_model_versions("name='bitface'")
    client.set_registered_model_alias("bitface", "previous", version.version)
    with (
        Ledger(sqlite_url(copied / "home" / "ledger.db")) as ledger,
        holding(ledger, "retrain", timedelta(minutes=5)),
    ):
        run = bitface(copied, "retrain", "--json", *SMALL)
    assert run.returncode == 2 and "a retrain is already running" in run.stderr and "Traceback" not in run.stderr
    run = bitface(copied, "retrain", "--json", *SMALL)
    assert run.returncode == 0, run.stderr[-2000:]
    assert (
        "alias previous was moved by hand" in run.stderr
        and "previous" not in client.get_registered_model("bitface").aliases
    )


def test_a_schedule_fires(copied, bitface, environment) -> None:
    """Deployments, a server and a worker: a retrain that is due within seconds runs, and its result is JSON."""
    deployed = bitface(copied, "schedule", "--every", "5", "--json", *SMALL)
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
    assert not (copied / "home" / "prefect" / "server.json").exists()
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server ended with the worker"


def test_somebody_who_leaves_is_gone_and_the_model_is_made_again(copied, bitface, served) -> None:
    """A person who trained: quarantined, retrained without, every file of theirs gone, a proof that holds."""
    with Ledger(sqlite_url(copied / "home" / "ledger.db")) as ledger:
        (model,) = ledger.models()
        members = ledger.members(ledger.run(model.run_id).dataset_version)
    person = next(member.person for member in members if member.split == "train")
    reach = bitface(copied, "erase", person, "--dry-run", "--json")
    assert reach.returncode == 0, reach.stderr[-2000:]
    assert json.loads(reach.stdout)["models"] == ["bitface/1"] and json.loads(reach.stdout)["files_removed"] > 3
    assert (copied / "data" / "shards" / f"{person}.shard").is_file()
    bundle = shutil.copy(copied / "home" / "runs" / model.run_id / "gate.zip", copied / "kept.zip")
    assert bitface(copied, "gate", "replay", str(bundle)).returncode == 0
    gone = bitface(copied, "erase", person, "--json", *PLAIN, **served)
    assert gone.returncode == 0, gone.stderr[-3000:]
    found = json.loads(gone.stdout)
    assert found["evidence_destroyed"] == [model.run_id] and not list(
        (copied / "home").rglob(f"{model.run_id}/gate.zip")
    )
    unread = bitface(copied, "gate", "replay", str(bundle))
    assert unread.returncode == 4 and f"evidence of run {model.run_id} was destroyed in erasure" in unread.stderr
    assert set(found) >= {
        "subjects",
        "dry_run",
        "datasets",
        "models",
        "files_removed",
        "keys_destroyed",
        "retrained",
        "decision",
    }
    assert found["found"] == [] and found["retrained"] and found["decision"] in ("promote", "hold", "block")
    assert person not in {row.person for row in read_index(copied / "data")}
    with Ledger(sqlite_url(copied / "home" / "ledger.db")) as ledger:
        again = ledger.models()[-1]
        now = ledger.members(ledger.run(again.run_id).dataset_version)
        assert len(now) == len(members) - 7 and person not in {member.person for member in now}
        assert ledger.verify_chain().intact
    stays = json.loads(bitface(copied, "audit", "run", model.run_id, "--json").stdout)
    assert [row["run_id"] for row in stays if row["kind"] == "decision"], "what was decided stays on record"
    again_bundle = copied / "home" / "runs" / again.run_id / "gate.zip"
    assert bitface(copied, "gate", "replay", str(again_bundle)).returncode == 0
    proof = bitface(copied, "audit", "erasure", person, "--json")
    assert proof.returncode == 0 and json.loads(proof.stdout)[0]["proof_intact"] is True
    refused = bitface(
        copied, "predict", str(copied), "--model", "bitface/1", "--purpose", "demo", "--context", "research"
    )
    assert refused.returncode == 4 and "erased" in refused.stderr
    assert bitface(copied, "erase", "nobody").returncode == 2
