"""People's keys and what they signed: an approval speaks of one bundle, one decision and one consent snapshot, and of no other.

Ed25519 (RFC 8032). The ledger holds public keys only; who holds a private key answers for its owner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection, select

from bitface.consent.events import canonical_json, utc_text
from bitface.errors import InputError, IntegrityError
from bitface.ledger import chain, tables
from bitface.ledger.entries import ROLES, Approval, ApprovalRule, ApprovalsMissingError, KeyEntry, Statement
from bitface.ledger.rows import is_new, values_of

_PURPOSE: Final = "bitface approval of a promotion, 1"
"""Signed with the rest, so that a signature of anything else is none of an approval."""


def key_of(person: str, role: str, private: Ed25519PrivateKey) -> KeyEntry:
    """The entry of a person's key for a role."""
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return KeyEntry(key_id=hashlib.sha256(public).hexdigest(), person=person, role=role, public_key=public.hex())


def signed(statement: Statement, key_id: str, private: Ed25519PrivateKey) -> Approval:
    """The approval of what a statement says."""
    return Approval(**asdict(statement), key_id=key_id, signature=private.sign(_message(statement)).hex())


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
    key = _keys(connection).get(approval.key_id)
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
    table, keys = tables.approvals, _keys(connection)
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


def _holds(approval: Approval, key: KeyEntry) -> bool:
    statement = Statement(**values_of(asdict(approval), Statement))
    try:
        public, signature = bytes.fromhex(key.public_key), bytes.fromhex(approval.signature)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _message(statement))
    except (InvalidSignature, ValueError):
        return False
    if signature.hex() != approval.signature:
        return False  # the same number in other letters, which nobody wrote
    # The id is the key's own digest: a row whose public key was exchanged speaks for nobody.
    return hashlib.sha256(public).hexdigest() == approval.key_id


def _message(statement: Statement) -> bytes:
    return canonical_json({"purpose": _PURPOSE, **asdict(statement)}).encode()


def _keys(connection: Connection) -> dict[str, KeyEntry]:
    rows = connection.execute(select(tables.keys)).mappings()
    return {row["key_id"]: KeyEntry(**values_of(row, KeyEntry)) for row in rows}


def _approval(row: Mapping[Any, Any]) -> Approval:
    return Approval(**values_of(row, Approval))
