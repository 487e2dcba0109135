"""A decision can be made again from its file, bit for bit, and a changed file is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitface.errors import IntegrityError
from bitface.evaluation.counterfactual import CHANGES, PairedAnswers
from bitface.gate.bundle_rows import text_of
from bitface.gate.container import packed, unpacked
from bitface.gate.decision import evaluate_gate
from bitface.gate.decision_bundle import DOCUMENT, read_bundle, read_recorded, replay, write_bundle

DIGESTS = {"model": "a" * 64, "dataset": "b" * 64}


@pytest.fixture(scope="module")
def kept(tmp_path_factory, with_champion, gate_params):
    path = tmp_path_factory.mktemp("kept") / "gate.zip"
    decision = evaluate_gate(with_champion, gate_params, 5)
    digest = write_bundle(path, with_champion, gate_params, 5, decision, DIGESTS)
    return path, digest, decision


@pytest.fixture
def written(tmp_path, kept):
    """A bundle of a test's own, its digest and its decision."""
    path, digest, decision = kept
    return Path(shutil.copy(path, tmp_path)), digest, decision


def rewritten(path, change):
    """The same zip with its members changed by `change(name, data)`; None leaves a member out."""
    changed = {name: change(name, data) for name, data in unpacked(path.read_bytes(), path.name).items()}
    path.write_bytes(packed({name: data for name, data in changed.items() if data is not None}))


def test_a_decision_is_made_again_bit_for_bit(written) -> None:
    path, digest, decision = written
    bundle = read_bundle(path)
    again = replay(bundle)
    assert again.identical
    assert again.decision.canonical() == decision.canonical() == bundle.recorded
    assert (bundle.sha256, bundle.digests, bundle.seed) == (digest, DIGESTS, 5)


def test_a_bundle_that_named_people_is_still_read_and_replayed() -> None:
    """Written by the code of 30 November 2026, with a champion, changed faces and processor times."""
    path = Path(__file__).parent / "data" / "gate-format-6.zip"
    bundle = read_bundle(path)
    assert replay(bundle).identical and bundle.names_people and len(bundle.evidence.counterfactuals) == 4
    assert (
        read_recorded(path).sha256
        == bundle.sha256
        == "eb1386777234ccc3f8cb5414c06c9dfea1a9cd8f3565f3cc2903d90e5934ab7b"
    )


def test_a_bundle_of_the_former_edition_is_replayed_by_its_own_rules_to_the_letter() -> None:
    """Written by the code of 29 November 2026: doubt about a gap of 6 points advised, and latency held it on the wall."""
    bundle = read_bundle(Path(__file__).parent / "data" / "gate-format-5.zip")
    again = replay(bundle)
    assert again.identical and again.decision.verdict == "hold"
    assert [reason.split(" ")[0] for reason in again.decision.reasons] == ["latency/p95"]


def test_answers_about_changed_faces_come_back_and_decide_alike(tmp_path, evidence, gate_params) -> None:
    asked = tuple(
        PairedAnswers(
            change=change,
            persons=np.array(["s1", "s1", "s2", "s3"]),
            changed=np.array([False, True, False, False]),
            shift=np.array([0.1, -0.2, np.nan, 0.0]),
        )
        for change in CHANGES
    )
    told = replace(evidence, counterfactuals=asked)
    write_bundle(tmp_path / "g.zip", told, gate_params, 0, evaluate_gate(told, gate_params, 0), {})
    again = replay(read_bundle(tmp_path / "g.zip"))
    assert again.identical and sum(cell.kind == "counterfactual" for cell in again.decision.cells) == 8


def test_processor_times_come_back_as_they_were(tmp_path, evidence, gate_params) -> None:
    timed = replace(evidence, cpu_ms={"one-bit": np.linspace(0.1, 0.2, 300), "reference": np.full(300, 0.1)})
    write_bundle(tmp_path / "g.zip", timed, gate_params, 0, evaluate_gate(timed, gate_params, 0), {})
    bundle = read_bundle(tmp_path / "g.zip")
    assert {name: times.tolist() for name, times in bundle.evidence.cpu_ms.items()} == {
        name: times.tolist() for name, times in timed.cpu_ms.items()
    }
    assert replay(bundle).identical


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
    with pytest.raises(IntegrityError, match="does not match its digest"):
        read_bundle(path)


@pytest.mark.parametrize("key", ["seed", "params", "decision", "digests", "evidence"])
def test_a_changed_line_of_the_document_is_found(written, key) -> None:
    path, _, _ = written

    def change(name, data):
        if name != DOCUMENT:
            return data
        document = json.loads(data)
        document[key] = 6 if key == "seed" else {**document[key], "extra": 1}
        return text_of(document)

    rewritten(path, change)
    for read in (read_bundle, read_recorded):
        with pytest.raises(IntegrityError, match="does not match its digest"):
            read(path)


def test_a_byte_that_changes_nothing_that_is_read_is_found_too(written) -> None:
    """A date in the zip, a blank in the document, a blank in the heading of an array, a second member of a name."""
    path, _, _ = written
    whole = path.read_bytes()
    date = whole[:10] + bytes([whole[10] ^ 1]) + whole[11:]
    for touched in (date, whole + b"\0", whole.replace(b"}          ", b"} \t        ", 1)):
        assert touched != whole
        path.write_bytes(touched)
        with pytest.raises(IntegrityError):
            read_bundle(path)
    path.write_bytes(whole)
    rewritten(path, lambda name, data: data.replace(b"\n", b" \n", 1) if name == DOCUMENT else data)
    with pytest.raises(IntegrityError, match="does not match its digest"):
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
