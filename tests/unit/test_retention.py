"""Whose data must go, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import LONDON_LICENCE, london_consents, packaged_notice
from bitface.dataset.index import write_index
from bitface.dataset.keys import KeyStore
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.contents import sample_of
from bitface.steps.retention import due, retention_document, retention_text

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class House:
    """A dataset, keys and a ledger."""

    def __init__(self, folder: Path) -> None:
        self.data, self.keys = folder / "data", KeyStore(folder / "keys")
        self.ledger = Ledger(sqlite_url(folder / "ledger.db"), clock=lambda: NOW)
        self.ledger.record_notice(packaged_notice("london-1"))
        self.data.mkdir()

    def person(self, name: str, *changes: dict[str, object]) -> str:
        """Somebody with a key and an event for each of `changes`."""
        person = self.keys.enrol(name)
        for number, own in enumerate(changes):
            (event,) = london_consents({person: "30_44"}, evidence_sha256="e" * 64, recorded_at=NOW)
            facts = event.model_dump() | {"event_id": f"{name}-{number}", "record_id": name} | own
            self.ledger.record_consents([ConsentEvent.model_validate(facts)])
        return person

    def listed(self, at: datetime = NOW) -> dict[str, str]:
        return {one.person: one.why for one in due(self.data, self.keys, self.ledger, at)}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.ledger.close()


def test_whoever_allows_something_still_is_not_listed(house: House) -> None:
    house.person("anna", {})
    house.person("bert", {"purposes": ("evaluate",)})
    assert house.listed() == {} and "nobody's data" in retention_text([], NOW)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"delete_by": NOW - timedelta(days=21)}, "delete by"),
        ({"valid_to": NOW - timedelta(days=2)}, "valid to"),
        ({"jurisdiction": "Illinois", "last_interaction": datetime(2020, 1, 1, tzinfo=UTC)}, "BIPA"),
    ],
)
def test_whose_time_is_over_is_listed_with_the_reason(house: House, changes: dict[str, object], why: str) -> None:
    person = house.person("anna", changes)
    assert why in house.listed()[person]


def test_it_is_over_at_the_very_moment_and_not_before(house: House) -> None:
    ends = NOW + timedelta(days=30)
    person = house.person("anna", {"delete_by": ends})
    assert house.listed(ends - timedelta(microseconds=1)) == {} and list(house.listed(ends)) == [person]
    (row,) = retention_document(
        due(house.data, house.keys, house.ledger, ends + timedelta(days=21)), ends + timedelta(days=21)
    )
    assert (row["overdue_days"], row["because"]) == (21, "delete by")


def test_whoever_withdrew_and_was_never_erased_is_listed(house: House) -> None:
    person = house.person("anna", {}, {"state": "withdrawn", "purposes": (), "event_time": NOW})
    some = house.person("bert", {}, {"state": "withdrawn", "purposes": ("train",), "event_time": NOW})
    assert house.listed() == {person: "withdrawn and not erased"}
    assert some not in house.listed(), "of one purpose: the others stand"


def test_a_key_without_any_ground_is_listed_and_a_licence_for_benchmarks_is_one(house: House) -> None:
    stranded, licensed = house.person("anna"), house.person("bert")
    house.ledger.record_consents((), (), [LONDON_LICENCE])
    rows = [sample_of(f"{licensed}-1", licensed, "a" * 64, "fear", 1, 0.0)]
    write_index(house.data, [row.__class__(**{**row.__dict__, "licence_id": LONDON_LICENCE.id}) for row in rows])
    assert list(house.listed()) == [stranded] and "no consent" in house.listed()[stranded]


def test_a_consent_of_the_future_is_not_yet_due(house: House) -> None:
    house.person("anna", {"valid_from": NOW + timedelta(days=1)})
    assert house.listed() == {}
