"""Imports, consents, erasures and retrains in any order, killed anywhere: counts hold, nobody is lost, keys and data belong together.

Each command runs in a process of its own, forked from this one, and is killed for real (SIGKILL) before its n-th write to the disk or the
ledger. What should come of it is said by a model here that knows nothing of how the program goes about it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from bitface.adapters.media_files import encode_frames, read_image
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import synthetic_consents
from bitface.consent.policy import LicenceRecord
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.manifest import verify_manifest
from bitface.dataset.shards import digest_of, read_shard, shard_name
from bitface.faces.records import age_band_of
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.audits import erasure_begun, erasure_proof
from bitface.steps.people.consents import withdraw
from bitface.steps.people.erasure_journal import being_erased, check_linked
from bitface.steps.people.intake import IntakeReport, Pictures, import_people
from bitface.steps.people.intake_decision import Intake
from bitface.steps.people.lease import holding
from bitface.steps.people.writing import Stores, writing
from bitface.steps.retrain.version import find_dataset
from tests.builders import read_manifest
from tests.evidence.worlds import (
    IN_MEMORY,
    NOTICE,
    Store,
    at_once,
    draw_pictures,
    finish_erasure,
    in_a_process_of_its_own,
    workspace_in,
)

PEOPLE, PICTURES, LABELS = ("p1", "p2", "p3"), 6, ("fear", "anger")
AGES = ("", "", "", "", "21", "34", "12", "unknown")
LICENCE = LicenceRecord(id="own", name="ours", text="for training", purposes=("train",), contexts=("research",))
Stored = dict[str, dict[int, tuple[str, str]]]
"""Owner's id -> picture -> label and age band."""


@dataclass
class World:
    """What the model knows of the installation."""

    stored: Stored = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    """Owner's id -> how many consents were recorded, each after the withdrawal before."""
    closed: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    """Whose erasure was killed before their key was destroyed."""
    left: Stored = field(default_factory=dict)
    """What those had."""
    seen: set[int] = field(default_factory=set)
    """Pictures of people who were erased."""


@dataclass(frozen=True)
class Row:
    picture: int
    who: str
    label: str
    age: str


ROWS = st.builds(
    Row,
    picture=st.integers(0, PICTURES - 1),
    who=st.sampled_from(PEOPLE),
    label=st.sampled_from(LABELS),
    age=st.sampled_from(AGES),
)


def kills(most: int) -> st.SearchStrategy[int | None]:
    """After how many writes a command is killed; half of them are not."""
    return st.sampled_from([*range(most), *[None] * most])


def expected(world: World, rows: list[Row], fresh: set[str]) -> tuple[set[int], set[int], set[int], Stored]:
    """Quarantined, admitted and corrected rows by number, and what is stored afterwards."""
    numbered = list(enumerate(rows, start=1))
    bad: set[int] = set()
    minors = {row.who for row in rows if row.age == "12"}
    for who in PEOPLE:
        said = {row.age for row in rows if row.who == who and row.age}
        allowed = who not in world.erased | world.leaving and (who in fresh or who not in world.closed)
        if who in minors or len(said) > 1 or not allowed:
            bad |= {number for number, row in numbered if row.who == who}
    doubtful = {
        row.who for row in rows if row.who in minors or len({r.age for r in rows if r.who == row.who and r.age}) > 1
    }
    for picture in range(PICTURES):
        same = [(number, row) for number, row in numbered if row.picture == picture and row.who not in doubtful]
        if len({(row.who, row.label) for _, row in same}) > 1:
            bad |= {number for number, _ in same}
        bad |= {number for number, _ in same[1:]}
    seen = world.seen.union(*world.left.values())
    for who in PEOPLE:
        # A picture of somebody who was erased, or whose erasure has begun, under whichever id: nothing of that person is taken before
        # somebody has looked.
        if seen & {row.picture for number, row in numbered if row.who == who and number not in bad}:
            bad |= {number for number, row in numbered if row.who == who}
    owner = {picture: who for who, own in world.stored.items() for picture in own}
    bad |= {number for number, row in numbered if owner.get(row.picture, row.who) != row.who}
    after = {who: dict(own) for who, own in world.stored.items()}
    admitted: set[int] = set()
    corrected: set[int] = set()
    for who in PEOPLE:
        mine = [(number, row) for number, row in numbered if row.who == who and number not in bad]
        if not mine:
            continue
        before = world.stored.get(who)
        band = next(iter((before or {0: ("", "unknown")}).values()))[1]
        said = {row.age for _, row in mine if row.age}
        now = band if not said else age_band_of(None if said == {"unknown"} else float(said.pop()))
        after[who] = {picture: (label, now) for picture, (label, _) in (before or {}).items()}
        for number, row in mine:
            known = (before or {}).get(row.picture)
            if known is None:
                admitted.add(number)
            if (known and known[0] != row.label) or (before and row.age and now != band):
                corrected.add(number)
            after[who][row.picture] = (row.label, now)
    return bad, admitted | corrected, corrected, after


