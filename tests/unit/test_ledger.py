"""The ledger writes once, answers as of any time, and moves an alias only from where the decision thought it was."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.errors import GateError, InputError, IntegrityError, RefusedError
from bitface.ledger import engine
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import (
    DecisionEntry,
    MemberEntry,
    ModelEntry,
    RunEntry,
    StalePromotionError,
)
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.ledger.tables import metadata
from tests.builders import dataset_entry, member

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [f"s{number:015d}" for number in range(3)]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def withdrawal(event: ConsentEvent) -> ConsentEvent:
    changes = {"event_id": f"{event.event_id}-w", "state": "withdrawn", "event_time": NOON, "recorded_at": NOON}
    return ConsentEvent.model_validate(event.model_dump() | changes)


def members() -> tuple[MemberEntry, ...]:
    return tuple(member(event, sample_id=f"x{number}") for number, event in enumerate(synthetic_consents(PEOPLE)))


DATASET = dataset_entry(3)
RUN = RunEntry(
    run_id="run-1",
    dataset_version="d1",
    purpose="train",
    context="research",
    code_commit="c0ffee",
    params_sha256=sha("params"),
    constraints_sha256=sha("constraints"),
)


def model(number: int, purpose: str = "train") -> ModelEntry:
    return ModelEntry(
        bundle_sha256=sha(f"bundle {number}"),
        weights_sha256=sha(f"weights {number}"),
        run_id="run-1",
        evidence="synthetic",
        purpose=purpose,
    )


def decision(number: int, verdict: str = "promote") -> DecisionEntry:
    return DecisionEntry(
        decision_sha256=sha(f"decision {number}"),
        bundle_sha256=sha(f"bundle {number}"),
        run_id="run-1",
        decision=verdict,  # type: ignore[arg-type]
        reasons=("every required cell passes",),
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "ledger" / "ledger.sqlite")


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A ledger at noon with three people, their consents, a dataset version and a run."""
    with Ledger(url, clock=lambda: NOON) as opened:
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(synthetic_consents(PEOPLE))
        opened.record_dataset(DATASET, members())
        opened.record_run(RUN)
        yield opened


def champion_of(ledger: Ledger, number: int, expected: int | None) -> int:
    version = ledger.record_model(model(number)).version
    ledger.record_decision(decision(number))
    ledger.promote(
        Move(to_version=version, expected_previous=expected, decision_sha256=sha(f"decision {number}"), actor="ada")
    )
    return version


def test_nothing_is_created_before_the_first_use(url: str, tmp_path: Path) -> None:
    """Wiring a ledger costs nothing and leaves nothing."""
    with Ledger(url):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_was_recorded_is_there_after_reopening(ledger: Ledger, url: str) -> None:
    """Round trip through the file."""
    ledger.close()
    with Ledger(url) as again:
        assert again.dataset("d1") == DATASET
        assert again.members("d1") == members()
        assert again.run("run-1") == RUN
        assert again.known_notices() == {packaged_notice("synthetic-1").sha256}
        assert set(again.consents_as_of(NOON)) == set(synthetic_consents(PEOPLE))


def test_what_was_never_recorded_is_none(ledger: Ledger) -> None:
    """Absence is an answer and no error."""
    assert ledger.dataset("d9") is None and ledger.run("r9") is None and ledger.model(9) is None
    assert ledger.members("d9") == () and ledger.champion() is None and ledger.promotions() == ()


def test_recording_again_leaves_no_trace(ledger: Ledger) -> None:
    """Every write is idempotent by its content: a resumed run repeats itself and nothing is doubled."""
    number = champion_of(ledger, 1, None)
    before = ledger.checkpoint()
    assert not ledger.record_notice(packaged_notice("synthetic-1"))
    assert ledger.record_consents(synthetic_consents(PEOPLE)) == 0
    assert not ledger.record_dataset(DATASET, members())
    assert not ledger.record_run(RUN)
    assert ledger.record_model(model(1)).version == number
    assert not ledger.record_decision(decision(1))
    ledger.promote(Move(to_version=number, expected_previous=None, decision_sha256=sha("decision 1"), actor="ada"))
    assert ledger.checkpoint() == before


