"""Random histories against a model of who allowed what: nobody is used after a closing event, comes back, or cannot leave.

Imports, consents, withdrawals, narrower licences, erasures, versions, promotions, rollbacks, backups that are put back, clocks that jump,
and kills, each by the functions that the commands use, with checkpoints elsewhere as an operator has them. The model is dictionaries and a
clock: it knows nothing of how the program decides. What it forbids must be refused, and what it allows must be let through.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bitface.adapters.checkpoint_places.folder import FolderPlace
from bitface.adapters.media_files import encode_frames, read_image
from bitface.bootstrap.places import open_checkpoints
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import synthetic_consents
from bitface.consent.policy import LicenceRecord
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.sealed_evidence import seal_evidence
from bitface.dataset.shards import read_shard
from bitface.errors import BitfaceError
from bitface.gate.decision import GateDecision, evaluate_gate
from bitface.gate.decision_bundle import write_bundle
from bitface.gate.evidence import GateEvidence
from bitface.gate.unnamed import unnamed
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import ApprovalRule, DecisionEntry, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.trust import Trust
from bitface.params import read_params
from bitface.steps.audits import erasure_begun, erasure_proof
from bitface.steps.audits.checkpoint_files import erased_in
from bitface.steps.audits.checkpoints import Checkpoints
from bitface.steps.people.consents import record_file, withdraw
from bitface.steps.people.erasure_journal import being_erased
from bitface.steps.people.intake import Pictures, import_people
from bitface.steps.people.intake_decision import Intake
from bitface.steps.people.lease import holding
from bitface.steps.people.writing import Stores, writing
from bitface.steps.retrain.plan import Request, plan_run
from bitface.steps.retrain.reuse import code_digest
from bitface.steps.retrain.version import find_dataset
from bitface.steps.versions.gate import BUNDLE_NAME, names_in
from bitface.steps.versions.model_choice import choose_model
from bitface.steps.versions.promote import promote, roll_back
from bitface.steps.versions.served import RELEASE, served_folder
from bitface.usecases.erasing import unfinished
from bitface.usecases.people import check_people_here
from tests.builders import read_manifest
from tests.evidence.history_model import (
    CONTEXTS,
    LETTER,
    PICTURES,
    PURPOSES,
    SPELT,
    Backup,
    Data,
    Draw,
    Home,
    Leaving,
    Row,
    Said,
    Terms,
    Times,
    Version,
)
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
from tests.unit.conftest import evidence, gate_params  # noqa: F401 - fixtures

ROOT = Path(__file__).resolve().parents[2]
STEPS = 12
AT_ONCE = 4
"""Histories that are lived at once: half of each is waiting."""
USES = (("infer", "research"), ("evaluate", "research"), ("infer", "consumer"))
MADE_FOR = ("train", "research")
CLOSING_KINDS = ("consents", "licence", "erasure", "promotion")
NOBODY = ApprovalRule()


class History:
    """One installation, from its first import until everybody has left."""

    pictures: Path
    picture_of: dict[str, int]
    gate: SimpleNamespace
    counts: Counter[str]

    def __init__(self) -> None:
        self.move_to(Path(tempfile.mkdtemp(dir=IN_MEMORY)))
        self.away.mkdir()
        self.clock = datetime(2026, 6, 1, tzinfo=UTC)
        self.home, self.data = Home(), Data()
        self.erased: dict[str, str | None] = {}
        """Pseudonym -> id, None where no key was here that knew it."""
        self.seen: set[int] = set()
        """Pictures of people who were erased."""
        self.backups: list[Backup] = []
        self.latest: Backup | None = None
        """The home that an older one took the place of: where there is one, the home that is here opens nothing."""
        self.told: set[str] = set()
        """Who withdrew from an older home: told again to the newest one."""
        self.order: list[str] = []
        """Pseudonyms as they came: they are drawn at random, and the same history meets the same people."""
        self.number = 0

    def move_to(self, folder: Path) -> None:
        self.folder, self.place, self.away = folder, workspace_in(folder), folder / "away"

    def copied(self) -> History:
        """Another one that begins where this one is."""
        other = copy.copy(self)
        other.__dict__ |= copy.deepcopy(self.__dict__)
        other.move_to(Path(tempfile.mkdtemp(dir=IN_MEMORY)))
        shutil.copytree(self.folder, other.folder, dirs_exist_ok=True)
        other.backups = [
            replace(one, folder=other.folder / one.folder.relative_to(self.folder)) for one in other.backups
        ]
        return other

    # What people do.

    def begin(self) -> None:
        """Two versions went live, of two people and of three, and there is a backup: histories of nothing find nothing."""
        rows = [Row(number, who) for number, who in enumerate(("amelie", "borislav", "chiyoko"))]
        for brought in (rows[:2], rows[2:]):
            self.bring(brought, "own", Terms(), 3000, None, again=True)
            self.register(None)
            self.promote(len(self.home.versions), None)
        self.back_up()

    def bring(self, rows: list[Row], licence: str, given: Terms, days: int, kill: int | None, again: bool) -> None:
        """An import; whoever is new gives a consent with it."""
        self.tick()
        terms = self.terms(given, days)
        expected, is_taken = self.entering(rows, licence, terms)
        intake, is_sure = self.intake_of(rows, licence, terms), not self.home.leaving

        def run(stores: Stores) -> None:
            pictures = Pictures(read=read_image, encode=encode_frames, report=lambda *_: None)
            import_people(intake, [NOTICE], pictures, stores, self.clock, lambda: writing(stores, "test", 30))

        ended = self.run("import", run, kill, again)
        self.learn_people(terms)
        found = self.found()
        if ended == -signal.SIGKILL:
            assert found in (self.as_named(self.data), expected) or not is_sure, (found, expected)
        elif is_sure:
            assert (ended == 0) == is_taken and ended in (0, 2, 4), (ended, is_taken)
            assert found == expected, (found, expected)
        self.counts[f"import {'taken' if ended == 0 else 'refused'}"] += ended >= 0
        self.take_over(found, licence)

    def grant(self, number: int, given: Terms, days: int, late: int, kill: int | None) -> None:
        """A consent of somebody who is here, in a file; some are brought days after they were given."""
        person = self.somebody(number, self.home.keys)
        if person is None or person in self.erased:
            return
        self.tick()
        terms = self.terms(given, days, self.clock - timedelta(days=late))
        event = self.event(person, f"e-{self.next()}", terms)
        self.record(event, kill)
        self.home.said.setdefault(person, Said()).give(terms)
        self.counts["consent given"] += 1

    def close(self, number: int, purposes: tuple[str, ...], days: int, kill: int | None) -> None:
        """A withdrawal in a file, of all or of one purpose; dated ahead or days ago."""
        person = self.somebody(number, self.home.keys)
        if person is None or person in self.erased:
            return
        self.tick()
        at = self.clock - timedelta(days=days)
        changes = {"state": "withdrawn", "purposes": purposes, "event_time": at}
        event = self.event(person, f"c-{self.next()}", Terms()).model_copy(update=changes)
        self.record(event, kill)
        self.home.said.setdefault(person, Said()).close(purposes, min(at, self.clock))
        self.told |= {person} if self.latest else set()
        self.counts["withdrawn in a file"] += 1

    def withdraw(self, number: int, kill: int | None) -> None:
        """`bitface consent withdraw`."""
        person = self.somebody(number, self.home.keys)
        if person not in self.home.said or person in self.erased:
            return
        self.tick()
        assert self.run("withdraw", lambda stores: withdraw(person, "asked", stores.ledger, self.clock), kill) == 0
        self.home.said[person].close((), self.clock)
        self.told |= {person} if self.latest else set()
        self.counts["withdrawn"] += 1

    def narrow(self, name: str, less: str, kill: int | None) -> None:
        """A licence that allows less, as an import brings it."""
        known = self.home.licences.get(name)
        if known is None or less not in (*known.purposes, *known.contexts) or len(known.purposes) == 1 or self.latest:
            return
        self.tick()
        terms = Terms(tuple(set(known.purposes) - {less}), tuple(set(known.contexts) - {less}))
        record = licence_of(name, terms)
        assert self.run("narrow", lambda stores: stores.ledger.record_consents((), (), [record]), kill) == 0
        self.home.licences[name] = terms
        self.counts["licence narrower"] += 1

    def erase(self, number: int, kill: int | None, again: bool) -> None:
        """Somebody leaves, by id, or by pseudonym where no key tells whose it is."""
        person = self.somebody(number, {**self.data, **self.home.keys})
        if person is None:
            return
        self.tick()
        subject = self.home.keys.get(person, person)
        begun = {one: self.home.leaving.get(one) or self.left_by(one) for one in self.under(subject)}
        ended = self.run("erase", lambda stores: self.leave(stores, [subject]), kill, again)
        if ended == -signal.SIGKILL and not self.is_erased(person):
            self.learn_leaving(begun)
            return
        assert ended in (0, -signal.SIGKILL), (ended, subject)
        self.gone(begun)
        self.counts["erased"] += 1

    # What the operator does.

    def register(self, kill: int | None) -> None:
        """A retrain as far as the ledger is concerned: members, run, version and what a gate said."""
        self.tick()
        members = frozenset(
            (person, licence)
            for person, own in self.data.items()
            for licence in own.values()
            if not self.refusal_of(person, licence, *MADE_FOR)
        )
        champion = self.home.champion
        compared = champion if champion is not None and not self.refusal(self.version(champion)) else None
        gate = self.gate.of(compared)
        ended = self.run("retrain", lambda stores: self.make(stores, gate), kill)
        hidden = {person for person, _ in members} & self.unreadable()
        if self.latest or self.returned() or hidden or not members:
            assert ended in (2, 4) or (self.home.leaving and not self.latest), (ended, members)
        else:
            assert ended == 0 or self.home.leaving, ended
        self.counts["retrain" if ended == 0 else "retrain refused"] += 1
        with self.opened().ledger as ledger:
            made = ledger.models()
            run = ledger.run_of(made[-1]) if made else None
            held = {(one.person, one.licence_id) for one in ledger.members(run.dataset_version)} if run else set()
        if len(made) > len(self.home.versions):
            doubtful = self.home.leaving.keys()
            assert {one for one in held ^ members if one[0] not in doubtful} == set(), (held, members)
            self.home.versions.append(Version(len(made), run.run_id, frozenset(held), compared))

    def promote(self, number: int, kill: int | None) -> None:
        """`bitface promote`, of any version."""
        self.tick()
        version = self.home.versions[(number - 1) % len(self.home.versions)]
        champion, refused = self.home.champion, self.refusal(version)
        ended = self.run(
            "promote",
            lambda stores: promote(version.number, NOBODY, "test", self.place.runs, stores.ledger, stores.keys),
            kill,
        )
        over = champion is not None and self.refusal(self.version(champion))
        fits = champion in (version.compared, version.number) or (version.compared is None and over)
        is_sure = champion is None or not self.doubtful(self.version(champion))
        self.check_use("promotion", ended, refused or ("" if fits else "another champion"), version, is_sure)
        if ended == 0:
            self.live(version.number)

    def roll_back(self, number: int | None, kill: int | None) -> None:
        """`bitface rollback`, to the champion before or to any version."""
        self.tick()
        target = self.home.previous if number is None else number % len(self.home.versions) + 1
        asked = None if number is None else target
        ended = self.run("rollback", lambda stores: roll_back(asked, "test", stores.ledger), kill, number is not None)
        if ended == -signal.SIGKILL:
            with self.opened().ledger as ledger:
                now = ledger.champion()
            ended = 0 if now and now.version == target else ended
        if target is None:
            assert ended != 0, ended
            return
        refused = self.refusal(self.version(target))
        refused = refused or ("" if target in self.home.champions else "never champion")
        if ended >= 0:
            self.check_use("rollback", ended, refused, self.version(target))
        if ended == 0:
            assert not refused, refused
            self.live(target)

    def jump(self, days: int) -> None:
        """The clock is set, or time passes; what was far ahead comes back with the next jump."""
        ahead = self.clock - datetime(2026, 6, 1, tzinfo=UTC)
        self.clock += timedelta(days=-4000 if ahead > timedelta(days=3000) else days, seconds=self.next())
        self.counts["clock forwards" if days > 0 and ahead < timedelta(days=3000) else "clock back"] += 1

    def back_up(self) -> None:
        """The home and the dataset are copied."""
        if self.latest:
            return
        self.tick()
        folder = self.folder / "backups" / str(self.next())
        for name in ("home", "data"):
            shutil.copytree(self.folder / name, folder / name)
        shutil.copy(self.folder / "data.dvc", folder)
        self.backups = [*self.backups[-1:], self.kept(folder)]
        self.counts["backup"] += 1

    def restore(self, which: int, what: str, resumes: bool) -> None:
        """An older home, older keys alone, an older dataset, all of it, or the newest home again. The operator erases again whoever came
        back, at once or later.
        """
        self.tick()
        backup = self.latest if what == "newest" else self.backups[which % len(self.backups)]
        if backup is None:
            return
        if what in ("home", "all", "newest"):
            self.put_home(backup)
        if what == "keys":
            put_back(backup.folder / "home" / "keys", self.place.keys)
            self.home.keys = dict(backup.home.keys)
        if what in ("data", "all"):
            put_back(backup.folder / "data", self.place.data)
            shutil.copy(backup.folder / "data.dvc", self.folder)
            self.data = copy.deepcopy(backup.data)
        self.learn_leaving({})
        self.counts[f"restored {what}"] += 1
        if resumes:
            self.resume(None)

    def resume(self, kill: int | None) -> None:
        """`bitface erase --resume`, with the newest checkpoint from elsewhere that knows of somebody."""
        self.tick()
        begun = {one: self.left_by(one) for one in self.returned()} | self.home.leaving
        assert self.run("resume", self.go_on, kill) == 0
        self.gone(begun)
        self.counts["erased again"] += len(begun)

    # What is asserted after every step.

    def look(self) -> None:
        """Uses, people, proofs, checkpoints and names. Each version is asked for one use, and for another one after the next step."""
        self.next()
        with self.opened().ledger as ledger:
            for version in self.home.versions:
                use = USES[(version.number + self.number) % len(USES)]
                is_named = version.number != self.home.champion or self.number % 2
                ended = self.use(ledger, f"bitface/{version.number}" if is_named else None, *use)
                self.check_use("use", ended, self.refusal(version, *use), version)
            if self.home.champion is None:
                assert self.use(ledger, None, *USES[0]) != 0
            recorded = {one.erasure_id: one.proof_sha256 for one in ledger.erasures()}
        proofs = {path.stem: digest(path) for path in (self.place.home / "erasures").glob("*.json")}
        assert self.home.proofs.items() <= proofs.items(), "a proof is lost"
        assert self.home.proofs.items() <= recorded.items()
        assert self.as_named(self.data) == self.found()
        assert not (self.data.keys() & self.erased.keys()) - self.returned() - self.home.leaving.keys()
        if not self.latest:
            assert self.last_closing() <= self.newest(), "what closes is under a checkpoint elsewhere"
        self.check_no_name()

    def use(self, ledger: Ledger, reference: str | None, purpose: str, context: str) -> int:
        """The exit code of a prediction, up to where its files are opened."""
        try:
            ledger.check_any_use(purpose, context)
            entry = choose_model(reference, purpose, ledger)
            ledger.check_use(entry, purpose, context)
            assert served_folder(entry, self.place.runs, ledger).is_dir()
        except BitfaceError as error:
            return error.exit_code
        return 0

    def check_use(self, what: str, ended: int, refused: str, version: Version, is_sure: bool = True) -> None:
        """Nothing is let through that the model forbids, nor refused that it allows."""
        refused = "an older home" if self.latest else refused
        if refused:
            assert ended in (2, 3, 4) or not is_sure, (what, ended, refused, version)
            self.counts[f"{what} refused: {refused}"] += 1
        elif is_sure and not self.doubtful(version):
            assert ended == 0, (what, ended, version)
            self.counts[f"{what} let through"] += 1

    def doubtful(self, version: Version) -> bool:
        """Whether somebody in it is being erased: it may be refused already."""
        return bool({person for person, _ in version.members} & self.home.leaving.keys())

    def live(self, number: int) -> None:
        if self.home.champion != number:
            self.home.previous = self.home.champion or self.home.previous
        self.home.champion = number
        self.home.champions.add(number)

    def check_no_name(self) -> None:
        """Nobody's id stands anywhere in the clear."""
        names = [name.encode() for name in LETTER]
        places = [self.place.home, self.place.data, *self.folder.glob("data.erased-*"), self.away]
        files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*"))]
        assert not [path for path in files if path.is_file() and any(name in path.read_bytes() for name in names)]

    def everybody_leaves(self) -> None:
        """Whoever has a key or data can be erased, whatever happened before."""
        if not self.home.said:
            return
        self.resume(None)
        while people := {**self.data, **self.home.keys}:
            assert not people.keys() & self.erased.keys()
            self.erase(len(people) - 1, None, True)
        stores = self.opened()
        with stores.ledger as ledger:
            assert ledger.verify_chain().intact
        assert self.found() == {} and stores.keys.pseudonyms() == ()
        assert not [*(self.place.data / "shards").iterdir()]
        entries = [path.read_text() for path in (self.place.keys / "index").glob("[!.]*")]
        assert not [text for text in entries if not text.startswith("erased")]
        self.look()

    # What the model says.

    def refusal(self, version: Version, purpose: str | None = None, context: str = "") -> str:
        """Why a version may not be used, or not at all where no purpose is named; empty where it may."""
        for person, licence in sorted(version.members):
            why = self.refusal_of(person, licence, *MADE_FOR)
            why = why or (self.refusal_of(person, licence, purpose, context) if purpose else "")
            if why:
                return why
        return ""

    def refusal_of(self, person: str, licence: str, purpose: str, context: str) -> str:
        if person in self.erased:
            return "erased"
        terms = self.home.licences.get(licence)  # an older home may not know that of a newer dataset
        if terms is None or not terms.allow(purpose, context, self.times()):
            return "licence"
        return self.home.said.get(person, Said()).refusal(purpose, context, self.times())

    def times(self) -> Times:
        """A clock that was set back brings nothing back that was over when something was last written down here."""
        log = self.place.home / "ledger.db"
        if not log.is_file():
            return Times(self.clock, self.clock)
        with closing(sqlite3.connect(log)) as raw:
            latest = datetime.fromisoformat(raw.execute("select max(at) from log").fetchone()[0])
        return Times(self.clock, max(self.clock, latest))

    def returned(self) -> set[str]:
        """Who was erased, and is here again."""
        return ({*self.home.keys, *self.data} & self.erased.keys()) - self.home.leaving.keys()

    def unreadable(self) -> set[str]:
        """Whose key is not here: keys were put back that are older than they."""
        return self.data.keys() - self.home.keys.keys()

    def entering(self, rows: list[Row], licence: str, given: Terms) -> tuple[dict[str, dict[int, str]], bool]:
        """The dataset after an import, by id, and whether anybody is taken."""
        after, is_taken = copy.deepcopy(self.as_named(self.data)), False
        if self.returned() or self.unreadable() or self.latest:
            return after, is_taken
        terms = self.home.licences.get(licence, Terms())
        person_of = {its: person for person, its in self.home.keys.items()}
        gone = {LETTER[its] for its in self.erased.values() if its}
        owner = {picture: self.named(person) for person, own in self.data.items() for picture in own}
        brought: dict[str, set[int]] = {}
        for row in rows:
            brought.setdefault(SPELT[row.spelling][0], set()).add(row.picture)
        asked = {who for who in brought if LETTER[who] not in gone}
        for who in asked:
            alike = {one for one in {*person_of, *asked} - {who} if LETTER[one] == LETTER[who]}
            said = self.home.said.get(person_of.get(who, ""), Said(given=dict.fromkeys(given.purposes, given)))
            free = {one for one in brought[who] if owner.get(one, who) == who}
            is_doubtful = bool(brought[who] & self.seen or (who not in person_of and alike))
            if free and not is_doubtful and self.allows_anything(said, terms):
                is_taken = True
                after.setdefault(who, {}).update(dict.fromkeys(free, licence))
        return after, is_taken

    def allows_anything(self, said: Said, licence: Terms) -> bool:
        return any(
            licence.allow(purpose, context, self.times()) and not said.refusal(purpose, context, self.times())
            for purpose in PURPOSES
            for context in CONTEXTS
        )

    def under(self, subject: str) -> list[str]:
        """The pseudonyms that an id means, or the pseudonym itself."""
        return [person for person, its in self.home.keys.items() if its == subject] or [subject]

    def left_by(self, person: str) -> Leaving:
        """By what somebody who is erased now is known again: nothing where the key is not here."""
        is_known = person in self.home.keys
        return Leaving(self.home.keys.get(person), frozenset(self.data.get(person, {}) if is_known else {}))

    def gone(self, people: dict[str, Leaving]) -> None:
        """People have been erased; each has a proof, and no run that they were in is left."""
        for person, left in people.items():
            self.erased[person] = left.subject or self.erased.get(person)
            self.seen |= left.pictures
            self.data.pop(person, None)
            self.home.keys.pop(person, None)
            stores = self.opened()
            with stores.ledger as ledger:
                proofs = erasure_proof.audit_erasure(person, stores.keys, ledger, self.place)
            assert proofs and all(one["proof_intact"] for one in proofs)
            assert proofs[-1]["in_dataset_now"] == proofs[-1]["found"] == []
            self.home.proofs |= {one["erasure_id"]: one["proof_sha256"] for one in proofs}
        self.learn_leaving({})
        runs = {one.run_id for one in self.home.versions if {who for who, _ in one.members} & people.keys()}
        assert not [run for run in runs if (self.place.runs / run).exists()], "what was made with them is deleted"

    def is_erased(self, person: str) -> bool:
        """Whether a killed erasure had come to its end."""
        with self.opened().ledger as ledger:
            on_record = person in {one.person for one in ledger.erasures()}
        return on_record and person not in being_erased(self.place.home)

    # How it is done.

    def run(self, what: str, command: Callable[[Stores], object], kill: int | None, again: bool = True) -> int:
        """A command; one that was killed is given again, as by whoever sees it end, or left as it is."""

        def opened() -> None:
            stores = self.opened()
            with stores.ledger:
                command(stores)

        ended = in_a_process_of_its_own(opened, kill)
        assert ended != 1, what
        if ended == -signal.SIGKILL:
            self.counts[f"{what} killed"] += 1
            stores = self.opened()
            with stores.ledger, writing(stores, "test", 5):
                pass
            if again:
                ended = in_a_process_of_its_own(opened, None)
        return ended

    def opened(self) -> Stores:
        """The stores as a command of this installation opens them, with checkpoints elsewhere."""
        home, keys = self.place.home, KeyStore(self.place.keys, beside=self.place.data)
        ends = Checkpoints(
            home=home,
            place=FolderPlace(self.away),
            learn=keys.learn_suppressed,
            warn=lambda _: None,
            now=lambda: self.clock,
        )
        trust = Trust(note=home / "ledger.verified", key=home / "keys" / "ledger.key", ends=ends, erased=keys.erased_of)
        return Stores(
            data=self.place.data,
            home=home,
            keys=keys,
            ledger=Ledger(sqlite_url(home / "ledger.db"), clock=lambda: self.clock, trust=trust),
            store=Store(self.place.data),
        )

    def intake_of(self, rows: list[Row], licence: str, given: Terms) -> Intake:
        manifest = self.folder / "manifest.csv"
        manifest.write_text(
            "\n".join(["path,subject_id,label", *(f"{row.picture}.png,{row.spelling},fear" for row in rows)]) + "\n"
        )
        usable, rejected = read_manifest(manifest, self.pictures)
        first, known = self.next(), set(self.home.said)
        return Intake(
            rows=usable,
            rejected=rejected,
            licence=licence_of(licence, self.home.licences.get(licence, Terms())),
            source="here",
            consents=lambda names, _: tuple(
                self.event(person, f"i-{first}-{number}", given)
                for number, person in enumerate(names.values())
                if person not in known
            ),
            known_notices={NOTICE.sha256: NOTICE.notice_id},
        )

    def event(self, person: str, event_id: str, terms: Terms) -> ConsentEvent:
        (model,) = synthetic_consents([person])
        changes = {
            "event_id": event_id,
            "record_id": f"r-{person}",
            "lawful_basis": "6(1)(a)",
            "special_category_condition": "9(2)(a)",
            "purposes": terms.purposes,
            "contexts": terms.contexts,
            "notice_id": NOTICE.notice_id,
            "notice_sha256": NOTICE.sha256,
            "event_time": terms.since,
            "valid_from": terms.since,
            "valid_to": terms.until,
            "delete_by": terms.until,
            "last_interaction": terms.since,
            "recorded_at": self.clock,
        }
        return ConsentEvent.model_validate(model.model_dump() | changes)

    def record(self, event: ConsentEvent, kill: int | None) -> None:
        """`bitface consent record`, of one line."""
        file = self.folder / "consents.jsonl"
        file.write_text(event.model_dump_json() + "\n")
        ended = self.run("record", lambda stores: record_file(file, None, stores.keys, stores.ledger, self.clock), kill)
        assert ended == 0

    def leave(self, stores: Stores, subjects: list[str]) -> None:
        """`bitface erase`."""
        with holding(stores.ledger, "removal of people", timedelta(minutes=5)):
            opened = erasure_begun.begin(subjects, "asked", stores.keys, stores.ledger, self.place, self.clock)
            finish_erasure(opened, stores, self.place, self.clock)

    def go_on(self, stores: Stores) -> None:
        """`bitface erase --resume --checkpoint`."""
        elsewhere = open_checkpoints(self.place)
        tools = SimpleNamespace(
            workspace=self.place,
            keys=stores.keys,
            ledger=stores.ledger,
            checkpoints=elsewhere,
            now=lambda: self.clock,
        )
        with holding(stores.ledger, "removal of people", timedelta(minutes=5)):
            for erasure_id in unfinished(tools, self.checkpoint_with_a_book()):
                finish_erasure(
                    erasure_begun.opened(erasure_id, self.place.home, self.clock), stores, self.place, self.clock
                )

    def checkpoint_with_a_book(self) -> Path | None:
        for path in sorted(self.away.iterdir(), reverse=True):
            try:
                erased_in(path, self.place.home)
            except BitfaceError:
                continue
            return path
        return None

    def make(self, stores: Stores, gate: tuple[GateEvidence, GateDecision]) -> None:
        """What a retrain leaves on record and in its folder; the model itself is a few bytes."""
        marker, (measured, decision) = self.place.home / "rendered.json", gate
        elsewhere = open_checkpoints(self.place)
        check_people_here(
            SimpleNamespace(workspace=self.place, keys=stores.keys, ledger=stores.ledger, checkpoints=elsewhere)
        )
        with writing(stores, "test", 5):
            dataset = find_dataset(stores.data, stores.store, lambda: None, "quick", marker)
        purpose, context = MADE_FOR
        asked = Request(purpose=purpose, context=context, at=self.clock, params=self.gate.params)
        run = plan_run(dataset, self.place, asked, "quick", stores.keys, stores.ledger)
        if (run.folder / RELEASE).is_dir():
            return
        seal = partial(seal_evidence, keys=stores.keys, renew=False)
        path, digests = run.folder / BUNDLE_NAME, {"run": run.run_id}
        sha256 = write_bundle(path, measured, self.gate.limits, 1, decision, digests, seal)
        made = {"bundle_sha256": f"b {run.run_id}", "run_id": run.run_id}
        stores.ledger.record_model(ModelEntry(weights_sha256="w", evidence=run.evidence, purpose=run.purpose, **made))
        stores.ledger.record_decision(
            DecisionEntry(decision_sha256=sha256, decision=decision.verdict, reasons=(), **made)
        )
        (run.folder / RELEASE).mkdir()

    def put_home(self, backup: Backup) -> None:
        """The home as it was; the one that was there is set aside where it was newer, and found again where this is as new."""
        is_older = self.newest() > backup.newest
        if is_older and self.latest is None:
            folder = self.folder / "newest" / str(self.next())
            shutil.copytree(self.place.home, folder / "home")
            self.latest = self.kept(folder)
        put_back(backup.folder / "home", self.place.home)
        self.home = copy.deepcopy(backup.home)
        if not is_older:
            told, self.latest, self.told = self.told, None, set()
            self.learn_leaving({})
            for person in sorted(told & self.home.keys.keys(), key=self.order.index):
                self.withdraw(sorted(self.home.keys, key=self.order.index).index(person), None)

    def kept(self, folder: Path) -> Backup:
        return Backup(folder, copy.deepcopy(self.home), copy.deepcopy(self.data), self.newest())

    def newest(self) -> int:
        return max((int(path.stem) for path in self.away.glob("*.json")), default=0)

    def last_closing(self) -> int:
        """The last entry of the log that opens or closes something."""
        with closing(sqlite3.connect(self.place.home / "ledger.db")) as raw:
            places = ", ".join("?" * len(CLOSING_KINDS))
            words = f"select max(seq) from log where kind in ({places})"  # noqa: S608 - our own words
            return raw.execute(words, CLOSING_KINDS).fetchone()[0] or 0

    def found(self) -> dict[str, dict[int, str]]:
        """Who lies in the dataset, by id where it is known; pictures of those whose key is here."""
        stores, found = self.opened(), dict[str, dict[int, str]]()
        for sample in read_index(stores.data) if has_dataset(stores.data) else ():
            own = found.setdefault(self.named(sample.person), {})
            if sample.person in stores.keys.pseudonyms():
                shard = read_shard(stores.data, sample.person, stores.keys.key_of(sample.person))
                media = shard.samples[sample.sample_id]
                own[self.picture_of[hashlib.sha256(media).hexdigest()]] = sample.licence_id
        return found

    def as_named(self, data: Data) -> dict[str, dict[int, str]]:
        return {self.named(person): own if person in self.home.keys else {} for person, own in data.items()}

    def named(self, person: str) -> str:
        """The id of somebody who has a key, else the pseudonym."""
        return self.home.keys.get(person, person)

    def learn_people(self, given: Terms) -> None:
        """The pseudonyms of those who are new, who have given a consent with their pictures."""
        stores = self.opened()
        for who in LETTER:
            person = stores.keys.pseudonym_of(who)
            if person is not None:
                self.home.keys.setdefault(person, who)
                self.order += [person] if person not in self.order else []
        with stores.ledger as ledger:
            for person in self.home.keys.keys() - self.home.said.keys():
                if ledger.consents(person):
                    self.home.said.setdefault(person, Said()).give(given)

    def take_over(self, found: dict[str, dict[int, str]], licence: str) -> None:
        """What an import has changed."""
        people = {its: person for person, its in self.home.keys.items()}
        unreadable = {person: self.data[person] for person in self.unreadable()}
        self.data = {people[who]: own for who, own in found.items() if who in people} | unreadable
        if any(licence in own.values() for own in self.data.values()):
            self.home.licences.setdefault(licence, Terms())

    def learn_leaving(self, begun: dict[str, Leaving]) -> None:
        """Whose erasure is unfinished, and what of them is gone already."""
        known = {**begun, **self.home.leaving}
        stores = self.opened()
        self.home.leaving = {one: known[one] for one in being_erased(self.place.home)}
        present = {sample.person for sample in read_index(stores.data)} if has_dataset(stores.data) else set()
        for person in self.home.leaving.keys() - set(stores.keys.pseudonyms()):
            self.home.keys.pop(person, None)
        for person in self.home.leaving.keys() - present:
            self.data.pop(person, None)

    def somebody(self, number: int, people: Iterable[str]) -> str | None:
        found = sorted(people, key=self.order.index)
        return found[number % len(found)] if found else None

    def version(self, number: int) -> Version:
        return self.home.versions[number - 1]

    def terms(self, given: Terms, days: int, since: datetime | None = None) -> Terms:
        since = since or self.clock
        return Terms(given.purposes, given.contexts, since, since + timedelta(days=days))

    def tick(self) -> None:
        self.clock += timedelta(minutes=1)

    def next(self) -> int:
        self.number += 1
        return self.number


