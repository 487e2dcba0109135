"""A lease is held by one, ends by itself, and whoever lost it changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bitface.ledger.engine import sqlite_url
from bitface.ledger.leases import LeaseHeldError, LeaseLostError
from bitface.ledger.ledger import Ledger
from bitface.steps.people.lease import holding, is_gone, this_process
from bitface.steps.versions.model_choice import existing_versions

MINUTE = timedelta(minutes=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger(sqlite_url(tmp_path / "ledger.db"), clock=clock)


def nobody_is_gone(_: str) -> bool:
    return False


def test_one_holds_it_until_it_is_given_back(ledger) -> None:
    first = ledger.take_lease("retrain", "a", MINUTE, nobody_is_gone)
    with pytest.raises(LeaseHeldError, match="a retrain is already running"):
        ledger.take_lease("retrain", "b", MINUTE, nobody_is_gone)
    assert ledger.take_lease("drift", "b", MINUTE, nobody_is_gone).token == 1
    ledger.give_back_lease(first)
    assert ledger.take_lease("retrain", "b", MINUTE, nobody_is_gone).token == 2


def test_it_runs_out_unless_it_is_renewed(ledger, clock) -> None:
    first = ledger.take_lease("retrain", "a", MINUTE, nobody_is_gone)
    clock.now += timedelta(seconds=50)
    ledger.renew_lease(first, MINUTE)
    clock.now += timedelta(seconds=50)
    with pytest.raises(LeaseHeldError):
        ledger.take_lease("retrain", "b", MINUTE, nobody_is_gone)
    clock.now += timedelta(seconds=11)
    second = ledger.take_lease("retrain", "b", MINUTE, nobody_is_gone)
    with pytest.raises(LeaseLostError, match="was overtaken"):
        ledger.renew_lease(first, MINUTE)
    ledger.give_back_lease(first)
    with pytest.raises(LeaseHeldError):
        ledger.take_lease("retrain", "c", MINUTE, nobody_is_gone)
    assert second.token == 2


@pytest.mark.tools
def test_a_process_that_was_killed_holds_nothing(ledger) -> None:
    words = "from bitface.steps.people.lease import this_process; print(this_process(), flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder = child.stdout.readline().strip()
    ledger.take_lease("retrain", holder, MINUTE, is_gone)
    with pytest.raises(LeaseHeldError):
        ledger.take_lease("retrain", this_process(), MINUTE, is_gone)
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert ledger.take_lease("retrain", this_process(), MINUTE, is_gone).token == 2


def test_a_holder_elsewhere_or_unreadable_is_taken_for_alive() -> None:
    assert not is_gone("another-machine process 1 begun 2")
    assert not is_gone("nonsense")
    assert not is_gone(this_process())
    assert is_gone(this_process().replace(f"process {os.getpid()} begun", f"process {os.getpid()} begun 1"))


def test_it_is_kept_while_work_is_done_and_given_back_when_work_fails(ledger) -> None:
    def work() -> None:
        with holding(ledger, "retrain", timedelta(seconds=0.3)) as lease:
            threading.Event().wait(0.5)
            assert ledger.renew_lease(lease, MINUTE).token == lease.token
            raise RuntimeError("work")

    with pytest.raises(RuntimeError, match="work"):
        work()
    assert ledger.take_lease("retrain", "b", MINUTE, nobody_is_gone).token == 2


def test_who_asks_for_a_version_while_the_first_is_trained_is_told_to_wait(ledger) -> None:
    assert "run `bitface retrain`" in existing_versions(ledger)
    with holding(ledger, "retrain", MINUTE):
        assert existing_versions(ledger) == "no versions are on record: a retrain is running; wait for it to finish"
    assert "run `bitface retrain`" in existing_versions(ledger)
