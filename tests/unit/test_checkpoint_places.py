"""What is kept elsewhere cannot be hidden, rewritten or outgrown, and what cannot be read opens nothing that lasts."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bitface.adapters.checkpoint_places.folder import FolderPlace
from bitface.adapters.checkpoint_places.git import BRANCH, GitPlace
from bitface.adapters.checkpoint_places.s3 import S3Place
from bitface.bootstrap import orchestrator
from bitface.bootstrap.opening import open_tools
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError, IntegrityError
from bitface.flows import service
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.ledger.trust import Trust
from bitface.steps.audits.checkpoint_files import FOLDER
from bitface.steps.audits.checkpoints import Checkpoints

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [f"s{number:015d}" for number in range(9)]


class Installation:
    """A home whose ledger exports to a folder elsewhere; `now` is its clock, `said` what it told."""

    def __init__(self, home: Path, away: Path) -> None:
        self.home, self.away = home, away
        self.now = NOON
        self.said: list[str] = []
        self.learnt: list[Any] = []

    def checkpoints(self) -> Checkpoints:
        return Checkpoints(
            home=self.home,
            place=FolderPlace(self.away),
            learn=lambda book, _: self.learnt.append(book) or 0,
            warn=self.said.append,
            now=lambda: self.now,
        )

    def ledger(self) -> Ledger:
        trust = Trust(
            note=self.home / "ledger.verified", key=self.home / "keys" / "ledger.key", ends=self.checkpoints()
        )
        return Ledger(sqlite_url(self.home / "ledger.db"), clock=lambda: self.now, trust=trust)

    def record(self, number: int) -> None:
        with self.ledger() as ledger:
            ledger.record_consents(synthetic_consents([PEOPLE[number]]))

    def check(self) -> None:
        with self.ledger() as ledger:
            ledger.check_intact()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.away.iterdir())


@pytest.fixture
def own(tmp_path: Path) -> Installation:
    found = Installation(tmp_path / "home", tmp_path / "away")
    with found.ledger() as ledger:
        ledger.record_notice(packaged_notice("synthetic-1"))
    found.record(0)
    return found


def older(own: Installation) -> Installation:
    """The same installation with a home from before two more entries."""
    backup = own.home.with_name("backup")
    shutil.copytree(own.home, backup)
    own.record(1)
    own.record(2)
    return Installation(backup, own.away)


def test_an_older_home_that_goes_on_closing_outgrows_nothing(own) -> None:
    """Its withdrawals are recorded and signed at home; elsewhere they would hide the newer end."""
    back = older(own)
    for number in range(3, 8):
        back.record(number)
    assert own.names() == ["00000002.json", "00000003.json", "00000004.json"]
    assert any("has a different log" in line for line in back.said)
    with pytest.raises(IntegrityError, match="rewritten"):
        back.check()


@pytest.mark.parametrize("name", ["99999999.json", "g99-00000001.json", "00000005.json"])
def test_an_older_checkpoint_under_a_later_name_hides_nothing(own, name: str) -> None:
    back = older(own)
    shutil.copy(own.away / "00000002.json", own.away / name)
    with pytest.raises(IntegrityError, match="the log was cut"):
        back.check()


@pytest.mark.parametrize("kind", ["text", "pipe", "folder", "link", "foreign name"])
def test_what_is_no_checkpoint_is_passed_over(own, tmp_path: Path, kind: str) -> None:
    later = own.away / ("zzz.json" if kind == "foreign name" else "99999999.json")
    {
        "text": lambda: later.write_text("{}"),
        "pipe": lambda: os.mkfifo(later),
        "folder": later.mkdir,
        "link": lambda: later.symlink_to(tmp_path),
        "foreign name": lambda: later.write_text("{}"),
    }[kind]()
    own.check()
    own.record(1)
    assert "00000003.json" in own.names()


def test_a_place_that_lacks_what_was_exported_to_it_opens_nothing(own) -> None:
    """A drive that is not mounted is an empty folder."""
    shutil.rmtree(own.away)
    own.away.mkdir()
    own.now += timedelta(hours=1)
    with pytest.raises(InputError, match=r"lacks 00000002\.json, which was exported there; mount or restore"):
        own.check()
    own.record(1)
    assert own.names() == [] and "not exported yet" in own.said[-1]


def test_a_use_believes_a_comparison_for_ten_minutes_and_a_promotion_never(own, monkeypatch) -> None:
    asked: list[str] = []
    listed = FolderPlace.names
    monkeypatch.setattr(FolderPlace, "names", lambda place, since: asked.append(since) or listed(place, since))
    own.check()
    asked.clear()
    own.now += timedelta(minutes=9)
    own.check()
    assert asked == []
    own.now += timedelta(minutes=2)
    own.check()
    own.check()
    assert asked == ["00000002.json"]
    with own.ledger() as ledger, pytest.raises(InputError, match="no version"):
        ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256="d", actor="test"))
    assert len(asked) == 2
    own.now -= timedelta(days=1)  # a clock that was set back makes nothing believed for longer
    own.check()
    assert len(asked) == 3


def test_a_snapshot_that_leaves_the_file_as_it_was_verified_is_noticed(own) -> None:
    """Nothing of the file tells that it was put back: the note holds, and the place elsewhere is asked all the same."""
    back = older(own)
    later = [own.away / name for name in ("00000003.json", "00000004.json")]
    kept = {path: path.read_bytes() for path in later}
    for path in later:
        path.unlink()
    back.check()  # verified, and noted
    for path, data in kept.items():
        path.write_bytes(data)
    back.now += timedelta(minutes=11)
    with pytest.raises(IntegrityError, match="cut"):
        back.check()


def test_who_was_erased_is_learnt_from_elsewhere_without_naming_a_file(own) -> None:
    keys = KeyStore(own.home / "keys")
    keys.enrol("p1")
    backup = own.home.with_name("backup")
    shutil.copytree(own.home, backup)
    keys.destroy(keys.pseudonym_of("p1"), "e1")
    own.record(1)
    back = Installation(backup, own.away)
    with pytest.raises(IntegrityError):
        back.check()
    (book,) = back.learnt
    assert KeyStore(backup / "keys").learn_suppressed(book, "00000003.json") == 1
    assert KeyStore(backup / "keys").erasure_of("p1") is not None


def test_a_book_that_cannot_be_learnt_is_told_and_does_not_hide_the_newest_end(own, monkeypatch) -> None:
    """A key service that does not answer, a book that was edited: what is newest elsewhere stays what is compared with."""
    keys = KeyStore(own.home / "keys")
    keys.enrol("p1")
    back = older(own)
    keys.destroy(keys.pseudonym_of("p1"), "e1")
    own.record(3)

    def fails(*_: object) -> int:
        raise InputError("the command in BITFACE_MASTER_KEY_COMMAND failed; run it by hand to see why")

    ends = replace(back.checkpoints(), learn=fails)
    with pytest.raises(InputError, match="MASTER_KEY_COMMAND"):
        ends.kept()
    ends.learn_elsewhere()
    assert "MASTER_KEY_COMMAND" in back.said[-1]


def test_what_was_signed_before_there_was_a_place_is_exported_with_its_latest_alone(own) -> None:
    own.record(1)
    moved = Installation(own.home, own.away.with_name("moved"))
    moved.check()
    moved.now += timedelta(hours=1)
    moved.check()
    assert moved.names() == ["00000003.json"] and len(list((own.home / FOLDER).iterdir())) == 2


@pytest.mark.parametrize("other", ["installation", "text"])
def test_a_place_that_keeps_something_else_under_our_name_is_told(own, tmp_path: Path, other: str) -> None:
    """Two installations in one place would each lose what the other one was faster with."""
    late = own if other == "text" else Installation(tmp_path / "second", own.away)
    if other == "text":
        (own.away / "00000003.json").write_text("mine")
    for number in range(1, 4):
        late.record(number)
    assert "already has a different 0000000" in late.said[-1]
    assert "name a place that no other installation exports to" in late.said[-1]


def test_a_place_that_is_named_no_more_is_remembered(own) -> None:
    bare = replace(own.checkpoints(), place=None)
    assert bare.forgotten() == str(own.away) and own.checkpoints().forgotten() == ""


def test_flows_that_a_worker_runs_later_compare_with_the_same_place(project, monkeypatch) -> None:
    told: list[dict[str, str]] = []
    monkeypatch.setenv("BITFACE_CHECKPOINTS", "s3://kept")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(orchestrator, "prepare_server", lambda: None)
    monkeypatch.setattr(orchestrator, "deploy", lambda *words: told.append(words[3]))
    monkeypatch.setattr(orchestrator, "scheduled", list)
    service.schedule_all(open_tools(), None, None, ())
    assert told[0]["BITFACE_CHECKPOINTS"] == "s3://kept" and "AWS_SECRET_ACCESS_KEY" not in told[0]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "away.git"
    git("init", "--quiet", "--bare", str(folder))
    git("-C", str(folder), "config", "receive.denyNonFastForwards", "true")
    return folder


def git(*words: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True, env=own).stdout


@pytest.mark.tools
def test_each_checkpoint_is_a_commit_and_what_is_there_stays(repository, tmp_path) -> None:
    place = GitPlace(f"file://{repository}", tmp_path / "copy.git")
    other = GitPlace(f"file://{repository}", tmp_path / "other.git")
    assert place.names("") == []
    place.add("00000001.json", b"one")
    other.add("00000002.json", b"two")
    place.add("00000001.json", b"another")
    place.add("00000003.json", b"three")
    assert place.names("00000002.json") == ["00000002.json", "00000003.json"] == other.names("00000002.json")
    assert (other.read("00000001.json"), place.read("00000002.json"), other.read("none.json")) == (b"one", b"two", b"")
    assert git("-C", str(repository), "rev-list", "--count", BRANCH).strip() == "3"


@pytest.mark.tools
def test_a_branch_that_was_written_anew_is_refused(repository, tmp_path) -> None:
    place = GitPlace(f"file://{repository}", tmp_path / "copy.git")
    place.add("00000001.json", b"one")
    place.add("00000002.json", b"two")
    git("-C", str(repository), "update-ref", "-d", BRANCH)
    GitPlace(f"file://{repository}", tmp_path / "other.git").add("00000001.json", b"one of others")
    with pytest.raises(InputError, match="bitface-checkpoints"):
        place.names("")


@pytest.mark.tools
def test_the_environment_and_the_settings_of_git_make_nothing_run(repository, tmp_path, monkeypatch) -> None:
    """Hooks, filters, other programs and other repositories that variables or a user's settings name."""
    mark = tmp_path / "ran"
    settings = tmp_path / "gitconfig"
    (tmp_path / "hooks").mkdir()
    for name in ("pre-push", "reference-transaction", "post-checkout"):
        (tmp_path / "hooks" / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (tmp_path / "hooks" / name).chmod(0o755)
    settings.write_text(
        f'[core]\n\thooksPath = {tmp_path / "hooks"}\n[url "ext::touch {mark} #"]\n\tinsteadOf = file://\n'
    )
    told = {
        "GIT_CONFIG_GLOBAL": str(settings),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(tmp_path / "hooks"),
        "GIT_DIR": str(tmp_path / "elsewhere"),
        "GIT_ALLOW_PROTOCOL": "ext",
        "GIT_TRACE": str(mark),
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    GitPlace(f"file://{repository}", tmp_path / "copy.git").add("00000001.json", b"one")
    with pytest.raises(InputError, match="not allowed"):
        GitPlace(f"ext::touch {mark}", tmp_path / "third.git").names("")
    assert not mark.exists()


def test_a_bucket_s_listing_asks_for_nothing_before_the_last_export(monkeypatch) -> None:
    """However many checkpoints there are, a comparison is one request."""
    asked: list[dict[str, str]] = []

    class Client:
        def get_paginator(self, _: str) -> Client:
            return self

        def paginate(self, **words: str) -> list[dict[str, Any]]:
            asked.append(words)
            keys = ("keep/00000008.json", "keep/00000009.json", "keep/inner/00000010.json")
            return [{"Contents": [{"Key": key} for key in keys if key > words["StartAfter"]]}]

    pytest.importorskip("boto3")
    place = S3Place("s3://kept/keep/")
    place._client = Client()
    assert place.names("00000009.json") == ["00000009.json"]
    assert asked == [{"Bucket": "kept", "Prefix": "keep/", "StartAfter": "keep/00000009.jso"}]
