"""Models beside the first one: of shuffled labels, with random convolutions, of a study, and without somebody who left."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from bitface.dataset.index import read_index, write_index
from bitface.dataset.manifest import write_manifest
from bitface.dataset.shards import drawn_shards
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.versions.summary import summary_text

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shuffled(done, tmp_path_factory: pytest.TempPathFactory, bitface, served, plain) -> tuple[Path, dict]:
    """The same people with labels that say nothing, for a net of random convolutions: its folder and the summary."""
    project = tmp_path_factory.mktemp("shuffled")
    _share_people(done[0], project)
    samples = read_index(project / "data")
    labels = np.random.default_rng(5).permutation([sample.label for sample in samples])
    write_index(project / "data", [replace(s, label=str(new)) for s, new in zip(samples, labels, strict=True)])
    write_manifest(project / "data")
    run = bitface(project, "retrain", "--json", *plain, "--set", "training.variant=R-EMO", **served)
    assert run.returncode == 3, run.stderr[-2000:]
    return project, json.loads(run.stdout)


def _share_people(project: Path, beside: Path) -> None:
    """The same people, and what was made of their faces, in another project, so that `done` stays as it is.

    On record there as rendered: a retrain would render them all once more to see that (tests/unit/test_people_rendered_again.py).
    """
    shutil.copytree(project / "data", beside / "data")
    shutil.copytree(project / "home" / "stages" / "features", beside / "home" / "stages" / "features")
    with Ledger(sqlite_url(beside / "home" / "ledger.db")) as ledger:
        ledger.record_renders(drawn_shards(beside / "data"))


def test_a_model_of_shuffled_labels_is_blocked(shuffled, bitface) -> None:
    """Labels that say nothing must not get through, and the refusal is exit code 3."""
    project, summary = shuffled
    assert summary["gate"]["decision"] == "block"
    assert summary["alias"] is None
    said = summary_text(summary)
    worst = summary["gate"]["causes"][0]
    assert (
        "not an error" in " ".join(said.split())
        and worst["state"] == "FAIL"
        and worst["name"] in said.partition("Why")[2]
    )
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


def test_random_convolutions_go_the_same_way(shuffled) -> None:
    _, summary = shuffled
    assert {model["variant"] for model in summary["models"]} == {"R-EMO"}
    assert summary["gate"]["cells"]["not_run"] == 0


@pytest.mark.long
def test_a_study_compares_variants_on_people_that_no_gate_judges(done, tmp_path, bitface, served, small) -> None:
    project = tmp_path
    _share_people(done[0], project)
    words = ("--variants", "landmarks R,landmarks T", "--set", "study.folds=3", "--set", "study.seeds=1")
    few = ("--set", "study.random_draws=2", "--set", "study.workers=1", "--set", "training.epochs=2")
    run = bitface(project, "study", "models", "--profile", "default", "--json", *small, *words, *few, **served)
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


@pytest.mark.long
def test_somebody_who_leaves_is_gone_and_the_model_is_made_again(copied, bitface, served, plain) -> None:
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
    gone = bitface(copied, "erase", person, "--json", *plain, **served)
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


@pytest.mark.long
def test_a_model_goes_live_answers_and_is_what_the_next_one_is_compared_with(
    done, stills, tmp_path, bitface, served, plain
) -> None:
    """With a policy of the project's own, that asks less than the one which ships: promoted, asked, and beside a second version."""
    _share_people(done[0], tmp_path)
    asked = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    asked["gate"] |= {"required": ["binarization", "consent"], "binarization_loss_max": 0.5}
    asked["drift"] |= {"permutations": 999}  # as `plain` has it: another number would be another policy
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(asked, sort_keys=False), encoding="utf-8")
    own = {"BITFACE_PARAMS": str(tmp_path / "params.yaml"), **served}
    first = bitface(tmp_path, "retrain", "--json", *plain, **own)
    assert first.returncode == 0, first.stderr[-3000:]
    summary = json.loads(first.stdout)
    assert (summary["gate"]["decision"], summary["alias"], summary["version"]) == ("promote", "champion", 1)
    picture = str(next(stills.iterdir()))
    words = ("predict", picture, "--purpose", "evaluate", "--context", "research", "--json")
    (answer,) = json.loads(bitface(tmp_path, *words, **own).stdout)
    assert answer["model"]["version"] == "1" and answer["faces"][0]["emotions"]
    second = bitface(tmp_path, "retrain", "--json", *plain, "--set", "training.epochs=7", **own)
    assert second.returncode in (0, 3), second.stderr[-3000:]
    later = json.loads(second.stdout)
    shown = json.loads(bitface(tmp_path, "gate", "show", later["run_id"], "--json", **own).stdout)
    compared = [cell for cell in shown["cells"] if cell["kind"] == "champion"]
    assert compared and not [cell["name"] for cell in compared if cell["state"] == "NOT-RUN"]
    assert all(-1 <= cell["lo"] <= cell["value"] <= cell["hi"] <= 1 for cell in compared if cell["value"] is not None)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}")
    versions = client.search_model_versions("name='bitface'")
    metrics = {one.version: client.get_run(one.run_id).data.metrics for one in versions}
    assert len(metrics) == 2 and all(
        "macro/auc.lo" in own and "slice/gender:female/accuracy" in own for own in metrics.values()
    )
    champion = client.get_model_version_by_alias("bitface", "champion").version
    assert int(champion) == (later["version"] if later["alias"] == "champion" else 1)