def test_recording_something_else_under_a_key_is_refused(ledger: Ledger) -> None:
    """What is written is never changed."""
    with pytest.raises(IntegrityError, match="manifest_sha256"):
        ledger.record_dataset(replace(DATASET, manifest_sha256=sha("other")), members())
    moved = (replace(members()[0], split="test"), *members()[1:])
    with pytest.raises(IntegrityError, match="members_sha256"):
        ledger.record_dataset(DATASET, moved)
    with pytest.raises(IntegrityError, match="code_commit"):
        ledger.record_run(replace(RUN, code_commit="other"))
    changed = synthetic_consents(PEOPLE[:1])[0].model_copy(update={"state": "refused"})
    with pytest.raises(IntegrityError, match="different content") as caught:
        ledger.record_consents([changed])
    assert PEOPLE[0] not in str(caught.value)


def test_an_event_recorded_again_later_keeps_its_first_recording_time(ledger: Ledger) -> None:
    """A second import of the same consent file is a repetition."""
    again = [event.model_copy(update={"recorded_at": NOON}) for event in synthetic_consents(PEOPLE)]
    assert ledger.record_consents(again) == 0


def test_two_events_of_one_id_in_one_file_are_refused(ledger: Ledger) -> None:
    """Neither of them can be the one."""
    event = synthetic_consents(["s000000000000009"])[0]
    with pytest.raises(IntegrityError, match="one id"):
        ledger.record_consents([event, event.model_copy(update={"state": "refused"})])


def test_consents_are_answered_as_of_a_time(ledger: Ledger) -> None:
    """A withdrawal recorded at noon is unknown a microsecond before."""
    first = synthetic_consents(PEOPLE[:1])[0]
    ledger.record_consents([withdrawal(first)])
    assert ledger.consents_as_of(NOON - timedelta(microseconds=1), PEOPLE[0]) == (first,)
    assert ledger.consents_as_of(NOON, PEOPLE[0]) == (first, withdrawal(first))
    assert len(ledger.consents_as_of(NOON)) == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"people": 2}, "states 2 people"),
        ({"samples": 4}, "4 samples"),
    ],
)
def test_a_dataset_whose_counts_do_not_add_up_is_refused(ledger: Ledger, change: dict[str, int], says: str) -> None:
    """The counts are those of the members."""
    with pytest.raises(InputError, match=says):
        ledger.record_dataset(replace(DATASET, version="d2", **change), members())  # type: ignore[arg-type]


def test_a_member_needs_its_recorded_consent_event(ledger: Ledger) -> None:
    """An unknown event, another digest, none at all: refused; a licence alone does for benchmark only."""
    for change in (
        {"consent_event_id": "unknown"},
        {"consent_event_sha256": sha("other")},
        {"consent_event_id": None, "consent_event_sha256": None},
    ):
        torn = (replace(members()[0], **change), *members()[1:])  # type: ignore[arg-type]
        with pytest.raises(InputError, match="consent event"):
            ledger.record_dataset(replace(DATASET, version="d2"), torn)
    assert ledger.record_dataset(replace(DATASET, version="d3", purpose="benchmark"), torn)


def test_edges_need_both_ends(ledger: Ledger) -> None:
    """No run without its dataset, no model or decision without its run."""
    with pytest.raises(InputError, match="record the dataset first"):
        ledger.record_run(replace(RUN, run_id="r2", dataset_version="d9"))
    with pytest.raises(InputError, match="record the run first"):
        ledger.record_model(replace(model(1), run_id="r9"))
    with pytest.raises(InputError, match="record the run first"):
        ledger.record_decision(replace(decision(1), run_id="r9"))


def test_versions_count_from_one_within_a_name(ledger: Ledger) -> None:
    """The ledger numbers; a bundle that is known keeps its number."""
    assert [ledger.record_model(model(number)).version for number in (7, 8, 7)] == [1, 2, 1]
    assert ledger.record_model(replace(model(7), name="other")).version == 1
    assert [entry.version for entry in ledger.models()] == [1, 2]


