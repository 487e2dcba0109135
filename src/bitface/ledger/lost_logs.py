"""Continues a log after a newer one was lost for good: signed and on record; whatever is unknown counts as refused.

In the lost part a person may have withdrawn, and a version may have been rolled back. So every consent of a real person is invalid
until it is given again, no alias points anywhere, and earlier versions are usable only after they are promoted again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from bitface.consent.events import ConsentEvent, canonical_json, utc_text
from bitface.errors import IntegrityError, RefusedError
from bitface.faces.records import is_synthetic
from bitface.ledger import chain, tables
from bitface.ledger.entries import Checkpoint, ModelEntry
from bitface.ledger.permissions import policies
from bitface.ledger.permissions.approvals import answering_keys
from bitface.ledger.permissions.signatures import holds
from bitface.ledger.rows import consent_row, consents_of, values_of

ROLE: Final = "compliance"
"""The role whose key signs it."""
PURPOSE: Final = "bitface continues after a gap in its log, 1"
"""Signed along with the facts, so that no other signature passes for this one."""
AGAIN: Final = "it is from before a gap in the log; promote it again with `bitface promote`, or retrain"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The end of the newer log that is lost, who continued without it, and why."""

    missing_size: int
    missing_sha256: str
    actor: str
    reason: str
    key_id: str | None = None
    signature: str | None = None
    recorded_at: str = ""
    log_seq: int = 0

    def facts(self) -> dict[str, object]:
        """What its signature covers."""
        names = ("missing_size", "missing_sha256", "actor", "reason")
        return {name: getattr(self, name) for name in names}


def recorded(connection: Connection) -> tuple[Gap, ...]:
    """Every gap, oldest first."""
    rows = connection.execute(select(tables.gaps).order_by(tables.gaps.c.log_seq)).mappings()
    return tuple(Gap(**values_of(row, Gap)) for row in rows)


def continue_after(connection: Connection, gap: Gap, at: datetime) -> bool:
    """Records a gap and ends whatever is unknown because of it, in the caller's transaction; False if the log contains the end
    reported as missing.

    Raises:
        RefusedError: promotions need approvals here, but no compliance key signed it. IntegrityError: the signature is invalid.
    """
    now = chain.checkpoint(connection)
    missing = Checkpoint(size=gap.missing_size, head_sha256=gap.missing_sha256, gaps=now.gaps)
    if not chain.against(connection, missing):
        return False
    _check_signed(connection, gap)
    closing = [consent_row(event) for event in _closing(connection, at)]
    if closing:
        chain.append(connection, "consents", {"events": len(closing)}, {tables.consent_events: closing}, at)
    _end_aliases(connection, gap.actor, at)
    row = {**gap.facts(), "key_id": gap.key_id, "signature": gap.signature, "recorded_at": utc_text(at)}
    facts = {name: row[name] for name in ("missing_size", "missing_sha256", "reason", "key_id")}
    chain.append(connection, "gap", facts, {tables.gaps: [row]}, at)
    return True


def is_before(connection: Connection, model: ModelEntry) -> bool:
    """Whether a version is from before a gap and was not promoted since."""
    latest = connection.execute(select(tables.gaps.c.log_seq).order_by(tables.gaps.c.log_seq.desc()).limit(1)).scalar()
    if latest is None:
        return False
    models, moves = tables.models, tables.promotions
    own = (models.c.name == model.name) & (models.c.version == model.version)
    since = (moves.c.name == model.name) & (moves.c.to_version == model.version) & (moves.c.log_seq > latest)
    registered = connection.execute(select(models.c.log_seq).where(own)).scalar() or 0
    promoted = connection.execute(select(moves.c.log_seq).where(since, moves.c.kind == "promote").limit(1)).first()
    return registered < latest and promoted is None


def _closing(connection: Connection, at: datetime) -> Iterator[ConsentEvent]:
    """For each consent record of a real person, an event that invalidates it; a later event can reopen it."""
    latest = {event.record_id: event for event in consents_of(connection) if not is_synthetic(event.subject)}
    for event in latest.values():
        digest = hashlib.sha256(canonical_json(["gap", event.event_id, utc_text(at)]).encode()).hexdigest()
        changes = {
            "event_id": f"g-{digest[:30]}",
            "state": "invalidated",
            "purposes": (),
            "withdrawal_method": "bitface audit log --continue-from: what was said since is lost; ask again",
            "evidence_sha256": digest,
            "event_time": at,
            "last_interaction": at,
            "recorded_at": at,
        }
        yield ConsentEvent.model_validate(event.model_dump() | changes)


def _end_aliases(connection: Connection, actor: str, at: datetime) -> None:
    pointed = connection.execute(select(tables.aliases).order_by(tables.aliases.c.alias)).mappings().all()
    for one in pointed:
        ended = {
            "name": one["name"],
            "alias": one["alias"],
            "from_version": one["version"],
            "to_version": one["version"],
            "kind": "end",
            "decision_sha256": None,
            "actor": actor,
            "promoted_at": utc_text(at),
        }
        chain.append(connection, "promotion", ended, {tables.promotions: [ended]}, at)
    connection.execute(tables.aliases.delete())


def _check_signed(connection: Connection, gap: Gap) -> None:
    policy = policies.in_force(connection)
    if gap.key_id is None and not (policy is not None and policy.rule.asks):
        return
    key = answering_keys(connection).get(gap.key_id or "")
    if key is None or key.role != ROLE:
        raise RefusedError(
            f"promotions require approvals here, so continuing after a gap must be signed by {ROLE}: name that key with --key"
        )
    if not holds(PURPOSE, gap.facts(), gap.signature or "", key):
        raise IntegrityError("the signature of this step does not match its key; sign it again")
