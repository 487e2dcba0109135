"""Whose data must go, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import LONDON_LICENCE, london_consents, packaged_notice
from bitface.dataset.index import write_index
from bitface.dataset.keys import KeyStore
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.audits.retention import due, night_of, night_text, retention_document, retention_text
from bitface.steps.people.contents import sample_of

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
    assert house.listed() == {} and "no one's data" in retention_text([], NOW)


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


@pytest.mark.parametrize(
    ("changes", "goes"),
    [
        ([{"delete_by": NOW}], True),
        ([{"jurisdiction": "Illinois", "last_interaction": datetime(2020, 1, 1, tzinfo=UTC)}], True),
        ([{"valid_to": NOW - timedelta(days=90)}], False),
        ([{}, {"state": "withdrawn", "purposes": (), "event_time": NOW - timedelta(days=14)}], True),
        ([{}, {"state": "withdrawn", "purposes": (), "event_time": NOW - timedelta(days=13, hours=23)}], False),
        ([{}, {"state": "invalidated", "purposes": (), "event_time": NOW - timedelta(days=20)}], True),
        (
            [{"delete_by": NOW - timedelta(days=9)}, {"state": "reaffirmed", "event_time": NOW, "valid_to": NOW}],
            False,
        ),
        ([], False),
    ],
    ids=["promised", "a law", "ended only", "withdrawn", "in grace", "invalidated", "promised anew", "no ground"],
)
def test_only_whose_promised_date_or_grace_is_over_goes_without_a_word(house: House, changes, goes: bool) -> None:
    """A date that a later consent replaced is no promise any more; without a ground, somebody may still bring one."""
    house.person("anna", *changes)
    (one,) = due(house.data, house.keys, house.ledger, NOW)
    assert one.goes_at_night(NOW, grace_days=14) is goes
    assert (one.promised is not None) is bool(changes)


def test_a_night_is_told_in_numbers_alone() -> None:
    nobody = {"enforced": True, "erased": 0, "erasures": [], "unfinished": [], "not_begun": 0, "left_of_them": 0}
    assert night_text(nobody, 0) == ""
    told = night_text(nobody | {"erased": 3, "unfinished": ["e1"], "not_begun": 1, "left_of_them": 1}, 2)
    assert (
        "3 people past their retention date were erased" in told
        and "2 erasures did not finish" in told
        and "2 people are due for erasure" in told
    )
    failed = SimpleNamespace(is_completed=lambda: False, message="no key for person r0123456789abcde")
    assert night_of(failed) == {"enforced": False, "why": "no key for person (somebody)"}
    assert "no one was erased" in night_text(night_of(failed), 1) and night_text(night_of(None), 0) == ""