def test_a_promotion_says_who_moved_what_from_where(ledger: Ledger) -> None:
    """The champion of yesterday becomes `previous`, and the history tells it."""
    first = champion_of(ledger, 1, None)
    second = champion_of(ledger, 2, first)
    champion, previous = ledger.champion(), ledger.champion("previous")
    assert champion and previous and (champion.version, previous.version) == (second, first)
    moves = ledger.promotions()
    assert [(move.from_version, move.to_version, move.actor) for move in moves] == [(None, 1, "ada"), (1, 2, "ada")]
    assert moves[1].promoted_at == NOON
    assert ledger.decisions(sha("bundle 2")) == (decision(2),)


@pytest.mark.parametrize("expected", [None, 2, 99])
def test_a_promotion_that_expects_another_champion_is_refused(ledger: Ledger, expected: int | None) -> None:
    """Compare-and-swap: the comparison that allowed it was with somebody else."""
    first = champion_of(ledger, 1, None)
    second = ledger.record_model(model(2)).version
    ledger.record_decision(decision(2))
    before = ledger.checkpoint()
    with pytest.raises(StalePromotionError, match="compare with it and decide again"):
        ledger.promote(
            Move(to_version=second, expected_previous=expected, decision_sha256=sha("decision 2"), actor="ada")
        )
    champion = ledger.champion()
    assert champion and champion.version == first
    assert ledger.checkpoint() == before


def test_a_promotion_without_a_champion_expects_none(ledger: Ledger) -> None:
    """Expecting a version where there is none is stale as well."""
    version = ledger.record_model(model(1)).version
    ledger.record_decision(decision(1))
    with pytest.raises(StalePromotionError, match="is nowhere, not version 3"):
        ledger.promote(Move(to_version=version, expected_previous=3, decision_sha256=sha("decision 1"), actor="ada"))


@pytest.mark.parametrize("verdict", ["hold", "block"])
def test_only_a_promote_decision_lets_a_version_go_live(ledger: Ledger, verdict: str) -> None:
    """Hold and block are gates' words (exit 3), and they leave no alias."""
    version = ledger.record_model(model(1)).version
    ledger.record_decision(decision(1, verdict))
    with pytest.raises(GateError, match=verdict):
        ledger.promote(Move(to_version=version, expected_previous=None, decision_sha256=sha("decision 1"), actor="ada"))
    assert ledger.champion() is None


def test_a_decision_on_another_bundle_does_not_count(ledger: Ledger) -> None:
    """A decision is bound to the bundle it judged; none at all is none."""
    version = ledger.record_model(model(1)).version
    ledger.record_decision(decision(2))
    for digest in (sha("decision 2"), None):
        with pytest.raises(InputError, match="run the gate first"):
            ledger.promote(Move(to_version=version, expected_previous=None, decision_sha256=digest, actor="ada"))
    with pytest.raises(InputError, match="no version 9"):
        ledger.promote(Move(to_version=9, expected_previous=None, decision_sha256=sha("decision 2"), actor="ada"))


def test_a_benchmark_model_is_never_promoted(ledger: Ledger) -> None:
    """Not even with a decision: people are in it who never said yes (exit 4)."""
    version = ledger.record_model(model(1, purpose="benchmark")).version
    ledger.record_decision(decision(1))
    with pytest.raises(RefusedError, match="cannot be promoted"):
        ledger.promote(Move(to_version=version, expected_previous=None, decision_sha256=sha("decision 1"), actor="ada"))


def test_a_rollback_goes_only_where_the_alias_has_been(ledger: Ledger) -> None:
    """Back to the first champion without a new decision; never to a version that was none."""
    champion_of(ledger, 1, None)
    champion_of(ledger, 2, 1)
    ledger.record_model(model(3))
    with pytest.raises(RefusedError, match="never champion"):
        ledger.promote(Move(to_version=3, expected_previous=2, decision_sha256=None, actor="ada", kind="rollback"))
    ledger.promote(Move(to_version=1, expected_previous=2, decision_sha256=None, actor="ada", kind="rollback"))
    champion = ledger.champion()
    assert champion and champion.version == 1 and ledger.promotions()[-1].kind == "rollback"


