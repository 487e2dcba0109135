"""The chain shows every edit, deletion and swap; a cut or a rewrite shows against a checkpoint kept elsewhere."""

# ruff: noqa: S608 - the statements are put together from this file's own words

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.ledger import chain
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import (
    ChainReport,
    Checkpoint,
    DecisionEntry,
    MemberEntry,
    ModelEntry,
    RunEntry,
)
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from tests.builders import dataset_entry, member

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = ("s000000000000001", "s000000000000002")
Tamper = Callable[[sqlite3.Connection], object]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def path(tmp_path: Path, template: Path) -> Path:
    """A ledger file of its own for each test."""
    return Path(shutil.copy(template, tmp_path / "ledger.sqlite"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger file with one entry of every kind, and two champions."""
    file = tmp_path_factory.mktemp("template") / "ledger.sqlite"
    consents = synthetic_consents(PEOPLE)
    with Ledger(sqlite_url(file), clock=lambda: NOON) as ledger:
        ledger.record_notice(packaged_notice("synthetic-1"))
        ledger.record_consents(consents)
        dataset = dataset_entry(2)
        ledger.record_dataset(dataset, [_member(number) for number in range(2)])
        ledger.record_run(
            RunEntry(
                run_id="r1",
                dataset_version="d1",
                purpose="train",
                context="research",
                code_commit="c",
                params_sha256=sha("p"),
                constraints_sha256=sha("q"),
            )
        )
        for number in (1, 2):
            _promote(ledger, number)
    return file


def _member(number: int) -> MemberEntry:
    return member(synthetic_consents(PEOPLE)[number], sample_id=f"x{number}")


def _promote(ledger: Ledger, number: int) -> None:
    bundle, verdict = sha(f"b{number}"), sha(f"d{number}")
    ledger.record_model(
        ModelEntry(bundle_sha256=bundle, weights_sha256=sha("w"), run_id="r1", evidence="synthetic", purpose="train")
    )
    ledger.record_decision(
        DecisionEntry(decision_sha256=verdict, bundle_sha256=bundle, run_id="r1", decision="promote", reasons=())
    )
    ledger.promote(Move(to_version=number, expected_previous=number - 1 or None, decision_sha256=verdict, actor="ada"))


def report(path: Path, kept: Checkpoint | None = None) -> ChainReport:
    with Ledger(sqlite_url(path)) as ledger:
        return ledger.verify_chain(kept)


def tamper(path: Path, *statements: str) -> None:
    """Edits the file behind the ledger's back."""
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA foreign_keys=OFF")
    for statement in statements:
        assert raw.execute(statement).rowcount > 0, statement
    raw.commit()
    raw.close()


def rewrite(path: Path, size: int) -> None:
    """Cuts the log after `size` entries with their rows, and puts another last entry in place: a chain that holds."""
    raw = sqlite3.connect(path)
    for table in ("promotions", "decisions", "models"):
        raw.execute(f"DELETE FROM {table} WHERE log_seq > ?", (size,))
    raw.execute("DELETE FROM log WHERE seq > ?", (size,))
    raw.execute("DELETE FROM aliases")
    raw.commit()
    raw.close()


def test_an_honest_ledger_verifies(path: Path) -> None:
    """One entry per write, and no problem; its checkpoint fits itself."""
    found = report(path)
    assert found.intact and found.checkpoint.size == 10
    assert report(path, found.checkpoint).intact


def test_an_entry_s_digest_can_be_recomputed_by_hand(path: Path) -> None:
    """SHA-256 over the JSON list [seq, at, kind, payload, previous]."""
    raw = sqlite3.connect(path)
    row = raw.execute("SELECT seq, at, kind, payload, previous_sha256, sha256 FROM log WHERE seq = 1").fetchone()
    raw.close()
    text = json.dumps(list(row[:5]), separators=(",", ":"), ensure_ascii=False)
    assert row[4] == chain.GENESIS and row[5] == sha(text)


def test_rows_digest_ignores_order_and_sees_content() -> None:
    """A set of rows has one digest; the number of the entry is not part of it."""
    rows = [{"a": 1, "log_seq": 1}, {"a": None, "log_seq": 1}]
    assert chain.rows_sha256(rows) == chain.rows_sha256([{"a": None}, {"a": 1}])
    assert chain.rows_sha256(rows) != chain.rows_sha256([{"a": 1}])


@pytest.mark.parametrize("seq", range(1, 11))
@pytest.mark.parametrize("column", ["at", "kind", "payload", "previous_sha256", "sha256"])
def test_an_edited_entry_is_found(path: Path, seq: int, column: str) -> None:
    """Every column of every entry."""
    tamper(path, f"UPDATE log SET {column} = {column} || ' ' WHERE seq = {seq}")
    assert seq in {problem.seq for problem in report(path).problems}


@pytest.mark.parametrize("seq", range(1, 10))
def test_a_deleted_entry_is_found(path: Path, seq: int) -> None:
    """Anywhere but at the end, without any checkpoint."""
    tamper(path, f"DELETE FROM log WHERE seq = {seq}")
    assert not report(path).intact


@pytest.mark.parametrize("seq", range(1, 10))
def test_swapped_entries_are_found(path: Path, seq: int) -> None:
    """Two neighbours in each other's place."""
    tamper(
        path,
        f"UPDATE log SET seq = 99 WHERE seq = {seq}",
        f"UPDATE log SET seq = {seq} WHERE seq = {seq + 1}",
        f"UPDATE log SET seq = {seq + 1} WHERE seq = 99",
    )
    assert not report(path).intact


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("notices", "body = 'other'"),
        ("consent_events", "state = 'withdrawn'"),
        ("consent_events", "body = replace(body, 'research', 'consumer')"),
        ("dataset_versions", "evidence = 'real'"),
        ("dataset_members", "consent_event_sha256 = 'other'"),
        ("runs", "code_commit = 'other'"),
        ("models", "bundle_sha256 = bundle_sha256 || 'x'"),
        ("decisions", "decision = 'block'"),
        ("promotions", "actor = 'mallory'"),
        ("promotions", "log_seq = log_seq + 100"),
    ],
)
def test_an_edited_row_is_found(path: Path, table: str, change: str) -> None:
    """The chain covers what the entries wrote, not only the entries."""
    tamper(path, f"UPDATE {table} SET {change}")
    assert any(table in problem.what for problem in report(path).problems)


