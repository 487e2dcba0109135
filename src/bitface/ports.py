"""What steps need from the outside world, in our own types: adapters implement these, tests may fake them, the core is free of tools."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bitface.documents import Fields
from bitface.faces.features import FaceValues, Reads
from bitface.faces.media.video_limits import Gap, Sampling, VideoFacts, VideoLimits
from bitface.faces.records import SubjectRecord
from bitface.faces.seen import SeenFace, SeenFaces
from bitface.faces.synthetic.synthetic_people import SyntheticPerson, Variation
from bitface.models.calibrator import Calibrator
from bitface.models.face.training_faces import TrainingFaces
from bitface.params import FeatureParams, QualityParams, SyntheticParams

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from bitface.training.trained import TrainedModel

Frames = NDArray[np.uint8]
"""uint8 (T, H, W, 3), RGB."""
DecodeFrames = Callable[[bytes], Frames]
ReadVideo = Callable[[Path, int], Sequence[NDArray[np.uint8]]]
"""The frames of a video, uint8 (H, W, 3); at most the given number, evenly spread."""
Augment = Callable[[Frames, int], Frames]
"""The frames of one clip, all augmented in the same way, from a seed."""
Report = Callable[[str, int, int], None]
"""Progress: what, number done, total."""


class Progress(Protocol):
    """Shows progress while its block runs."""

    def __enter__(self) -> Report: ...

    def __exit__(self, *exc: Any) -> None: ...

    def __call__(self, what: str, done: int, total: int, /) -> None: ...


class ReadImage(Protocol):
    """The pixels of a picture's file, named `name` in errors; links from the folder `below` on are not followed."""

    def __call__(self, path: Path, name: str, /, below: Path | None = None) -> Frames: ...


class ShownFrame(Protocol):
    """A decoded frame of a video, not yet as pixels: most of them are only passed by."""

    def pixels(self) -> Frames:
        """Uint8 (H, W, 3) RGB, upright, with square pixels."""
        ...

    def glance(self) -> NDArray[np.uint8]:
        """Grey levels uint8 (h, w), as it is stored and under 128 a side: enough to tell how much a frame differs from another."""
        ...


TimedFrame = tuple[float, ShownFrame]
"""Seconds from the first frame of a video, and the frame."""
DescribeVideo = Callable[[Path], VideoFacts]
"""Raises InputError where a video cannot be read at all."""


class WatchVideo(Protocol):
    """The frames of a video with their times, decoded as they are asked for.

    `on_gap` receives each part that cannot be read.
    """

    def __call__(
        self, path: Path, sampling: Sampling = ..., limits: VideoLimits = ..., on_gap: Callable[[Gap], None] = ...
    ) -> Iterator[TimedFrame]: ...


class EncodeFrames(Protocol):
    """Packs frames into bytes, deterministically."""

    def __call__(self, frames: Frames | Sequence[NDArray[np.uint8]], *, lossless: bool) -> bytes: ...


class Landmarker(Protocol):
    """Detects faces; opened once per thread and closed explicitly."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: Any) -> None: ...

    def see(self, frames: Frames, params: FeatureParams) -> SeenFaces: ...

    def see_all(self, image: NDArray[np.uint8], params: FeatureParams) -> tuple[SeenFace, ...]: ...


@dataclass(frozen=True, kw_only=True)
class Door:
    """An open port of this machine, and the ways in which it lets unauthorized clients in."""

    tool: str
    port: int
    process: int | None
    """None: it was not started by bitface."""
    open_to: tuple[str, ...] | None
    """None: no answer in time."""


@dataclass(frozen=True, kw_only=True)
class KeptForOthers:
    """Versions that contain an erased person, but stay in a store because another dataset needs them."""

    store: str
    dataset: str
    versions: int


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """How many objects were removed from a dataset's stores, and what is kept there for other datasets."""

    objects: int
    kept_for_others: tuple[KeptForOthers, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StorePlaces:
    """Where the versions of a dataset are stored: folders by their role, and the files in them that only other datasets need.

    `not_searched` are configured stores that we never write to.
    """

    folders: Mapping[str, Path]
    of_others: frozenset[Path]
    not_searched: tuple[str, ...]


class DatasetStore(Protocol):
    """Versions the dataset folder. A version is a content digest; the file that pins one is committed."""

    @property
    def pin_file(self) -> Path: ...

    def pinned(self) -> str | None: ...

    def version(self) -> str: ...

    def pin(self) -> str: ...

    def keep(self) -> str: ...

    def pull(self) -> bool: ...

    def restorable(self) -> bool: ...

    def forget(self, names: Collection[str]) -> Forgotten: ...

    def places(self) -> StorePlaces: ...


class PlannedPerson(Protocol):
    """A synthetic person before rendering."""

    @property
    def record(self) -> SubjectRecord: ...

    @property
    def role(self) -> str: ...


class RenderedSample(Protocol):
    """One rendered image or clip with the true facial actions, float32 (T, 52), of every frame."""

    @property
    def label(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def frames(self) -> Frames: ...

    @property
    def facial_actions(self) -> NDArray[np.float32]: ...


class RenderPeople(Protocol):
    """Renders synthetic adults in a fixed order, with any number of workers; only the people in `only`, if given."""

    def __call__(
        self, params: SyntheticParams, seed: int, workers: int, only: Collection[str] | None = None
    ) -> Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]: ...


class RenderVariations(Protocol):
    """Renders synthetic adults unchanged or with one change, in the order of the jobs, with any number of workers."""

    def __call__(
        self, jobs: Sequence[tuple[SyntheticPerson, Variation]], params: SyntheticParams, workers: int
    ) -> Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]: ...


