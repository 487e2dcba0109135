"""People leave a house where all is real but the training, DVC, MLflow, ledger and keys; then every byte is looked at."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bitface.adapters.dvc_store import DvcStore
from bitface.adapters.mlflow_tracking import MlflowTracking
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import SYNTHETIC_LICENCE, packaged_notice, synthetic_consents
from bitface.consent.policy import render_licences
from bitface.dataset.decryptions import DecryptionLog
from bitface.dataset.index import write_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import write_manifest
from bitface.dataset.shards import Shard, seal, write_shard
from bitface.faces.records import Sample
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import AssetEntry, DatasetEntry, DecisionEntry, MemberEntry, ModelEntry, RunEntry
from bitface.ledger.ledger import Ledger
from bitface.ports import TrackedOutcome, TrackedRun, TrackedVersion
from bitface.steps.audits import erase, erasure_begun, erasure_proof
from bitface.steps.audits.audit import DECRYPTIONS
from bitface.steps.people.writing import Stores, writing
from bitface.workspace import Workspace
from tests.builders import adult, sample

pytestmark = [pytest.mark.timeout(36000)]
THEN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
CODES = {"params_sha256": "d" * 64, "constraints_sha256": "e" * 64}


def picture(name: str, clip: int) -> bytes:
    """Bytes that occur nowhere else."""
    return np.random.default_rng([ord(c) for c in name] + [clip]).bytes(2000)


def live_in(place: Workspace, keys: KeyStore, people: dict[str, str], clips: int) -> list[Sample]:
    """A dataset of these people with so many clips each."""
    samples = []
    for name, person in people.items():
        record = adult(person)
        media = {f"{person}-{clip}": picture(name, clip) for clip in range(clips)}
        write_shard(
            place.data,
            Shard(subject=record, samples=media, facial_actions={}, consent_receipts=[]),
            keys.key_of(person),
        )
        samples += [sample(sample_id, person) for sample_id in media]
    write_index(place.data, samples)
    (place.data / "licences.json").write_text(render_licences([SYNTHETIC_LICENCE]))
    write_manifest(place.data)
    return samples


def train(
    run_id: str, samples: list[Sample], place: Workspace, keys: KeyStore, ledger: Ledger, shown: MlflowTracking
) -> None:
    """What a retrain leaves: records, files of each person and of all, a version that MLflow shows."""
    members = [
        MemberEntry(
            sample_id=sample.sample_id,
            person=sample.person,
            sample_sha256=sample.sha256,
            split="train",
            licence_id="synthetic",
            consent_event_id=f"e-{sample.person}",
            consent_event_sha256=next(e.sha256 for e in ledger.consents_as_of(THEN, sample.person)),
        )
        for sample in samples
    ]
    people = sorted({sample.person for sample in samples})
    facts = {"manifest_sha256": "b" * 64, "consent_snapshot_sha256": "c" * 64, "evidence": "real"}
    dataset = DatasetEntry(
        version=f"d-{run_id}",
        purpose="train",
        context="research",
        people=len(people),
        samples=len(samples),
        **facts,
    )
    ledger.record_dataset(dataset, members)
    ledger.record_run(
        RunEntry(
            run_id=run_id,
            dataset_version=dataset.version,
            purpose="train",
            context="research",
            code_commit="c",
            **CODES,
        )
    )
    run = place.runs / run_id
    for person in people:
        sealed = seal(f"features of {person}".encode(), keys.key_of(person), person, "features")
        for path in (
            place.stages / "features" / person / f"{run_id}.sealed",
            place.stages / "train" / run_id / "counts" / f"{person}.sealed",
            run / "reference" / f"{person}.sealed",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(sealed)
    (run / "bundle").mkdir()
    (run / "bundle" / "spec.json").write_text(run_id)
    report = run / "reports" / "gate.html"
    report.parent.mkdir()
    report.write_text(f"<table>{''.join(f'<tr>{person}' for person in people)}</table>")
    tracked = TrackedRun(
        run_id=run_id,
        started_at=THEN,
        purpose="train",
        context="research",
        evidence="real",
        dataset_version=dataset.version,
        dataset_content="c0ffee.dir",
        manifest_sha256="b" * 64,
        consent_snapshot_sha256="c" * 64,
        code_commit="c",
        params_sha256="d" * 64,
        people=len(people),
        samples=len(samples),
        params={},
    )
    shown.start(tracked)
    shown.finish(run_id, TrackedOutcome(decision="promote", reasons=(), headline={}, reports={"gate.html": report}))
    ledger.record_assets(
        [AssetEntry(run_id=run_id, path=f"runs/{run_id}/reports/gate.html", kind="report", sha256="f" * 64)]
    )
    entry = ledger.record_model(
        ModelEntry(bundle_sha256=f"b-{run_id}", weights_sha256="w", run_id=run_id, evidence="real", purpose="train")
    )
    ledger.record_decision(
        DecisionEntry(
            decision_sha256=f"x-{run_id}", bundle_sha256=f"b-{run_id}", run_id=run_id, decision="promote", reasons=()
        )
    )
    shown.register(
        TrackedVersion(
            name="bitface",
            version=entry.version,
            run_id=run_id,
            bundle=run / "bundle",
            bundle_sha256=entry.bundle_sha256,
            weights_sha256="w",
            decision="promote",
            decision_sha256=f"x-{run_id}",
            reasons=(),
            evidence="real",
            purpose="train",
            context="research",
            dataset_version=dataset.version,
            consent_snapshot_sha256="c" * 64,
            headline={},
        )
    )


def traces(root: Path, names: list[str], pseudonyms: list[str]) -> list[str]:
    """Every file that holds an id, a picture's bytes, or a pseudonym outside what is the record of what was done."""
    wanted = [*(name.encode() for name in names), *(picture(name, clip)[:64] for name in names for clip in range(3))]
    found = []
    for path in (path for path in root.rglob("*") if path.is_file()):
        content = path.read_bytes()
        is_record = path.name.startswith(("ledger.db", DECRYPTIONS)) or path.parent.name == "erasures"
        has_name = any(person in str(path) or (person.encode() in content and not is_record) for person in pseudonyms)
        found += [str(path.relative_to(root))] if has_name or any(one in content for one in wanted) else []
    return found


