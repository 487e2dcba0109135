"""Erasure: keys first, then everything that was made with a person; what is left is searched, stated and recorded."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bitface.bootstrap.places import open_checkpoints
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import SYNTHETIC_LICENCE, packaged_notice, synthetic_consents
from bitface.consent.policy import render_licences
from bitface.dataset.files import sha256_of
from bitface.dataset.index import read_index, write_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import verify_manifest, write_manifest
from bitface.dataset.sealed_evidence import open_evidence, seal_evidence
from bitface.dataset.shards import Shard, seal, shard_name, write_shard
from bitface.errors import GateError, InputError, IntegrityError, RefusedError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import AssetEntry, DecisionEntry, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.ledger.trust import Trust
from bitface.ports import Forgotten, StorePlaces
from bitface.steps.audits import erase, erasure_begun, erasure_proof, erasure_summary
from bitface.steps.audits.audit import audit_as_of, audit_log, audit_model, audit_run, audit_subject
from bitface.steps.audits.audit_page import audit_page, erasure_sections
from bitface.steps.audits.checkpoint_files import erased_in, read_checkpoint, sign_checkpoint
from bitface.steps.audits.checkpoints import Checkpoints
from bitface.steps.audits.dpia import assessment
from bitface.steps.people.contents import check_not_empty
from bitface.steps.people.erasure_people import Returned, check_none_returned, returned
from bitface.steps.people.reentry import reentry
from bitface.steps.people.writing import Stores, writing
from bitface.steps.versions.model_choice import find_model
from bitface.steps.versions.promote import expected_previous
from bitface.usecases.erasing import unfinished
from bitface.workspace import Workspace
from tests.builders import adult, sample

NOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
IDS = ("anna", "ben", "cleo")


class Store:
    """A dataset store that remembers what it is asked."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def pinned(self) -> str:
        return "v0"

    def version(self) -> str:
        return "v0"

    def pin(self) -> str:
        return "v1"

    def forget(self, names: list[str]) -> Forgotten:
        self.forgotten += names
        return Forgotten(objects=len(names))

    def places(self) -> StorePlaces:
        return StorePlaces(folders={}, of_others=frozenset(), not_searched=())


Furnished = tuple[Path, dict[str, str], list[ConsentEvent]]


class House(SimpleNamespace):
    """Three people in a dataset, a run, a champion, and files of and with them."""

    place: Workspace
    keys: KeyStore
    ledger: Ledger
    people: dict[str, str]
    store: Store
    purged: list[str]

    def open(self, *subjects: str, at: datetime = NOON) -> erasure_begun.Opened:
        return erasure_begun.begin(subjects, "asked", self.keys, self.ledger, self.place, at)

    def leave(self, opened: erasure_begun.Opened) -> str | None:
        stores = Stores(
            data=self.place.data, home=self.place.home, keys=self.keys, ledger=self.ledger, store=self.store
        )
        with writing(stores, "test", 0) as writer:
            return erase.leave_dataset(opened, writer)

    def destroy(self, opened: erasure_begun.Opened) -> dict[str, Any]:
        tracking = SimpleNamespace(purge=lambda runs, _: self.purged.extend(runs) or len(runs))
        return erase.destroy(opened, self.place, self.keys, self.store, tracking, ())

    def prove(self, opened: erasure_begun.Opened, done: dict[str, Any]) -> dict[str, Any]:
        removed = erasure_proof.Removed(destroyed=done, dataset_version="v1", retrained={"failed": "not tried"})
        return erasure_proof.prove(opened, removed, self.place, self.store, self.ledger, NOON)

    def returned(self) -> tuple[Returned, ...]:
        return returned(self.keys, self.ledger, self.place.home, self.place.data)

    def erase(self, *subjects: str) -> dict[str, Any]:
        opened = self.open(*subjects)
        self.leave(opened)
        return self.prove(opened, self.destroy(opened))