@pytest.mark.parametrize("table", ["notices", "consent_events", "dataset_members", "decisions", "promotions"])
def test_a_deleted_row_is_found(path: Path, table: str) -> None:
    """A row that an entry wrote and that is gone."""
    tamper(path, f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")
    assert any(table in problem.what for problem in report(path).problems)


def test_an_added_row_is_found(path: Path) -> None:
    """A member that no entry wrote, under an entry that wrote others and under one that does not exist."""
    for seq in (3, 77):
        columns = "person, sample_sha256, split, licence_id, consent_event_id, consent_event_sha256"
        tamper(
            path,
            f"INSERT INTO dataset_members (dataset_version, sample_id, {columns}, log_seq) "
            f"SELECT 'd1', 'forged{seq}', {columns}, {seq} FROM dataset_members LIMIT 1",
        )
    problems = {problem.seq for problem in report(path).problems}
    assert {3, 77} <= problems


@pytest.mark.parametrize("change", ["UPDATE aliases SET version = 1", "DELETE FROM aliases"])
def test_an_alias_moved_by_hand_is_found(path: Path, change: str) -> None:
    """Where an alias points follows from the promotions."""
    tamper(path, change)
    assert any("alias champion" in problem.what for problem in report(path).problems)


def test_a_cut_shows_only_against_a_checkpoint(path: Path) -> None:
    """The shorter log is a good log; the checkpoint knows that it was longer."""
    kept = report(path).checkpoint
    rewrite(path, 4)
    assert report(path).intact
    assert [problem.what for problem in report(path, kept).problems] == [
        "the log was cut: 4 entries, the checkpoint says 10"
    ]


def test_a_rewrite_shows_only_against_a_checkpoint(path: Path) -> None:
    """Cut and grown again to the same length and beyond: another digest stands at the checkpoint's place."""
    kept = report(path).checkpoint
    rewrite(path, 4)
    with Ledger(sqlite_url(path)) as ledger:
        for number in (1, 2):
            _promote(ledger, number)
    assert report(path).intact
    assert [problem.seq for problem in report(path, kept).problems] == [10]


def test_an_older_checkpoint_still_fits_a_longer_log(path: Path) -> None:
    """Growth is no tampering."""
    kept = report(path).checkpoint
    with Ledger(sqlite_url(path)) as ledger:
        _promote(ledger, 3)
    assert report(path, kept).intact


def test_the_log_names_no_person(path: Path) -> None:
    """Digests, counts and versions only."""
    raw = sqlite3.connect(path)
    text = "".join(row[0] for row in raw.execute("SELECT payload FROM log"))
    raw.close()
    assert not any(person in text for person in PEOPLE)
