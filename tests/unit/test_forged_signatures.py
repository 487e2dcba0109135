"""A signature counts only for what was signed, by the key that is named; the ledger records no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.errors import InputError, IntegrityError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import DecisionEntry, ModelEntry, Statement
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.approvals import endorsed, signed
from bitface.ledger.permissions.signatures import key_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CORA, MARA, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
COMPLIANCE, REVIEWER = key_of("Cora", "compliance", CORA), key_of("Mara", "reviewer", MARA)
STATED = Statement(
    name="bitface",
    version=1,
    role="reviewer",
    bundle_sha256="b" * 64,
    decision_sha256="d" * 64,
    consent_snapshot_sha256="c" * 64,
)


@pytest.fixture
def ledger(tmp_path: Path, freeze, begin) -> Iterator[Ledger]:
    """A version that the gate let through, and one key."""
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        consents = synthetic_consents(["s" * 16])
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(consents)
        freeze(opened, "v1", consents)
        begin(opened, "run1", "v1")
        made = {"bundle_sha256": STATED.bundle_sha256, "run_id": "run1"}
        opened.record_model(ModelEntry(weights_sha256="w", evidence="synthetic", purpose="train", **made))
        opened.record_decision(
            DecisionEntry(decision_sha256=STATED.decision_sha256, decision="promote", reasons=(), **made)
        )
        opened.add_key(COMPLIANCE)
        yield opened


FORGED_ENDORSEMENTS = {
    "signed by another key": replace(endorsed(REVIEWER, STRANGER), by_key_id=COMPLIANCE.key_id),
    "for the same key in another role": endorsed(replace(REVIEWER, role="engineer"), CORA),
    "for the same key of another person": endorsed(replace(REVIEWER, person="Jon"), CORA),
    "no signature": replace(endorsed(REVIEWER, CORA), signature=""),
}


@pytest.mark.parametrize("name", FORGED_ENDORSEMENTS)
def test_an_endorsement_that_was_not_made_for_this_key_is_refused(name, ledger) -> None:
    with pytest.raises(IntegrityError, match="invalid signature"):
        ledger.add_key(REVIEWER, FORGED_ENDORSEMENTS[name])
    assert ledger.known_keys() == (COMPLIANCE,)
    assert ledger.add_key(REVIEWER, endorsed(REVIEWER, CORA))


FORGED_APPROVALS = {
    "signed by another key": signed(STATED, REVIEWER.key_id, STRANGER),
    "of another version": replace(signed(STATED, REVIEWER.key_id, MARA), version=2),
    "on another decision": replace(signed(STATED, REVIEWER.key_id, MARA), decision_sha256="e" * 64),
    "for other consents": replace(signed(STATED, REVIEWER.key_id, MARA), consent_snapshot_sha256="e" * 64),
    "in another spelling": replace(
        signed(STATED, REVIEWER.key_id, MARA), signature=signed(STATED, REVIEWER.key_id, MARA).signature.upper()
    ),
}


@pytest.mark.parametrize("name", FORGED_APPROVALS)
def test_an_approval_whose_signature_does_not_cover_it_is_not_recorded(name, ledger) -> None:
    ledger.add_key(REVIEWER, endorsed(REVIEWER, CORA))
    with pytest.raises(IntegrityError, match="does not match its key"):
        ledger.approve(FORGED_APPROVALS[name])
    assert ledger.approved_by(STATED) == ()
    assert ledger.approve(signed(STATED, REVIEWER.key_id, MARA))
    assert ledger.approved_by(STATED) == (REVIEWER,)


def test_an_approval_by_a_key_that_is_not_on_record_or_in_another_role_is_not_recorded(ledger) -> None:
    with pytest.raises(InputError, match="not on record; add it"):
        ledger.approve(signed(STATED, REVIEWER.key_id, MARA))
    with pytest.raises(InputError, match="belongs to Cora as compliance, not reviewer"):
        ledger.approve(signed(STATED, COMPLIANCE.key_id, CORA))
    assert ledger.approved_by(STATED) == ()