def place_in(root: Path) -> Workspace:
    names = ("home", "cache", "data", "params.yaml")
    home, cache, data, params = (root / name for name in names)
    return Workspace(root=root, home=home, cache=cache, data=data, params=params)


def keys_of(place: Workspace) -> KeyStore:
    return KeyStore(place.keys, beside=place.data)


def ledger_of(place: Workspace) -> Ledger:
    return Ledger(sqlite_url(place.home / "ledger.db"), clock=lambda: NOON - timedelta(days=1))


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, freeze, begin) -> Furnished:
    """The folder of a house, its people and their consents; each test has a copy of it."""
    place = place_in(tmp_path_factory.mktemp("house"))
    keys, data = keys_of(place), place.data
    people = {name: keys.enrol(name) for name in IDS}
    samples = []
    for name, person in people.items():
        record = adult(person)
        shard = Shard(subject=record, samples={f"{person}-1": name.encode()}, facial_actions={}, consent_receipts=[])
        write_shard(data, shard, keys.key_of(person))
        samples.append(sample(f"{person}-1", person))
    write_index(data, samples)
    (data / "licences.json").write_text(render_licences([SYNTHETIC_LICENCE]))
    write_manifest(data)
    with ledger_of(place) as ledger:
        events = _record(ledger, people, freeze, begin)
        for person in people.values():
            sealed = seal(b"features", keys.key_of(person), person, "features")
            for path in (
                place.stages / "features" / person / "k.sealed",
                place.stages / "train" / "k" / "counts" / f"{person}.sealed",
                place.runs / "r1" / "reference" / f"{person}.sealed",
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(sealed)
        (place.runs / "r1" / "gate.json").write_text(json.dumps(list(people.values())))
        for path in [*place.stages.rglob("*"), *place.runs.rglob("*")]:
            os.utime(path, (time.time() - 9000,) * 2)
    return place.root, people, events


@pytest.fixture
def house(tmp_path: Path, furnished: Furnished) -> Iterator[House]:
    folder, people, events = furnished
    place = place_in(shutil.copytree(folder, tmp_path, dirs_exist_ok=True))
    with ledger_of(place) as ledger:
        yield House(
            place=place,
            keys=keys_of(place),
            ledger=ledger,
            people=dict(people),
            store=Store(),
            purged=[],
            events=list(events),
        )


def _record(
    ledger: Ledger, people: dict[str, str], freeze: Callable[..., None], begin: Callable[..., None]
) -> list[ConsentEvent]:
    ledger.record_notice(packaged_notice("synthetic-1"))
    ground = {"lawful_basis": "6(1)(a)", "special_category_condition": "9(2)(a)"}
    model = synthetic_consents(["s" * 16])[0].model_dump() | ground
    events = [
        ConsentEvent.model_validate(model | {"subject": person, "event_id": person, "record_id": person})
        for person in people.values()
    ]
    ledger.record_consents(events)
    freeze(ledger, "d1", events, evidence="real")
    begin(ledger, "r1", "d1")
    ledger.record_assets([AssetEntry(run_id="r1", path="runs/r1/gate.json", kind="report", sha256="f" * 64)])
    ledger.record_model(
        ModelEntry(bundle_sha256="b1", weights_sha256="w1", run_id="r1", evidence="real", purpose="train")
    )
    ledger.record_decision(
        DecisionEntry(decision_sha256="x1", bundle_sha256="b1", run_id="r1", decision="promote", reasons=())
    )
    ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256="x1", actor="test"))
    return events


def test_the_radius_names_everything_and_changes_nothing(house) -> None:
    anna = house.people["anna"]
    before = {path: path.stat().st_mtime for path in house.place.home.rglob("*") if path.suffix == ".sealed"}
    radius = erasure_begun.blast_radius([anna], house.ledger, house.place)
    assert (radius["datasets"], radius["runs"], radius["samples"]) == (["d1"], ["r1"], 1)
    assert [model["version"] for model in radius["models"]] == [1] and radius["aliases"][0]["alias"] == "champion"
    assert len(radius["own_files"]) == 4 and [one["path"] for one in radius["files_with_others"]] == [
        "runs/r1/gate.json"
    ]
    assert before == {path: path.stat().st_mtime for path in house.place.home.rglob("*") if path.suffix == ".sealed"}
    assert erasure_summary.summary_of(radius, dry_run=True)["models"] == ["bitface/1"]


