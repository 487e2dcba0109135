"""The content of pages, in our own types, and the port of the adapter that writes them, which computes no figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class GateReport:
    """The content of a gate's page. `facts` are a few lines of name -> words; `cells` as the gate records them.

    `status` is the model's status line; `outcome` says how many required cells do not pass; `reasons` names each of them.

    A cell has `name, kind, emotion, metric, slice, required, n, persons, value, lo, hi, state, reason, n_needed`, and the
    limit as `limit` or `floor`; figures may be None.
    """

    status: str
    title: str
    decision: str
    outcome: str
    reasons: Sequence[str]
    evidence: str
    facts: Mapping[str, str]
    cells: Sequence[Mapping[str, object]]


@dataclass(frozen=True, kw_only=True)
class CardMetric:
    """One figure with its interval: `group` is a heading (emotions, macro, a slice attribute), `name` the line."""

    group: str
    name: str
    metric: str
    value: float
    lo: float
    hi: float
    n: int
    persons: int


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """The facts of a model card (Mitchell et al., 2019, arXiv 1810.03993). Lists are sentences; `data` is name -> words; `status` is the
    model's status line.
    """

    status: str
    name: str
    version: str
    digest: str
    evidence: str
    summary: str
    intended_use: Sequence[str]
    prohibited_contexts: Sequence[str]
    data: Mapping[str, str]
    training: Mapping[str, str]
    metrics: Sequence[CardMetric]
    slices: Sequence[CardMetric]
    probabilities: Sequence[str]
    explanation: Sequence[str]
    limits: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """A table of words; the first column names the row, the others are right-aligned."""

    heading: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class StudyPage:
    """The content of a study's page; `figures` are PNGs embedded in the page, by their alternative text."""

    title: str
    lead: str
    evidence: str
    figures: Mapping[str, Path]
    tables: Sequence[ReportTable]
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class EmotionRow:
    """One emotion's calibrated probability, and whether it is in the conformal set."""

    name: str
    probability: float
    in_set: bool


@dataclass(frozen=True, kw_only=True)
class RegionSum:
    """`at_baseline` + the values of `regions` = `at_face`, in log odds; regions sorted by absolute value."""

    emotion: str
    at_baseline: float
    at_face: float
    regions: Sequence[tuple[str, float]]

    @property
    def largest(self) -> float:
        """The largest absolute value, for the length of bars."""
        return max((abs(value) for _, value in self.regions), default=0.0) or 1.0


@dataclass(frozen=True, kw_only=True)
class FaceOnPage:
    """One explained face; `figures` are PNGs embedded in the page, by their alternative text. `start`: where the baseline alone
    already speaks for the first emotion, "" where it does not.
    """

    answer: str
    emotions: Sequence[EmotionRow]
    sums: Sequence[RegionSum]
    baseline: str
    start: str
    gap: str
    second: str
    map_note: str
    seconds: str
    figures: Mapping[str, Path]


@dataclass(frozen=True, kw_only=True)
class ExplanationPage:
    """The content of an explained picture's page. `facts` are a few lines of name -> words, `status` the model's status line."""

    status: str
    title: str
    model: str
    facts: Mapping[str, str]
    faces: Sequence[FaceOnPage]
    caveats: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """The answer to an auditor's question: `standing` states where the log ended at that time, and whether it was valid; `status` is the
    status line of the model in question, "" if there is none.
    """

    status: str
    title: str
    lead: str
    asked_at: str
    standing: str
    tables: Sequence[ReportTable]


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """One rule of the data gate. `rule` says in words what must hold, `found` what was found, `remedy` what to do if it does not.

    `state` is FAIL where the rule does not hold and the gate stops, ADVICE where it does not hold and a person should look, PASS otherwise.
    """

    table: str
    rule: str
    state: str
    found: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class CheckedTable:
    """What was checked of a table with so many rows, in words of `about` what it holds."""

    name: str
    about: str
    rows: int
    checks: Sequence[CheckRow]


@dataclass(frozen=True, kw_only=True)
class DataDocs:
    """What the page of the data gate shows: counts and rules, never a value of a row."""

    tables: Sequence[CheckedTable]


class Pages(Protocol):
    """Writes each page as one self-contained file, and returns its path.

    Raises InputError for a word that is unknown (a decision, a state, a kind of evidence), and for a page that lacks its caveats.
    """

    def write_gate_report(self, report: GateReport, path: Path) -> Path: ...

    def write_model_card(self, facts: CardFacts, html: Path, markdown: Path) -> tuple[Path, Path]: ...

    def write_study_report(self, page: StudyPage, path: Path) -> Path: ...

    def write_explanation(self, page: ExplanationPage, path: Path) -> Path: ...

    def write_audit_page(self, page: AuditPage, path: Path) -> Path: ...

    def write_data_docs(self, page: DataDocs, path: Path) -> Path: ...
