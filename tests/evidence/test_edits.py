"""Edits of the ledger by SQL, at random, before a decision: none is believed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.errors import IntegrityError
from bitface.ledger import tables
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import DecisionEntry, ModelEntry, RunEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.ledger.trust import Trust
from bitface.steps.audits.checkpoints import Checkpoints
from tests.builders import dataset_entry, member

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DECISIONS = {
    "predict": lambda ledger: ledger.check_use(ledger.champion(), "demo", "research"),
    "validate": lambda ledger: ledger.check_intact(),
    "promote": lambda ledger: ledger.promote(
        Move(to_version=2, expected_previous=1, decision_sha256="decision 2", actor="test")
    ),
    "rollback": lambda ledger: ledger.promote(
        Move(to_version=1, expected_previous=2, decision_sha256=None, actor="test", kind="rollback")
    ),
}


def opened(home: Path) -> Ledger:
    """A ledger as a command of the installation opens it."""
    trust = Trust(
        note=home / "ledger.verified",
        key=home / "keys" / "ledger.key",
        ends=Checkpoints(home=home, place=None, learn=lambda *_: 0, warn=print, now=lambda: NOON),
    )
    return Ledger(sqlite_url(home / "ledger.db"), clock=lambda: NOON, trust=trust)


@pytest.fixture
def homes(tmp_path: Path) -> dict[str, Path]:
    """Two homes with rows in most tables: in one version 2 waits to be promoted, in the other it is the champion."""
    waits, live = tmp_path / "waits", tmp_path / "live"
    people = [f"s{number:015d}" for number in range(6)]
    with opened(waits) as ledger:
        ledger.record_notice(packaged_notice("synthetic-1"))
        events = synthetic_consents(people)
        ledger.record_consents(events)
        ledger.record_renders(dict.fromkeys(people, "e" * 64))
        members = [member(event) for event in events]
        asked = {"purpose": "train", "context": "research"}
        ledger.record_dataset(dataset_entry(6), members)
        for number in (1, 2):
            codes = {"code_commit": "c", "params_sha256": "d", "constraints_sha256": "e"}
            ledger.record_run(RunEntry(run_id=f"run{number}", dataset_version="d1", **codes, **asked))
            made = {"bundle_sha256": f"b{number}", "run_id": f"run{number}"}
            ledger.record_model(ModelEntry(weights_sha256="w", evidence="synthetic", purpose="train", **made))
            ledger.record_decision(
                DecisionEntry(decision_sha256=f"decision {number}", decision="promote", reasons=(), **made)
            )
        ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256="decision 1", actor="test"))
    shutil.copytree(waits, live)
    with opened(live) as ledger:
        DECISIONS["promote"](ledger)
    return dict.fromkeys(("predict", "validate", "promote"), waits) | {"rollback": live}


def test_edits_at_random_are_never_believed(homes, tmp_path, rounds, state, never) -> None:
    """Any cell of any table that the chain covers and of the log itself: another value, none, a row deleted, doubled or moved."""
    rng, edits = np.random.default_rng(11), rounds(40, 1000)
    for number in range(edits):
        name = list(DECISIONS)[number % len(DECISIONS)]
        home = tmp_path / f"spoiled{number}"
        shutil.copytree(homes[name], home)
        what = spoiled(rng, home / "ledger.db")
        believed = True
        try:
            with opened(home) as ledger:
                DECISIONS[name](ledger)
        except IntegrityError:
            believed = False
        assert not believed, (name, what)
        shutil.rmtree(home)
    state(
        "An edit of the ledger by SQL, believed by a prediction, validation, promotion or rollback", never(edits), edits
    )


def spoiled(rng: np.random.Generator, file: Path) -> str:
    """One edit that changes something; in words."""
    chained = (*tables.CHAINED, tables.log, tables.aliases)
    while True:
        table = chained[rng.integers(len(chained))]
        column = table.columns[rng.integers(len(table.columns))].name
        where = f"where rowid = (select rowid from {table.name} order by random() limit 1)"  # noqa: S608 - our own names
        words = str(
            rng.choice(
                [
                    f"update {table.name} set {column} = coalesce({column}, '') || '1' {where}",  # noqa: S608
                    f"update {table.name} set {column} = 1 {where}",  # noqa: S608
                    f"update {table.name} set {column} = (select {column} from {table.name} order by random() limit 1) {where}",  # noqa: S608
                    f"delete from {table.name} {where}",  # noqa: S608
                ]
            )
        )
        with closing(sqlite3.connect(file)) as raw:
            before = list(raw.iterdump())
            try:
                raw.execute(words)
                raw.commit()
            except sqlite3.IntegrityError:
                continue
            if list(raw.iterdump()) != before:
                return words
