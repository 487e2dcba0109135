"""Consents of people who are here: recorded all or none, withdrawn at once, shown with what they allow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bitface.consent.admission import Use, admit
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.people.consents import (
    Recorded,
    clock_warning,
    person_of,
    record_file,
    standing_of,
    standing_text,
    withdraw,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SYNTHETIC = "s000000000000001"


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(synthetic_consents([SYNTHETIC]))
        yield opened


def line(subject: str, **changes: Any) -> str:
    event = synthetic_consents([SYNTHETIC])[0].model_dump(mode="json")
    ground = {"lawful_basis": "6(1)(a)", "special_category_condition": "9(2)(a)"}
    ids = {"subject": subject, "event_id": f"e-{subject}", "record_id": f"r-{subject}"}
    return json.dumps({**event, **ground, **ids, **changes})


def admitted(person: str, ledger: Ledger, at: datetime = NOON) -> bool:
    return admit(ledger.consents(), person, Use(purpose="train", context="research"), at, ledger.notice_ids()).admitted


def test_a_file_is_recorded_under_pseudonyms_and_once(ledger, keys, tmp_path) -> None:
    person = keys.enrol("Anna-7")
    file = tmp_path / "more.jsonl"
    file.write_text(line("Anna-7") + "\n")
    assert record_file(file, None, keys, ledger, NOON) == Recorded(events=1, new=1, dated_ahead=0)
    assert record_file(file, None, keys, ledger, NOON + timedelta(days=1)).new == 0
    assert admitted(person, ledger)
    assert not [
        event
        for event in ledger.consents_as_of(NOON)
        if "Anna" in event.canonical().replace("e-Anna-7", "").replace("r-Anna-7", "")
    ]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (line("nobody-here"), "line 2: subject"),
        (line("Anna-7", state="perhaps"), "line 2: state"),
        ("{", "line 2: not one JSON object"),
        (line("Anna-7", valid_to="2020-01-01T00:00:00Z"), "line 2: valid_to"),
    ],
)
def test_a_faulty_line_records_nothing_of_the_file(ledger, keys, tmp_path, bad, says) -> None:
    keys.enrol("Anna-7")
    other = keys.enrol("Ben")
    file = tmp_path / "more.jsonl"
    file.write_text(f"{line('Ben')}\n{bad}\n")
    with pytest.raises(InputError, match=says) as refused:
        record_file(file, None, keys, ledger, NOON)
    assert "nobody-here" not in str(refused.value) and not ledger.consents_as_of(NOON, other)


def test_a_withdrawal_closes_every_record_at_once_and_only_once(ledger) -> None:
    second = ConsentEvent.model_validate(
        synthetic_consents([SYNTHETIC])[0].model_dump() | {"event_id": "again", "record_id": "another"}
    )
    ledger.record_consents([second])
    assert admitted(SYNTHETIC, ledger)
    done = withdraw(SYNTHETIC, "asked by mail", ledger, NOON)
    assert (done.records, done.already) == (2, 0)
    assert not admitted(SYNTHETIC, ledger)
    assert [one.state for one in ledger.consents_as_of(NOON - timedelta(seconds=1))] == ["given", "given"]
    assert withdraw(SYNTHETIC, "asked again", ledger, NOON + timedelta(days=1)).records == 0
    shown = standing_of(SYNTHETIC, ledger, NOON)
    assert shown["admitted"] == [] and shown["refused_because"] == ["consent is withdrawn"]
    assert "nothing" in standing_text(shown) and "withdrawn" in standing_text(shown)


@pytest.mark.parametrize("ahead", [timedelta(hours=9), timedelta(days=400), -timedelta(hours=9), -timedelta(days=400)])
def test_a_withdrawal_counts_at_once_whatever_the_clock_says(tmp_path, ahead) -> None:
    """By a clock that is fast, or that was set back behind the consent's own time."""
    times = {name: NOON - timedelta(hours=1) for name in ("event_time", "valid_from", "recorded_at")}
    event = ConsentEvent.model_validate(synthetic_consents([SYNTHETIC])[0].model_dump() | times)
    path = sqlite_url(tmp_path / "ledger.db")
    with Ledger(path, clock=lambda: NOON) as ledger:
        ledger.record_notice(packaged_notice("synthetic-1"))
        ledger.record_consents([event])
    with Ledger(path, clock=lambda: NOON + ahead) as ledger:
        assert withdraw(SYNTHETIC, "a letter", ledger, NOON + ahead).records == 1
    for hours in (0, 1, 8, 10, 24 * 300):
        at = NOON + timedelta(hours=hours)
        with Ledger(path, clock=lambda now=at: now) as ledger:
            assert not admitted(SYNTHETIC, ledger, at)
            assert withdraw(SYNTHETIC, "a letter", ledger, at).already == 1


