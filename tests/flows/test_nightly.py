"""The nightly flow as it is scheduled: whoever had to be gone is gone in the morning, and nobody else, and nothing names them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bitface.dataset.keys import KeyStore
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from tests.builders import NOW, begin_source, consent, write_consents, write_noise, write_rows

ROOT = Path(__file__).resolve().parents[2]
NIGHT = "import json; from bitface.flows.expire import expire; print(json.dumps(expire()))"


class House:
    """p1's day of deletion was yesterday, p2 withdrew today, p3 and p4 stay."""

    def __init__(
        self, folder: Path, bitface: Callable[..., Any], environment: Callable[..., Any], served: dict
    ) -> None:
        self.folder, self.run, self.source = folder, bitface, folder / "source"
        self.environment = environment(folder) | served
        begin_source(self.source)
        names = [f"p{number}" for number in range(1, 5)]
        for name in names:
            write_noise(self.source / f"{name}.png", int(name[1]))
        write_rows(self.source, (f"{name}.png,{name},anger" for name in names))
        write_consents(self.source, map(consent, names))
        self.command("data", "import", str(self.source), "--format", "folder")
        self.people = {name: KeyStore(self.home / "keys").pseudonym_of(name) or "" for name in names}
        sooner = consent("p1", event_id="sooner", state="reaffirmed", event_time=(NOW - timedelta(days=5)).isoformat())
        over = {"delete_by": (NOW - timedelta(days=1)).isoformat()}
        (folder / "sooner.jsonl").write_text(json.dumps(sooner | over | {"recorded_at": NOW.isoformat()}))
        self.command("consent", "record", str(folder / "sooner.jsonl"))
        self.command("consent", "withdraw", "p2", "--reason", "asked")

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def command(self, *words: str) -> Any:
        done = self.run(self.folder, *words, "--json")
        assert done.returncode == 0, (words, done.stderr[-2000:])
        return json.loads(done.stdout)

    def night(self, **params: object) -> dict[str, Any]:
        """The nightly flow in a process of its own, with these parameters of retention."""
        text = (ROOT / "params.yaml").read_text()
        for name, value in params.items():
            assert f"{name}: " in text
            before, _, after = text.partition(f"{name}: ")
            text = f"{before}{name}: {value}{after[after.index(' ') :]}"
        (self.folder / "params.yaml").write_text(text)
        own = self.environment | {"BITFACE_PARAMS": str(self.folder / "params.yaml")}
        done = subprocess.run(
            [sys.executable, "-c", NIGHT], cwd=ROOT, env=own, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        named = [who for who in (*self.people.values(), *self.people) if f"{who}" in done.stderr + done.stdout]
        assert not named, "what the flow and Prefect say names nobody"
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def here(self) -> set[str]:
        """Whose key is here, by name."""
        left = set(KeyStore(self.home / "keys").pseudonyms())
        return {name for name, person in self.people.items() if person in left}


@pytest.fixture
def house(tmp_path: Path, bitface, environment, served) -> House:
    return House(tmp_path, bitface, environment, served)


def test_whoever_had_to_be_gone_is_erased_with_a_proof_and_a_withdrawal_has_its_days(house: House) -> None:
    found = house.night()
    assert (found["retention"]["enforced"], found["retention"]["erased"], found["overdue"]) == (True, 1, 1)
    assert house.here() == {"p2", "p3", "p4"}
    (erasure,) = found["retention"]["erasures"]
    proof = json.loads((house.home / "erasures" / f"{erasure}.json").read_text())
    assert proof["subjects"] == [house.people["p1"]] and proof["keys_destroyed"] == [house.people["p1"]]
    assert proof["journal"][0]["step"] == "begun", "the same journal as by hand"
    (shown,) = house.command("audit", "erasure", "p1")
    assert shown["proof_intact"]
    kept = [path for path in (house.home / "prefect").rglob("*") if path.is_file()]
    assert not [path for path in kept if any(who.encode() in path.read_bytes() for who in house.people.values())]
    after = house.night(withdrawn_grace_days=0)
    assert (after["retention"]["erased"], after["overdue"], house.here()) == (1, 0, {"p3", "p4"})
    assert house.night()["retention"]["erasures"] == []


def test_where_it_is_switched_off_the_night_tells_and_erases_nobody(house: House) -> None:
    found = house.night(enforce_nightly="false", withdrawn_grace_days=0)
    assert (found["retention"]["enforced"], found["overdue"]) == (False, 2)
    assert house.here() == {"p1", "p2", "p3", "p4"}


@pytest.mark.long
def test_one_that_cannot_begin_stops_nobody_and_an_edited_ledger_erases_nobody(house: House) -> None:
    shard = house.folder / "data" / "shards" / f"{house.people['p2']}.shard"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    found = house.night(withdrawn_grace_days=0)["retention"]
    assert found["enforced"] and found["not_begun"] == 1 and len(found["unfinished"]) == 1
    assert "p2" in house.here()
    shard.write_bytes(whole)
    assert house.night()["retention"]["erased"] == 1 and house.here() == {"p2", "p3", "p4"}, "the next night goes on"
    with Ledger(sqlite_url(house.home / "ledger.db")) as ledger:
        database = ledger._engine.url.database
    with sqlite3.connect(str(database)) as edited:
        edited.execute("UPDATE consent_events SET recorded_at = recorded_at || ' '")
    refused = house.night(withdrawn_grace_days=0)["retention"]
    assert refused["enforced"] is False and "ledger is not as bitface wrote it" in refused["why"]
    assert house.here() == {"p2", "p3", "p4"}