def test_an_erasure_leaves_nothing_and_says_so(house) -> None:
    anna, ben = house.people["anna"], house.people["ben"]
    digests = [one["sha256"] for one in erasure_begun.blast_radius([anna], house.ledger, house.place)["own_files"]]
    proof = house.erase("anna")
    assert proof["keys_destroyed"] == [anna] and proof["found"] == [] and proof["in_dataset_now"] == []
    assert {sample.person for sample in read_index(house.place.data)} == set(house.people.values()) - {anna}
    verify_manifest(house.place.data)
    left = [path for path in house.place.root.rglob("*") if path.is_file()]
    assert not [path for path in left if sha256_of(path) in digests]
    named = [path.name for path in left if anna.encode() in path.read_bytes() or anna in path.name]
    assert all(name.startswith("ledger.db") or name == f"{proof['erasure_id']}.json" for name in named)
    assert house.store.forgotten == [shard_name(anna)] and house.purged == ["r1"]
    assert (house.place.stages / "features" / ben / "k.sealed").is_file()
    assert not (house.place.runs / "r1").exists() and not (house.place.stages / "train" / "k").exists()
    assert house.ledger.verify_chain().intact
    assert house.keys.key_of(ben)
    with pytest.raises(RefusedError, match="no key"):
        house.keys.key_of(anna)


def test_the_proof_is_found_by_the_owner_s_id_and_a_touched_one_shows(house) -> None:
    proof = house.erase("anna", "ben")
    for who in ("anna", "ben", house.people["anna"]):
        (row,) = erasure_proof.audit_erasure(who, house.keys, house.ledger, house.place)
        assert row["proof_intact"] and row["subjects"] == sorted([house.people["anna"], house.people["ben"]])
    for stranger in ("cleo", "zoe"):
        with pytest.raises(InputError, match="was erased on this installation"):
            erasure_proof.audit_erasure(stranger, house.keys, house.ledger, house.place)
    path = house.place.home / "erasures" / f"{proof['erasure_id']}.json"
    path.write_text(path.read_text().replace('"found": []', '"found": [ ]'))
    (row,) = erasure_proof.audit_erasure("anna", house.keys, house.ledger, house.place)
    assert not row["proof_intact"]


def test_an_interrupted_erasure_goes_on(house) -> None:
    """After the keys went, the owner's id still leads to it, and the radius is the one from before."""
    opened = house.open("anna")
    house.leave(opened)
    house.keys.destroy(house.people["anna"], opened.erasure_id)
    again = house.open("anna", at=NOON + timedelta(hours=1))
    assert again == opened
    assert house.leave(again) == "v1", "what it found before the interruption"
    proof = house.prove(again, house.destroy(again))
    assert proof["found"] == [] and proof["radius"]["samples"] == 1
    assert proof["keys_destroyed"] == [house.people["anna"]], "which the interruption does not hide"


def test_a_dataset_that_was_restored_while_an_erasure_waited_is_left_once_more(house, tmp_path) -> None:
    """Somebody copied the files back: what the journal says of the dataset is no longer so."""
    backup = shutil.copytree(house.place.data, tmp_path / "backup")
    opened = house.open("anna")
    house.leave(opened)
    shutil.rmtree(house.place.data)
    backup.rename(house.place.data)
    again = house.open("anna")
    house.leave(again)
    assert house.people["anna"] not in {sample.person for sample in read_index(house.place.data)}
    assert house.prove(again, house.destroy(again))["in_dataset_now"] == []