class Interleavings(RuleBasedStateMachine):
    """One installation, from nothing."""

    folder: Path
    pictures: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.place = workspace_in(self.folder)
        self.world = World()
        self.clock = datetime.now(UTC) - timedelta(days=30)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(people=st.integers(1, len(PEOPLE)))
    def begin(self, people: int) -> None:
        """Some people are here: interleavings of nothing find nothing."""
        self.bring([Row(number, who, "fear", "21") for number, who in enumerate(PEOPLE[:people])], set(), None)

    @rule(rows=st.lists(ROWS, min_size=1, max_size=5), fresh=st.sets(st.sampled_from(PEOPLE)), kill=kills(70))
    def bring(self, rows: list[Row], fresh: set[str], kill: int | None) -> None:
        """An import of any rows, with the consents of old for everybody, and a new one of some."""
        self.tick()
        bad, admitted, corrected, after = expected(self.world, rows, fresh)
        intake = self.intake_of(rows, fresh)
        kept = len(bad) < len(rows)

        def bring(stores: Stores) -> None:
            check_counts(self.taken_in(intake, stores), rows, bad, admitted, corrected)

        self.do(bring, kill, 0 if kept else None, after if kept else self.world.stored)

    def intake_of(self, rows: list[Row], fresh: set[str]) -> Intake:
        """What a manifest with these rows brings."""
        manifest = self.folder / "manifest.csv"
        lines = [f"{row.picture}.png,{row.who},{row.label},{row.age}" for row in rows]
        manifest.write_text("\n".join(["path,subject_id,label,age", *lines]) + "\n")
        usable, rejected = read_manifest(manifest, self.pictures)
        return Intake(
            rows=usable,
            rejected=rejected,
            licence=LICENCE,
            source="here",
            consents=lambda names, _: tuple(self.consent(who, name, who in fresh) for who, name in names.items()),
            known_notices={NOTICE.sha256: NOTICE.notice_id},
        )

    def taken_in(self, intake: Intake, stores: Stores) -> IntakeReport:
        """An import."""
        pictures = Pictures(read=read_image, encode=encode_frames, report=lambda *_: None)
        with stores.ledger:
            return import_people(intake, [NOTICE], pictures, stores, self.clock, lambda: writing(stores, "test", 30))

    @rule(who=st.sampled_from(PEOPLE), kill=kills(6))
    def take_back(self, who: str, kill: int | None) -> None:
        """A withdrawal of somebody who is here."""
        if not self.world.given.get(who) or who in self.world.erased:
            return
        self.tick()

        def take_back(stores: Stores) -> None:
            person = stores.keys.pseudonym_of(who)
            assert person is not None
            withdraw(person, "asked", stores.ledger, self.clock)

        self.do(take_back, kill, 0, self.world.stored)

    @rule(who=st.sampled_from(PEOPLE), kill=kills(160))
    def erase(self, who: str, kill: int | None) -> None:
        """An erasure without its retrain; the last one leaves an empty dataset."""
        if not self.world.given.get(who):
            return
        self.tick()
        after = {name: own for name, own in self.world.stored.items() if name != who}
        self.do(lambda stores: self.leave([who], stores), kill, 0, after)

    def leave(self, who: list[str], stores: Stores) -> None:
        """The order of an erasure, as its flow has it, with the right that one command has at a time."""
        with stores.ledger, holding(stores.ledger, "removal of people", timedelta(minutes=5)):
            opened = erasure_begun.begin(who, "asked", stores.keys, stores.ledger, self.place, self.clock)
            finish_erasure(opened, stores, self.place, self.clock)

    def people(self) -> set[str]:
        """Ids of everybody in the dataset."""
        stores = self.stores()
        names = {stores.keys.pseudonym_of(who): who for who in (*PEOPLE, "p4")}
        return {names[sample.person] for sample in read_index(stores.data)}

    def two_erasures_and_an_import(self) -> list[Callable[[], object]]:
        """p1 and p2 leave, p4 comes."""
        intake = self.intake_of([Row(4, "p4", "fear", "21")], set())
        return [
            lambda: self.leave(["p1"], self.stores()),
            lambda: self.leave(["p2"], self.stores()),
            lambda: self.taken_in(intake, self.stores()),
        ]

    def check_proofs(self, gone: dict[str, str]) -> None:
        """Whoever is gone (id -> pseudonym) has proofs of which the last is whole, and every proof is the one on record."""
        stores = self.stores()
        with stores.ledger as ledger:
            assert ledger.verify_chain().intact
            for who, person in gone.items():
                rows = erasure_proof.audit_erasure(who, stores.keys, ledger, self.place)
                assert rows and all(row["proof_intact"] for row in rows)
                destroyed = [one for row in rows for one in row["keys_destroyed"]]
                assert destroyed.count(person) == 1, "one proof says that the key was destroyed, and no other"
                last = rows[-1]
                assert last["found"] == last["in_dataset_now"] == [] and person in last["subjects"]
                check_linked([json.dumps(line, sort_keys=True) for line in last["journal"]], "the journal in the proof")
                steps = {line["step"] for line in last["journal"] if line["state"] == "done"}
                assert steps >= {
                    "begun",
                    "quarantine",
                    "dataset",
                    "keys",
                    "files listed",
                    "files",
                    "objects",
                    "pages",
                    "search",
                }
                assert stores.keys.pseudonyms_of(who) == ()
        assert not [*(self.place.home / "erasures").glob("*.jsonl"), *self.folder.rglob(".*.part")]

    @rule(kill=kills(6))
    def retrain(self, kill: int | None) -> None:
        """The part of a retrain that touches the dataset: it is found, checked and kept."""
        if not self.world.stored:
            return

        def look(stores: Stores) -> None:
            marker = self.place.home / "rendered.json"
            with writing(stores, "test", 5):
                found = find_dataset(stores.data, stores.store, lambda: None, "quick", marker)
            assert found.origin == "present"

        self.do(look, kill, 0, self.world.stored)

    def do(self, command: Callable[[Stores], None], kill: int | None, code: int | None, after: Stored) -> None:
        """Runs a command; the next one puts right what a killed one left, and what is there is the old state or the new one."""
        ended = in_a_process_of_its_own(lambda: command(self.stores()), kill)
        was_killed = self.was_killed = ended == -signal.SIGKILL
        assert was_killed or ended == code or (code is None and ended in (2, 4)), (ended, code)
        self.readable()
        stores = self.stores()
        with stores.ledger, writing(stores, "test", 5):
            pass
        found = self.check()
        assert found == after or (was_killed and found == self.world.stored), (found, after, self.world.stored)
        self.learn(found)

    def readable(self) -> Stored:
        """What lies in the dataset, which must be whole at any moment: files, index, shards and keys belong together."""
        stores = self.stores()
        if not has_dataset(stores.data):
            return {}
        verify_manifest(stores.data)
        names = {stores.keys.pseudonym_of(who): who for who in PEOPLE}
        found: Stored = {}
        samples = read_index(stores.data)
        shards = {path.relative_to(stores.data).as_posix() for path in (stores.data / "shards").iterdir()}
        assert shards == {shard_name(sample.person) for sample in samples}
        for person in {sample.person for sample in samples}:
            shard = read_shard(stores.data, person, stores.keys.key_of(person))
            own = {sample.sample_id: sample for sample in samples if sample.person == person}
            assert shard.samples.keys() == own.keys()
            for name, media in shard.samples.items():
                assert digest_of(media, person, stores.keys.key_of(person)) == own[name].sha256
                picture = self.picture_of[hashlib.sha256(media).hexdigest()]
                found.setdefault(names[person], {})[picture] = (own[name].label, shard.subject.age_band)
        return found

    def check(self) -> Stored:
        """The invariant between commands: no leftovers, no key without a person, no person without consents, an intact log."""
        found, stores = self.readable(), self.stores()
        left = sorted(path.name for path in self.folder.iterdir())
        assert {name for name in left if not name.startswith("data.erased-")} <= {
            "data",
            "data.dvc",
            "home",
            "manifest.csv",
        }
        assert not [*(self.place.home / "unfinished").glob("*")]
        with stores.ledger as ledger:
            assert ledger.verify_chain().intact
            known = {one.subject for one in ledger.consents()}
        people = {path.stem for path in (self.place.keys / "people").iterdir()}
        entries = [path.read_text() for path in (self.place.keys / "index").glob("[!.]*")]
        live = {text for text in entries if not text.startswith("erased")}
        # Between a person's two files an erasure may have been killed: the same command destroys the key when it goes on.
        assert live <= people <= known and len(people - live) <= len(entries) - len(live)
        assert {stores.keys.pseudonym_of(who) for who in found} <= people
        if stores.store.pinned() is not None:
            assert has_dataset(stores.data) and stores.store.pinned() == stores.store.version()
        return found

    def learn(self, found: Stored) -> None:
        """What is on record after a command that may have been killed: nothing that was there may be gone."""
        stores = self.stores()
        erased = {who for who in PEOPLE if stores.keys.erasure_of(who) is not None}
        assert self.world.erased <= erased
        given: dict[str, int] = {}
        closed = set()
        with stores.ledger as ledger:
            for who in PEOPLE:
                person = stores.keys.pseudonym_of(who)
                own = ledger.consents(person) if person else ()
                given[who] = sum(not one.closes for one in own) or self.world.given.get(who, 0)
                latest = {one.record_id: one for one in own}
                closed |= {who} if any(one.closes for one in latest.values()) else set()
        assert all(given[who] >= count for who, count in self.world.given.items())
        people = being_erased(self.place.home)
        leaving = {who for who in PEOPLE if stores.keys.pseudonym_of(who) in people}
        seen = {
            picture
            for who in erased - self.world.erased
            for picture in self.world.stored.get(who, self.world.left.get(who, {}))
        }
        left = {who: self.world.stored.get(who, self.world.left.get(who, {})) for who in leaving}
        self.world = World(
            stored=found,
            given=given,
            closed=closed | erased,
            erased=erased,
            leaving=leaving,
            seen=self.world.seen | seen,
            left=left,
        )

    def consent(self, who: str, person: str, is_fresh: bool) -> ConsentEvent:
        """Somebody's first consent, or a new one that was given just now."""
        number = self.world.given.get(who, 0) if is_fresh else 0
        (model,) = synthetic_consents([person])
        moment = self.clock if number else self.clock.replace(year=2025)
        return model.model_copy(
            update={
                "event_id": f"e-{who}-{number}",
                "record_id": f"r-{who}",
                "lawful_basis": "6(1)(a)",
                "special_category_condition": "9(2)(a)",
                "purposes": ("train",),
                "contexts": ("research",),
                "notice_id": "n1",
                "notice_sha256": NOTICE.sha256,
                "event_time": moment if number else datetime(2026, 1, 2, tzinfo=UTC),
                "recorded_at": self.clock,
            }
        )

    def stores(self) -> Stores:
        return Stores(
            data=self.place.data,
            home=self.place.home,
            keys=KeyStore(self.place.keys, beside=self.place.data),
            ledger=Ledger(sqlite_url(self.place.home / "ledger.db"), clock=lambda: self.clock),
            store=Store(self.place.data),
        )

    def tick(self) -> None:
        self.clock += timedelta(minutes=1)


