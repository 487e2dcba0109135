"""People leave, twice, after backups were restored and two at once: with the real commands on a fresh installation."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bitface.dataset.keys import KeyStore
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from tests.builders import begin_source, consent, write_consents, write_noise, write_rows

ROOT = Path(__file__).resolve().parents[2]


class House:
    """An installation with p1, p2 and p3, a picture each, and what it is brought from."""

    def __init__(self, folder: Path, bitface: Callable[..., Any], served: dict[str, str]) -> None:
        self.folder, self.source, self.run, self.served = folder, folder / "source", bitface, served
        begin_source(self.source)
        for number in range(1, 11):
            write_noise(self.source / f"{number}.png", number)
        assert self.take(p1=1, p2=2, p3=3)["people"] == 3

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def bring(self, people: dict[str, int]) -> None:
        """A manifest and consents of these ids, each with the picture of that number."""
        write_rows(
            self.source, (f"{number}.png,{who},{('anger', 'fear')[number < 6]}" for who, number in people.items())
        )
        write_consents(self.source, map(consent, people))

    def take(self, *words: str, code: int = 0, **people: int) -> Any:
        """An import of these people; what it said, or its line where it was refused."""
        self.bring(people)
        return self.command("data", "import", str(self.source), "--format", "folder", *words, code=code)

    def command(self, *words: str, code: int = 0) -> Any:
        done = self.run(self.folder, *words, "--json", **self.served)
        assert done.returncode == code, (words, done.returncode, done.stderr[-2000:])
        return json.loads(done.stdout) if done.stdout else done.stderr

    def people(self) -> list[str]:
        """Pseudonyms whose key is here."""
        return list(KeyStore(self.home / "keys").pseudonyms())


@pytest.fixture
def house(tmp_path: Path, bitface, served) -> House:
    return House(tmp_path, bitface, served)


def test_a_repeated_erasure_adds_a_proof_and_what_is_found_is_not_zero(house: House) -> None:
    who = house.people()
    first = house.command("erase", "p1")
    (gone,) = first["subjects"]
    assert (first["keys_destroyed"], first["found"], set(house.people())) == (1, [], set(who) - {gone})
    kept = Path(first["proof"]).read_bytes()
    (house.home / "notes.txt").write_text(f"ask {gone} again")
    again = house.run(house.folder, "erase", "p1", "--json", **house.served)
    assert again.returncode == 3 and again.stderr.count("\n") == 1
    assert "some of their data remain: notes.txt (home); delete these, then erase the people again" in again.stderr
    second = json.loads(again.stdout)
    assert second["found"] == ["notes.txt"] and second["proof"] != first["proof"]
    (house.home / "notes.txt").unlink()
    third = house.command("erase", gone)
    assert third["earlier_erasures"] == [Path(one["proof"]).stem for one in (first, second)]
    assert Path(first["proof"]).read_bytes() == kept
    proofs = house.command("audit", "erasure", "p1")
    assert [one["proof_intact"] for one in proofs] == [True] * 3 and proofs[0]["keys_destroyed"] == [gone]
    with Ledger(sqlite_url(house.home / "ledger.db")) as ledger:
        assert {one.proof_sha256 for one in ledger.erasures()} == {
            hashlib.sha256(Path(one["proof"]).read_bytes()).hexdigest() for one in (first, second, third)
        }


def test_an_erased_person_comes_back_under_no_id(house: House) -> None:
    """Refused under every spelling; with the same picture, asked about; and two spellings of anybody's id are asked about."""
    house.command("erase", "p1")
    for spelling in ("p1", "P-1", "pl"):
        assert "erased at this person's wish" in house.take(code=4, **{spelling: 4})
    said = house.take(p0x=1, p4=4, P2=5)
    assert said["people"] == 1
    reasons = {row["row"]: row["reason"] for row in said["quarantined"]}
    assert "a picture of this person is also of a person who was erased" in reasons[1] and "--reviewed" in reasons[1]
    assert "differs from another person's only in case" in reasons[3] and len(house.people()) == 3
    assert house.take("--reviewed", "p0x", "--reviewed", "P2", p0x=1, P2=5)["people"] == 2


@pytest.mark.parametrize("what", [pytest.param("keys", marks=pytest.mark.long), "home"])
def test_whoever_a_backup_brings_back_is_refused_and_erased_once_more(house: House, what: str) -> None:
    """Keys alone: the ledger knows. The whole home: the book beside the dataset does."""
    place = house.home if what == "home" else house.home / "keys"
    shutil.copytree(place, house.folder / "backup")
    gone = house.command("erase", "p1")["subjects"]
    shutil.rmtree(place)
    shutil.copytree(house.folder / "backup", place)
    for words in (("data", "import", str(house.source), "--format", "folder"), ("retrain", "--context", "research")):
        assert "1 person who was erased has reappeared, by their key" in house.command(*words, code=4)
    (again,) = house.command("erase", "--resume")
    assert (again["subjects"], again["keys_destroyed"], again["found"]) == (gone, 1, [])
    assert house.command("erase", "--resume") == []
    assert len(house.people()) == 2 and house.take(p4=4)["people"] == 1
    assert "erased at this person's wish" in house.take(code=4, p1=1)


