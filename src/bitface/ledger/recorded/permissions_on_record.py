"""Keys, approvals, contexts and policies: what people signed, as the ledger records it."""

from __future__ import annotations

from sqlalchemy import select

from bitface.consent.policy import ContextApproval
from bitface.ledger import tables
from bitface.ledger.engine import reading
from bitface.ledger.entries import Approval, KeyEntry, Statement
from bitface.ledger.permissions import approvals, contexts, policies
from bitface.ledger.permissions.policy_document import Policy
from bitface.ledger.rows import values_of
from bitface.ledger.trusted_log import TrustedLog


class PermissionsOnRecord(TrustedLog):
    """Records what people signed or vouched for, and finds what holds of it."""

    def add_key(self, key: KeyEntry, endorsement: approvals.Endorsement | None = None) -> bool:
        """Records a person's public key for a role. Raises what `approvals.record_key` raises."""
        with self._appending() as connection:
            return approvals.record_key(connection, key, self._clock(), endorsement)

    def known_keys(self) -> tuple[KeyEntry, ...]:
        """Every key on record, oldest first."""
        found = self._rows(select(tables.keys).order_by(tables.keys.c.log_seq))
        return tuple(KeyEntry(**values_of(row, KeyEntry)) for row in found)

    def approve(self, approval: Approval) -> bool:
        """Records an approval. Raises what `approvals.record_approval` raises."""
        with self._appending() as connection:
            return approvals.record_approval(connection, approval, self._clock())

    def approved_by(self, statement: Statement) -> tuple[KeyEntry, ...]:
        """The keys whose approvals of a bundle, decision and consent snapshot hold."""
        with reading(self._to_read) as connection:
            return tuple(approvals.valid_approvals(connection, statement).values())

    def record_context(self, signed: contexts.SignedContext) -> bool:
        """Records that a context is approved, or no longer is. Raises what `contexts.record` raises."""
        with self._appending() as connection:
            return contexts.record(connection, signed, self._clock())

    def contexts(self) -> tuple[contexts.RecordedContext, ...]:
        """Every approval of a context on record, oldest first."""
        with reading(self._to_read) as connection:
            return contexts.recorded(connection)

    def context_approvals(self) -> tuple[ContextApproval, ...]:
        """The approvals of contexts that hold and were not revoked."""
        with reading(self._to_read) as connection:
            return contexts.in_force(connection)

    def adopt_policy(self, policy: policies.AdoptedPolicy) -> bool:
        """Puts a policy into force. Raises what `policies.adopt` raises."""
        kept = self.kept_ends()
        with self._appending() as connection:
            self._check(connection, self._state(), kept)
            return policies.adopt(connection, policy, self._clock())

    def policy(self) -> policies.AdoptedPolicy | None:
        """The policy in force; None if none was ever adopted."""
        with reading(self._to_read) as connection:
            return policies.in_force(connection)

    def record_judged_by(self, decision_sha256: str, policy: Policy) -> None:
        """Records which policy a decision was made under."""
        with self._appending() as connection:
            policies.judged_by(connection, decision_sha256, policy, self._clock())
