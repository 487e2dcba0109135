"""What people said reaches them, whatever becomes of the pictures beside: with the real commands on a fresh installation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import bitface.bootstrap.opening
from bitface.ledger.ledger import Ledger
from tests.builders import NOW, begin_source, consent, write_consents, write_noise, write_rows

Run = Callable[..., tuple[int, Any, str]]


def closing(subject: str, **changes: object) -> dict[str, object]:
    ended = {"event_id": f"w-{subject}", "state": "withdrawn", "purposes": []}
    return consent(subject, **{**ended, "event_time": (NOW - timedelta(hours=1)).isoformat(), **changes})


class Source:
    """A folder that somebody brings, with a picture each of p1 and p2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        begin_source(folder)
        for seed, name in enumerate(("p1.png", "p2.png")):
            write_noise(folder / name, seed)
        self.rows("p1", "p2")
        self.events(consent("p1"), consent("p2"))

    def rows(self, *people: str) -> None:
        write_rows(self.folder, (f"{who}.png,{who},fear" for who in people))

    def events(self, *events: dict[str, object] | str) -> None:
        write_consents(self.folder, events)

    def take(self, run: Run, *words: str) -> tuple[int, Any, str]:
        return run("data", "import", self.folder, "--format", "folder", *words)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source")


def may_train(run: Run, who: str) -> bool:
    code, shown, error = run("consent", "show", who)
    assert code == 0, error
    return "train in research" in shown["admitted"]


@pytest.mark.parametrize(
    ("state", "rows"),
    [
        ("withdrawn", ("p1", "p2")),
        ("withdrawn", ("p2",)),
        ("withdrawn", ()),
        ("terminated", ("p1",)),
    ],
)
def test_a_closing_event_in_an_import_reaches_somebody_who_is_here(
    run: Run, source: Source, state: str, rows: tuple[str, ...]
) -> None:
    """Also where no picture of that person is brought, or none at all, and the import is refused."""
    assert source.take(run)[0] == 0
    source.rows(*rows)
    source.events(closing("p1", state=state), consent("p1"), consent("p2"))
    code, done, error = source.take(run)
    assert code == (0 if "p2" in rows else 4 if rows else 2), error
    if done:
        assert (done["consents"]["of_people_here"], done["consents"]["closing"]) == (1, 1)
    else:
        assert "consents of people on record: 1 new event recorded, ending consents of 1 person" in error
    assert not may_train(run, "p1") and may_train(run, "p2")
    assert source.take(run)[1] is None or source.take(run)[1]["consents"]["of_people_here"] == 0


def test_a_dry_run_tells_of_a_withdrawal_and_records_none(run: Run, source: Source) -> None:
    source.take(run)
    source.events(closing("p1"), consent("p2"))
    code, done, _ = source.take(run, "--dry-run")
    assert (code, done["consents"]["closing"]) == (0, 1)
    assert may_train(run, "p1")


def test_a_child_that_was_taken_in_without_an_age_is_told_when_the_age_is(run: Run, source: Source) -> None:
    """The others are taken, and the command does not end with 0."""
    source.take(run)
    rows = "p1.png,p1,fear,12\np2.png,p2,fear,40\n"
    (source.folder / "manifest.csv").write_text(f"path,subject_id,label,age\n{rows}")
    code, done, error = source.take(run)
    assert (code, [row["row"] for row in done["quarantined"]]) == (2, [1])
    assert "1 person in the dataset is under 18 by this manifest" in error and "bitface erase" in error


def test_a_withdrawal_under_another_spelling_of_the_id_counts(run: Run, source: Source) -> None:
    source.take(run)
    source.events(closing("\uff501\u200b ", event_id="w1", record_id="r-p1"), consent("p2"))
    assert source.take(run)[0] == 0
    assert not may_train(run, "p1")


def test_a_withdrawal_of_nobody_is_told_with_its_line(run: Run, source: Source) -> None:
    """Its id may be mistyped, and somebody believes to be out."""
    source.events(consent("p1"), consent("p2"), closing("p11"))
    code, done, _ = source.take(run)
    assert (code, done["consents"]["not_here"]) == (0, [3])


@pytest.mark.parametrize("typed", ["P1", "p-1", "p_1", "pl", "P-I"])
def test_a_withdrawal_with_a_slip_in_its_id_is_not_passed_over(run: Run, source: Source, typed: str) -> None:
    """Nobody of that id is here, and somebody nearly of that id is: what can be taken is taken, and the command does not end with 0."""
    for is_here in (False, True):
        source.events(consent("p1"), consent("p2"), closing(typed, event_id=f"w-{is_here}"))
        code, done, error = source.take(run)
        assert code == 2 and "consents.jsonl line 3: subject: there is no consent under this id" in error, error
        assert "it may be the withdrawal of a person" in error and "bitface consent withdraw" in error
        assert (done["people"], done["consents"]["rejected"][0]["line"]) == (2, 3)


def test_a_line_that_was_turned_from_given_to_withdrawn_is_a_withdrawal(run: Run, source: Source) -> None:
    """Its id is on record with different content; a withdrawal is kept under an id of its own, once."""
    source.take(run)
    source.events(closing("p1", event_id="e-p1"), consent("p2"))
    for new in (1, 0):
        code, done, _ = source.take(run)
        assert (code, done["consents"]["closing"]) == (0, new)
    assert not may_train(run, "p1")
    assert len(run("consent", "show", "p1")[1]["events"]) == 2


