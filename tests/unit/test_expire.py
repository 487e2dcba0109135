"""Time alone ends consents: which live models that touches, and which consents are next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import DecisionEntry, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.steps.people.expire import expiring, expiring_text, lapsed_models, look

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [f"s{number:015d}" for number in range(3)]


def ending(event: ConsentEvent, at: datetime, **changes: object) -> ConsentEvent:
    return ConsentEvent.model_validate(event.model_dump() | {"valid_to": at, **changes})


@pytest.fixture
def ledger(tmp_path: Path, freeze, begin) -> Iterator[Ledger]:
    """Three people in a champion; the first one's consent ends in 10 days, the second one's data go in 20."""
    first, second, third = synthetic_consents(PEOPLE)
    consents = [
        ending(first, NOON + timedelta(days=10)),
        ending(second, second.valid_to, delete_by=NOON + timedelta(days=20)),
        third,
    ]
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(consents)
        freeze(opened, "d1", consents)
        begin(opened, "r1", "d1")
        model = ModelEntry(bundle_sha256="b1", weights_sha256="w1", run_id="r1", evidence="synthetic", purpose="train")
        opened.record_model(model)
        opened.record_decision(
            DecisionEntry(decision_sha256="x1", bundle_sha256="b1", run_id="r1", decision="promote", reasons=())
        )
        opened.promote(Move(to_version=1, expected_previous=None, decision_sha256="x1", actor="test"))
        yield opened


def test_a_live_model_is_named_once_somebody_in_it_has_left(ledger) -> None:
    assert lapsed_models(ledger, NOON + timedelta(days=9)) == ()
    (found,) = lapsed_models(ledger, NOON + timedelta(days=10))
    assert (found.alias, found.version, found.people, found.not_admitted) == ("champion", 1, 3, 1)
    assert "1 of 3 people" in found.sentence() and PEOPLE[0] not in found.sentence()
    assert look(ledger, 15, NOON + timedelta(days=10)) == {"lapsed": [found.sentence()], "expiring": 1, "days": 15}
    (later,) = lapsed_models(ledger, NOON + timedelta(days=21))
    assert later.not_admitted == 2


def test_what_ends_soon_is_listed_soonest_first_with_the_reason(ledger) -> None:
    assert expiring(ledger, 9, NOON) == []
    rows = expiring(ledger, 30, NOON)
    assert [(row["subject"], row["because"], row["in"]) for row in rows] == [
        (PEOPLE[0], "valid to", ["champion"]),
        (PEOPLE[1], "delete by", ["champion"]),
    ]
    assert expiring_text(rows, 30).startswith("2 consents expire within 30 days")
    assert expiring_text([], 9) == "no consent expires within 9 days"


def test_a_consent_that_was_withdrawn_does_not_end_again(ledger) -> None:
    (event,) = [one for one in ledger.consents_as_of(NOON) if one.subject == PEOPLE[0]]
    changes = {"event_id": "w", "state": "withdrawn", "event_time": NOON, "recorded_at": NOON}
    ledger.record_consents([ConsentEvent.model_validate(event.model_dump() | changes)])
    assert [row["subject"] for row in expiring(ledger, 30, NOON)] == [PEOPLE[1]]
    (found,) = lapsed_models(ledger, NOON)
    assert found.not_admitted == 1
