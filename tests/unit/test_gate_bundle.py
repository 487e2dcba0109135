"""A decision can be made again from its file, bit for bit, and a changed file is refused."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from bitface.errors import IntegrityError
from bitface.gate.bundle import DOCUMENT, read_bundle, replay, write_bundle
from bitface.gate.decision import evaluate_gate

DIGESTS = {"model": "a" * 64, "dataset": "b" * 64}


@pytest.fixture
def written(tmp_path, with_champion, gate_params):
    path = tmp_path / "gate.zip"
    decision = evaluate_gate(with_champion, gate_params, 5)
    digest = write_bundle(path, with_champion, gate_params, 5, decision, DIGESTS)
    return path, digest, decision


def rewritten(path, change):
    """The same zip with its members changed by `change(name, data)`; None leaves a member out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            changed = change(name, data)
            if changed is not None:
                archive.writestr(name, changed)


def test_a_decision_is_made_again_bit_for_bit(written) -> None:
    path, digest, decision = written
    bundle = read_bundle(path)
    again = replay(bundle)
    assert again.identical
    assert again.decision.canonical() == decision.canonical() == bundle.recorded
    assert (bundle.sha256, bundle.digests, bundle.seed) == (digest, DIGESTS, 5)


def test_evidence_comes_back_as_it_was(written, with_champion) -> None:
    found = read_bundle(written[0]).evidence
    for role in ("one_bit", "twin", "champion"):
        for column in ("sample_ids", "persons", "labels", "scores", "thresholds"):
            assert np.array_equal(getattr(getattr(found, role), column), getattr(getattr(with_champion, role), column))
    assert found.slices == with_champion.slices
    assert found.consent == with_champion.consent and found.drift == with_champion.drift
    assert set(found.latency_ms) == {"one-bit", "float"}


def test_a_block_for_missing_evidence_is_made_again_too(tmp_path, evidence, gate_params) -> None:
    missing = replace(
        evidence, one_bit=None, consent=None, drift=None, explanations=(), latency_ms={}, champion_version="7"
    )
    decision = evaluate_gate(missing, gate_params, 0)
    write_bundle(tmp_path / "g.zip", missing, gate_params, 0, decision, {})
    again = replay(read_bundle(tmp_path / "g.zip"))
    assert again.identical and again.decision.verdict == "block"


def test_a_forged_verdict_does_not_replay(tmp_path, evidence, gate_params) -> None:
    """A bundle whose recorded decision is not what its evidence gives is read, and found out."""
    blind = replace(evidence, one_bit=replace(evidence.one_bit, thresholds=np.full(3, 0.95)))
    honest, forged = (evaluate_gate(e, gate_params, 0) for e in (blind, evidence))
    assert (honest.verdict, forged.verdict) == ("block", "promote")
    write_bundle(tmp_path / "g.zip", blind, gate_params, 0, forged, {})
    again = replay(read_bundle(tmp_path / "g.zip"))
    assert not again.identical and again.decision.verdict == "block"


def test_the_same_content_is_the_same_file_and_digest(tmp_path, written, with_champion, gate_params) -> None:
    path, digest, decision = written
    again = write_bundle(tmp_path / "again.zip", with_champion, gate_params, 5, decision, DIGESTS)
    assert again == digest
    assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()


def test_a_changed_score_is_found(written) -> None:
    path, _, _ = written

    def change(name, data):
        return data[:-1] + bytes([data[-1] ^ 1]) if name == "one_bit/scores.npy" else data

    rewritten(path, change)
    with pytest.raises(IntegrityError, match="not the bundle that its digest names"):
        read_bundle(path)


@pytest.mark.parametrize("key", ["seed", "params", "decision", "digests", "evidence"])
def test_a_changed_line_of_the_document_is_found(written, key) -> None:
    path, _, _ = written

    def change(name, data):
        if name != DOCUMENT:
            return data
        document = json.loads(data)
        document[key] = 6 if key == "seed" else {**document[key], "extra": 1}
        return json.dumps(document).encode()

    rewritten(path, change)
    with pytest.raises(IntegrityError):
        read_bundle(path)


def test_a_missing_member_or_file_is_refused(written, tmp_path) -> None:
    path, _, _ = written
    rewritten(path, lambda name, data: None if name == "champion/scores.npy" else data)
    for wrong in (path, tmp_path / "absent.zip"):
        with pytest.raises(IntegrityError):
            read_bundle(wrong)
    path.write_bytes(b"no zip")
    with pytest.raises(IntegrityError):
        read_bundle(path)


def test_an_array_of_objects_is_never_loaded(written) -> None:
    """Such an array holds code; the reader refuses it before the digest is even looked at."""
    path, _, _ = written
    header = b"\x93NUMPY\x01\x00" + len(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n").to_bytes(
        2, "little"
    )
    data = header + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    rewritten(path, lambda name, old: data if name == "latency/0.npy" else old)
    with pytest.raises(IntegrityError):
        read_bundle(path)


def test_a_crash_while_writing_leaves_the_old_bundle(written, with_champion, gate_params, monkeypatch) -> None:
    path, digest, decision = written

    def fail(self, target):
        raise OSError(28, "no space")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_bundle(path, with_champion, gate_params, 6, decision, {})
    monkeypatch.undo()
    assert read_bundle(path).sha256 == digest
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
