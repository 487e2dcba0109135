"""A signed checkpoint: it says where the log ended, and is refused once a character of it changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.errors import BitfaceError, InputError, IntegrityError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.ledger import Ledger
from bitface.steps.audits.checkpoint_files import read_checkpoint, sign_checkpoint

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        opened.record_notice(packaged_notice("synthetic-1"))
        yield opened


def test_a_checkpoint_comes_back_and_outlives_what_follows(ledger, tmp_path) -> None:
    path = sign_checkpoint(ledger, tmp_path, NOON)
    assert path.name == "00000001.json" and read_checkpoint(path, tmp_path) == ledger.checkpoint()
    assert sign_checkpoint(ledger, tmp_path, NOON) == path
    ledger.record_consents(synthetic_consents(["s000000000000001"]))
    assert ledger.verify_chain(read_checkpoint(path, tmp_path)).intact
    assert sign_checkpoint(ledger, tmp_path, NOON).name == "00000002.json"
    assert (tmp_path / "keys" / "checkpoint.pem").stat().st_mode & 0o077 == 0


def test_a_checkpoint_that_was_touched_is_refused(ledger, tmp_path) -> None:
    path = sign_checkpoint(ledger, tmp_path, NOON)
    whole = path.read_text()
    for at in range(len(whole)):
        other = "0" if whole[at] != "0" else "1"
        path.write_text(whole[:at] + other + whole[at + 1 :])
        if json_or_none(path) != json.loads(whole):
            with pytest.raises(BitfaceError):
                read_checkpoint(path, tmp_path)


def json_or_none(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except ValueError:
        return None


def test_another_installation_s_checkpoint_and_what_is_none_are_refused(ledger, tmp_path) -> None:
    own = sign_checkpoint(ledger, tmp_path, NOON)
    other = sign_checkpoint(ledger, tmp_path / "other", NOON)
    with pytest.raises(IntegrityError, match="another installation"):
        read_checkpoint(other, tmp_path)
    with pytest.raises(IntegrityError, match="cannot be verified"):
        read_checkpoint(own, tmp_path / "nowhere")
    for text in ("", "{}", "[]", '{"size": 1}'):
        own.write_text(text)
        with pytest.raises(InputError, match="is not a checkpoint"):
            read_checkpoint(own, tmp_path)