def check_counts(done: IntakeReport, rows: list[Row], bad: set[int], admitted: set[int], corrected: set[int]) -> None:
    assert done.rows == len(rows) == done.admitted + done.unchanged + len(done.quarantined)
    assert {row.row for row in done.quarantined} == bad
    assert {change.row for change in done.corrections} == corrected and done.corrected == len(corrected)
    assert done.admitted == len(admitted)


@pytest.fixture
def machine(tmp_path: Path) -> type[Interleavings]:
    """The machine with its pictures, made once."""
    folder = tmp_path / "pictures"
    return type("Machine", (Interleavings,), {"pictures": folder, "picture_of": draw_pictures(folder, PICTURES)})


@pytest.mark.parametrize("command", ["import", "erase"])
def test_a_command_that_is_killed_before_any_of_its_writes_is_finished_or_undone(
    machine, rounds, state, never, command: str
) -> None:
    """The import brings somebody, corrects somebody and leaves a third alone."""
    step, kills = rounds(8 if command == "import" else 25, 1), 0
    rows = [Row(0, "p1", "anger", ""), Row(1, "p2", "fear", ""), Row(3, "p3", "fear", "34")]
    for kill in range(0, 1000, step):
        world = machine()
        try:
            world.begin(2)
            if command == "import":
                world.bring(rows, set(), kill)
            else:
                person = world.stores().keys.pseudonym_of("p1")
                world.erase("p1", kill)
            was_killed = world.was_killed
            if command == "erase":
                if was_killed:
                    world.erase("p1", None)
                world.check_proofs({"p1": person})
        finally:
            world.teardown()
        if not was_killed:
            break
        kills += 1
    assert kills * step > 25, "there was something to kill"
    state(f"An {command} killed before one of its writes: the old state or the new one", never(kills), kills)


