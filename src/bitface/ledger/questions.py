"""An auditor's questions: where a person's data are, what a run depended on, who moved an alias, what was on record at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, Table, bindparam, distinct, func, select

from bitface.consent.events import utc_text
from bitface.ledger import tables
from bitface.ledger.entries import AssetEntry, DecisionEntry, ModelEntry, RunEntry
from bitface.ledger.rows import decision_of, in_chunks, values_of


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A dataset version that contains a person: which samples, in which splits, admitted by which consent events."""

    dataset_version: str
    manifest_sha256: str
    purpose: str
    context: str
    created_at: str
    samples: tuple[str, ...]
    splits: tuple[str, ...]
    consent_event_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AliasPeriod:
    """A period in which an alias pointed to a version; `until` is None if it still does. `actor` started it by `move`
    (promote or rollback), based on `decision_sha256`.
    """

    name: str
    alias: str
    version: int
    since: str
    until: str | None
    move: str
    actor: str
    decision_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """Everything on record that depends on a person, oldest first."""

    holdings: tuple[Holding, ...]
    runs: tuple[RunEntry, ...]
    models: tuple[ModelEntry, ...]
    periods: tuple[AliasPeriod, ...]
    assets: tuple[AssetEntry, ...]


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """A pseudonym whose data were erased; `proof_sha256` is the digest of the proof."""

    erasure_id: str
    person: str
    proof_sha256: str
    erased_at: str


def erasures(connection: Connection) -> tuple[Erasure, ...]:
    """Every erasure of a person, oldest first."""
    table = tables.erasures
    found = connection.execute(select(table).order_by(table.c.log_seq, table.c.person)).mappings()
    return tuple(Erasure(**values_of(row, Erasure)) for row in found)


def rendered(connection: Connection) -> frozenset[tuple[str, str]]:
    """Synthetic people rendered here, each with the SHA-256 of a shard."""
    table = tables.renders
    return frozenset((row.person, row.shard_sha256) for row in connection.execute(select(table)))


_DECIDED: Final = select(tables.decisions.c.run_id).where(tables.decisions.c.bundle_sha256 == bindparam("bundle"))
_RUNS_OF: Final = (
    select(tables.runs)
    .where(tables.runs.c.run_id.in_(_DECIDED) | (tables.runs.c.run_id == bindparam("made_by")))
    .order_by(tables.runs.c.log_seq.desc())
)
_PEOPLE_OF: Final = select(tables.dataset_members.c.person).where(
    tables.dataset_members.c.dataset_version == bindparam("dataset")
)
_ERASED_IN: Final = select(func.count(distinct(tables.erasures.c.person))).where(
    tables.erasures.c.person.in_(_PEOPLE_OF)
)
"""What every use of a version asks several times is put together once."""


def runs_of(connection: Connection, model: ModelEntry) -> tuple[RunEntry, ...]:
    """The runs that made exactly this bundle, latest first; there may be several: a retrain without a held-out person makes it again."""
    found = connection.execute(_RUNS_OF, {"bundle": model.bundle_sha256, "made_by": model.run_id}).mappings()
    return tuple(RunEntry(**values_of(row, RunEntry)) for row in found)


def run_of(connection: Connection, model: ModelEntry) -> RunEntry | None:
    """The latest run that made exactly this bundle without people who were erased, else the latest of all."""
    runs = runs_of(connection, model)
    lawful = (run for run in runs if not erased_in(connection, run.dataset_version))
    return next(lawful, runs[0] if runs else None)


def erased_people(connection: Connection, model: ModelEntry) -> int:
    """How many people of the run behind a model (`run_of`) have been erased; if any, the model is never used again."""
    run = run_of(connection, model)
    return 0 if run is None else erased_in(connection, run.dataset_version)


