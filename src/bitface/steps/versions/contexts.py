"""Lets compliance approve a prohibited context for a medical or safety reason, revoke that, and list all approvals."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from bitface.consent.events import utc_text, utc_time
from bitface.consent.policy import ContextApproval, approval_of
from bitface.dataset.files import sha256_of
from bitface.documents import Document
from bitface.errors import InputError
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.contexts import RecordedContext, sign_context
from bitface.steps.versions.approve import private_key


def approve_context(
    context: str, reason: str, document: Path, begins: str, ends: str, key: Path, ledger: Ledger
) -> tuple[ContextApproval, bool]:
    """Signs and records an approval, with the digest of the document that states its reason; returns it, and whether it is new.

    Raises:
        InputError: the document or key cannot be read, a word or time is invalid, or it is not a compliance key.
    """
    if not document.is_file():
        raise InputError(f"'{document.name}' is not a file; name the document that states the {reason[:40]} reason")
    found = approval_of(
        context=context,
        reason=reason,
        record_sha256=sha256_of(document),
        valid_from=utc_time(begins),
        valid_to=utc_time(ends),
    )
    return found, ledger.record_context(sign_context(found, "approved", private_key(key)))


def revoke_context(approval_id: str, key: Path, ledger: Ledger) -> tuple[ContextApproval, bool]:
    """Signs and records that an approval ends now; returns it, and whether that is new.

    Raises:
        InputError: no such approval, or it is not a compliance key.
    """
    named = [one.approval for one in ledger.contexts() if one.approval.approval_id == approval_id]
    if not named:
        raise InputError(f"approval '{approval_id[:40]}' is not on record; `bitface context list` shows them")
    return named[0], ledger.record_context(sign_context(named[0], "revoked", private_key(key)))


def context_rows(ledger: Ledger, at: datetime) -> list[Document]:
    """Every approval on record with its state at a time, oldest first; those recorded later are left out."""
    return [_row(one, at) for one in ledger.contexts() if one.approved_at <= at]


def contexts_text(rows: list[Document]) -> str:
    """A line per approval for a terminal."""
    lines = (
        f"{row['approval_id']}  {row['context']:<9}  {row['reason']:<7}  {row['valid_from'][:16]} to {row['valid_to'][:16]}"
        f"  {row['standing']}, by {row['approved_by']}"
        for row in rows
    )
    return "\n".join(lines) or "no approval on record: workplace and education are refused"


def _row(one: RecordedContext, at: datetime) -> Document:
    revoked = one.revoked_at if one.revoked_at is not None and one.revoked_at <= at else None
    return {
        "approval_id": one.approval.approval_id,
        **one.approval.model_dump(mode="json"),
        "approved_by": one.approved_by,
        "approved_at": utc_text(one.approved_at),
        "revoked_at": utc_text(revoked) if revoked else None,
        "standing": _standing(one, revoked is not None, at),
    }


def _standing(one: RecordedContext, is_revoked: bool, at: datetime) -> str:
    if not one.holds:
        return "signature does not hold"
    if is_revoked:
        return "revoked"
    if at < one.approval.valid_from:
        return "not begun"
    return "in force" if at < one.approval.valid_to else "over"