def test_what_a_fast_clock_recorded_is_withdrawn_by_the_right_one(tmp_path) -> None:
    """It was 'no consent of that person' until the fast clock's hour came, and then the consent was alive."""
    ahead, path = NOON + timedelta(hours=1), sqlite_url(tmp_path / "ledger.db")
    with Ledger(path, clock=lambda: ahead) as ledger:
        ledger.record_notice(packaged_notice("synthetic-1"))
        given = ConsentEvent.model_validate(synthetic_consents([SYNTHETIC])[0].model_dump() | {"recorded_at": ahead})
        ledger.record_consents([given])
    with Ledger(path, clock=lambda: NOON) as ledger:
        assert admitted(SYNTHETIC, ledger)
        assert withdraw(SYNTHETIC, "a letter", ledger, NOON).records == 1
        assert not admitted(SYNTHETIC, ledger)
        assert not admitted(SYNTHETIC, ledger, NOON + timedelta(hours=2))


def test_events_from_the_future_are_told(ledger, keys, tmp_path) -> None:
    """A consent is refused with its line, a withdrawal counts and is told, and so is a log that is ahead of the clock."""
    keys.enrol("Anna-7")
    ahead, file = (NOON + timedelta(minutes=6)).isoformat(), tmp_path / "more.jsonl"
    file.write_text(line("Anna-7", event_time=ahead))
    with pytest.raises(InputError, match=r"more.jsonl: line 1: event_time: 0:06:00 ahead"):
        record_file(file, None, keys, ledger, NOON)
    file.write_text(line("Anna-7", event_time=ahead, state="withdrawn", purposes=[]))
    assert record_file(file, None, keys, ledger, NOON) == Recorded(events=1, new=1, dated_ahead=1)
    assert "dated ahead" in standing_text(standing_of(keys.enrol("Anna-7"), ledger, NOON))
    assert clock_warning(ledger, NOON) is None
    assert "the clock of this machine is 9:00:00 behind the log" in str(
        clock_warning(ledger, NOON - timedelta(hours=9))
    )


def test_as_of_a_time_is_what_the_log_held_then(tmp_path) -> None:
    """An entry of a fast clock is known by the time of the next entry that is not."""
    path, people = sqlite_url(tmp_path / "ledger.db"), [SYNTHETIC, "s000000000000002", "s000000000000003"]
    for person, hours in zip(people, (0, 9, 1), strict=True):
        at = NOON + timedelta(hours=hours)
        event = synthetic_consents([person])[0].model_dump() | {"recorded_at": at}
        with Ledger(path, clock=lambda now=at: now) as ledger:
            ledger.record_consents([ConsentEvent.model_validate(event)])
    with Ledger(path) as ledger:
        known = [len(ledger.consents_as_of(NOON + timedelta(hours=hours))) for hours in (-1, 0, 0.5, 1, 9)]
        assert known == [0, 1, 1, 3, 3]
        assert len(ledger.consents()) == 3


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_a_reason_is_short_and_there(ledger, reason) -> None:
    with pytest.raises(InputError, match="1 to 200 characters"):
        withdraw(SYNTHETIC, reason, ledger, NOON)
    assert admitted(SYNTHETIC, ledger)


@pytest.mark.parametrize("typed", ["\uff21nna-7", " Anna-7\r", "Anna-7\u200b", "Anna\uff0d\uff17"])
def test_a_withdrawal_under_another_spelling_of_the_id_reaches_the_person(ledger, keys, tmp_path, typed) -> None:
    person = keys.enrol("Anna-7")
    for name, own in (
        ("given", line("Anna-7")),
        ("taken", line(typed, event_id="e2", record_id="r-Anna-7", state="withdrawn", purposes=[])),
    ):
        (tmp_path / name).write_text(own)
        assert record_file(tmp_path / name, None, keys, ledger, NOON).new == 1
    assert person_of(typed, keys, ledger) == person
    assert not admitted(person, ledger)
    (tmp_path / "again").write_text(line(person.upper(), record_id="r9"))
    with pytest.raises(InputError, match="not a valid id"):
        record_file(tmp_path / "again", None, keys, ledger, NOON)


def test_a_subject_is_an_id_or_a_pseudonym_and_nobody_else(ledger, keys) -> None:
    person = keys.enrol("Anna-7")
    with pytest.raises(InputError, match="no person with this id"):
        person_of("Anna-7", keys, ledger)
    ledger.record_consents([ConsentEvent.model_validate(json.loads(line("x")) | {"subject": person})])
    assert person_of("Anna-7", keys, ledger) == person_of(person, keys, ledger) == person
    assert person_of(SYNTHETIC, keys, ledger) == SYNTHETIC
    for stranger in ("Ben", "s999999999999999", "../keys", ""):
        with pytest.raises(InputError, match="no person with this id"):
            person_of(stranger, keys, ledger)
