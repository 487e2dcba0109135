"""People's keys and what they signed: an approval speaks of one bundle, one decision and one consent snapshot, and of no other.

The ledger holds public keys only; who holds a private key answers for its owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from bitface.consent.events import utc_text
from bitface.errors import InputError, IntegrityError
from bitface.ledger import chain, tables
from bitface.ledger.entries import ROLES, Approval, ApprovalRule, ApprovalsMissingError, KeyEntry, Statement
from bitface.ledger.rows import is_new, values_of
from bitface.ledger.signatures import holds, signature_of

_PURPOSE: Final = "bitface approval of a promotion, 1"
"""Signed with the rest, so that a signature of anything else is none of an approval."""


def signed(statement: Statement, key_id: str, private: Ed25519PrivateKey) -> Approval:
    """The approval of what a statement says."""
    return Approval(**asdict(statement), key_id=key_id, signature=signature_of(_PURPOSE, asdict(statement), private))


def record_key(connection: Connection, key: KeyEntry, at: datetime) -> bool:
    """Appends a key, in the caller's transaction; False where it is there already.

    Raises:
        InputError: an unknown role. IntegrityError: the key is another person's, or has another role.
    """
    if key.role not in ROLES:
        raise InputError(f"unknown role '{key.role[:40]}'; use one of {', '.join(ROLES)}")
    row = asdict(key)
    if not is_new(connection, tables.keys, row):
        return False
    chain.append(connection, "key", row, {tables.keys: [row | {"added_at": utc_text(at)}]}, at)
    return True


def record_approval(connection: Connection, approval: Approval, at: datetime) -> bool:
    """Appends an approval, in the caller's transaction; False where it is there already.

    Raises:
        InputError: the key is unknown, or of another role. IntegrityError: the signature is not that key's.
    """
    key = known_keys(connection).get(approval.key_id)
    if key is None:
        raise InputError("this key is not on record; add it with `bitface keys add`")
    if key.role != approval.role:
        raise InputError(
            f"this key is {key.person}'s as {key.role}, not as {approval.role}; approve with --role {key.role}"
        )
    if not _holds(approval, key):
        raise IntegrityError("the signature of this approval is not that of its key; approve again")
    row = asdict(approval)
    if not is_new(connection, tables.approvals, row):
        return False
    facts = {name: value for name, value in row.items() if name != "signature"}
    chain.append(connection, "approval", facts, {tables.approvals: [row | {"approved_at": utc_text(at)}]}, at)
    return True


def valid_approvals(connection: Connection, statement: Statement) -> dict[str, KeyEntry]:
    """Key id -> key of every approval of exactly this bundle, decision and consent snapshot whose signature holds.

    The role of the statement is not looked at: each approval has its own.
    """
    table, keys = tables.approvals, known_keys(connection)
    same = (
        (table.c.bundle_sha256 == statement.bundle_sha256)
        & (table.c.decision_sha256 == statement.decision_sha256)
        & (table.c.consent_snapshot_sha256 == statement.consent_snapshot_sha256)
        & (table.c.name == statement.name)
        & (table.c.version == statement.version)
    )
    found = [_approval(row) for row in connection.execute(select(table).where(same)).mappings()]
    return {
        one.key_id: keys[one.key_id]
        for one in found
        if one.key_id in keys and one.role == keys[one.key_id].role and _holds(one, keys[one.key_id])
    }


def check_approvals(keys: Sequence[KeyEntry], rule: ApprovalRule) -> None:
    """Raises ApprovalsMissingError unless enough different people have approved, each with a key of their own, in every role asked for."""
    people = {key.person for key in keys}
    if len(people) < rule.required:
        raise ApprovalsMissingError(
            f"{len(people)} of {rule.required} people have approved; `bitface approve` with the keys of "
            f"{rule.required - len(people)} more"
        )
    missing = [role for role in rule.roles if all(key.role != role for key in keys)]
    if missing:
        raise ApprovalsMissingError(f"nobody has approved as {missing[0]}; `bitface approve --role {missing[0]}`")


def known_keys(connection: Connection) -> dict[str, KeyEntry]:
    """Key id -> key of every key on record."""
    rows = connection.execute(select(tables.keys)).mappings()
    return {row["key_id"]: KeyEntry(**values_of(row, KeyEntry)) for row in rows}


def _holds(approval: Approval, key: KeyEntry) -> bool:
    return holds(_PURPOSE, values_of(asdict(approval), Statement), approval.signature, key)


def _approval(row: Mapping[Any, Any]) -> Approval:
    return Approval(**values_of(row, Approval))