def test_a_consent_that_takes_an_id_on_record_is_named_and_costs_nobody_else(run: Run, source: Source) -> None:
    source.take(run)
    source.events(consent("p1", storage="elsewhere"), consent("p2"))
    code, done, _ = source.take(run)
    assert (code, done["unchanged"], [row["row"] for row in done["quarantined"]]) == (0, 1, [1])
    assert "consents.jsonl line 1: event_id: another event with this id" in done["quarantined"][0]["reason"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"valid_to": "2027-06-01T00:00:00"}, "valid_to: a time has no UTC offset"),
        ({"valid_to": "01/06/2027"}, "valid_to: a time is not ISO 8601"),
        ({"storage": None}, "storage: "),
        ({"colour": "blue"}, "an unknown field"),
        ({"event_time": (NOW + timedelta(days=1)).isoformat()}, "ahead of this machine's clock"),
    ],
)
def test_a_consent_line_that_cannot_be_used_is_named_by_file_and_line(
    run: Run, source: Source, changes: dict[str, object], says: str
) -> None:
    source.events(consent("p2"), "", consent("p1", **changes))
    code, done, error = source.take(run)
    assert code == 0, error
    assert (done["admitted"], [row["row"] for row in done["quarantined"]]) == (1, [1])
    assert "no usable consent: consents.jsonl line 3: " in done["quarantined"][0]["reason"]
    assert says in done["quarantined"][0]["reason"]
    assert [line["line"] for line in done["consents"]["rejected"]] == [3]


def test_a_withdrawal_that_cannot_be_read_is_not_passed_over(run: Run, source: Source) -> None:
    """The others are taken, and the command does not end with 0."""
    source.take(run)
    source.rows("p2")
    source.events(closing("p1", event_time="yesterday"), consent("p2"))
    code, done, error = source.take(run)
    assert (code, done["unchanged"]) == (2, 1)
    assert "consents.jsonl line 1: event_time: " in error and "may be the withdrawal of a person on record" in error


def test_a_withdrawal_from_the_future_counts_and_is_told(run: Run, source: Source) -> None:
    source.take(run)
    source.events(closing("p1", event_time=(NOW + timedelta(hours=9)).isoformat()), consent("p2"))
    code, done, _ = source.take(run)
    assert (code, done["consents"]["dated_ahead"]) == (0, [1])
    assert not may_train(run, "p1")


def test_a_withdrawal_from_the_future_of_somebody_new_is_told_with_its_line(run: Run, source: Source) -> None:
    source.events(consent("p1"), consent("p2"), closing("p1", event_time=(NOW + timedelta(days=2)).isoformat()))
    code, done, _ = source.take(run)
    assert (code, done["admitted"], done["consents"]["dated_ahead"]) == (0, 1, [3])
    assert "consent is withdrawn" in done["quarantined"][0]["reason"]


def test_an_old_folder_does_not_bring_back_who_withdrew(run: Run, source: Source) -> None:
    source.take(run)
    assert run("consent", "withdraw", "p1", "--reason", "a letter")[0] == 0
    code, done, _ = source.take(run)
    assert code == 0 and "consent is withdrawn" in done["quarantined"][0]["reason"]
    assert not may_train(run, "p1")


def test_a_line_that_does_not_say_whose_it_is_refuses_the_file(run: Run, source: Source, project: Path) -> None:
    source.events(consent("p1"), "{", consent("p2"))
    code, done, error = source.take(run)
    assert (code, done) == (2, None) and "consents.jsonl line 2: not one JSON object" in error
    assert not (project / "data").exists()


@pytest.mark.parametrize("hours", [9, -24 * 400])
def test_a_withdrawal_counts_at_once_whatever_the_clock_says(
    run: Run, source: Source, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a machine whose clock is fast, or was set back; and after the clock is right again."""
    source.take(run)
    with monkeypatch.context() as changed:
        by_clock(changed, hours)
        assert run("consent", "withdraw", "p1", "--reason", "a letter")[0] == 0
        assert not may_train(run, "p1")
    assert not may_train(run, "p1") and may_train(run, "p2")
    source.take(run)
    assert not may_train(run, "p1")


def test_what_a_fast_clock_took_in_can_be_withdrawn(run: Run, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        by_clock(changed, 1)
        source.take(run)
    assert run("consent", "withdraw", "p1", "--reason", "a letter")[0] == 0
    by_clock(monkeypatch, 2)
    assert not may_train(run, "p1") and may_train(run, "p2")


def by_clock(changed: pytest.MonkeyPatch, hours: float) -> None:
    """Every clock of the program is off by some hours."""

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(hours=hours)

    right = bitface.bootstrap.opening.open_tools

    def open_tools(*words: Any, **named: Any) -> bitface.usecases.tools.Tools:
        tools = right(*words, **named)
        return replace(tools, now=now, ledger=Ledger(tools.workspace.ledger_url, clock=now))

    changed.setattr(bitface.bootstrap.opening, "open_tools", open_tools)