def test_a_proof_that_is_gone_is_not_taken_for_one(house) -> None:
    proof = house.erase("anna")
    (house.place.home / "erasures" / f"{proof['erasure_id']}.json").unlink()
    with pytest.raises(InputError, match=f"the proof of erasure {proof['erasure_id']} is missing; restore it"):
        erasure_proof.audit_erasure("anna", house.keys, house.ledger, house.place)


def test_who_was_erased_is_refused_from_then_on(house) -> None:
    house.erase("anna")
    with pytest.raises(RefusedError, match="erased at this person's wish"):
        house.keys.enrol("anna")
    assert house.keys.pseudonym_of("anna") is None and house.keys.erasure_of("ben") is None
    assert house.keys.enrol("ben") == house.people["ben"]


def test_a_model_made_with_somebody_erased_is_retired(house) -> None:
    house.ledger.check_lawful(find_model("champion", house.ledger))
    house.erase("anna")
    for reference in ("champion", "bitface/1"):
        with pytest.raises(RefusedError, match="can no longer be used"):
            house.ledger.check_lawful(find_model(reference, house.ledger))
    champion = house.ledger.champion()
    assert house.ledger.erased_in(champion) == 1
    assert expected_previous(None, "real", champion, is_over=True) == 1
    assert expected_previous(None, "synthetic", champion, is_over=True) == 1


def test_the_last_people_of_a_set_leave_an_empty_one(house) -> None:
    """It is whole, and pinned as the one before was; a retrain says in one line why it has nothing to learn from."""
    proof = house.erase(*IDS)
    assert read_index(house.place.data) == () and proof["keys_destroyed"] == sorted(house.people.values())
    verify_manifest(house.place.data)
    assert proof["dataset_version"] == "v1" and proof["found"] == proof["in_dataset_now"] == []
    with pytest.raises(InputError, match="everyone in the dataset was erased"):
        check_not_empty(house.place.data)


def test_nobody_known_is_refused(house) -> None:
    with pytest.raises(InputError, match="no person with this id"):
        house.open("zoe")
    with pytest.raises(InputError, match="the reason must have 1 to"):
        erasure_begun.begin(["anna"], "", house.keys, house.ledger, house.place, NOON)
    assert not (house.place.home / "erasures").exists()


def forsaken(house: House, how: str) -> tuple[str, str]:
    """The id and the pseudonym of somebody whom no import finished."""
    person = house.keys.enrol("Dora_1")
    entry = next(path for path in (house.place.keys / "index").iterdir() if path.read_text() == person)
    if how == "no entry":
        entry.unlink()
    if how == "an entry alone":
        (house.place.keys / "people" / f"{person}.json").unlink()
    return "Dora_1", person


@pytest.mark.parametrize("how", ["no consent", "no entry", "an entry alone"])
def test_whoever_left_a_key_or_a_sealed_id_can_be_erased(house, how: str) -> None:
    """Without consents, without samples, after an import that was killed between any two of its writes."""
    subject, person = forsaken(house, how)
    proof = house.erase(subject)
    assert proof["subjects"] == [person] and proof["found"] == []
    assert (proof["keys_destroyed"], proof["keys_missing"]) == (
        ([], [person]) if how == "an entry alone" else ([person], [])
    )
    for spelling in (subject, "dora-1", "DORAl"):
        assert reentry(house.keys, house.place.home).refused([spelling]), spelling
    assert house.keys.pseudonyms_of(subject) == () and house.ledger.verify_chain().intact