def test_people_who_are_erased_in_batches_leave_no_byte(tmp_path, rounds, state, never) -> None:
    leaving, batch = rounds(4, 100), rounds(2, 10)
    home = tmp_path / "home"
    place = Workspace(
        root=tmp_path / "project",
        home=home,
        cache=tmp_path / "cache",
        data=tmp_path / "data",
        params=tmp_path / "p.yaml",
    )
    log = DecryptionLog(home / DECRYPTIONS, place.keys / "openings.json", "ada", "test", lambda: THEN)
    keys, store, shown = (
        KeyStore(place.keys, on_open=log.opened),
        DvcStore(place.data, place.root, home),
        MlflowTracking(home),
    )
    people = {f"owner-id-{number:04d}": "" for number in range(2 * leaving)}
    people = {name: keys.enrol(name) for name in people}
    with Ledger(sqlite_url(home / "ledger.db"), clock=lambda: THEN) as ledger:
        ledger.record_notice(packaged_notice("synthetic-1"))
        ground = {"lawful_basis": "6(1)(a)", "special_category_condition": "9(2)(a)"}
        model = synthetic_consents(["s" * 16])[0].model_dump() | ground
        ledger.record_consents(
            ConsentEvent.model_validate(model | {"subject": person, "event_id": f"e-{person}", "record_id": person})
            for person in people.values()
        )
        for number, clips in enumerate((1, 2, 3), start=1):
            samples = live_in(place, keys, people, clips)
            store.pin()
            train(f"r{number}", samples, place, keys, ledger, shown)
        for path in [*place.stages.rglob("*"), *place.runs.rglob("*")]:
            os.utime(path, (time.time() - 9000,) * 2)
        gone = list(people)[:leaving]
        assert len(traces(tmp_path, gone[:1], [people[gone[0]]])) > 12, "the search sees what is there"
        took, now = [], datetime.now(UTC)
        stores = Stores(data=place.data, home=home, keys=keys, ledger=ledger, store=store)
        for start in range(0, leaving, batch):
            some = gone[start : start + batch]
            begin = time.perf_counter()
            opened = erasure_begun.begin(some, "asked", keys, ledger, place, now)
            assert [one["version"] for one in opened.radius["models"]] == [1, 2, 3]
            with writing(stores, "test", 0) as writer:
                version = erase.leave_dataset(opened, writer)
            done = erase.destroy(opened, place, keys, store, shown, ())
            removed = erasure_proof.Removed(destroyed=done, dataset_version=version, retrained={"failed": "not tried"})
            proof = erasure_proof.prove(opened, removed, place, store, ledger, now)
            took.append(time.perf_counter() - begin)
            assert len(proof["keys_destroyed"]) == len(some) and proof["found"] == [] and proof["in_dataset_now"] == []
        left = traces(tmp_path, gone, [people[name] for name in gone])
        assert not left, left[:5]
        assert ledger.verify_chain().intact and len(ledger.erasures()) == leaving
        staying = list(people)[leaving:]
        assert all(keys.key_of(people[name]) for name in staying) and store.version() == store.pinned()
    figure = f"{never(leaving)}; batches of {batch}, {np.median(took):.1f} s each without the retrain"
    state("A person erased: a byte found in workspace, DVC, MLflow, caches, databases", figure, leaving)