def test_erasures_at_once_and_killed_leave_every_proof_whole(machine, rounds, state, never) -> None:
    """Two erasures, and an import, at the same time, each killed before some write of its own: then everything is told to go on.

    One waits for another or ends with exit 2; nobody is lost, and nobody stays.
    """
    n = rounds(2, 500)
    for number in range(n):
        rng = np.random.default_rng(number)
        world = machine()
        try:
            world.begin(3)
            gone = {who: world.stores().keys.pseudonym_of(who) for who in ("p1", "p2")}
            kills = [int(one) if rng.random() < 0.7 else None for one in rng.integers(0, 80, 3)]
            commands = world.two_erasures_and_an_import()
            ended = at_once(commands, kills)
            assert set(ended) <= {0, 2, -signal.SIGKILL}, (number, kills, ended)
            for command in commands:
                assert in_a_process_of_its_own(command, None) == 0
            world.check_proofs(gone)
            assert world.people() == {"p3", "p4"}
        finally:
            world.teardown()
    state("Two erasures and an import at once, killed: proofs whole, nobody lost, nobody left", never(n), n)


def test_imports_consents_erasures_and_retrains_in_any_order_killed_anywhere(machine, rounds, state, never) -> None:
    n = rounds(5, 500)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=n,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    state("Import, consent, erase, retrain and kill in any order: counts, people, keys and log", never(n), n)
