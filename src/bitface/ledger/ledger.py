"""The only way into the ledger: every write appends to the chain in its own transaction, and none is ever done twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, Select, Table, and_, func, select

from bitface.consent.admission import Use
from bitface.consent.events import ConsentEvent, utc_text
from bitface.consent.known_sources import Notice
from bitface.consent.policy import ContextApproval, LicenceRecord
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.ledger import chain, leases, promotion, questions, status, tables, use
from bitface.ledger import lost_logs as gaps
from bitface.ledger.crowd import Refusals, crowd_of
from bitface.ledger.engine import empty_engine, file_of, is_new_file, open_engine, reading, writing
from bitface.ledger.entries import (
    MODEL_NAME,
    Alias,
    Approval,
    AssetEntry,
    ChainProblem,
    ChainReport,
    Checkpoint,
    DatasetEntry,
    DecisionEntry,
    KeyEntry,
    MemberEntry,
    ModelEntry,
    Promotion,
    RunEntry,
    Statement,
)
from bitface.ledger.permissions import approvals, contexts, licences, policies
from bitface.ledger.permissions.policy_document import Policy
from bitface.ledger.rows import (
    check_members,
    checked_consents,
    consent_row,
    consents_of,
    decision_of,
    decision_row,
    distinct_events,
    is_new,
    notice_ids_of,
    notice_row,
    recorded_consents,
    recorded_digests,
    values_of,
)
from bitface.ledger.status import ModelStatus
from bitface.ledger.trust import Erased, FileState, Trust, none_erased, state_of

_SIGNED: Final = frozenset({"consents", "licence", "context", "erasure", "policy", "promotion", "gap"})
"""After entries of these kinds, which allow or end something, the end of the log is signed."""
CLOCKS_APART: Final = timedelta(minutes=1)
"""Clocks that differ by less than this count as equal."""
_RESTORE: Final = "restore it from a backup"
GO_ON: Final = "restore the newer one; if that is lost for good, `bitface audit log --continue-from latest --why WHY` continues without it"


def utc_now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


class Ledger:
    """A ledger behind an SQLAlchemy URL; opened at first use, closed by `close()` or at the end of a `with` block.

    `clock` gives the time of each entry. Every `record_...` returns whether it wrote anything: recording the same value
    again is allowed and has no effect; recording a different one under the same key is an IntegrityError.
    """

    def __init__(self, url: str, clock: Callable[[], datetime] = utc_now, trust: Trust | None = None) -> None:
        """Only stores the URL; nothing is opened or created before the first use. `trust`: what is known about the ledger outside it."""
        self._url = url
        self._clock = clock
        self._trust = trust
        self._file = file_of(url)
        self._verified: FileState | None = None
        self._holds_ends = False
        self._left: Checkpoint | None = None
        self._opened: Engine | None = None
        self._empty: Engine | None = None

    def __enter__(self) -> Self:
        """The ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the ledger."""
        self.close()

    def close(self) -> None:
        """Closes every connection; the next use opens the ledger again. The verification of its file is kept."""
        for engine in (self._opened, self._empty):
            if engine is not None:
                engine.dispose()
        self._opened = self._empty = None
        if self._trust is not None and self._verified is not None and self._verified != self._trust.noted():
            time.sleep(self._verified.settles_in_s)
            if self._verified == self._state():
                self._trust.note(self._verified)

    def sign_end(self) -> None:
        """Signs the current end of the log and exports it, if this ledger has places for that."""
        if self._trust is not None:
            self._trust.ends.sign(self.checkpoint(), self.holds)

    def holds(self, kept: Checkpoint) -> bool:
        """Whether the log contains what a checkpoint from elsewhere states."""
        with reading(self._to_read) as connection:
            return not chain.against(connection, kept)

    def kept_ends(self) -> Sequence[Checkpoint]:
        """The signed ends of the log, here and elsewhere. Raises InputError if the other place cannot be read."""
        return self._trust.ends.kept() if self._trust is not None else ()

    def continue_after(self, gap: gaps.Gap) -> bool:
        """Continues after a newer log was lost for good. Raises what `gaps.continue_after` raises."""
        with self._appending() as connection:
            return gaps.continue_after(connection, gap, self._clock())

    def gaps(self) -> tuple[gaps.Gap, ...]:
        """The gaps that this log was continued after, oldest first."""
        with reading(self._to_read) as connection:
            return gaps.recorded(connection)

    def check_intact(self) -> None:
        """Called before any access is granted: raises IntegrityError if the log or a row that it covers was altered, or if the
        log does not contain a checkpoint that was signed, here or elsewhere.
        """
        with self._trusting():
            pass

    @property
    def _engine(self) -> Engine:
        if self._opened is None:
            self._opened = open_engine(self._url)
        return self._opened

    @property
    def _to_read(self) -> Engine:
        """The engine; an empty one in memory if nothing was ever recorded, so that a query creates no file."""
        if self._opened is not None or not is_new_file(self._url):
            return self._engine
        if self._empty is None:
            self._empty = empty_engine()
        return self._empty

    def record_notice(self, notice: Notice) -> bool:
        """Records a notice: only consents given under a known notice admit people."""
        return self._record_once("notice", tables.notices, notice_row(notice), stamp="recorded_at")

    def record_consents(
        self,
        events: Iterable[ConsentEvent],
        notices: Iterable[Notice] = (),
        brought: Iterable[LicenceRecord] = (),
    ) -> int:
        """Appends the events that are not on record yet, their notices and the licences of imported pictures, in one transaction;
        returns how many events were new.

        Raises:
            IntegrityError: an event id is on record with different content.
        """
        offered = distinct_events(events)
        with self._appending() as connection:
            known = checked_consents(connection, offered)
            for notice in notices:
                row = notice_row(notice)
                if is_new(connection, tables.notices, row):
                    stamped = {**row, "recorded_at": utc_text(self._clock())}
                    chain.append(connection, "notice", row, {tables.notices: [stamped]}, self._clock())
            licences.record_licences(connection, brought, self._clock())
            rows = [consent_row(event) for key, event in offered.items() if key not in known]
            if rows:
                chain.append(
                    connection, "consents", {"events": len(rows)}, {tables.consent_events: rows}, self._clock()
                )
        return len(rows)

    def new_consents(self, events: Iterable[ConsentEvent]) -> int:
        """How many events `record_consents` would append; raises what it would raise, and writes nothing."""
        offered = distinct_events(events)
        with reading(self._to_read) as connection:
            return len(offered) - len(checked_consents(connection, offered))

    def consents(self, subject: str | None = None) -> tuple[ConsentEvent, ...]:
        """Every consent event on record, in log order; only those of one pseudonym if it is given.

        Consulted before any data are used: what the log contains counts, whichever clock stamped it.
        """
        with reading(self._to_read) as connection:
            return consents_of(connection, subject)

    def consents_as_of(self, at: datetime, subject: str | None = None) -> tuple[ConsentEvent, ...]:
        """The consent events that were known at a time in the past, in log order: an auditor's question."""
        with reading(self._to_read) as connection:
            return consents_of(connection, subject, at)

    def latest_entry_at(self) -> datetime | None:
        """The latest timestamp of any entry of the log, None if there is none."""
        with reading(self._to_read) as connection:
            return chain.latest_at(connection)

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        """The moments at which a consent or an approval must hold to count at `at`: that one and, if the log has a later time, then that
        one as well. So a clock that is set back revives nothing that had ended, and a fast one starts nothing early.
        """
        with reading(self._to_read) as connection:
            return _moments(connection, at)

    def recorded_consents(self, event_ids: Collection[str]) -> dict[str, ConsentEvent]:
        """Those of the named consent events that are on record."""
        with reading(self._to_read) as connection:
            return recorded_consents(connection, event_ids)

    def licences(self) -> dict[str, LicenceRecord]:
        """Licence id -> its latest record; that of synthetic people is always included."""
        with reading(self._to_read) as connection:
            return licences.licences_on_record(connection)

    def record_renders(self, shards: Mapping[str, str]) -> int:
        """Records that synthetic people were rendered here (person -> SHA-256 of the shard); returns how many were new."""
        table = tables.renders
        with self._appending() as connection:
            known = questions.rendered(connection)
            new = [
                {"person": person, "shard_sha256": sha256, "recorded_at": utc_text(self._clock())}
                for person, sha256 in sorted(shards.items())
                if (person, sha256) not in known
            ]
            if new:
                chain.append(connection, "render", {"people": len(new)}, {table: new}, self._clock())
        return len(new)

    def rendered(self) -> frozenset[tuple[str, str]]:
        """Synthetic people rendered here, each with the SHA-256 of a shard."""
        with reading(self._to_read) as connection:
            return questions.rendered(connection)

    def known_notices(self) -> frozenset[str]:
        """SHA-256 of every notice on record."""
        with reading(self._to_read) as connection:
            return frozenset(connection.execute(select(tables.notices.c.sha256)).scalars())

    def notice_ids(self) -> dict[str, str]:
        """SHA-256 of every notice on record -> the id that it was recorded under."""
        with reading(self._to_read) as connection:
            return notice_ids_of(connection)

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

    def record_judged_by(self, decision_sha256: str, policy: Policy) -> None:
        """Records which policy a decision was made under."""
        with self._appending() as connection:
            policies.judged_by(connection, decision_sha256, policy, self._clock())

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

    def decisions(self, bundle_sha256: str) -> tuple[DecisionEntry, ...]:
        """Every decision on a bundle, oldest first."""
        table = tables.decisions
        found = self._rows(select(table).where(table.c.bundle_sha256 == bundle_sha256).order_by(table.c.log_seq))
        return tuple(decision_of(row) for row in found)

    def status(self, model: ModelEntry) -> ModelStatus:
        """The current status of a registered version: the gate's decision, its alias, and what it may be used for."""
        with reading(self._to_read) as connection:
            back, moments = use.returned(connection, model, self._erased), _moments(connection, self._clock())
            found = status.status_of(connection, model, moments[-1], is_back=back > 0)
        return replace(found, at=moments[0].isoformat(timespec="seconds"))

    def check_use(self, model: ModelEntry, purpose: str, context: str) -> None:
        """Checks that a version may be used now. Raises what `use.check_use` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_use(connection, model, purpose, context, at, self._erased)

    def check_any_use(self, purpose: str, context: str) -> None:
        """Checks that some version may be used now. Raises what `use.check_any` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_any(connection, purpose, context, at)

    def check_picture(self, person: str, licence_id: str | None, asked: Use) -> None:
        """Checks that a picture of a person may be used now. Raises what `use.check_picture` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_picture(connection, person, licence_id, asked, at)

    def check_lawful(self, model: ModelEntry) -> None:
        """Raises what `use.check_lawful` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_lawful(connection, model, at, self._erased)

    def check_judged(self, model: ModelEntry) -> None:
        """Raises what `use.check_judged` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_judged(connection, model, at, self._erased)

    def refusing_judgement(self, dataset_version: str) -> frozenset[str]:
        """The people in a dataset version who currently do not allow that it is judged."""
        with self._asking() as (connection, moments):
            return frozenset().union(*(use.refusing_judgement(connection, dataset_version, at) for at in moments))

    def is_lawful(self, model: ModelEntry) -> bool:
        """Whether a version may be used at all."""
        with self._asking() as (connection, moments):
            return all(use.is_lawful(connection, model, at, self._erased) for at in moments)

    def standing(self, model: ModelEntry, at: datetime) -> Refusals | None:
        """The people in a version who no longer allow what it was made for, at `at` or the latest time in the log; None if all do."""
        with reading(self._to_read) as connection:
            return crowd_of(connection, model).standing(_moments(connection, at)[-1])

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

    def record_erasure(self, erasure_id: str, people: Iterable[str], proof_sha256: str) -> bool:
        """Records that people were erased, under the digest of the proof; a demo that they were in loses that alias.

        Recording it again is allowed.
        """
        rows = [
            {"erasure_id": erasure_id, "person": person, "proof_sha256": proof_sha256} for person in sorted(set(people))
        ]
        with self._appending() as connection:
            new = [row for row in rows if is_new(connection, tables.erasures, row)]
            if new:
                stamped = [{**row, "erased_at": utc_text(self._clock())} for row in new]
                facts = {"erasure_id": erasure_id, "people": len(new), "proof_sha256": proof_sha256}
                chain.append(connection, "erasure", facts, {tables.erasures: stamped}, self._clock())
                promotion.end_unfit_demo(connection, "erase", self._clock())
        return bool(new)

    def erasures(self) -> tuple[questions.Erasure, ...]:
        """Every erasure of a person, oldest first."""
        with reading(self._to_read) as connection:
            return questions.erasures(connection)

    def run_of(self, model: ModelEntry) -> RunEntry | None:
        """The latest run that made exactly this bundle without people who were erased, else the latest of all."""
        with reading(self._to_read) as connection:
            return questions.run_of(connection, model)

    def runs_of(self, model: ModelEntry) -> tuple[RunEntry, ...]:
        """The runs that made exactly this bundle, latest first."""
        with reading(self._to_read) as connection:
            return questions.runs_of(connection, model)

    def forgotten(self) -> frozenset[str]:
        """People in a recorded dataset version whose erasure is known outside this ledger but not recorded in it."""
        with reading(self._to_read) as connection:
            return self._erased(questions.people_not_erased(connection))

    def erased_in(self, model: ModelEntry) -> int:
        """How many people of the run behind a model (`run_of`) have been erased; if any, the model is never used again."""
        with reading(self._to_read) as connection:
            return questions.erased_people(connection, model)

    def whereabouts(self, person: str) -> questions.Whereabouts:
        """Everything on record that depends on a person."""
        with reading(self._to_read) as connection:
            return questions.whereabouts(connection, person)

    def alias_periods(self, until: datetime | None = None) -> tuple[questions.AliasPeriod, ...]:
        """Every period in which an alias pointed to a version; as known at `until`."""
        with reading(self._to_read) as connection:
            return questions.alias_periods(connection, until)

    def datasets_by(self, at: datetime) -> tuple[str, ...]:
        """Dataset versions that were on record at a time, oldest first."""
        with reading(self._to_read) as connection:
            return questions.datasets_by(connection, at)

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

    def take_lease(self, name: str, holder: str, lasts: timedelta, is_gone: Callable[[str], bool]) -> leases.Lease:
        """Takes a lease, the exclusive right to a task. Raises what `leases.take` raises."""
        with self._appending() as connection:
            return leases.take(connection, name, holder, lasts, self._clock(), is_gone)

    def renew_lease(self, lease: leases.Lease, lasts: timedelta) -> leases.Lease:
        """Renews a lease. Raises what `leases.renew` raises."""
        with self._appending() as connection:
            return leases.renew(connection, lease, lasts, self._clock())

    def give_back_lease(self, lease: leases.Lease) -> None:
        """Ends a lease."""
        with self._appending() as connection:
            leases.give_back(connection, lease)

    def promote(self, move: promotion.Move) -> Promotion:
        """Moves an alias from `expected_previous` (None: it points nowhere) to `to_version`, in one transaction.

        A repeated call returns the record of the first. Raises what `promotion.move_alias` raises.
        """
        kept = self.kept_ends()
        with self._appending() as connection:
            self._check(connection, self._state(), kept)
            self._check_people(connection, move.to_version, move.name)
            return promotion.move_alias(connection, move, self._clock())

    def champion(self, alias: Alias = "champion", name: str = MODEL_NAME) -> ModelEntry | None:
        """The version that an alias (champion by default) points to, if any."""
        with reading(self._to_read) as connection:
            version = promotion.current_version(connection, name, alias)
        return None if version is None else self.model(version, name)

    def promotions(self, alias: Alias = "champion", name: str = MODEL_NAME) -> tuple[Promotion, ...]:
        """Every move of an alias, oldest first: its actor, time, origin and decision."""
        with reading(self._to_read) as connection:
            return promotion.promotions(connection, name, alias)

    def checkpoint(self) -> Checkpoint:
        """The current end of the log; kept elsewhere, it lets `verify_chain` detect a cut or a rewrite."""
        with reading(self._to_read) as connection:
            return chain.checkpoint(connection)

    def verify_chain(self, kept: Checkpoint | None = None) -> ChainReport:
        """Recomputes every digest of the log and its rows, and compares with a kept checkpoint."""
        with reading(self._to_read) as connection:
            return chain.verify(connection, kept)

    @contextmanager
    def _asking(self) -> Iterator[tuple[Connection, tuple[datetime, ...]]]:
        """A trusted transaction, and the moments at which a use must be allowed."""
        with self._trusting() as connection:
            moments = _moments(connection, self._clock())
            with _explained_by(*moments):
                yield connection, moments

    def _check_people(self, connection: Connection, version: int, name: str) -> None:
        """Raises RefusedError if people in a version do not allow an alias to point to it."""
        own = (tables.models.c.name == name) & (tables.models.c.version == version)
        row = connection.execute(select(tables.models).where(own)).mappings().first()
        if row is None:
            return
        model, moments = ModelEntry(**values_of(row, ModelEntry)), _moments(connection, self._clock())
        with _explained_by(*moments):
            for at in moments:
                use.check_standing(connection, model, at, self._erased)

    @property
    def _erased(self) -> Erased:
        return self._trust.erased if self._trust is not None else none_erased

    @contextmanager
    def _trusting(self) -> Iterator[Connection]:
        """A transaction that reads one state of a ledger whose integrity was checked."""
        kept = self._ends_to_compare()  # before anything is locked: the other place may be slow
        before = self._state()
        try:
            with reading(self._to_read) as connection:
                connection.execute(select(tables.schema.c.version)).first()  # from here on, one state is read
                self._check(connection, before, kept)
                yield connection
        finally:
            self._sign_left()
            self._report_compared()

    @contextmanager
    def _appending(self) -> Iterator[Connection]:
        """The right to append. A verified file stays verified if no other process wrote meanwhile."""
        before: FileState | None = None
        ended: Checkpoint | None = None

        def written(is_only_writer: bool) -> None:
            self._verified = self._state() if is_only_writer and self._is_known(before) else None

        try:
            with writing(self._engine, written) as connection:
                before, size = self._state(), chain.checkpoint(connection).size
                yield connection
                ended, self._left = self._to_sign(connection, size), None
        finally:
            self._sign_left()  # if the write is refused
        if self._trust is not None and ended is not None:
            self._trust.ends.sign(ended, self.holds)
        elif self._trust is not None:
            self._trust.ends.settle(self.holds)
        self._report_compared()

    def _ends_to_compare(self) -> Sequence[Checkpoint] | None:
        """The signed ends of the log; None if it was compared with them recently and has not been touched since."""
        if self._trust is None or (self._is_known(self._state()) and self._trust.ends.is_compared()):
            return None
        return self._trust.ends.kept()

    def _to_sign(self, connection: Connection, size: int) -> Checkpoint | None:
        """The current end of the log, if something was allowed or ended since length `size` or since the last end signed here: a command
        may have been killed before signing. A log that does not contain what was signed here signs nothing: it is an older one that was
        restored, and would be taken for the newest once it is longer.
        """
        signed_end = self._trust.ends.latest_in_home() if self._trust else None
        since = size if signed_end is None else min(size, signed_end.size)
        is_older = signed_end is not None and bool(chain.against(connection, signed_end))
        if is_older or not chain.kinds_after(connection, since) & _SIGNED:
            return None
        return chain.checkpoint(connection)

    def _check(self, connection: Connection, before: FileState | None, kept: Sequence[Checkpoint] | None) -> None:
        now = self._state()
        is_known = now == before and self._is_known(now)
        if not is_known:
            _refuse(chain.verify(connection).problems, _RESTORE)
            kept = self.kept_ends() if kept is None else kept
        for checkpoint in kept or ():
            _refuse(chain.against(connection, checkpoint), GO_ON)
        self._holds_ends = kept is not None
        if is_known:
            return
        # An end that is not signed yet is not noted: if this command is killed too, the next one finds it again.
        self._left = self._to_sign(connection, 0)
        if now is not None and now == before == self._state():
            self._verified = now
            if self._trust is not None and self._left is None:
                self._trust.note(now)

    def _sign_left(self) -> None:
        """Signs and exports an end of the log that a killed command left unsigned; only if the log contains the signed ends."""
        left, self._left = self._left, None
        if self._trust is not None and left is not None:
            with suppress(OSError):  # if home is read-only now, a later command signs
                self._trust.ends.sign(left, self.holds)

    def _report_compared(self) -> None:
        """Outside of transactions: exports that failed before are tried again, and may be slow."""
        if self._trust is not None and self._holds_ends:
            self._trust.ends.compared()
        self._holds_ends = False

    def _is_known(self, state: FileState | None) -> bool:
        """Whether the file was verified in this state, by this process or an earlier one."""
        if state is None:
            return False
        return state == self._verified or (self._trust is not None and state == self._trust.noted())

    def _state(self) -> FileState | None:
        return None if self._file is None else state_of(self._file)

    def _record_once(self, kind: str, table: Table, row: Mapping[str, Any], stamp: str) -> bool:
        with self._appending() as connection:
            if not is_new(connection, table, row):
                return False
            stamped = {**row, stamp: utc_text(self._clock())}
            chain.append(connection, kind, row, {table: [stamped]}, self._clock())
        return True

    def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        with reading(self._to_read) as connection:
            return connection.execute(query).mappings().all()

    def _row(self, table: Table, condition: ColumnElement[bool]) -> RowMapping | None:
        return next(iter(self._rows(select(table).where(condition))), None)


def _moments(connection: Connection, at: datetime) -> tuple[datetime, ...]:
    latest = chain.latest_at(connection)
    return (at,) if latest is None or latest <= at else (at, latest)


@contextmanager
def _explained_by(*moments: datetime) -> Iterator[None]:
    """Adds to a refusal that the log is ahead of the clock, if it is."""
    try:
        yield
    except RefusedError as error:
        behind = clock_behind(moments[0], moments[-1])
        if not behind:
            raise
        raise RefusedError(f"{error}; {behind}") from error


def clock_behind(clock: datetime, latest: datetime | None) -> str:
    """A warning that a clock is more than a minute behind the latest time in the log, and its effect; empty if it is not."""
    if latest is None or latest - clock <= CLOCKS_APART:
        return ""
    behind = timedelta(seconds=round((latest - clock).total_seconds()))
    return (
        f"the clock of this machine is {behind} behind the log: one of the two is or was wrong. What had ended by the log's time counts as "
        "over until a consent that ends later; set the clock where it is this one"
    )


def _refuse(problems: Sequence[ChainProblem], remedy: str) -> None:
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise IntegrityError(
            f"the ledger is not as bitface wrote it: entry {problems[0].seq} {problems[0].what}{more}; bitface refuses to use it. "
            f"`bitface audit log` lists every problem; {remedy}"
        )