def test_where_everything_here_was_restored_what_lies_elsewhere_knows_who_was_erased(
    house: House, tmp_path_factory
) -> None:
    """Home, dataset and the book beside it are older than the erasure; no file has to be named, and the log goes on after it."""
    house.served = {**house.served, "BITFACE_CHECKPOINTS": str(tmp_path_factory.mktemp("away"))}
    assert house.take(p4=4)["people"] == 1
    shutil.copytree(house.folder, backup := tmp_path_factory.mktemp("backup") / "all")
    gone = house.command("erase", "p1")["subjects"]
    shutil.rmtree(house.folder)
    shutil.copytree(backup, house.folder)
    go_on = ("audit", "log", "--continue-from", "latest", "--why", "the disk failed")
    for words in (("data", "import", str(house.source), "--format", "folder"), go_on):
        assert "1 person who was erased has reappeared, by their key" in house.command(*words, code=4)
    (again,) = house.command("erase", "--resume")
    assert (again["subjects"], again["keys_destroyed"], again["found"]) == (gone, 1, [])
    assert "the log was" in house.take(code=2, p5=5)
    house.command(*go_on)
    assert "erased at this person's wish" in house.take(code=4, p1=1)
    assert house.take(p5=5)["people"] == 1
    asked_again = house.command("consent", "show", "p2")
    assert asked_again["events"][-1]["state"] == "invalidated" and not asked_again["admitted"]


def test_the_last_people_of_a_set_can_leave_and_a_retrain_says_so(house: House) -> None:
    house.command("erase", "p1", "p2", "p3")
    status = house.command("data", "status")
    assert (status["people"], status["samples"]) == (0, 0)
    said = house.command("retrain", "--context", "research", code=2)
    assert said.count("\n") == 1 and "everyone in the dataset was erased and it is now empty" in said
    assert house.take(p4=4)["people"] == 1


def test_two_erasures_and_an_import_at_once_wait_or_end_with_one_line(house: House, environment) -> None:
    house.bring({"p4": 4})
    told = environment(house.folder) | house.served
    words = (["erase", "p1"], ["erase", "p2"], ["data", "import", str(house.source), "--format", "folder"])

    def begun(one: list[str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bitface.cli", *one]
        return subprocess.Popen(
            command, cwd=ROOT, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    for one in [begun(one) for one in words]:
        _, error = one.communicate(timeout=600)
        assert one.returncode in (0, 2), error
        assert one.returncode == 0 or error.splitlines()[-1].startswith(
            "bitface: a removal of people is already running"
        ), error
    for one in words:
        house.command(*one)
    status = house.command("data", "status")
    assert status["people"] == 2 and len(house.people()) == 2
    for who in ("p1", "p2"):
        proofs = house.command("audit", "erasure", who)
        assert all(one["proof_intact"] for one in proofs) and sum(len(one["keys_destroyed"]) for one in proofs) == 1
    assert not list((house.home / "erasures").glob("*.jsonl"))


@pytest.mark.parametrize("step", ["dataset", pytest.param("objects", marks=pytest.mark.long)])
def test_an_erasure_that_is_killed_is_finished_by_resuming(house: House, environment, step: str) -> None:
    """Killed while DVC works for it, before and after the key went: the proof says all that was done."""
    gone = house.people()
    told = environment(house.folder) | house.served
    command = [sys.executable, "-m", "bitface.cli", "erase", "p1"]
    with subprocess.Popen(command, cwd=ROOT, env=told, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and f'"step": "{step}"' not in journal_in(house.home):
            threading.Event().wait(0.005)
        process.kill()
    assert journal_in(house.home), "it was killed before its end"
    assert "is being erased" in house.take(code=4, p1=4) or step == "objects"
    (done,) = house.command("erase", "--resume")
    (who,) = done["subjects"]
    assert done["found"] == [] and done["keys_destroyed"] == 1 and set(house.people()) == set(gone) - {who}
    (proof,) = house.command("audit", "erasure", "p1")
    assert proof["proof_intact"] and proof["interrupted"] == [step] and proof["keys_destroyed"] == [who]
    assert house.command("data", "status")["people"] == 2 and journal_in(house.home) == ""


def journal_in(home: Path) -> str:
    return "".join(path.read_text() for path in (home / "erasures").glob("*.jsonl"))


def test_the_log_of_openings_is_authenticated_and_says_who_the_system_says(house: House) -> None:
    house.served = {**house.served, "USER": "mallory", "LOGNAME": "mallory"}
    house.take(p1=4, p4=5)
    path = house.home / "decryptions.jsonl"
    lines = path.read_text().splitlines()
    assert {json.loads(line)["who"] for line in lines} == {pwd.getpwuid(os.getuid()).pw_name}
    assert path.stat().st_mode & 0o777 == 0o600
    whole = house.command("audit", "log")
    assert [row["intact"] for row in whole if row["kind"] == "log of openings"] == [True]
    for left in (lines[:-1], [line.replace('"purpose": "', '"purpose": "no ') for line in lines]):
        path.write_text("".join(f"{line}\n" for line in left))
        assert house.command("audit", "log", code=3)[-1]["kind"] == "problem"
    path.unlink()
    house.command("audit", "log", code=3)


def test_what_prefect_keeps_of_a_failed_retrain_names_nobody(house: House) -> None:
    """A key is gone: the error names the pseudonym where it is raised, and Prefect keeps what it is told."""
    for offset in (0, 5):
        house.take(**{f"p{number}": number + offset for number in range(1, 6)})
    gone = house.people()[0]
    (house.home / "keys" / "people" / f"{gone}.json").unlink()
    done = house.run(house.folder, "retrain", "--context", "research")
    assert done.returncode in (2, 4) and "(somebody)" in done.stderr, done.stderr[-2000:]
    kept = [path for path in (house.home / "prefect").rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if gone.encode() in path.read_bytes()]
