"""Moves an alias in one transaction or not at all, and only from the version that the decision assumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from bitface.consent.events import utc_text, utc_time
from bitface.consent.policy import check_promotable
from bitface.errors import GateError, InputError, RefusedError
from bitface.ledger import chain, questions, tables
from bitface.ledger import lost_logs as gaps
from bitface.ledger.crowd import crowd_of
from bitface.ledger.entries import (
    MODEL_NAME,
    Alias,
    ApprovalRule,
    ModelEntry,
    Promotion,
    StalePromotionError,
    Statement,
)
from bitface.ledger.leases import Lease, check
from bitface.ledger.permissions.approvals import check_approvals, valid_approvals
from bitface.ledger.permissions.policies import check_judged, rule_for
from bitface.ledger.rows import RowValues, values_of


@dataclass(frozen=True, kw_only=True)
class Move:
    """Points an alias to `to_version`, provided that it now points to `expected_previous` (None: nowhere).

    A promotion rests on a recorded decision `promote` for the version's bundle and on the approvals that `rule` asks for, a
    rollback on an earlier promotion; a challenger needs no approval yet. A demo needs a recorded decision `hold` for a version of
    synthetic people, and that there is no champion. `lease`: the one it was prepared under, if any.
    """

    to_version: int
    expected_previous: int | None
    decision_sha256: str | None
    actor: str
    kind: Literal["promote", "rollback"] = "promote"
    alias: Alias = "champion"
    name: str = MODEL_NAME
    rule: ApprovalRule = field(default_factory=ApprovalRule)
    lease: Lease | None = None


def move_alias(connection: Connection, move: Move, at: datetime) -> Promotion:
    """Checks, compares, swaps and appends, in the caller's transaction. A repeated move returns the record of the first.

    Consent is checked again in the same transaction: a withdrawal is recorded either before the move, which then fails, or after it.

    Raises:
        InputError: no such version or decision.
        RefusedError: a person in the version is no longer admitted, its context is no longer approved, it was trained for
            benchmark, or a rollback names a version that never had the alias.
        GateError: the decision is not `promote` (for a demo, not `hold`), or approvals are missing.
        StalePromotionError: the alias does not point where expected. LeaseLostError: another holder took the lease meanwhile.
    """
    if move.lease is not None:
        check(connection, move.lease)
    approved_by = _check_grounds(connection, move, at)
    current = current_version(connection, move.name, move.alias)
    if current == move.to_version:
        return promotions(connection, move.name, move.alias)[-1]
    if current != move.expected_previous or not _swap(connection, move):
        raise StalePromotionError(
            f"{move.alias} of '{move.name}' is {_named(current)}, not {_named(move.expected_previous)} as expected; "
            "compare with it and decide again"
        )
    if move.alias == "champion":
        if current is not None:
            _point(connection, move.name, "previous", current)
        _drop(connection, move.name, "challenger", move.to_version)
        _drop(connection, move.name, "demo")
    return _append(connection, move, approved_by, at)


def end_unfit_demo(connection: Connection, actor: str, at: datetime) -> None:
    """Removes the alias `demo`, in the caller's transaction, from a version that no longer qualifies: a person in it has been
    erased, or the gate's latest decision on it is not `hold`.
    """
    models, aliases = tables.models, tables.aliases
    pointed = (aliases.c.name == models.c.name) & (aliases.c.version == models.c.version) & (aliases.c.alias == "demo")
    for row in connection.execute(select(models).join(aliases, pointed)).mappings().all():
        demo = ModelEntry(**values_of(row, ModelEntry))
        latest = questions.latest_decision(connection, demo)
        if questions.erased_people(connection, demo) or latest is None or latest.decision != "hold":
            _drop(connection, demo.name, "demo")
            ended = {
                "name": demo.name,
                "alias": "demo",
                "from_version": demo.version,
                "to_version": demo.version,
                "kind": "end",
                "decision_sha256": None,
                "actor": actor,
                "promoted_at": utc_text(at),
            }
            chain.append(connection, "promotion", ended, {tables.promotions: [ended]}, at)


def current_version(connection: Connection, name: str, alias: Alias) -> int | None:
    """The version that an alias points to now."""
    table = tables.aliases
    query = select(table.c.version).where(table.c.name == name, table.c.alias == alias)
    return connection.execute(query).scalar_one_or_none()


def promotions(connection: Connection, name: str, alias: Alias) -> tuple[Promotion, ...]:
    """Every move of an alias, oldest first."""
    table = tables.promotions
    query = select(table).where(table.c.name == name, table.c.alias == alias).order_by(table.c.log_seq)
    return tuple(_promotion(row) for row in connection.execute(query).mappings())


def _check_grounds(connection: Connection, move: Move, at: datetime) -> tuple[str, ...]:
    """Raises if the move is not allowed; returns the ids of the keys that approved it."""
    models, decisions, runs = tables.models, tables.decisions, tables.runs
    wanted = (models.c.name == move.name) & (models.c.version == move.to_version)
    model = connection.execute(select(models).where(wanted)).mappings().first()
    if model is None:
        raise InputError(f"'{move.name}' has no version {move.to_version}; register it first")
    check_promotable(model["purpose"])
    crowd = crowd_of(connection, ModelEntry(**values_of(model, ModelEntry)))
    crowd.check_standing(at)
    if move.kind == "rollback":
        if gaps.is_before(connection, ModelEntry(**values_of(model, ModelEntry))):
            raise RefusedError(f"cannot roll back to version {move.to_version}: {gaps.AGAIN}")
        if all(past.to_version != move.to_version for past in promotions(connection, move.name, move.alias)):
            raise RefusedError(f"version {move.to_version} was never {move.alias}; roll back to one that was")
        return ()
    named = (decisions.c.decision_sha256 == move.decision_sha256) & (
        decisions.c.bundle_sha256 == model["bundle_sha256"]
    )
    judged = connection.execute(select(decisions.c.decision, decisions.c.run_id).where(named)).one_or_none()
    if judged is None:
        raise InputError(f"the bundle of version {move.to_version} has no gate decision on record; run the gate first")
    decision = judged.decision
    # A run of another purpose may have made the same bundle, and judged it on people who allow only that purpose.
    check_promotable(connection.execute(select(runs.c.purpose).where(runs.c.run_id == judged.run_id)).scalar_one())
    if move.alias == "demo":
        _check_demo(connection, move, decision, model["evidence"])
        return ()
    if decision != "promote":
        raise GateError(f"the gate's decision on version {move.to_version} is {decision}; only promote can go live")
    check_judged(connection, move.decision_sha256)
    rule = rule_for(connection, move.rule)
    if move.alias != "champion" or not rule.asks:
        return ()
    statement = Statement(
        name=move.name,
        version=move.to_version,
        role="",
        bundle_sha256=model["bundle_sha256"],
        decision_sha256=str(move.decision_sha256),
        consent_snapshot_sha256=crowd.consent_snapshot_sha256,
    )
    approved = valid_approvals(connection, statement)
    check_approvals(list(approved.values()), rule)
    return tuple(sorted(approved))


def _check_demo(connection: Connection, move: Move, decision: str, evidence: str) -> None:
    """Raises if a version must not be the demo: it contains real people, its gate did not decide hold, or there is a champion."""
    if evidence != "synthetic":
        raise RefusedError(
            f"version {move.to_version} was judged on {evidence} people; only a version judged on synthetic people can be demo"
        )
    if decision != "hold":
        raise GateError(
            f"the gate's decision on version {move.to_version} is {decision}; only a held version can be demo"
        )
    champion = current_version(connection, move.name, "champion")
    if champion is not None:
        raise StalePromotionError(f"version {champion} is the champion; a demo exists only without a champion")


def _swap(connection: Connection, move: Move) -> bool:
    if move.expected_previous is None:
        connection.execute(insert(tables.aliases), _alias_row(move.name, move.alias, move.to_version))
        return True
    table = tables.aliases
    held = (table.c.name == move.name) & (table.c.alias == move.alias) & (table.c.version == move.expected_previous)
    return connection.execute(update(table).where(held).values(version=move.to_version)).rowcount == 1


def _point(connection: Connection, name: str, alias: Alias, version: int) -> None:
    table = tables.aliases
    moved = update(table).where(table.c.name == name, table.c.alias == alias).values(version=version)
    if connection.execute(moved).rowcount == 0:
        connection.execute(insert(table), _alias_row(name, alias, version))


def _drop(connection: Connection, name: str, alias: Alias, version: int | None = None) -> None:
    """Removes an alias; if a version is given, only if it points there."""
    table = tables.aliases
    ended = delete(table).where(table.c.name == name, table.c.alias == alias)
    connection.execute(ended if version is None else ended.where(table.c.version == version))


def _append(connection: Connection, move: Move, approved_by: tuple[str, ...], at: datetime) -> Promotion:
    row = {
        "name": move.name,
        "alias": move.alias,
        "from_version": move.expected_previous,
        "to_version": move.to_version,
        "kind": move.kind,
        "decision_sha256": move.decision_sha256,
        "actor": move.actor,
        "promoted_at": utc_text(at),
    }
    asked = {"approvals_required": rule_for(connection, move.rule).required, "approved_by": list(approved_by)}
    seq = chain.append(connection, "promotion", row | asked, {tables.promotions: [row]}, at)
    return _promotion({**row, "log_seq": seq})


def _alias_row(name: str, alias: Alias, version: int) -> dict[str, object]:
    return {"name": name, "alias": alias, "version": version}


def _promotion(row: RowValues) -> Promotion:
    return Promotion(**{**row, "promoted_at": utc_time(row["promoted_at"])})


def _named(version: int | None) -> str:
    return "nowhere" if version is None else f"version {version}"
