"""Nobody who left is used: after a home was put back, by a clock that was set back, and after a kill; with the real commands."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bitface.bootstrap.places import open_keys, open_ledger
from bitface.consent.known_sources import LONDON_LICENCE, london_consents, packaged_notice
from bitface.dataset.keys import KeyStore
from bitface.ledger.entries import DecisionEntry, ModelEntry, RunEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.steps.audits.checkpoints import Checkpoints
from bitface.workspace import Workspace, open_workspace
from tests.builders import dataset_entry, member

NOW = datetime.now(UTC).replace(microsecond=0)
WHO = ("marie", "jean")
ASKED = ("--purpose", "evaluate", "--context", "research")
DOORS = {
    "predict": ("predict", "nobody.png", *ASKED),
    "predict an older one": ("predict", "nobody.png", "--model", "bitface/1", *ASKED),
    "explain": ("explain", "nobody.png", *ASKED, "--out", "page.html"),
    "rollback": ("rollback",),
}


class House:
    """An installation with two versions of two real people, of which the second is the champion."""

    def __init__(self, project: Path, bitface: Callable[..., Any]) -> None:
        self.project, self._bitface = project, bitface
        self.people = {who: self.keys.enrol(who) for who in WHO}

    @property
    def place(self) -> Workspace:
        return open_workspace(os.environ, self.project)

    @property
    def keys(self) -> KeyStore:
        return open_keys(self.place)

    def opened(self) -> Ledger:
        return open_ledger(self.place)

    def consents(self, **changes: object) -> list[Any]:
        given = london_consents(
            dict.fromkeys(self.people.values(), "30_44"), evidence_sha256="e" * 64, recorded_at=NOW - timedelta(days=9)
        )
        return [type(one).model_validate(one.model_dump() | changes) for one in given]

    def fill(self, **changes: object) -> None:
        events = self.consents(**changes)
        members = [member(event, licence_id=LONDON_LICENCE.id) for event in events]
        asked = {"purpose": "train", "context": "research"}
        codes = {"code_commit": "c0ffee", "params_sha256": "d" * 64, "constraints_sha256": "e" * 64}
        with self.opened() as ledger:
            ledger.record_consents(events, [packaged_notice("london-1")], [LONDON_LICENCE])
            ledger.record_dataset(dataset_entry(2, evidence="real"), members)
            for number in (1, 2):
                ledger.record_run(RunEntry(run_id=f"run{number}", dataset_version="d1", **codes, **asked))
                made = {"bundle_sha256": f"b{number}", "run_id": f"run{number}"}
                ledger.record_model(ModelEntry(weights_sha256="w", evidence="real", purpose="train", **made))
                ledger.record_decision(
                    DecisionEntry(decision_sha256=f"d{number}", decision="promote", reasons=(), **made)
                )
                before = number - 1 or None
                ledger.promote(
                    Move(to_version=number, expected_previous=before, decision_sha256=f"d{number}", actor="test")
                )

    def said(self, *words: str, **told: str) -> Any:
        return self._bitface(self.project, *words, **told)

    def refused(self, words: tuple[str, ...], *why: str) -> None:
        done = self.said(*words)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
        assert done.returncode == 4 and len(lines) == 1, (words, done.returncode, done.stderr)
        assert all(one in done.stderr for one in why), done.stderr
        assert not [one for one in (*self.people, *self.people.values()) if one in done.stderr]


@pytest.fixture
def house(project: Path, bitface: Callable[..., Any]) -> House:
    return House(project, bitface)


@pytest.mark.parametrize("what", ["home", "ledger"])
def test_whom_a_restored_home_does_not_know_to_be_erased_is_used_through_no_door(house, what: str) -> None:
    """The book of the erased does: that beside the dataset, or, where the ledger alone is older, that with the keys too."""
    house.fill()
    assert "erased" not in house.said(*DOORS["predict"]).stderr
    place = house.place.home if what == "home" else house.place.home / "ledger.db"
    kept = house.project / "kept"
    (shutil.copytree if what == "home" else shutil.copy)(place, kept)
    gone = house.people["marie"]
    house.keys.destroy(gone, "e1", house.keys.remains_of(gone, "e1"))
    if what == "home":
        shutil.rmtree(place)
        shutil.copytree(kept, place)
    for words in DOORS.values():
        house.refused(words, "been erased (1)", "run `bitface erase --resume`")


def test_a_clock_that_was_set_back_re_admits_nobody_and_is_told(house) -> None:
    """The log has an entry of the day after the consents ended; by this machine's clock they have not."""
    ends = NOW + timedelta(days=30)
    house.fill(valid_to=ends, delete_by=ends)
    assert "expired" not in house.said(*DOORS["predict"]).stderr
    with Ledger(house.place.ledger_url, clock=lambda: ends + timedelta(days=1)) as fast:
        fast.record_consents((), (), [LONDON_LICENCE.model_copy(update={"id": "other"})])
    for words in (DOORS["predict an older one"], DOORS["explain"]):
        house.refused(words, "expired", "the clock of this machine is 30 days", "behind the log")
    rows = {row["what"]: row for row in json.loads(house.said("doctor", "--json").stdout)}
    assert rows["clock"]["state"] == "warn" and "behind the log" in rows["clock"]["found"] and rows["clock"]["remedy"]
    listed = house.said("retention", "--json")
    assert "behind the log" in listed.stderr
    assert {row["subject"] for row in json.loads(listed.stdout)} == set(house.people.values())
    assert json.loads(house.said("retention", "--enforce", "--json").stdout) == [], "by the clock nobody has to go yet"
    shown = json.loads(house.said("consent", "show", "marie", "--json").stdout)
    assert shown["admitted"] == [] and "consent has expired" in shown["refused_because"]


def test_a_withdrawal_that_was_killed_is_exported_by_the_next_command_that_opens_a_model(house, monkeypatch) -> None:
    away = house.project / "away"
    monkeypatch.setenv("BITFACE_CHECKPOINTS", str(away))
    house.fill()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    killed = house.opened()
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "sign", dies)
        (event, _) = house.consents(event_id="end", state="withdrawn", purposes=())
        with pytest.raises(KeyboardInterrupt):
            killed.record_consents([event])
    size = killed.checkpoint().size
    assert f"{size:08d}.json" not in {path.name for path in away.iterdir()}
    house.refused(DOORS["predict"], "no longer admitted")
    assert f"{size:08d}.json" in {path.name for path in away.iterdir()}