def test_a_repeated_erasure_adds_a_proof_and_touches_no_other(house) -> None:
    first = house.erase("anna")
    path = house.place.home / "erasures" / f"{first['erasure_id']}.json"
    before = path.read_bytes()
    (house.place.home / "stray.txt").write_text(house.people["anna"])
    second = house.erase("anna")
    assert path.read_bytes() == before and second["erasure_id"] != first["erasure_id"]
    assert second["earlier_erasures"] == [first["erasure_id"]] and second["found"] == ["stray.txt"]
    with pytest.raises(GateError, match=r"stray.txt \(home\); delete these, then erase the people again"):
        erasure_summary.check_gone([second])
    (house.place.home / "stray.txt").unlink()
    third = house.erase(house.people["anna"])
    erasure_summary.check_gone([third])
    rows = erasure_proof.audit_erasure("anna", house.keys, house.ledger, house.place)
    assert [row["erasure_id"] for row in rows] == [first["erasure_id"], second["erasure_id"], third["erasure_id"]]
    assert all(row["proof_intact"] for row in rows) and house.ledger.verify_chain().intact


def test_the_second_erasure_of_one_of_two_is_of_that_one_alone(house) -> None:
    house.erase("anna", "ben")
    assert house.erase("ben")["subjects"] == [house.people["ben"]]


def test_an_erasure_of_more_people_than_one_that_was_interrupted_waits_for_that(house) -> None:
    begun = house.open("anna", "ben")
    assert house.open("ben").erasure_id == begun.erasure_id
    with pytest.raises(InputError, match="--resume"):
        house.open("ben", "cleo")


def test_an_edited_journal_is_not_gone_on_with(house) -> None:
    opened = house.open("anna")
    path = opened.journal.path
    whole = path.read_text()
    for other in (whole.replace('"samples": 1', '"samples": 0'), "".join(whole.splitlines(True)[1:]), whole + whole):
        path.write_text(other)
        with pytest.raises(IntegrityError, match="was edited"):
            house.destroy(opened)
    path.write_text(whole)
    assert house.keys.key_of(house.people["anna"])


def copied_back(house: House, folder: str, kept: Path) -> None:
    """Restores a folder from a copy that was made before."""
    place = house.place.data if folder == "data" else house.place.home / folder
    shutil.rmtree(place)
    shutil.copytree(kept, place)


@pytest.mark.parametrize("folder", ["keys", "data"])
def test_whoever_is_back_from_a_backup_is_noticed_refused_and_erased_once_more(house, tmp_path, folder: str) -> None:
    place = house.place.data if folder == "data" else house.place.home / folder
    shutil.copytree(place, tmp_path / "kept")
    house.erase("anna")
    check_none_returned(house.returned())
    copied_back(house, folder, tmp_path / "kept")
    (back,) = house.returned()
    assert back == Returned(person=house.people["anna"], what=("key",) if folder == "keys" else ("shard",))
    with pytest.raises(RefusedError, match="1 person who was erased has reappeared"):
        check_none_returned([back])
    assert house.keys.erasure_of("anna") is not None
    with pytest.raises(RefusedError, match="erased at this person's wish"):
        house.keys.enrol("anna")
    proof = house.erase(back.person)
    assert proof["found"] == [] and proof["retrain"] == {"failed": "not tried"}
    assert proof["keys_destroyed"] == ([back.person] if folder == "keys" else [])
    check_none_returned(house.returned())
    assert house.keys.key_of(house.people["ben"])


def test_a_ledger_that_was_restored_with_its_keys_is_told_by_the_book_beside_the_dataset(house, tmp_path) -> None:
    """Nothing in the home knows of the erasure any more; the copy beside the dataset does, and so does a kept checkpoint."""
    sign_checkpoint(house.ledger, house.place.home, NOON)  # the key of checkpoints is as old as the ledger
    shutil.copytree(house.place.keys, tmp_path / "kept")
    house.erase("anna")
    checkpoint = sign_checkpoint(house.ledger, house.place.home, NOON)
    kept = tmp_path / "elsewhere.json"
    kept.write_bytes(checkpoint.read_bytes())
    copied_back(house, "keys", tmp_path / "kept")
    beside = next(house.place.root.glob("data.erased-*.json"))
    with Ledger(sqlite_url(tmp_path / "older.db"), clock=lambda: NOON) as older:
        (back,) = returned(house.keys, older, house.place.home, house.place.data)
        assert back.person == house.people["anna"]
        beside.unlink()
        assert returned(house.keys, older, house.place.home, house.place.data) == ()
        assert house.keys.learn_suppressed(erased_in(kept, house.place.home), kept.name) == 1
        assert returned(house.keys, older, house.place.home, house.place.data) == (back,)
    assert beside.is_file() and not [one for one in IDS if one in beside.read_text()]


