"""What reviewers and lineage catalogues are shown of retrains, versions and other measurements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from socket import socket
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """What a reviewer sees of a retrain from the beginning. `run_id` is ours; `params` are values by dotted name.

    `dataset_version` is the ledger's name for the dataset, as everywhere; `dataset_content` DVC's digest of the folder.
    """

    run_id: str
    started_at: datetime
    purpose: str
    context: str
    evidence: str
    dataset_version: str
    dataset_content: str
    manifest_sha256: str
    consent_snapshot_sha256: str
    code_commit: str
    params_sha256: str
    people: int
    samples: int
    params: Mapping[str, str | int | float]


@dataclass(frozen=True, kw_only=True)
class TrackedModel:
    """One trained model of a run. `metrics` by name; `curves` are values per epoch, from epoch 0."""

    name: str
    variant: str
    precision: str
    metrics: Mapping[str, float]
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrackedOutcome:
    """The outcome of a retrain. `headline`: the key facts (name -> words), in reading order, to read in ten seconds.

    `status` is the version's status line as judged; `figures` are picture files; `reports` are files or folders by the name they
    will have.
    """

    decision: str
    reasons: Sequence[str]
    headline: Mapping[str, str]
    status: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    figures: Sequence[Path] = ()
    reports: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrackedVersion:
    """A version of the ledger as the registry should show it. `bundle` is a folder of plain files, `status` its status line as judged."""

    name: str
    version: int
    run_id: str
    bundle: Path
    bundle_sha256: str
    weights_sha256: str
    decision: str
    decision_sha256: str
    reasons: Sequence[str]
    evidence: str
    purpose: str
    context: str
    dataset_version: str
    consent_snapshot_sha256: str
    headline: Mapping[str, str]
    status: str = ""


@dataclass(frozen=True, kw_only=True)
class TrackedReport:
    """A measurement other than a retrain, such as a study or a benchmark, as shown to a reviewer.

    `report_id` is ours: repeating an id replaces nothing and adds no second run. `headline`: the key facts, in reading
    order; `figures` are picture files, `reports` files by the name they will have.
    """

    report_id: str
    kind: str
    title: str
    started_at: datetime
    evidence: str
    code_commit: str
    headline: Mapping[str, str]
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    figures: Sequence[Path] = ()
    reports: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ShownVersions:
    """What the registry shows: the ledger's numbers of its versions, and of those that aliases point to.

    An alias that points to a version unknown to the ledger has number 0; one that points nowhere is left out.
    """

    versions: frozenset[int]
    aliases: Mapping[str, int]


class Tracking(Protocol):
    """What a reviewer looks at: a view of the ledger that can safely be rewritten, never read to decide anything."""

    def start(self, run: TrackedRun) -> str: ...

    def log_model(self, run_id: str, model: TrackedModel) -> str: ...

    def finish(self, run_id: str, outcome: TrackedOutcome) -> None: ...

    def fail(self, run_id: str, reason: str) -> None: ...

    def end_interrupted(self) -> tuple[str, ...]: ...

    def log_report(self, report: TrackedReport) -> str: ...

    def purge(self, run_ids: Collection[str], why: str) -> int: ...

    def register(self, version: TrackedVersion) -> int: ...

    def point_aliases(self, name: str, aliases: Mapping[str, int | None]) -> tuple[str, ...]: ...

    def tell_status(self, name: str, lines: Mapping[int, str]) -> None: ...

    def shown(self, name: str) -> ShownVersions: ...

    def serve(self, listener: socket, environment: Mapping[str, str], tell: Callable[[str], None]) -> int: ...


@dataclass(frozen=True, kw_only=True)
class TracedRun:
    """What lineage catalogues receive about a retrain: no personal data, one digest for all consents."""

    run_id: str
    dataset_version: str
    consent_snapshot_sha256: str
    purpose: str
    context: str
    evidence: str
    people: int


@dataclass(frozen=True, kw_only=True)
class TracedModel:
    """The model that a retrain made, by the ledger's number and the bundle's digest."""

    version: int
    bundle_sha256: str


class Lineage(Protocol):
    """Reports the start and end of a retrain to lineage catalogues."""

    def started(self, run: TracedRun, at: datetime) -> None: ...

    def completed(self, run: TracedRun, model: TracedModel, at: datetime) -> None: ...

    def failed(self, run: TracedRun, why: str, at: datetime) -> None: ...
