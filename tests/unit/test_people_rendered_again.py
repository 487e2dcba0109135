"""People who are declared synthetic are rendered again, in the way in which they were once rendered, whichever profile runs now."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitface.steps.people import synthesis

PEOPLE = {f"s{number:015d}": f"{number:064x}" for number in range(9)}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Ways and how many people were rendered in each; all but the first two people are as way `default` renders them."""
    seen: list[tuple[str, int]] = []

    def confirm_drawn(_: Path, people: Collection[str], way: SimpleNamespace) -> dict[str, str]:
        seen.append((way.name, len(people)))
        right = sorted(PEOPLE)[2:] if way.name == "default" else []
        return {person: PEOPLE[person] for person in people if person in right}

    monkeypatch.setattr(synthesis, "confirm_drawn", confirm_drawn)
    monkeypatch.setattr(synthesis, "not_drawn_here", lambda *_: frozenset(PEOPLE))
    return seen


def confirmed(*ways: str) -> tuple[tuple[str, ...], dict[str, str]]:
    recorded: dict[str, str] = {}
    ledger = SimpleNamespace(record_renders=recorded.update)
    return synthesis.confirm(Path(), [SimpleNamespace(name=way) for way in ways], ledger), recorded


def test_a_set_of_another_profile_is_known_by_a_few_of_its_people(asked: list[tuple[str, int]]) -> None:
    """Two of these few are forged: they alone are left out."""
    (words,), recorded = confirmed("quick", "default", "full")
    assert asked == [("quick", 3), ("default", 3), ("default", 9)]
    assert len(recorded) == 7 and "7 match what is rendered; 2 do not and are excluded" in words


def test_the_profile_that_runs_is_asked_first_and_no_one_else_where_it_fits(asked: list[tuple[str, int]]) -> None:
    confirmed("default", "quick")
    assert asked == [("default", 3), ("default", 9)]


def test_where_no_profile_fits_the_one_that_runs_decides(asked: list[tuple[str, int]]) -> None:
    (words,), recorded = confirmed("quick", "full")
    assert asked[-1] == ("quick", 9) and recorded == {} and "9 do not and are excluded" in words
