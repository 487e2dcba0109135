"""Approved medical or safety reasons for work and education: signed by compliance, in force until they end or are revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from bitface.consent.events import canonical_json, utc_text, utc_time
from bitface.consent.policy import ContextApproval, approval_from
from bitface.errors import InputError, IntegrityError
from bitface.ledger import chain, tables
from bitface.ledger.entries import KeyEntry
from bitface.ledger.permissions.approvals import answering_keys, known_keys
from bitface.ledger.permissions.signatures import holds, key_of, signature_of
from bitface.ledger.rows import is_new

ROLE: Final = "compliance"
"""The role whose key is required."""
_PURPOSE: Final = "bitface approval of a context, 1"
ApprovalState = Literal["approved", "revoked"]


@dataclass(frozen=True, kw_only=True)
class SignedContext:
    """A signed statement that a context is approved, or no longer is."""

    approval: ContextApproval
    state: ApprovalState
    key_id: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class RecordedContext:
    """An approval of a context as recorded. `holds`: it was signed by a compliance key."""

    approval: ContextApproval
    approved_by: str
    approved_at: datetime
    revoked_at: datetime | None
    holds: bool


def sign_context(approval: ContextApproval, state: ApprovalState, private: Ed25519PrivateKey) -> SignedContext:
    """Signs that a context is approved, or that it no longer is."""
    facts = _facts(approval, state)
    return SignedContext(
        approval=approval,
        state=state,
        key_id=key_of("", ROLE, private).key_id,
        signature=signature_of(_PURPOSE, facts, private),
    )


def record(connection: Connection, signed: SignedContext, at: datetime) -> bool:
    """Appends an approval or its end, in the caller's transaction; False if it is on record already.

    Raises:
        InputError: the key is unknown or has another role, or the approval to revoke was never recorded.
        IntegrityError: the signature is not that key's.
    """
    key = known_keys(connection).get(signed.key_id)
    if key is None:
        raise InputError("this key is not on record; add it with `bitface keys add`")
    if key.role != ROLE:
        raise InputError(f"this key is {key.person}'s as {key.role}; contexts are approved by role {ROLE}")
    if not holds(_PURPOSE, _facts(signed.approval, signed.state), signed.signature, key):
        raise IntegrityError("the signature of this approval does not match its key; approve again")
    approval_id = signed.approval.approval_id
    if signed.state == "revoked" and all(one.approval != signed.approval for one in recorded(connection)):
        raise InputError(f"approval '{approval_id}' is not on record; `bitface context list` shows them")
    row = {
        "approval_id": approval_id,
        "state": signed.state,
        "body": canonical_json(signed.approval.model_dump(mode="json")),
    }
    if not is_new(connection, tables.context_approvals, row):
        return False
    facts = row | {"key_id": key.key_id}
    stamped = facts | {"signature": signed.signature, "recorded_at": utc_text(at)}
    chain.append(connection, "context", facts, {tables.context_approvals: [stamped]}, at)
    return True


def recorded(connection: Connection) -> tuple[RecordedContext, ...]:
    """Every approval on record, oldest first, with its end if it was revoked."""
    table, keys = tables.context_approvals, answering_keys(connection)
    rows = connection.execute(select(table).order_by(table.c.log_seq)).mappings().all()
    # An end needs no valid signature: a forged one could only close a context.
    ends = {row["approval_id"]: utc_time(row["recorded_at"]) for row in rows if row["state"] == "revoked"}
    return tuple(
        _recorded(row["body"], row, keys.get(row["key_id"]), ends.get(row["approval_id"]))
        for row in rows
        if row["state"] == "approved"
    )


def in_force(connection: Connection) -> tuple[ContextApproval, ...]:
    """The approvals signed by compliance and not revoked; each states its own period."""
    return tuple(one.approval for one in recorded(connection) if one.holds and one.revoked_at is None)


def _recorded(body: str, row: Any, key: KeyEntry | None, revoked_at: datetime | None) -> RecordedContext:
    approval = approval_from(body)
    signed = key is not None and key.role == ROLE and approval.approval_id == row["approval_id"]
    return RecordedContext(
        approval=approval,
        approved_by=key.person if key else "unknown",
        approved_at=utc_time(row["recorded_at"]),
        revoked_at=revoked_at,
        holds=signed and key is not None and holds(_PURPOSE, _facts(approval, "approved"), row["signature"], key),
    )


def _facts(approval: ContextApproval, state: ApprovalState) -> dict[str, object]:
    return {"state": state, **approval.model_dump(mode="json")}
