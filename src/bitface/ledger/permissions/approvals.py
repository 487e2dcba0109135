"""People's keys and what they signed: an approval covers one bundle, one decision and one consent snapshot, and nothing else.

The ledger holds public keys only; owners must protect their private keys, which sign in their name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, RowMapping, Table, select

from bitface.consent.events import utc_text
from bitface.counted_words import some_of
from bitface.documents import Document
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.ledger import chain, tables
from bitface.ledger.entries import ROLES, Approval, ApprovalRule, ApprovalsMissingError, KeyEntry, Statement
from bitface.ledger.permissions.people_names import folded_name
from bitface.ledger.permissions.signatures import holds, key_of, signature_of
from bitface.ledger.rows import is_new, values_of

ENDORSER: Final = "compliance"
"""The role whose keys vouch for other keys."""
_ENDORSED: Final = "bitface endorsement of a key, 1"
_PURPOSE: Final = "bitface approval of a promotion, 1"
"""Signed along with the statement, so that no other signature passes for an approval."""


def signed(statement: Statement, key_id: str, private: Ed25519PrivateKey) -> Approval:
    """A signed approval of a statement."""
    return Approval(**asdict(statement), key_id=key_id, signature=signature_of(_PURPOSE, asdict(statement), private))


@dataclass(frozen=True, kw_only=True)
class Endorsement:
    """A compliance key's signed statement that a key belongs to the person it names."""

    key_id: str
    by_key_id: str
    signature: str


def endorsed(key: KeyEntry, by: Ed25519PrivateKey) -> Endorsement:
    """The endorsement of a key."""
    own = key_of("", ENDORSER, by)
    return Endorsement(
        key_id=key.key_id, by_key_id=own.key_id, signature=signature_of(_ENDORSED, _endorsed_facts(key, own.key_id), by)
    )


def record_key(connection: Connection, key: KeyEntry, at: datetime, endorsement: Endorsement | None = None) -> bool:
    """Appends a key, in the caller's transaction; False if it is on record already.

    The first key is a compliance key, and its owner vouches for all others: each later key is endorsed by a compliance key.

    Raises:
        InputError: an unknown role. RefusedError: it is not endorsed. IntegrityError: the key belongs to another person or role, or
            the endorsement was not made by the key it names.
    """
    if key.role not in ROLES:
        raise InputError(f"unknown role '{key.role[:40]}'; use one of {', '.join(ROLES)}")
    row = asdict(key)
    if not is_new(connection, tables.keys, row):
        return False
    answering = answering_keys(connection)
    added: dict[Table, list[Document]] = {tables.keys: [row | {"added_at": utc_text(at)}]}
    if answering:
        added[tables.endorsements] = [asdict(_checked(key, endorsement, answering))]
    elif key.role != ENDORSER:
        raise RefusedError(
            f"the first key must have role {ENDORSER}, since its owner endorses all others; add that one first"
        )
    chain.append(connection, "key", row, added, at)
    return True


def answering_keys(connection: Connection) -> dict[str, KeyEntry]:
    """Key id -> key of every trusted key: the first compliance key, and keys endorsed by trusted compliance keys. Signatures by
    other keys do not count.
    """
    ordered = connection.execute(select(tables.keys).order_by(tables.keys.c.log_seq)).mappings()
    keys = [KeyEntry(**values_of(row, KeyEntry)) for row in ordered]
    root = next((key for key in keys if key.role == ENDORSER), None)
    if root is None:
        return {}
    endorsements = {
        row["key_id"]: Endorsement(**values_of(row, Endorsement))
        for row in connection.execute(select(tables.endorsements)).mappings()
    }
    found = {root.key_id: root}
    for key in keys:
        one = endorsements.get(key.key_id)
        by = found.get(one.by_key_id) if one else None
        if one and by and by.role == ENDORSER and holds(_ENDORSED, _endorsed_facts(key, by.key_id), one.signature, by):
            found[key.key_id] = key
    return found


def _checked(key: KeyEntry, endorsement: Endorsement | None, answering: Mapping[str, KeyEntry]) -> Endorsement:
    by = answering.get(endorsement.by_key_id) if endorsement else None
    if endorsement is None or by is None or by.role != ENDORSER:
        raise RefusedError(f"this key is not endorsed: name a recorded {ENDORSER} key with --by")
    if not holds(_ENDORSED, _endorsed_facts(key, by.key_id), endorsement.signature, by):
        raise IntegrityError("the endorsement of this key has an invalid signature; add the key again")
    return endorsement


def _endorsed_facts(key: KeyEntry, by_key_id: str) -> dict[str, str]:
    return {**asdict(key), "by_key_id": by_key_id}


def record_approval(connection: Connection, approval: Approval, at: datetime) -> bool:
    """Appends an approval, in the caller's transaction; False if it is on record already.

    Raises:
        InputError: the key is unknown or has another role. IntegrityError: the signature is not that key's.
    """
    key = known_keys(connection).get(approval.key_id)
    if key is None:
        raise InputError("this key is not on record; add it with `bitface keys add`")
    if key.role != approval.role:
        raise InputError(
            f"this key belongs to {key.person} as {key.role}, not {approval.role}; approve with --role {key.role}"
        )
    if not _holds(approval, key):
        raise IntegrityError("the signature of this approval does not match its key; approve again")
    row = asdict(approval)
    if not is_new(connection, tables.approvals, row):
        return False
    facts = {name: value for name, value in row.items() if name != "signature"}
    chain.append(connection, "approval", facts, {tables.approvals: [row | {"approved_at": utc_text(at)}]}, at)
    return True


def valid_approvals(connection: Connection, statement: Statement) -> dict[str, KeyEntry]:
    """Key id -> key of every approval of exactly this bundle, decision and consent snapshot with a valid signature.

    The role in the statement is ignored: each approval has its own.
    """
    table, keys = tables.approvals, answering_keys(connection)
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
    """Raises ApprovalsMissingError unless enough different people, each with their own key, have approved in every required role."""
    # Keys of a ledger from before names had one spelling: `Mara` and `mara` are one person.
    people = {folded_name(key.person) or key.person for key in keys}
    if len(people) < rule.required:
        raise ApprovalsMissingError(
            f"{some_of(len(people), rule.required, ('has', 'have'))} approved; `bitface approve` with the keys of "
            f"{rule.required - len(people)} more"
        )
    missing = [role for role in rule.roles if all(key.role != role for key in keys)]
    if missing:
        raise ApprovalsMissingError(f"an approval as {missing[0]} is missing; `bitface approve --role {missing[0]}`")


def known_keys(connection: Connection) -> dict[str, KeyEntry]:
    """Key id -> key of every key on record."""
    rows = connection.execute(select(tables.keys)).mappings()
    return {row["key_id"]: KeyEntry(**values_of(row, KeyEntry)) for row in rows}


def _holds(approval: Approval, key: KeyEntry) -> bool:
    return holds(_PURPOSE, values_of(asdict(approval), Statement), approval.signature, key)


def _approval(row: RowMapping) -> Approval:
    return Approval(**values_of(row, Approval))