def test_whom_nothing_but_an_older_ledger_is_left_of_is_put_on_record_again(house, tmp_path) -> None:
    """The ledger alone was restored: no key, no shard; `erase --resume` begins with whom it has forgotten."""
    shutil.copy(house.place.home / "ledger.db", tmp_path / "older.db")
    house.erase("anna")
    ends = Checkpoints(home=tmp_path / "h", place=None, learn=lambda *_: 0, warn=print, now=lambda: NOON)
    trust = Trust(tmp_path / "note", tmp_path / "key", ends, erased=house.keys.erased_of)
    with Ledger(sqlite_url(tmp_path / "older.db"), clock=lambda: NOON, trust=trust) as older:
        house.ledger = older
        assert house.returned() == () and older.forgotten() == {house.people["anna"]}
        tools = SimpleNamespace(
            workspace=house.place,
            keys=house.keys,
            ledger=older,
            checkpoints=open_checkpoints(house.place),
            now=lambda: NOON,
        )
        (erasure_id,) = unfinished(tools, None)
        opened = erasure_begun.opened(erasure_id, house.place.home, NOON)
        house.leave(opened)
        assert house.prove(opened, house.destroy(opened))["subjects"] == [house.people["anna"]]
        assert older.forgotten() == frozenset() and unfinished(tools, None) == []


@pytest.mark.parametrize("book", ["with the keys", "beside the dataset"])
def test_of_some_people_the_book_knows_those_who_were_erased(house, book: str) -> None:
    house.erase("anna")
    lost = house.place.keys / "erased.json" if book != "with the keys" else next(house.place.root.glob("data.erased-*"))
    lost.unlink()
    store = KeyStore(house.place.keys, beside=house.place.data)
    assert store.erased_of(house.people.values()) == {house.people["anna"]}
    assert store.erased_of(["s000000000000001"]) == store.erased_of([]) == frozenset()


def test_a_book_that_cannot_be_asked_is_no_answer(house) -> None:
    """The master key is kept elsewhere, and was not given."""
    store, master = KeyStore(house.place.keys, beside=house.place.data), house.place.keys / "master.key"
    kept = master.rename(house.place.root / "elsewhere")
    assert store.erased_of(house.people.values()) == frozenset(), "nobody was ever erased"
    kept.rename(master)
    house.erase("anna")
    master.unlink()
    with pytest.raises(IntegrityError, match="the master key is missing; set BITFACE_MASTER_KEY"):
        store.erased_of(house.people.values())


def test_a_book_of_the_erased_that_was_edited_is_refused(house) -> None:
    house.erase("anna")
    book = house.place.keys / "erased.json"
    document = json.loads(book.read_text())
    for other in ({**document, "people": []}, {**document, "mac": "0" * 64}, [], {}):
        book.write_text(json.dumps(other))
        with pytest.raises(IntegrityError, match="which recognises erased people"):
            KeyStore(house.place.keys).erasure_of("anna")


def test_a_search_finds_what_a_purge_forgot(house) -> None:
    opened = house.open("anna")
    done = house.destroy(opened)
    stray = house.place.home / "notes" / "stray.txt"
    stray.parent.mkdir()
    stray.write_bytes(b"x" * ((1 << 20) - 5) + house.people["anna"].encode() + b"y")
    house.leave(opened)
    assert house.prove(opened, done)["found"] == ["stray.txt"]


