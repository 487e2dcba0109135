"""Which policy is in force: adopted by a person, with a reason, and signed by compliance where promotions need approvals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from bitface.consent.events import canonical_json, utc_text
from bitface.errors import GateError, IntegrityError, RefusedError
from bitface.ledger import chain, tables
from bitface.ledger.entries import ApprovalRule
from bitface.ledger.permissions.approvals import answering_keys
from bitface.ledger.permissions.policy_document import Policy, differences, policy_sha256
from bitface.ledger.permissions.signatures import holds

ROLE: Final = "compliance"
"""The role whose key signs a change."""
PURPOSE: Final = "bitface policy, 1"
"""Signed along with the policy, so that no other signature passes for one of a policy."""
_RULES_OF: Final = "default"


@dataclass(frozen=True, kw_only=True)
class AdoptedPolicy:
    """`profiles`: a policy for each profile of params.yaml; who adopted it, when, why, and with which key, if any."""

    profiles: dict[str, Policy]
    actor: str
    reason: str
    key_id: str | None = None
    signature: str | None = None
    adopted_at: str = ""

    @property
    def sha256(self) -> str:
        """SHA-256 of the policies of all profiles."""
        return policy_sha256(self.profiles)

    @property
    def rule(self) -> ApprovalRule:
        """The approvals that a promotion needs."""
        asked = self.profiles[_RULES_OF]["promotion"]
        return ApprovalRule(required=int(asked["approvals_required"]), roles=tuple(asked["roles"]))

    @property
    def digests(self) -> frozenset[str]:
        """The digest of each profile's policy: a decision under any of them is a decision under the policy in force."""
        return frozenset(map(policy_sha256, self.profiles.values()))

    def facts(self) -> dict[str, object]:
        """What its signature covers."""
        return {"policy_sha256": self.sha256, "reason": self.reason, "actor": self.actor}

    def differences(self, profile: str, own: Policy) -> tuple[str, ...]:
        """How a run's policy differs, in sentences; empty if it does not."""
        return differences(own, self.profiles.get(profile, {}))


def in_force(connection: Connection) -> AdoptedPolicy | None:
    """The policy adopted last; None if there never was one. Raises IntegrityError if it cannot be read."""
    table = tables.policies
    row = connection.execute(select(table).order_by(table.c.log_seq.desc()).limit(1)).mappings().first()
    if row is None:
        return None
    try:
        profiles = json.loads(row["body"])
        profiles[_RULES_OF]["promotion"]["approvals_required"]
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError("the policy in force cannot be read; run `bitface audit log`") from error
    names = ("actor", "reason", "key_id", "signature", "adopted_at")
    return AdoptedPolicy(profiles=profiles, **{name: row[name] for name in names})


def adopt(connection: Connection, policy: AdoptedPolicy, at: datetime) -> bool:
    """Puts a policy into force, in the caller's transaction; False if it already is.

    Raises:
        RefusedError: promotions need approvals under the previous policy or this one, and no compliance key has signed this one.
    """
    before = in_force(connection)
    if before is not None and before.profiles == policy.profiles:
        return False
    if before is not None and (before.rule.asks or policy.rule.asks):
        _check_signed(connection, policy)
    row = {
        "policy_sha256": policy.sha256,
        "body": canonical_json(policy.profiles),
        "actor": policy.actor,
        "reason": policy.reason,
        "key_id": policy.key_id,
        "signature": policy.signature,
        "adopted_at": utc_text(at),
    }
    facts = {name: row[name] for name in ("policy_sha256", "reason", "key_id")}
    chain.append(connection, "policy", facts, {tables.policies: [row]}, at)
    return True


def judged_by(connection: Connection, decision_sha256: str, policy: Policy, at: datetime) -> None:
    """Records, in the caller's transaction, which policy a decision was made under."""
    table, digest = tables.judged_by, policy_sha256(policy)
    known = select(table.c.policy_sha256).where(table.c.decision_sha256 == decision_sha256)
    if connection.execute(known).first() is None:
        row = {"decision_sha256": decision_sha256, "policy_sha256": digest}
        chain.append(connection, "judged", row, {table: [row]}, at)


def check_judged(connection: Connection, decision_sha256: str | None) -> None:
    """Raises GateError for a decision that was not made under the policy in force."""
    policy, table = in_force(connection), tables.judged_by
    if policy is None:
        return
    by = connection.execute(select(table.c.policy_sha256).where(table.c.decision_sha256 == decision_sha256)).scalar()
    if by not in policy.digests:
        raise GateError(
            "it was judged by limits that differ from the policy in force; retrain under that policy, or adopt the other one with "
            "`bitface policy adopt`"
        )


def was_in_force(connection: Connection, decision_sha256: str) -> bool:
    """Whether a decision was made under a policy that was once in force, or before there was any policy."""
    policies, decisions, table = tables.policies, tables.decisions, tables.judged_by
    first = connection.execute(select(policies.c.log_seq).order_by(policies.c.log_seq).limit(1)).scalar()
    made = connection.execute(
        select(decisions.c.log_seq).where(decisions.c.decision_sha256 == decision_sha256)
    ).scalar()
    by = connection.execute(select(table.c.policy_sha256).where(table.c.decision_sha256 == decision_sha256)).scalar()
    if by is None:
        return first is None or (made is not None and made < first)
    bodies = connection.execute(select(policies.c.body)).scalars()
    return any(by == policy_sha256(own) for body in bodies for own in json.loads(body).values())


def rule_for(connection: Connection, asked: ApprovalRule) -> ApprovalRule:
    """The required approvals: those of the policy in force plus those the caller adds; never fewer."""
    policy = in_force(connection)
    if policy is None:
        return asked
    roles = tuple(dict.fromkeys((*policy.rule.roles, *asked.roles)))
    return ApprovalRule(required=max(policy.rule.required, asked.required), roles=roles)


def _check_signed(connection: Connection, policy: AdoptedPolicy) -> None:
    key = answering_keys(connection).get(policy.key_id or "")
    if key is None or key.role != ROLE:
        raise RefusedError(
            f"promotions require approvals here, so a policy change must be signed by {ROLE}: name that key with --key"
        )
    if not holds(PURPOSE, policy.facts(), policy.signature or "", key):
        raise IntegrityError("the signature of this policy does not match its key; adopt it again")
