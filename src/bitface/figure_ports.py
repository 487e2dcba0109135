"""The content of pictures, in our own types, and the port of the adapter that draws them, which computes no figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bitface.evaluation.curves import Reliability, RocCurve
from bitface.evaluation.intervals import Interval

if TYPE_CHECKING:  # it imports torch, which a picture does not need
    from bitface.explain.attributions import AttributionSummary


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """One figure of a slice. `group` is its heading; `state` one of PASS, FAIL, INSUFFICIENT, NOT-RUN, or "" if unjudged.

    `people`: how many it rests on; without any there is no figure, and value, lo and hi are None. `remark`: what the state is about,
    in a few words, "" where that is plain.
    """

    group: str
    label: str
    value: float | None
    lo: float | None
    hi: float | None
    people: int
    state: str = ""
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class FindingRow:
    """A required cell that does not pass: its name on record, its question and its figure in words, and its state."""

    name: str
    words: str
    figure: str
    state: str


@dataclass(frozen=True, kw_only=True)
class LatencyRow:
    """Milliseconds of one face at batch 1 and one thread, and the bytes of the network on disk."""

    name: str
    p50_ms: float
    p95_ms: float
    size_bytes: int
    is_ours: bool


class Mesh(Protocol):
    """A face to draw on: `vertices` float32 (478, 3), y up, and `triangles` int64 (F, 3) of its vertices."""

    @property
    def vertices(self) -> NDArray[np.float32]: ...

    @property
    def triangles(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The content of a run's overview.

    `title` is the decision in a sentence and states whether the evidence is synthetic; `outcome` says how many required cells do not
    pass; `findings` are the required cells that do not
    pass, worst first, all named in the file's description; `groups` are rows of one `metric`, and `floor` is its limit; `shown` are
    two or three names of `summary.emotions`.
    """

    title: str
    outcome: str
    findings: Sequence[FindingRow]
    groups: Sequence[ForestRow]
    metric: str
    floor: float | None
    latency: Sequence[LatencyRow]
    summary: AttributionSummary
    shown: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """One network in one runtime: median and 95th percentile; `ratio` to our one-bit one, None for ours."""

    network: str
    name: str
    milliseconds: float
    high: float
    ratio: float | None


@dataclass(frozen=True, kw_only=True)
class DriftPanel:
    """One column: its Kolmogorov-Smirnov distance, and its values in both tables, float64 (n,) and (m,)."""

    name: str
    distance: float
    reference: NDArray[np.float64]
    current: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ReductionCurve:
    """One method to choose landmarks: a figure for each number of them."""

    name: str
    counts: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class ReductionPoint:
    """One trained subset: a figure for each training; `is_best` among those of its size."""

    name: str
    count: int
    values: Sequence[float]
    is_best: bool


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """One variant: a figure for each training, one-bit and float."""

    name: str
    one_bit: Sequence[float]
    float: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class TradePoint:
    """One variant: median milliseconds of a still, and a figure for each training."""

    name: str
    ms: float
    values: Sequence[float]

    @property
    def mean(self) -> float:
        """The mean over trainings."""
        return sum(self.values) / len(self.values)


class Figures(Protocol):
    """Draws each picture as a PNG that includes title and caption, and returns its path."""

    def confusion_figure(self, counts: NDArray[np.int64], emotions: Sequence[str], path: Path) -> Path: ...

    def reliability_figure(
        self, before: Mapping[str, Reliability], after: Mapping[str, Reliability], path: Path
    ) -> Path: ...

    def roc_figure(self, curves: Mapping[str, RocCurve], areas: Mapping[str, Interval], path: Path) -> Path: ...

    def slice_figure(self, rows: Sequence[ForestRow], floor: float | None, metric: str, path: Path) -> Path: ...

    def coverage_figure(self, rows: Sequence[ForestRow], confidence: float | None, remark: str, path: Path) -> Path: ...

    def unit_figure(self, rows: Sequence[ForestRow], against: str, path: Path) -> Path: ...

    def latency_figure(self, rows: Sequence[LatencyRow], budget_ms: float | None, path: Path) -> Path: ...

    def attribution_figure(self, summary: AttributionSummary, mesh: Mesh, path: Path) -> Path: ...

    def landmark_ranking_figure(self, summary: AttributionSummary, mesh: Mesh, path: Path) -> Path: ...

    def region_figure(
        self, values: NDArray[np.float64], emotions: Sequence[str], about: str, mesh: Mesh, path: Path
    ) -> Path: ...

    def crop_figure(self, crop: NDArray[np.uint8], path: Path) -> Path: ...

    def overview_figure(self, overview: Overview, mesh: Mesh, path: Path) -> Path: ...

    def bench_figure(self, rows: Sequence[BenchRow], caption: str, path: Path) -> Path: ...

    def drift_figure(
        self, panels: Sequence[DriftPanel], names: tuple[str, str], title: str, caption: str, path: Path
    ) -> Path: ...

    def reduction_figure(
        self,
        curves: Sequence[ReductionCurve],
        trained: Sequence[ReductionPoint],
        whole: float,
        metric: str,
        caption: str,
        path: Path,
    ) -> Path: ...

    def importance_figure(self, importance: NDArray[np.float64], mesh: Mesh, caption: str, path: Path) -> Path: ...

    def study_figure(self, rows: Sequence[StudyRow], metric: str, caption: str, path: Path) -> Path: ...

    def trade_figure(self, points: Sequence[TradePoint], metric: str, caption: str, path: Path) -> Path: ...