def test_a_synthetic_person_is_deleted_and_said_to_have_a_published_key(house) -> None:
    assert house.keys.destroy("s000000000000001", "e1") is False


def test_an_auditor_s_questions(house) -> None:
    anna = house.people["anna"]
    rows = audit_subject(anna, house.ledger, house.place.home, house.place.data, NOON)
    kinds = [row["kind"] for row in rows]
    for kind in ("consent", "standing", "dataset", "run", "model", "alias", "own file", "file with others: report"):
        assert kind in kinds
    of_run = audit_run("r1", house.ledger, NOON)
    assert [row["consent_event_id"] for row in of_run if row["kind"] == "member"] == sorted(house.people.values())
    with pytest.raises(InputError, match="is not on record"):
        audit_run("r2", house.ledger, NOON)
    model, run = house.ledger.champion(), house.ledger.run("r1")
    assert audit_model(model, run, house.ledger, NOON)[-1]["no_longer_admitted"] == []
    before, now = audit_as_of(NOON - timedelta(days=2), house.ledger), audit_as_of(NOON, house.ledger)
    assert [row["kind"] for row in before] == ["consents"] and {row["kind"] for row in now} == {
        "consents",
        "dataset",
        "alias",
    }
    kept = sign_checkpoint(house.ledger, house.place.home, NOON)
    assert audit_log(house.ledger, read_checkpoint(kept, house.place.home))[0]["intact"]
    house.open("anna")
    assert audit_model(model, run, house.ledger, NOON)[-1]["no_longer_admitted"] == [anna]


def test_an_impact_assessment_counts_and_names_nobody(house) -> None:
    text = assessment(house.ledger, NOON)
    assert (
        "3 people are on record with 3 consent events" in text
        and "| train | 3 |" in text
        and "Champion: version 1" in text
    )
    house.erase("anna")
    after = assessment(house.ledger, NOON)
    assert "(1 person erased so far)" in after and "| train | 2 |" in after
    assert (
        not [name for name in ("anna", "cleo", *house.people.values()) if name in after]
        and after.count("_to be written") > 5
    )


def test_an_answer_can_be_printed_with_where_the_log_ended(house, tmp_path) -> None:
    pages = []
    report = SimpleNamespace(
        write_audit_page=lambda page, path: pages.append(page) or path,
    )
    anna = house.people["anna"]
    rows = audit_subject(anna, house.ledger, house.place.home, house.place.data, NOON)
    assert audit_page("Where", "lead", rows, house.ledger, NOON, report, tmp_path / "a.html") == tmp_path / "a.html"
    (page,) = pages
    assert house.ledger.checkpoint().head_sha256 in page.standing and page.standing.endswith("it is intact.")
    tables = {table.heading: table for table in page.tables}
    assert tables["Consent"].columns == ["", ""] and ["state", "given"] in tables["Consent"].rows
    assert ["dataset version", "d1"] in tables["Dataset"].rows and len(tables["Own file"].rows) == 4
    assert all(len(row) == len(table.columns) for table in page.tables for row in table.rows)


def test_a_proof_becomes_tables_of_what_was_done_reached_and_stays(house, tmp_path) -> None:
    pages = []
    report = SimpleNamespace(
        write_audit_page=lambda page, path: pages.append(page) or path,
    )
    house.erase("anna")
    rows = erasure_sections(erasure_proof.audit_erasure("anna", house.keys, house.ledger, house.place))
    audit_page("Gone", "lead", rows, house.ledger, NOON, report, tmp_path / "e.html")
    tables = {table.heading: table for table in pages[0].tables}
    done = dict(tables["What was done"].rows)
    assert (
        done["found by searching every file in the places below"] == "nothing"
        and done["still in the dataset"] == "none"
    )
    assert done["keys destroyed for"] == house.people["anna"] and done["the proof matches the recorded digest"] == "yes"
    assert done["began"].endswith(" UTC")
    assert tables["Model made with them, retired"].rows and len(tables["What remains"].rows) == len(
        erasure_proof.RESIDUAL
    )
    assert not [cell for table in pages[0].tables for row in table.rows for cell in row if "{" in cell]


