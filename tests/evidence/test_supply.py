"""What attackers touched: a bundle, a report, an approval; and models that would run code."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bitface.adapters.bundle_signing import BundleSigner
from bitface.adapters.openvino_runtime import OneBitRuntime, export_bundle
from bitface.dataset.keys import KeyStore
from bitface.dataset.sealed_evidence import open_evidence, seal_evidence
from bitface.errors import BitfaceError, IntegrityError
from bitface.gate.decision import evaluate_gate
from bitface.gate.decision_bundle import write_bundle, write_unsealed
from bitface.gate.evidence import ConsentEvidence, DriftEvidence, GateEvidence
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import DatasetEntry, DecisionEntry, ModelEntry, RunEntry, Statement
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.approvals import signed
from bitface.ledger.permissions.signatures import key_of
from bitface.models.bundle_spec import digests_of
from bitface.models.landmark.landmark_codes import CodeScale
from bitface.models.landmark.landmark_net import LandmarkNet
from bitface.models.selftest import selftest_table
from bitface.params import read_params
from bitface.steps.versions.gate import opened_bundle
from tests.networks import landmark_spec, trained

pytestmark = pytest.mark.timeout(36000)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """The same bytes but for one bit."""
    touched, at = bytearray(data), int(rng.integers(8 * len(data)))
    touched[at // 8] ^= 1 << (at % 8)
    return bytes(touched)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network, exported as any model is."""
    rng = np.random.default_rng(5)
    scale = CodeScale(
        centre=rng.normal(0, 1, 1434).astype(np.float32), inverse_step=rng.uniform(300, 1500, 1434).astype(np.float32)
    )
    torch.manual_seed(0)
    network = LandmarkNet(landmark_spec(), scale)
    table = selftest_table(scale, 0, samples=60)
    network.train()(torch.from_numpy(table.landmarks), torch.from_numpy(table.lengths))
    model = trained(network, best_epoch=1)
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    export_bundle(model, selftest_table(scale, 1), folder)
    return folder


def test_a_bit_flipped_in_a_signed_bundle_is_refused(bundle, tmp_path, rounds, state, never) -> None:
    n, accepted = rounds(60, 1000), []
    folder = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    signer = BundleSigner(tmp_path / "keys")
    signer.sign(folder)
    signer.verify(folder)
    files = sorted(folder.iterdir())
    for seed in range(n):
        rng = np.random.default_rng([41, seed])
        path = files[rng.integers(len(files))]
        whole = path.read_bytes()
        path.write_bytes(flipped(whole, rng))
        try:
            signer.verify(folder)
            accepted.append((seed, path.name))
        except IntegrityError:
            pass
        path.write_bytes(whole)
    signer.verify(folder)
    assert not accepted
    state("A bit flipped in a signed bundle: accepted", never(n), n)


def test_a_bit_flipped_in_a_gate_report_changes_nothing_or_is_refused(tmp_path, rounds, state, never) -> None:
    """In a sealed bundle and in a copy to read; in what no reader looks at, such as a date in the zip, too."""
    params = read_params(Path(__file__).resolve().parents[2] / "params.yaml").gate
    evidence = GateEvidence(
        emotions=("fear", "neutral"),
        one_bit=None,
        twin=None,
        champion_version=None,
        champion=None,
        slices={"p1": {"gender": "female"}},
        latency_ms={"one-bit": np.linspace(0.1, 0.2, 300)},
        explanations=(),
        regions=None,
        consent=ConsentEvidence(members=9, admitted=9),
        drift=DriftEvidence(share=0.0, share_max=0.1, features=10, n_reference=100, n_current=100),
        window=None,
    )
    keys, decision = KeyStore(tmp_path / "keys"), evaluate_gate(evidence, params, 1)
    seal, path = partial(seal_evidence, keys=keys, renew=False), tmp_path / "gate.zip"
    recorded = [write_bundle(path, evidence, params, 1, decision, {"run": "r1"}, one) for one in (None, seal)]
    assert recorded[0] == recorded[1] == opened_bundle(path, keys).sha256
    write_unsealed(tmp_path / "copy.zip", path, partial(open_evidence, keys=keys))
    n, read = rounds(100, 1000), []
    for name in ("gate.zip", "copy.zip"):
        touched = tmp_path / name
        whole = touched.read_bytes()
        for seed in range(n):
            touched.write_bytes(flipped(whole, np.random.default_rng([42, seed])))
            with contextlib.suppress(IntegrityError):
                opened_bundle(touched, keys)
                read.append((name, seed))
    assert not read
    state("A bit flipped in a gate report, sealed or to read: read", never(2 * n), 2 * n)


