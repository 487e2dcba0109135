"""What a gate judged by names nobody, is read by nobody without its key, and by nobody at all once somebody in it was erased."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bitface.dataset.decryptions import DecryptionLog, decryptions_of
from bitface.dataset.keys import KeyStore
from bitface.dataset.sealed_evidence import names_by, open_evidence, seal_evidence
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.evaluation.counterfactual import PairedAnswers
from bitface.gate.container import packed, unpacked
from bitface.gate.decision import evaluate_gate
from bitface.gate.decision_bundle import (
    DOCUMENT,
    SEALED,
    read_bundle,
    read_recorded,
    replay,
    write_bundle,
    write_unsealed,
)
from bitface.gate.unnamed import sample_token, unnamed
from bitface.steps.versions.gate import hand_out, names_in, opened_bundle
from bitface.workspace import open_workspace

RUN = "0123456789abcdef"
OTHER = "f" * 16


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


def written(path: Path, evidence, params, keys: KeyStore, run_id: str = RUN) -> str:
    """A run's bundle, as a retrain writes it."""
    own = unnamed(evidence, names_in(run_id, "real", keys))
    seal = partial(seal_evidence, keys=keys, renew=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_bundle(path, own, params, 5, evaluate_gate(own, params, 5), {"run": run_id}, seal)


@pytest.fixture(scope="module")
def kept(tmp_path_factory, with_champion, gate_params) -> Path:
    """A folder with a sealed bundle and the keys that open it."""
    folder = tmp_path_factory.mktemp("kept")
    written(folder / "gate.zip", with_champion, gate_params, KeyStore(folder / "keys"))
    return folder


@pytest.fixture
def sealed(tmp_path: Path, kept: Path) -> Path:
    return shutil.copytree(kept, tmp_path, dirs_exist_ok=True) / "gate.zip"


def names_of(evidence) -> set[str]:
    """What a bundle must not say of anybody."""
    return {str(name) for name in (*evidence.one_bit.persons, *evidence.one_bit.sample_ids)}


def test_neither_a_name_nor_a_person_s_group_stands_in_the_clear(sealed, evidence) -> None:
    """Groups are named where the decision and the parameters speak of them, and of nobody."""
    members = unpacked(sealed.read_bytes(), sealed.name)
    assert set(members) == {DOCUMENT, SEALED}
    groups = {value for values in evidence.slices.values() for value in values.values() if len(value) > 3}
    assert not [name for name in names_of(evidence) if name.encode() in sealed.read_bytes()]
    assert not [group for group in groups if group.encode() in members[SEALED]]
    assert groups == {"18_29", "30_44", "female", "male", "monk_1_4", "monk_8_10"}
    described = json.dumps(json.loads(members[DOCUMENT])["evidence"])
    assert not [text for text in (*groups, "slices", "person") if text in described]


def test_opened_it_names_nobody_either_and_decides_the_same(sealed, keys, evidence, with_champion) -> None:
    bundle = opened_bundle(sealed, keys)
    assert replay(bundle).identical and not bundle.names_people
    again, people = bundle.evidence.one_bit, with_champion.one_bit
    assert set(again.persons) == {f"{number:02d}" for number in range(60)} == set(bundle.evidence.slices)
    assert not names_of(evidence) & (set(again.persons.tolist()) | set(again.sample_ids.tolist()))
    token = names_in(RUN, "real", keys)
    row_of = {name: row for row, name in enumerate(again.sample_ids.tolist())}
    rows = [row_of[sample_token(str(name), token)] for name in people.sample_ids]
    assert np.array_equal(again.scores[rows], people.scores) and np.array_equal(again.labels[rows], people.labels)
    for role in (bundle.evidence.twin, bundle.evidence.champion):
        assert np.array_equal(role.sample_ids, again.sample_ids) and np.array_equal(role.persons, again.persons)
    told = {str(person): with_champion.slices[str(person)] for person in people.persons}
    assert [bundle.evidence.slices[str(number)] for number in again.persons[rows]] == [
        told[str(person)] for person in people.persons
    ]


def test_the_order_of_rows_tells_nothing_and_is_another_one_in_every_run(with_champion, keys) -> None:
    asked = PairedAnswers(
        change="light",
        persons=np.unique(with_champion.one_bit.persons),
        changed=np.zeros(60, dtype=bool),
        shift=np.arange(60.0),
    )
    told = replace(with_champion, counterfactuals=(asked,))
    first, second = (unnamed(told, names_in(run, "real", keys)) for run in (RUN, OTHER))
    assert not set(first.one_bit.sample_ids) & set(second.one_bit.sample_ids)
    for one, other in (
        (first.regions.expected_share, second.regions.expected_share),
        (first.counterfactuals[0].shift, second.counterfactuals[0].shift),
        (first.counterfactuals[0].shift, asked.shift),
        (first.regions.outside_share, told.regions.outside_share),
        (first.one_bit.labels, told.one_bit.labels),
    ):
        assert np.array_equal(np.sort(one).astype(str), np.sort(other).astype(str)) and not np.array_equal(one, other)
    shift_of = dict(zip(first.counterfactuals[0].persons, first.counterfactuals[0].shift, strict=True))
    tones = [first.slices[person]["skin_tone"] for person in sorted(shift_of, key=shift_of.__getitem__)]
    assert tones == [told.slices[person]["skin_tone"] for person in asked.persons], "rows stay together"


def test_the_same_installation_gives_the_same_digest_and_of_synthetic_people_every_one_does(
    tmp_path, with_champion, gate_params, keys
) -> None:
    rotated = written(tmp_path / "a.zip", with_champion, gate_params, keys)
    keys.rotate()
    assert written(tmp_path / "b.zip", with_champion, gate_params, KeyStore(tmp_path / "keys")) == rotated
    assert (tmp_path / "a.zip").read_bytes() != (tmp_path / "b.zip").read_bytes(), "never the same nonce"
    other = KeyStore(tmp_path / "elsewhere")
    assert written(tmp_path / "c.zip", with_champion, gate_params, other) != rotated
    synthetic = [names_in(RUN, "synthetic", one)("a") for one in (keys, other)]
    assert synthetic[0] == synthetic[1] != names_in(RUN, "real", keys)("a") != names_in(RUN, "mixed", other)("a")
    assert names_by(RUN, bytes(32))("a") != names_by(OTHER, bytes(32))("a")


def test_without_its_key_the_decision_is_read_and_nobody_s_row(sealed, keys, tmp_path) -> None:
    stranger = KeyStore(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="its key is not on this installation; replay it where it was made") as said:
        opened_bundle(sealed, stranger)
    assert said.value.exit_code == 2 and not (tmp_path / "elsewhere").exists()
    stranger.key_for_evidence(RUN)
    for wrong in (stranger, KeyStore(tmp_path / "keys", lambda: (bytes(32),))):
        with pytest.raises(IntegrityError, match="cannot be decrypted"):
            opened_bundle(sealed, wrong)
    with pytest.raises(IntegrityError, match="sealed"):
        read_bundle(sealed)
    recorded = read_recorded(sealed)
    assert recorded.sha256 == opened_bundle(sealed, keys).sha256 and recorded.decision["decision"] == "promote"


def test_another_run_s_key_or_rows_are_refused(sealed, keys, tmp_path, evidence, gate_params) -> None:
    other = tmp_path / "other.zip"
    written(other, evidence, gate_params, keys, OTHER)
    own, theirs = (unpacked(path.read_bytes(), path.name) for path in (sealed, other))
    for members in ({**own, SEALED: theirs[SEALED]}, {**theirs, SEALED: own[SEALED]}):
        (tmp_path / "mixed.zip").write_bytes(packed(members))
        with pytest.raises(IntegrityError, match="cannot be decrypted"):
            opened_bundle(tmp_path / "mixed.zip", keys)
    folder = tmp_path / "keys" / "evidence"
    (folder / OTHER).write_bytes((folder / RUN).read_bytes())
    with pytest.raises(IntegrityError, match="cannot be decrypted"):
        opened_bundle(other, keys)
    with pytest.raises(IntegrityError, match="cannot be decrypted"):
        open_evidence(seal_evidence(b"rows", RUN, keys, renew=False), OTHER, keys)
    for hostile in ("../master.key", "", "A" * 65, "a/b"):
        with pytest.raises(IntegrityError, match="does not name its run"):
            open_evidence(b"", hostile, keys)


def test_rows_of_the_same_run_that_are_others_than_decided_by_are_found(sealed, keys, evidence) -> None:
    """Sealed well, for this run, by this installation: the digest in the document is of other rows."""
    members = unpacked(sealed.read_bytes(), sealed.name)
    rows = unpacked(open_evidence(members[SEALED], RUN, keys), "rows")
    data = rows["one_bit/scores.npy"]
    rows["one_bit/scores.npy"] = data[:-1] + bytes([data[-1] ^ 1])
    sealed.write_bytes(packed({**members, SEALED: seal_evidence(packed(rows), RUN, keys, renew=False)}))
    with pytest.raises(IntegrityError, match="does not match its digest"):
        opened_bundle(sealed, keys)


def test_a_rotation_keeps_old_bundles_readable(sealed, tmp_path, keys) -> None:
    before = (tmp_path / "keys" / "evidence" / RUN).read_bytes()
    assert keys.rotate() == 1
    assert (tmp_path / "keys" / "evidence" / RUN).read_bytes() != before
    assert replay(opened_bundle(sealed, KeyStore(tmp_path / "keys"))).identical
    one, other = bytes(range(32)), bytes(range(1, 33))
    elsewhere = KeyStore(tmp_path / "given", lambda: (one,))
    content = seal_evidence(b"rows", RUN, elsewhere, renew=False)
    assert KeyStore(tmp_path / "given", lambda: (one, other)).rotate() == 1
    assert open_evidence(content, RUN, KeyStore(tmp_path / "given", lambda: (other,))) == b"rows"
    with pytest.raises(IntegrityError):
        open_evidence(content, RUN, elsewhere)


def test_a_lost_master_key_is_not_replaced(sealed, tmp_path) -> None:
    (tmp_path / "keys" / "master.key").unlink()
    with pytest.raises(IntegrityError, match="master key is missing"):
        KeyStore(tmp_path / "keys").key_for_evidence(OTHER)


def test_destroyed_evidence_is_read_by_nobody_and_sealed_by_none_but_a_drawing(sealed, tmp_path, keys) -> None:
    keys.destroy_evidence(RUN, "e1")
    assert keys.sealed_runs() == frozenset()
    with pytest.raises(RefusedError, match=f"evidence of run {RUN} was destroyed in erasure e1") as said:
        opened_bundle(sealed, keys)
    assert said.value.exit_code == 4
    assert read_recorded(sealed).decision["decision"] == "promote", "the decision stays"
    keys.rotate()
    with pytest.raises(RefusedError):
        seal_evidence(b"rows", RUN, keys, renew=False)
    content = seal_evidence(b"rows", RUN, keys, renew=True)
    assert open_evidence(content, RUN, keys) == b"rows" and seal_evidence(b"rows", RUN, keys, renew=True) != content
    with pytest.raises(IntegrityError):
        opened_bundle(sealed, keys)
    bare = KeyStore(tmp_path / "bare")
    bare.destroy_evidence(RUN, "e1")
    assert bare.place_of_master() == "nowhere" and bare.key_for_evidence(OTHER), (
        "where nothing was sealed nothing is missing"
    )


def test_a_copy_to_read_replays_anywhere_and_is_noted(tmp_path, with_champion, gate_params) -> None:
    log = DecryptionLog(
        tmp_path / "log", tmp_path / "head", "ada", "bitface gate", lambda: datetime(2026, 6, 1, tzinfo=UTC)
    )
    keys, home = KeyStore(tmp_path / "keys", on_open=log.opened), tmp_path / "home"
    place = open_workspace({"BITFACE_HOME": str(home), "BITFACE_DATA": str(tmp_path / "data")}, tmp_path)
    recorded = written(place.runs / RUN / "gate.zip", with_champion, gate_params, keys)
    assert not (tmp_path / "log").exists(), "what is sealed was open already"
    out = tmp_path / "copy.zip"
    assert hand_out(RUN, out, place, keys) == recorded
    assert out.stat().st_mode & 0o777 == 0o600
    bundle = read_bundle(out)
    assert replay(bundle).identical and bundle.sha256 == recorded == read_recorded(out).sha256
    assert not [name for name in names_of(with_champion) if name.encode() in out.read_bytes()]
    for noted in (f"evidence of run {RUN}", f"evidence of run {RUN}, in the clear"):
        assert len(list(decryptions_of(tmp_path / "log", noted))) == 1
    out.write_bytes(out.read_bytes().replace(b"female", b"female"[::-1], 1))
    with pytest.raises(IntegrityError):
        read_bundle(out)
    for inside in (home / "copy.zip", tmp_path / "data" / "more" / "copy.zip"):
        with pytest.raises(InputError, match="where an erasure would miss it"):
            hand_out(RUN, inside, place, keys)
    keys.destroy_evidence(RUN, "e1")
    with pytest.raises(RefusedError, match="destroyed in erasure e1"):
        hand_out(RUN, tmp_path / "no.zip", place, keys)
    assert not (tmp_path / "no.zip").exists() and len((tmp_path / "log").read_text().splitlines()) == 2


def test_a_bundle_that_names_pseudonyms_is_not_handed_out(tmp_path) -> None:
    old = Path(__file__).parent / "data" / "gate-format-6.zip"
    with pytest.raises(InputError, match="contains pseudonyms, as all bundles before format 7 do"):
        write_unsealed(tmp_path / "copy.zip", old, lambda sealed, run: sealed)
    assert not (tmp_path / "copy.zip").exists()
