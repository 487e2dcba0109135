"""A promotion is done or not done, wherever it is killed, and two that meet do not undo each other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger

pytestmark = pytest.mark.timeout(3600)
Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """`ask(request, ...)` has each request done by a child of its own, all at once."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("promotion_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert server.stdin and server.stdout

    def send(*requests: dict[str, Any]) -> list[dict[str, Any]]:
        server.stdin.write(json.dumps([{**request, "home": str(tmp_path)} for request in requests]) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    yield send
    server.stdin.close()
    server.wait(timeout=120)
    server.stdout.close()


def one(ask: Ask, **request: Any) -> dict[str, Any]:
    (answer,) = ask(request)
    assert answer["signal"] == 0, answer
    return answer["answer"]


def test_a_kill_anywhere_leaves_the_old_champion_or_the_new_one(ask, rounds, state, never) -> None:
    """Killed at a database statement, a commit or a file; then the reconciler; then the same work to its end."""
    kills, killed, number = rounds(2, 200), 0, 0
    one(ask, do="setup")
    one(ask, do="release", number=1)
    points = {"release": one(ask, do="release", number=2)["points"], "back": one(ask, do="back", to=1)["points"]}
    assert min(points.values()) > 20
    while killed < kills:
        number += 1
        old = one(ask, do="look")
        if number % 4 == 3:
            target = max(version for version in old["recorded"] if version != old["ledger"])
            request = {"do": "back", "to": target}
        else:
            request, target = {"do": "release", "number": number + 3}, max(old["recorded"]) + 1
        (answer,) = ask({**request, "kill_at": 1 + (number * 61 + 7) % points[request["do"]]})
        killed += answer["signal"] == 9
        left = one(ask, do="look")
        assert left["ledger"] in (old["ledger"], target) and left["shown"] in (old["ledger"], target), (number, left)
        one(ask, do="put_right")
        right = one(ask, do="look")
        assert right["shown"] == right["ledger"] == left["ledger"], (number, right)
        assert right["registered"] == right["recorded"] and not right["orphans"] and right["intact"], (number, right)
        one(ask, **request)
        done = one(ask, do="look")
        assert done["shown"] == done["ledger"] == target, (number, done)
        assert len(set(done["registered"])) == len(done["registered"]), "registered twice"
    assert number < kills * 1.3, "most of the kills must have met the work"
    state(
        "a promotion or rollback killed anywhere: neither old nor new champion, or an orphan left",
        f"{never(killed)}; {points['release']} and {points['back']} places",
        killed,
    )


def test_processes_that_promote_at_once_lose_no_update(ask, rounds, state, tmp_path: Path, never) -> None:
    processes, times = rounds(2, 8), rounds(4, 50)
    one(ask, do="setup")
    for number in range(1, 2 * processes + 1):
        one(ask, do="release", number=number)
    before = len(Ledger(sqlite_url(tmp_path / "ledger.db")).promotions())
    answers = ask(*({"do": "swap", "mine": [2 * p + 1, 2 * p + 2], "times": times} for p in range(processes)))
    assert [answer["answer"]["done"] for answer in answers] == [times] * processes
    with Ledger(sqlite_url(tmp_path / "ledger.db")) as ledger:
        moves = ledger.promotions()
        assert len(moves) - before == processes * times
        assert all(later.from_version == earlier.to_version for earlier, later in pairwise(moves))
        champion = ledger.champion()
        assert champion is not None and champion.version == moves[-1].to_version
        assert ledger.verify_chain().intact
    stale = sum(answer["answer"]["stale"] for answer in answers)
    figure = f"{never(processes * times)}; {stale} attempts met another's and were told so"
    state(f"{processes} processes x {times} promotions at once: lost updates", figure, processes * times)