def test_a_bit_flipped_in_an_approval_takes_it_away(tmp_path, rounds, state, never) -> None:
    n, counted = rounds(40, 1000), []
    key = Ed25519PrivateKey.generate()
    entry = key_of("ada", "compliance", key)
    statement = Statement(
        name="bitface",
        version=1,
        role="compliance",
        bundle_sha256="a" * 64,
        decision_sha256="b" * 64,
        consent_snapshot_sha256="c" * 64,
    )
    path = tmp_path / "ledger.db"
    with Ledger(sqlite_url(path), clock=lambda: NOON) as ledger:
        facts = {"manifest_sha256": "d" * 64, "consent_snapshot_sha256": "c" * 64, "evidence": "real"}
        ledger.record_dataset(
            DatasetEntry(version="d1", purpose="benchmark", context="research", people=0, samples=0, **facts), []
        )
        codes = {"code_commit": "c", "params_sha256": "e" * 64, "constraints_sha256": "f" * 64}
        ledger.record_run(RunEntry(run_id="r1", dataset_version="d1", purpose="benchmark", context="research", **codes))
        ledger.record_model(
            ModelEntry(bundle_sha256="a" * 64, weights_sha256="w", run_id="r1", evidence="real", purpose="benchmark")
        )
        ledger.record_decision(
            DecisionEntry(decision_sha256="b" * 64, bundle_sha256="a" * 64, run_id="r1", decision="promote", reasons=())
        )
        ledger.add_key(entry)
        ledger.approve(signed(statement, entry.key_id, key))
        assert [one.person for one in ledger.approved_by(statement)] == ["ada"]
    columns = ["signature", "bundle_sha256", "decision_sha256", "consent_snapshot_sha256", "role", "name", "key_id"]
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA foreign_keys=OFF")
    for seed in range(n):
        rng = np.random.default_rng([43, seed])
        column = columns[rng.integers(len(columns))]
        (before,) = raw.execute(f"SELECT {column} FROM approvals").fetchone()  # noqa: S608 - a word of this file
        touched = flipped(before.encode(), rng).decode("latin-1")
        raw.execute(f"UPDATE approvals SET {column} = ?", (touched,))  # noqa: S608 - a word of this file
        raw.commit()
        with Ledger(sqlite_url(path)) as ledger:
            counted += [(seed, column)] if ledger.approved_by(statement) else []
        raw.execute(f"UPDATE approvals SET {column} = ?", (before,))  # noqa: S608 - a word of this file
        raw.commit()
    raw.close()
    assert not counted, counted[:5]
    state("A bit flipped in an approval: counted", never(n), n)


_BEHIND = 2  # the attack that leaves a file whole and puts code behind it


class Canary:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def attacks(canary: Path) -> list[Callable[[bytes, str], bytes]]:
    """What stands in the place of a file, given its content and name."""
    code = pickle.dumps(Canary(canary))
    packed = io.BytesIO()
    np.save(packed, np.array([Canary(canary)], dtype=object), allow_pickle=True)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", code)
        archive.writestr("../../escaped", "x")
    shouting = json.dumps({"__metadata__": {"x": "y" * 5000}}).encode()
    entity = f'<?xml version="1.0"?><!DOCTYPE n [<!ENTITY x SYSTEM "file://{canary}">]><net>&x;</net>'.encode()
    return [
        lambda _, __: code,
        lambda whole, _: code + whole,
        lambda whole, _: whole + code,
        lambda _, __: packed.getvalue(),
        lambda _, __: zipped.getvalue(),
        lambda _, __: (2**62).to_bytes(8, "little") + b"{}",
        lambda _, __: len(shouting).to_bytes(8, "little") + shouting,
        lambda _, __: b"[" * 100_000,
        lambda _, __: entity,
        lambda whole, _: whole[: len(whole) // 2],
    ]


def test_no_malicious_file_in_a_bundle_runs_or_loads(bundle, tmp_path, rounds, state, never) -> None:
    """Ten kinds of content in the place of each of six files, their digests made right, as an attacker who can write would.

    Code behind the end of the graph or of its weights is never read: such a bundle may load, and has then passed its self-test.
    """
    canary = tmp_path / "canary"
    names = ["model.xml", "model.bin", "heads.safetensors", "spec.json", "selftest.safetensors", "digests.json"]
    cases = [(name, attack, kind == _BEHIND) for name in names for kind, attack in enumerate(attacks(canary))]
    cases = cases[:: 60 // rounds(12, 60)]
    loaded = []
    for number, (name, attack, is_behind) in enumerate(cases):
        folder = Path(shutil.copytree(bundle, tmp_path / f"b{number}"))
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(attack(whole, name))
        if name != "digests.json":
            listed = json.loads((folder / "digests.json").read_text())
            (folder / "digests.json").write_bytes(digests_of({one: (folder / one).read_bytes() for one in listed}))
        try:
            OneBitRuntime.load(folder)
            loaded += [] if is_behind and name.startswith("model.") else [(name, number)]
        except BitfaceError:
            pass
        shutil.rmtree(folder)
    assert not canary.exists()
    assert not loaded, loaded
    n = len(cases)
    state("A malicious file in a bundle: its code ran, or it was taken for a part of the model", never(n), n)