def test_a_bundle_that_was_made_again_without_who_left_is_no_longer_retired(house, freeze, begin) -> None:
    """Who only judged a model changes none of its bytes: the same version, from another run, may be used again."""
    house.erase("anna")
    champion = house.ledger.champion()
    assert house.ledger.erased_in(champion) == 1 and house.ledger.run_of(champion).run_id == "r1"
    staying = [event for event in house.events if event.subject != house.people["anna"]]
    freeze(house.ledger, "d2", staying, evidence="real")
    begin(house.ledger, "r2", "d2")
    house.ledger.record_decision(
        DecisionEntry(decision_sha256="x2", bundle_sha256="b1", run_id="r2", decision="promote", reasons=())
    )
    assert house.ledger.erased_in(champion) == 0 and house.ledger.run_of(champion).run_id == "r2"
    house.ledger.check_lawful(find_model("champion", house.ledger))


def test_evidence_with_somebody_erased_is_read_by_nobody_and_its_end_is_told(house) -> None:
    """Whatever copy of the bundle there is: its key went, for good; what a run without them was judged by stays."""
    keys, handed_out = house.keys, "evidence of run r1, in the clear"
    copy, other = (seal_evidence(b"rows", run_id, keys, renew=False) for run_id in ("r1", "r2"))
    (house.place.home / "decryptions.jsonl").write_text(
        "".join(json.dumps({"at": "t", "who": "w", "person": one}) + "\n" for one in (handed_out, "evidence of run r2"))
    )
    assert [row["person"] for row in audit_rows(house, "anna") if row["kind"] == "opened"] == [handed_out]
    proof = house.erase("anna")
    assert proof["evidence_destroyed"] == ["r1"] and keys.sealed_runs() == {"r2"}
    assert proof["evidence_handed_out"] == [{"what": handed_out, "at": "t", "who": "w"}]
    with pytest.raises(RefusedError, match=f"destroyed in erasure {proof['erasure_id']}"):
        open_evidence(copy, "r1", keys)
    with pytest.raises(RefusedError):
        seal_evidence(b"rows", "r1", keys, renew=False)
    assert open_evidence(other, "r2", keys) == b"rows"
    assert erasure_summary.summary_of({**proof, "proof": "p"}, dry_run=False)["evidence_destroyed"] == ["r1"]
    assert "the gate evidence of 1 run can no longer be read" in erasure_summary.erase_text(
        erasure_summary.summary_of({**proof, "proof": "p"}, dry_run=False)
    )
    tables = dict(erasure_tables(house))
    assert tables["what was done"]["gate evidence destroyed for runs"] == ["r1"]


def audit_rows(house, name: str) -> list[dict[str, Any]]:
    return audit_subject(house.people[name], house.ledger, house.place.home, house.place.data, NOON)


def erasure_tables(house) -> Iterator[tuple[str, dict[str, Any]]]:
    proofs = erasure_proof.audit_erasure("anna", house.keys, house.ledger, house.place)
    yield from ((row["kind"], row) for row in erasure_sections(proofs))


def test_an_interruption_hides_no_evidence_that_was_destroyed(house) -> None:
    seal_evidence(b"rows", "r1", house.keys, renew=False)
    opened = house.open("anna")
    house.leave(opened)
    house.keys.destroy_evidence("r1", opened.erasure_id)
    again = house.open("anna")
    assert house.prove(again, house.destroy(again))["evidence_destroyed"] == ["r1"]


def test_a_run_that_ends_after_an_erasure_began_seals_nothing(house) -> None:
    """It was planned with somebody who left meanwhile: its gate, which comes late, keeps no row."""
    house.erase("anna")
    with pytest.raises(RefusedError, match="a person in it was erased"):
        seal_evidence(b"rows", "r1", house.keys, renew=False)