def latest_decision(connection: Connection, model: ModelEntry) -> DecisionEntry | None:
    """The gate's latest decision on a bundle."""
    table = tables.decisions
    query = select(table).where(table.c.bundle_sha256 == model.bundle_sha256).order_by(table.c.log_seq.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else decision_of(row)


def judged_at(connection: Connection, model: ModelEntry) -> str:
    """When the gate's latest decision on a bundle was recorded or, if there is none, when the version was registered."""
    decided, models = tables.decisions, tables.models
    query = select(func.max(decided.c.recorded_at)).where(decided.c.bundle_sha256 == model.bundle_sha256)
    own = (models.c.name == model.name) & (models.c.version == model.version)
    registered = select(models.c.recorded_at).where(own)
    return str(connection.execute(query).scalar() or connection.execute(registered).scalar_one())


def erased_in(connection: Connection, dataset_version: str) -> int:
    """How many people of a dataset version have been erased since."""
    return int(connection.execute(_ERASED_IN, {"dataset": dataset_version}).scalar_one())


def people_not_erased(connection: Connection, dataset_version: str | None = None) -> tuple[str, ...]:
    """People in one dataset version, or in any, who have no recorded erasure."""
    members = tables.dataset_members
    query = select(members.c.person).distinct().where(members.c.person.not_in(select(tables.erasures.c.person)))
    own = query if dataset_version is None else query.where(members.c.dataset_version == dataset_version)
    return tuple(connection.execute(own).scalars())


def whereabouts(connection: Connection, person: str) -> Whereabouts:
    """Dataset versions, runs, models, alias periods, and files that contain a pseudonym."""
    holdings = _holdings(connection, person)
    runs = _runs_on(connection, [holding.dataset_version for holding in holdings])
    models = _models_of(connection, [run.run_id for run in runs])
    versions = {(model.name, model.version) for model in models}
    return Whereabouts(
        holdings=holdings,
        runs=runs,
        models=models,
        periods=tuple(one for one in alias_periods(connection) if (one.name, one.version) in versions),
        assets=assets_of(connection, [run.run_id for run in runs]),
    )


def assets_of(connection: Connection, run_ids: Sequence[str]) -> tuple[AssetEntry, ...]:
    """The files that runs wrote, by path."""
    rows = _among(connection, tables.assets, tables.assets.c.run_id, run_ids)
    found = [AssetEntry(**values_of(row, AssetEntry)) for row in rows]
    return tuple(sorted(found, key=lambda asset: (asset.path, asset.sha256)))


def alias_periods(connection: Connection, until: datetime | None = None) -> tuple[AliasPeriod, ...]:
    """Every period in which an alias pointed to a version, by start; as known at `until`."""
    table = tables.promotions
    query = select(table).order_by(table.c.log_seq)
    if until is not None:
        query = query.where(table.c.promoted_at <= utc_text(until))
    periods: list[AliasPeriod] = []
    open_: dict[tuple[str, str], int] = {}

    def begin(move: Row[Any], alias: str, version: int) -> None:
        end(move, alias)
        open_[move.name, alias] = len(periods)
        periods.append(
            AliasPeriod(
                name=move.name,
                alias=alias,
                version=version,
                since=move.promoted_at,
                until=None,
                move=move.kind,
                actor=move.actor,
                decision_sha256=move.decision_sha256,
            )
        )

    def end(move: Row[Any], alias: str) -> None:
        at = open_.pop((move.name, alias), None)
        if at is not None:
            periods[at] = replace(periods[at], until=move.promoted_at)

    for move in connection.execute(query):
        if move.kind == "end":
            end(move, move.alias)
            continue
        begin(move, move.alias, move.to_version)
        if move.alias == "champion":
            end(move, "demo")
            if move.from_version is not None:
                begin(move, "previous", move.from_version)
            challenging = open_.get((move.name, "challenger"))
            if challenging is not None and periods[challenging].version == move.to_version:
                end(move, "challenger")
    return tuple(periods)


def datasets_by(connection: Connection, at: datetime) -> tuple[str, ...]:
    """Dataset versions that were on record at a time, oldest first."""
    table = tables.dataset_versions
    query = select(table.c.version).where(table.c.created_at <= utc_text(at)).order_by(table.c.log_seq)
    return tuple(connection.execute(query).scalars())


def _holdings(connection: Connection, person: str) -> tuple[Holding, ...]:
    members, versions = tables.dataset_members, tables.dataset_versions
    query = (
        select(members, versions.c.manifest_sha256, versions.c.purpose, versions.c.context, versions.c.created_at)
        .join(versions, versions.c.version == members.c.dataset_version)
        .where(members.c.person == person)
        .order_by(versions.c.log_seq, members.c.sample_id)
    )
    by_version: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        by_version.setdefault(row.dataset_version, []).append(row)
    return tuple(
        Holding(
            dataset_version=version,
            manifest_sha256=rows[0].manifest_sha256,
            purpose=rows[0].purpose,
            context=rows[0].context,
            created_at=rows[0].created_at,
            samples=tuple(row.sample_id for row in rows),
            splits=tuple(sorted({row.split for row in rows})),
            consent_event_ids=tuple(sorted({row.consent_event_id for row in rows if row.consent_event_id})),
        )
        for version, rows in by_version.items()
    )


def _runs_on(connection: Connection, versions: Sequence[str]) -> tuple[RunEntry, ...]:
    rows = _among(connection, tables.runs, tables.runs.c.dataset_version, versions)
    return tuple(RunEntry(**values_of(row, RunEntry)) for row in rows)


def _models_of(connection: Connection, run_ids: Sequence[str]) -> tuple[ModelEntry, ...]:
    rows = _among(connection, tables.models, tables.models.c.run_id, run_ids)
    return tuple(ModelEntry(**values_of(row, ModelEntry)) for row in rows)


def _among(connection: Connection, table: Table, column: ColumnElement[str], keys: Sequence[str]) -> list[RowMapping]:
    """The rows of a table whose column is one of the keys, oldest first."""
    found = [
        row
        for chunk in in_chunks(sorted(keys))
        for row in connection.execute(select(table).where(column.in_(chunk))).mappings()
    ]
    return sorted(found, key=lambda row: int(row["log_seq"]))