def licence_of(name: str, terms: Terms) -> LicenceRecord:
    return LicenceRecord(id=name, name="ours", text="for training", purposes=terms.purposes, contexts=terms.contexts)


def put_back(copied: Path, place: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(copied, place)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def first(tmp_path: Path, evidence, gate_params) -> Iterator[History]:  # noqa: F811 - the fixtures
    """What every history begins with, made once."""

    @cache
    def of(compared: int | None) -> tuple[GateEvidence, GateDecision]:
        rival = {} if compared is None else {"champion_version": str(compared), "champion": evidence.one_bit}
        named = replace(evidence, **rival)
        measured = unnamed(named, names_in("a history", "synthetic", KeyStore(tmp_path / "keys")))
        return measured, evaluate_gate(measured, gate_params, 1)

    code_digest()  # once for all the processes of commands
    facts = {
        "pictures": tmp_path / "pictures",
        "picture_of": draw_pictures(tmp_path / "pictures", PICTURES),
        "gate": SimpleNamespace(of=of, limits=gate_params, params=read_params(ROOT / "params.yaml")),
        "counts": Counter(),
    }
    world = type("Drawn", (History,), facts)()
    world.begin()
    world.look()
    yield world
    shutil.rmtree(world.folder)


ACTIONS: tuple[tuple[int, Callable[[History, Draw], None]], ...] = (
    (
        6,
        lambda world, draw: world.bring(
            draw.rows(),
            draw.one(("own", "own", "other")),
            draw.given(),
            draw.days(),
            draw.kill(90),
            draw.one((True, False)),
        ),
    ),
    (2, lambda world, draw: world.grant(draw.number(), draw.given(), draw.days(), draw.one((0, 0, 2)), draw.kill(6))),
    (
        2,
        lambda world, draw: world.close(
            draw.number(), draw.one(((), ("train",), ("infer",))), draw.one((-5, 0, 2)), draw.kill(6)
        ),
    ),
    (2, lambda world, draw: world.withdraw(draw.number(), draw.kill(6))),
    (
        1,
        lambda world, draw: world.narrow(
            draw.one(("own", "other")), draw.one(("train", "infer", "consumer")), draw.kill(6)
        ),
    ),
    (3, lambda world, draw: world.erase(draw.number(), draw.kill(120), draw.one((True, False)))),
    (4, lambda world, draw: world.register(draw.kill(10))),
    (3, lambda world, draw: world.promote(draw.number(), draw.kill(6))),
    (3, lambda world, draw: world.roll_back(draw.one((None, draw.number())), draw.kill(6))),
    (2, lambda world, draw: world.jump(draw.one((-200, -40, -3, 3, 10, 40, 4000)))),
    (1, lambda world, draw: world.back_up()),
    (
        5,
        lambda world, draw: world.restore(
            draw.one((0, 1)),
            draw.one(("home", "home", "keys", "data", "all", "newest", "newest")),
            draw.one((True, False)),
        ),
    ),
    (2, lambda world, draw: world.resume(draw.kill(60))),
)
"""What may happen, and how often."""
EACH = (
    *("use let through", "promotion let through", "rollback let through", "retrain", "import taken", "import refused"),
    *(f"use refused: {why}" for why in ("withdrawn", "ended", "licence", "erased", "never allowed", "an older home")),
    *(
        "promotion refused",
        "rollback refused",
        "retrain refused",
        "consent given",
        "withdrawn in a file",
        "licence narrower",
    ),
    *(f"restored {what}" for what in ("home", "keys", "data", "all", "newest")),
    *("erased", "erased again", "backup", "clock forwards", "clock back"),
    *(
        f"{what} killed"
        for what in ("import", "erase", "resume", "withdraw", "record", "retrain", "promote", "rollback")
    ),
)
"""What must have happened often, or the histories prove little."""
WEIGHED = [action for weight, action in ACTIONS for _ in range(weight)]


def live_through(world: History, number: int) -> None:
    """One history, from its first step until everybody has left."""
    draw = Draw(np.random.default_rng(number))
    try:
        for _ in range(STEPS):
            action = draw.rng.integers(len(WEIGHED))
            draw.said.append(f"\n{WEIGHED[action].__code__.co_names[0]}")
            WEIGHED[action](world, draw)
            world.look()
        world.everybody_leaves()
    except BaseException as error:
        error.add_note(f"history {number}: {' '.join(map(str, draw.said))}")
        raise
    finally:
        shutil.rmtree(world.folder)


def live_some(first: History, numbers: range, counts: Path) -> None:
    """Some histories, and how often what happened in them."""
    for number in numbers:
        live_through(first.copied(), number)
    counts.write_text(json.dumps(first.counts))


def test_after_any_history_nobody_is_used_who_closed_it_comes_back_or_cannot_leave(
    first, rounds, state, never, tmp_path
) -> None:
    n = rounds(2, 200)
    files = [tmp_path / f"{part}.json" for part in range(AT_ONCE)]
    parts = [partial(live_some, first, range(part, n, AT_ONCE), file) for part, file in enumerate(files)]
    assert at_once(parts, [None] * AT_ONCE) == [0] * AT_ONCE, (
        "see what was written to stderr: each history tells its number"
    )
    counts = sum((Counter(json.loads(file.read_text())) for file in files), Counter())
    for what in EACH if n >= 200 else ("use let through", "use refused"):
        assert sum(count for name, count in counts.items() if name.startswith(what)) >= 5, (what, counts)
    let = sum(count for name, count in counts.items() if name.endswith("let through"))
    refused = sum(count for name, count in counts.items() if " refused: " in name)
    claim = (
        "Imports, consents, licences, erasures, promotions, backups put back, clocks, kills in any order: somebody used after a closing "
        "event, back after an erasure, or who cannot leave; a proof lost"
    )
    state(claim, f"{never(n)}; {let} uses let through and {refused} refused, each as an independent model said", n)