def test_concurrent_promoters_lose_no_update(ledger: Ledger, url: str) -> None:
    """4 writers, each from the champion it saw: every success is a link of one unbroken line."""
    for number in range(1, 13):
        ledger.record_model(model(number))
        ledger.record_decision(decision(number))
    refused: list[int] = []

    def promoter(numbers: range) -> None:
        with Ledger(url) as own:
            for number in numbers:
                seen = own.champion()
                try:
                    own.promote(
                        Move(
                            to_version=number,
                            expected_previous=seen.version if seen else None,
                            decision_sha256=sha(f"decision {number}"),
                            actor="writer",
                        )
                    )
                except StalePromotionError:
                    refused.append(number)

    threads = [threading.Thread(target=promoter, args=(range(first, 13, 4),)) for first in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    moves = ledger.promotions()
    assert len(moves) + len(refused) == 12
    assert [move.from_version for move in moves] == [None, *(move.to_version for move in moves[:-1])]
    assert ledger.verify_chain().intact


def test_a_failed_write_leaves_neither_row_nor_log(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log entry and its rows are one transaction."""
    before = ledger.checkpoint()

    def broken_clock() -> datetime:
        raise OSError("no time")

    monkeypatch.setattr(ledger, "_clock", broken_clock)
    with pytest.raises(OSError, match="no time"):
        ledger.record_dataset(replace(DATASET, version="d2"), members())
    assert ledger.dataset("d2") is None and ledger.checkpoint() == before


def test_a_new_ledger_has_exactly_the_tables_and_indexes_that_are_declared(ledger: Ledger) -> None:
    declared = create_engine("sqlite://")
    metadata.create_all(declared)
    schemas = []
    for made in (declared, ledger._engine, engine.empty_engine()):
        with engine.reading(made) as connection:
            schemas.append(sorted(map(str, connection.exec_driver_sql("select type, name, sql from sqlite_master"))))
        made.dispose()
    assert len(schemas[0]) > 40 and schemas[1] == schemas[0] and schemas[2] == schemas[0]


@pytest.mark.usefixtures("flushed")
def test_the_file_is_opened_for_safety(ledger: Ledger, tmp_path: Path) -> None:
    """One file, which every write changes; synchronous FULL, foreign keys and overwriting of deleted bytes on every connection."""
    with engine.reading(ledger._engine) as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]
    assert found == ["delete", 2, 1, 1]


def test_a_locked_ledger_is_one_line(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds the file too long is named as the remedy, not as a traceback."""
    ledger.close()
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(tmp_path / "ledger" / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(InputError, match="locked by another process"):
            ledger.record_run(replace(RUN, run_id="run-2"))
        assert ledger.run("run-1") == RUN
    finally:
        other.close()


def test_a_full_disk_is_one_line_and_leaves_nothing(ledger: Ledger) -> None:
    """The write fails as a whole; what was there stays, and with room again the same write succeeds."""
    before = ledger.checkpoint()
    with engine.reading(ledger._engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    many = synthetic_consents([f"s{number:015d}" for number in range(100, 400)])
    with pytest.raises(InputError, match="disk is full"):
        ledger.record_consents(many)
    assert ledger.checkpoint() == before and ledger.verify_chain().intact
    ledger.close()
    assert ledger.record_consents(many) == 300


def test_the_tables_can_be_made_on_postgresql() -> None:
    """Their definitions compile for it; a server is not needed to see that."""
    statements = [str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in metadata.sorted_tables]
    assert len(statements) == 23


def test_another_schema_is_refused(ledger: Ledger, url: str, tmp_path: Path) -> None:
    """A ledger of a later version is not guessed at."""
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger" / "ledger.sqlite") as raw:
        raw.execute("UPDATE ledger_schema SET version = 99")
    raw.close()
    with pytest.raises(InputError, match="schema 99"):
        Ledger(url).champion()


@pytest.mark.parametrize(("content", "says"), [(b"not a database at all, really" * 50, "not a database")])
def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """Nothing is overwritten."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        Ledger(sqlite_url(path)).champion()
    assert path.read_bytes() == content


def test_an_url_that_is_none_is_refused() -> None:
    """With an example of one that is."""
    with pytest.raises(InputError, match="sqlite:////"):
        Ledger("not a url").champion()
