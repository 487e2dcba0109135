"""Datasets, runs, models, the gate's decisions and files: how a version came about, as the ledger records it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import and_, func, select

from bitface.consent.events import utc_text
from bitface.errors import InputError
from bitface.ledger import chain, promotion, questions, tables
from bitface.ledger.engine import reading
from bitface.ledger.entries import (
    MODEL_NAME,
    AssetEntry,
    DatasetEntry,
    DecisionEntry,
    MemberEntry,
    ModelEntry,
    RunEntry,
)
from bitface.ledger.rows import check_members, decision_of, decision_row, is_new, recorded_digests, values_of
from bitface.ledger.trusted_log import TrustedLog


class VersionsOnRecord(TrustedLog):
    """Records datasets, the runs on them, and the models that these made and the gate judged."""

    def record_dataset(self, dataset: DatasetEntry, members: Sequence[MemberEntry]) -> bool:
        """Freezes a dataset version and its members, each with the consent event that admitted it.

        Raises:
            InputError: the counts are not those of the members, or a consent event is not on record.
            IntegrityError: the version is on record with different content.
        """
        new = [{"dataset_version": dataset.version, **asdict(member)} for member in members]
        row = asdict(dataset) | {"members_sha256": chain.rows_sha256(new)}
        with self._appending() as connection:
            used = {member.consent_event_id for member in members if member.consent_event_id is not None}
            check_members(dataset, members, recorded_digests(connection, used))
            if not is_new(connection, tables.dataset_versions, row):
                return False
            stamped = row | {"created_at": utc_text(self._clock())}
            rows = {tables.dataset_versions: [stamped], tables.dataset_members: new}
            chain.append(connection, "dataset", row, rows, self._clock())
        return True

    def dataset(self, version: str) -> DatasetEntry | None:
        """The dataset version of this name, if it is on record."""
        row = self._row(tables.dataset_versions, tables.dataset_versions.c.version == version)
        return DatasetEntry(**values_of(row, DatasetEntry)) if row else None

    def members(self, version: str) -> tuple[MemberEntry, ...]:
        """The members of a dataset version, by sample id; empty if it was never recorded."""
        table = tables.dataset_members
        found = self._rows(select(table).where(table.c.dataset_version == version).order_by(table.c.sample_id))
        return tuple(MemberEntry(**values_of(row, MemberEntry)) for row in found)

    def datasets_by(self, at: datetime) -> tuple[str, ...]:
        """Dataset versions that were on record at a time, oldest first."""
        with reading(self._to_read) as connection:
            return questions.datasets_by(connection, at)

    def record_run(self, run: RunEntry) -> bool:
        """Records a retrain when it starts. Raises InputError if its dataset version is not on record."""
        if self.dataset(run.dataset_version) is None:
            raise InputError(f"run {run.run_id}: its dataset version is not on record; record the dataset first")
        return self._record_once("run", tables.runs, asdict(run), stamp="recorded_at")

    def run(self, run_id: str) -> RunEntry | None:
        """The run of this id, if it is on record."""
        row = self._row(tables.runs, tables.runs.c.run_id == run_id)
        return RunEntry(**values_of(row, RunEntry)) if row else None

    def record_model(self, model: ModelEntry) -> ModelEntry:
        """Registers a bundle as the next version of its name; a known bundle keeps its version.

        Raises:
            InputError: its run is not on record.
        """
        if self.run(model.run_id) is None:
            raise InputError(f"model of run {model.run_id}: the run is not on record; record the run first")
        table = tables.models
        with self._appending() as connection:
            same = (table.c.name == model.name) & (table.c.bundle_sha256 == model.bundle_sha256)
            known = connection.execute(select(table).where(same)).mappings().first()
            if known:
                return ModelEntry(**values_of(known, ModelEntry))
            last = connection.execute(select(func.max(table.c.version)).where(table.c.name == model.name)).scalar()
            entry = replace(model, version=(last or 0) + 1)
            row = asdict(entry) | {"recorded_at": utc_text(self._clock())}
            chain.append(connection, "model", asdict(entry), {table: [row]}, self._clock())
        return entry

    def model(self, version: int, name: str = MODEL_NAME) -> ModelEntry | None:
        """The registered model of this version, if there is one."""
        row = self._row(tables.models, and_(tables.models.c.name == name, tables.models.c.version == version))
        return ModelEntry(**values_of(row, ModelEntry)) if row else None

    def models(self, name: str = MODEL_NAME) -> tuple[ModelEntry, ...]:
        """Every registered version of a name, oldest first."""
        table = tables.models
        found = self._rows(select(table).where(table.c.name == name).order_by(table.c.version))
        return tuple(ModelEntry(**values_of(row, ModelEntry)) for row in found)

    def run_of(self, model: ModelEntry) -> RunEntry | None:
        """The latest run that made exactly this bundle without people who were erased, else the latest of all."""
        with reading(self._to_read) as connection:
            return questions.run_of(connection, model)

    def runs_of(self, model: ModelEntry) -> tuple[RunEntry, ...]:
        """The runs that made exactly this bundle, latest first."""
        with reading(self._to_read) as connection:
            return questions.runs_of(connection, model)

    def erased_in(self, model: ModelEntry) -> int:
        """How many people of the run behind a model (`run_of`) have been erased; if any, the model is never used again."""
        with reading(self._to_read) as connection:
            return questions.erased_people(connection, model)

    def record_decision(self, decision: DecisionEntry) -> bool:
        """Records the gate's decision on a bundle, under the digest of the gate's replayable bundle; unless it is hold, a bundle that
        is the demo loses that alias.
        """
        if self.run(decision.run_id) is None:
            raise InputError(f"decision of run {decision.run_id}: the run is not on record; record the run first")
        row = decision_row(decision)
        with self._appending() as connection:
            if not is_new(connection, tables.decisions, row):
                return False
            stamped = {**row, "recorded_at": utc_text(self._clock())}
            chain.append(connection, "decision", row, {tables.decisions: [stamped]}, self._clock())
            promotion.end_unfit_demo(connection, "retrain", self._clock())
        return True

    def decisions(self, bundle_sha256: str) -> tuple[DecisionEntry, ...]:
        """Every decision on a bundle, oldest first."""
        table = tables.decisions
        found = self._rows(select(table).where(table.c.bundle_sha256 == bundle_sha256).order_by(table.c.log_seq))
        return tuple(decision_of(row) for row in found)

    def record_assets(self, assets: Sequence[AssetEntry]) -> int:
        """Records the files that a run wrote, in one transaction; returns how many were new. A file written again is a new one."""
        with self._appending() as connection:
            new = [row for asset in assets if is_new(connection, tables.assets, row := asdict(asset))]
            if new:
                stamped = [{**row, "recorded_at": utc_text(self._clock())} for row in new]
                facts = {"run_id": new[0]["run_id"], "files": len(new)}
                chain.append(connection, "assets", facts, {tables.assets: stamped}, self._clock())
        return len(new)

    def assets(self, run_id: str) -> tuple[AssetEntry, ...]:
        """The files that a run wrote, by path."""
        with reading(self._to_read) as connection:
            return questions.assets_of(connection, [run_id])