class ChecksReport(Protocol):
    """The result of the suites: failures and advice in words, the number of expectations, and the path of the report."""

    @property
    def failures(self) -> tuple[str, ...]: ...

    @property
    def advice(self) -> tuple[str, ...]: ...

    @property
    def expectations(self) -> int: ...

    @property
    def docs_index(self) -> Path: ...


class TableChecks(Protocol):
    """Runs the suites over the tables index, subjects, consents, quality, labels, demographics, splits and schema, and keeps their report
    under `docs_folder`.
    """

    def __call__(
        self, tables: Mapping[str, pd.DataFrame], params: QualityParams, docs_folder: Path
    ) -> ChecksReport: ...


class Runtime(Protocol):
    """A verified bundle, loaded: takes what it reads of a face, returns calibrated one-vs-rest probabilities, and conformal sets.

    `landmarks`: how many landmarks it uses, 0 if it reads crops; `thresholds` are for the calibrated scores; `logits` are
    uncalibrated; `faces` is the reference for explanations.
    """

    @property
    def reads(self) -> Reads: ...

    @property
    def landmarks(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def emotions(self) -> tuple[str, ...]: ...

    @property
    def thresholds(self) -> NDArray[np.float64]: ...

    @property
    def calibrator(self) -> Calibrator: ...

    @property
    def faces(self) -> TrainingFaces | None: ...

    def counts_of_codes(self, codes: NDArray[np.int8]) -> NDArray[np.float32]: ...

    def counts(self, inputs: FaceValues, lengths: NDArray[np.int64]) -> NDArray[np.int32]: ...

    def logits(self, inputs: FaceValues, lengths: NDArray[np.int64]) -> NDArray[np.float32]: ...

    def scores(self, inputs: FaceValues, lengths: NDArray[np.int64]) -> NDArray[np.float64]: ...

    def sets(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]: ...


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


class Signer(Protocol):
    """Signs the folder of a bundle, and verifies it: every file in it and no others. Raises IntegrityError if that fails."""

    def sign(self, folder: Path) -> None: ...

    def verify(self, folder: Path) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployed flow: runs at `cron` (in UTC) or every `every_s` seconds; if neither is set, only on request. `entrypoint` is its
    dotted name.
    """

    name: str
    entrypoint: str
    description: str
    cron: str | None = None
    every_s: float | None = None
    parameters: Fields = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """A deployment that runs when an event is received."""

    name: str
    event: str
    deployment: str


class Rivals(Protocol):
    """Other runtimes, to time ours against: each call of a runner reads one face on one thread and returns the answer.

    There is no runner if a runtime does not support the network. `quantise` returns how far int8 answers are off, as a share
    of the float answers' deviation.
    """

    def export(self, module: nn.Module, example: FaceValues, path: Path) -> None: ...

    def quantise(self, path: Path, faces: Sequence[FaceValues], out: Path) -> float: ...

    def runner(
        self, runtime: str, precision: str, path: Path, face: FaceValues
    ) -> Callable[[], NDArray[np.float32]] | None: ...


class DriftFigures(Protocol):
    """What a drift report measured: column -> p-value, not corrected for the number of columns."""

    @property
    def columns(self) -> Mapping[str, float]: ...


class MeasureDrift(Protocol):
    """Compares columns of two tables by a named test, and writes an HTML report that flags each column beyond its own threshold, and
    the whole table if at least a given share of columns is. A `remark` stands at its top.
    """

    def __call__(
        self,
        reference: pd.DataFrame,
        current: pd.DataFrame,
        method: str,
        thresholds: Mapping[str, float],
        drift_share: float,
        html: Path,
        remark: str = "",
    ) -> DriftFigures: ...


class CheckpointPlace(Protocol):
    """A place outside the home for signed ends of the log, by names that sort by age. `name` is for messages.

    If it cannot be used, each method raises InputError with the cause and the remedy.
    """

    @property
    def name(self) -> str: ...

    def names(self, since: str) -> Sequence[str]: ...

    def read(self, name: str) -> bytes: ...

    def add(self, name: str, data: bytes) -> None: ...


class ExportBundle(Protocol):
    """Writes a one-bit model as a bundle of plain files."""

    def __call__(self, model: TrainedModel, folder: Path) -> object: ...


LoadRuntime = Callable[[Path], Runtime]
"""Loads a bundle if its digests, header and self-test are valid; IntegrityError otherwise."""
