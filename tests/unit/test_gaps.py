"""A log goes on after a gap by a signed step on record, and what nobody can know any more counts as a no."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import Checkpoint, DecisionEntry, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.lost_logs import PURPOSE, Gap
from bitface.ledger.permissions.policies import AdoptedPolicy
from bitface.ledger.permissions.signatures import holds, key_of, signature_of
from bitface.ledger.promotion import Move
from bitface.steps.audits.checkpoint_files import sign_checkpoint
from bitface.steps.audits.checkpoints import Checkpoints
from bitface.steps.audits.continuing import continue_after, missing_end
from bitface.steps.audits.retention import due
from bitface.steps.versions.approve import add_key

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
PEOPLE = [f"s{number:015d}" for number in range(3)]
REAL = "p" * 16


@pytest.fixture
def filled(freeze, begin) -> Callable[[Path, str], Ledger]:
    """A ledger in a file: a champion of synthetic people, who may have a real one among them."""

    def fill(path: Path, person: str) -> Ledger:
        ledger = Ledger(sqlite_url(path), clock=lambda: NOON)
        grounds = {"lawful_basis": "6(1)(a)", "special_category_condition": "9(2)(a)"}
        given = synthetic_consents(sorted({*PEOPLE, person}))
        events = [one.model_copy(update=grounds if one.subject == REAL else {}) for one in given]
        ledger.record_notice(packaged_notice("synthetic-1"))
        ledger.record_consents(events)
        freeze(ledger, "d1", events)
        begin(ledger, "run1", "d1")
        ledger.record_model(
            ModelEntry(bundle_sha256="b1", weights_sha256="w", run_id="run1", evidence="synthetic", purpose="train")
        )
        ledger.record_decision(
            DecisionEntry(decision_sha256="d1", bundle_sha256="b1", run_id="run1", decision="promote", reasons=())
        )
        ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256="d1", actor="test"))
        return ledger

    return fill


def lost(path: Path) -> Checkpoint:
    """The end of a newer log that nobody has any more: the same with one more entry."""
    copy = path.with_name("lost.db")
    shutil.copy(path, copy)
    with Ledger(sqlite_url(copy), clock=lambda: NOON) as newer:
        newer.record_consents(synthetic_consents(["s" + "7" * 15]))
        return newer.checkpoint()


def gap_of(missing: Checkpoint, **changes: Any) -> Gap:
    own = Gap(missing_size=missing.size, missing_sha256=missing.head_sha256, actor="who", reason="the disk failed")
    return replace(own, **changes)


def test_versions_from_before_are_used_and_rolled_back_to_once_promoted_again(filled, tmp_path) -> None:
    with filled(tmp_path / "ledger.db", PEOPLE[0]) as ledger:
        model = ledger.champion()
        assert ledger.continue_after(gap_of(lost(tmp_path / "ledger.db")))
        assert ledger.champion() is None and ledger.verify_chain().intact
        assert "must be promoted again" in ledger.status(model).line and "no longer usable" in ledger.status(model).line
        with pytest.raises(RefusedError, match="promote it again"):
            ledger.check_use(model, "demo", "research")
        with pytest.raises(RefusedError, match="cannot roll back to"):
            ledger.promote(
                Move(to_version=1, expected_previous=None, decision_sha256=None, actor="test", kind="rollback")
            )
        ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256="d1", actor="test"))
        ledger.check_use(model, "demo", "research")
        assert ledger.verify_chain().intact and [period.until is None for period in ledger.alias_periods()] == [
            False,
            True,
        ]


def test_what_a_real_person_allowed_is_invalid_until_it_is_given_again(filled, tmp_path, monkeypatch) -> None:
    with filled(tmp_path / "ledger.db", REAL) as ledger:
        ledger.continue_after(gap_of(lost(tmp_path / "ledger.db")))
        states = {event.subject: event.state for event in ledger.consents()}
        assert states == {**dict.fromkeys(PEOPLE, "given"), REAL: "invalidated"}
        keys = KeyStore(tmp_path / "keys")
        monkeypatch.setattr(keys, "pseudonyms", lambda: (REAL,))
        (must_go,) = due(tmp_path / "data", keys, ledger, LATER)
        assert (must_go.person, must_go.why) == (REAL, "the consent was made invalid, and not given again")
        with pytest.raises(RefusedError, match="no longer admitted"):
            ledger.promote(Move(to_version=1, expected_previous=None, decision_sha256="d1", actor="test"))
        (given,) = (event for event in ledger.consents(REAL) if event.state == "given")
        again = {"event_id": "again", "event_time": LATER, "recorded_at": LATER, "last_interaction": LATER}
        ledger.record_consents([given.model_copy(update=again)])
        assert ledger.standing(ledger.model(1), LATER) is None


def test_the_gap_stands_in_the_log_and_covers_what_was_lost_and_no_more(filled, tmp_path) -> None:
    with filled(tmp_path / "ledger.db", PEOPLE[0]) as ledger:
        before, missing = ledger.checkpoint(), lost(tmp_path / "ledger.db")
        ledger.continue_after(gap_of(missing))
        ended = ledger.checkpoint()
        assert (ended.gaps, ended.name) == (1, f"g01-{ended.size:08d}.json") and ended.name > missing.name
        assert [gap.reason for gap in ledger.gaps()] == ["the disk failed"]
        for known in (before, missing, replace(missing, size=missing.size - 1, head_sha256="0" * 64), ended):
            assert ledger.holds(known), known
        for unknown in (
            replace(missing, size=missing.size + 1),
            replace(missing, head_sha256="0" * 64),
            replace(ended, size=ended.size + 1),
            replace(ended, gaps=2),
        ):
            assert not ledger.holds(unknown), unknown
        assert not ledger.continue_after(gap_of(replace(ended)))


def test_nothing_is_continued_that_lost_nothing_or_without_a_reason(filled, tmp_path) -> None:
    with filled(tmp_path / "ledger.db", PEOPLE[0]) as ledger:
        end, missing = ledger.checkpoint(), lost(tmp_path / "ledger.db")
        with pytest.raises(InputError, match="nothing is lost, and nothing was done"):
            continue_after(end, "who", "why not", None, ledger)
        with pytest.raises(InputError, match="--why"):
            continue_after(missing, "who", "  ", None, ledger)
        assert ledger.checkpoint() == end


def test_a_log_that_was_edited_is_not_continued(filled, tmp_path) -> None:
    with filled(tmp_path / "ledger.db", PEOPLE[0]) as ledger:
        missing = lost(tmp_path / "ledger.db")
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as raw:
            raw.execute("update decisions set decision = 'hold'")
        with pytest.raises(IntegrityError, match="restore the ledger from a backup"):
            continue_after(missing, "who", "the disk failed", None, ledger)


def test_where_promotions_need_approvals_compliance_signs_it(filled, tmp_path) -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    with filled(tmp_path / "ledger.db", PEOPLE[0]) as ledger:
        ledger.add_key(key_of("Ada", "compliance", key))
        rules = {"default": {"promotion": {"approvals_required": 1, "roles": []}}}
        ledger.adopt_policy(AdoptedPolicy(profiles=rules, actor="test", reason="first"))
        gap = gap_of(lost(tmp_path / "ledger.db"))
        for by in (None, other):
            told = gap if by is None else signed(gap, by)
            with pytest.raises(RefusedError, match="signed by compliance"):
                ledger.continue_after(told)
        with pytest.raises(IntegrityError, match="signature"):
            ledger.continue_after(replace(signed(gap, key), reason="another reason"))
        assert ledger.continue_after(signed(gap, key)) and ledger.gaps()[0].key_id


def signed(gap: Gap, key: Ed25519PrivateKey) -> Gap:
    key_id = key_of("", "compliance", key).key_id
    return replace(gap, key_id=key_id, signature=signature_of(PURPOSE, gap.facts(), key))


def test_the_end_of_a_lost_log_is_that_in_the_file_or_the_latest_elsewhere(filled, tmp_path) -> None:
    home = tmp_path / "home"
    nowhere = Checkpoints(home=home, place=None, learn=lambda *_: 0, warn=pytest.fail, now=lambda: NOON)
    with filled(tmp_path / "ledger.db", PEOPLE[0]) as ledger:
        path = sign_checkpoint(ledger, home, NOON)
        found, whole = missing_end(str(path), nowhere)
        assert found == ledger.checkpoint() and whole["size"] == found.size
    with pytest.raises(InputError, match="name a checkpoint file"):
        missing_end("latest", nowhere)


def test_a_log_is_not_continued_from_an_end_where_a_later_one_is_known(filled, tmp_path, monkeypatch) -> None:
    """It would leave what lies between the two without a trace."""
    with filled(tmp_path / "ledger.db", PEOPLE[0]) as ledger:
        missing = lost(tmp_path / "ledger.db")
        later = replace(missing, size=missing.size + 5, head_sha256="f" * 64)
        monkeypatch.setattr(ledger, "kept_ends", lambda: (missing, later))
        with pytest.raises(InputError, match=f"a later checkpoint exists, with {later.size} entries"):
            continue_after(missing, "who", "the disk failed", None, ledger)
        assert ledger.gaps() == ()


def test_a_key_that_is_named_signs_the_gap(filled, tmp_path) -> None:
    with filled(tmp_path / "ledger.db", PEOPLE[0]) as ledger:
        missing = lost(tmp_path / "ledger.db")
        add_key("Cora", "compliance", tmp_path / "cora.pem", ledger)
        continue_after(missing, "who", "the disk failed", tmp_path / "cora.pem", ledger)
        (gap,) = ledger.gaps()
        (key,) = ledger.known_keys()
        assert gap.key_id == key.key_id and holds(PURPOSE, gap.facts(), gap.signature, key)
