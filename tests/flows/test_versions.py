"""What may be done with a version that a retrain made, and what is refused: predict, drift, promotion, evidence, policy."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bitface.dataset.files import sha256_of
from bitface.dataset.index import read_index, write_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import write_manifest
from bitface.dataset.sealed_evidence import seal_evidence
from bitface.faces.records import AGE_BANDS, GENDERS, SKIN_TONE_GROUPS
from bitface.gate.decision import evaluate_gate
from bitface.gate.decision_bundle import write_bundle
from bitface.gate.evidence import GateEvidence
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import AssetEntry, DecisionEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.policy_document import policy_of
from bitface.params import read_params
from bitface.steps.versions.gate import opened_bundle
from bitface.steps.versions.promote import stand_in
from bitface.steps.versions.reconcile import project_aliases


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


def test_limits_of_a_command_line_are_not_the_policy_and_promote_nothing(copied, bitface, served, plain) -> None:
    """The first retrain put params.yaml's limits into force; a later one by others is judged, says so, and goes live nowhere."""
    shown = json.loads(bitface(copied, "policy", "show", "--json").stdout)
    assert shown["profiles"]["default"]["gate"]["disparity_max"] < 0.5 and shown["reason"].startswith(
        "the first policy"
    )
    loose = ("--set", "gate.disparity_max=0.5", "--set", "promotion.approvals_required=1")
    run = bitface(copied, "retrain", "--json", *plain, *loose, **served)
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
    from bitface.steps.people.contents import sample_of

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
    for by in (3, 4):
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
    assert "1 of 2 inputs could not be read, 1 could; 'broken.png'" in allowed.stderr
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
