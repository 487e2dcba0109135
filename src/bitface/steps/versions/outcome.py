"""A run after its gate, with the same interval of a figure everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bitface.evaluation.intervals import Interval
from bitface.gate.cells import Cell
from bitface.params import GateKind
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.judging.findings import Findings
from bitface.steps.retrain.export import Model
from bitface.steps.retrain.run_data import Data
from bitface.steps.versions.gate import Decided


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A run after its gate."""

    data: Data
    model: Model
    findings: Findings
    decided: Decided


def as_judged(outcome: Outcome) -> Outcome:
    """The same figures, with the intervals that the gate used: no report shows two intervals for one figure."""
    evaluation = with_intervals_of(outcome.decided.decision.cells, outcome.findings.evaluation)
    return replace(outcome, findings=replace(outcome.findings, evaluation=evaluation))


def with_intervals_of(cells: Sequence[Cell], evaluation: Evaluated) -> Evaluated:
    """Figures with the intervals of the cells that judged them."""
    known = {(cell.kind, cell.emotion, cell.attribute, cell.slice): cell for cell in cells if cell.value is not None}

    def judged(kind: GateKind, emotion: str, attribute: str, value: str, figure: Interval) -> Interval:
        cell = known.get((kind, emotion, attribute, value))
        if cell is None or cell.lo is None or cell.hi is None:
            return figure
        return replace(figure, lo=cell.lo, hi=cell.hi)

    scored = evaluation.models["one-bit"]
    emotions = {
        name: replace(own, balanced_accuracy=judged("emotion", name, "", "", own.balanced_accuracy))
        for name, own in scored.emotions.items()
    }
    groups = evaluation.groups
    accuracy = {key: judged("slice", "", *key, figure) for key, figure in groups.accuracy.items()}
    slices = tuple(
        replace(
            own,
            balanced_accuracy=own.balanced_accuracy
            and judged("slice", own.emotion, own.attribute, own.value, own.balanced_accuracy),
        )
        for own in groups.slices
    )
    return replace(
        evaluation,
        models={**evaluation.models, "one-bit": replace(scored, emotions=emotions)},
        groups=replace(groups, accuracy=accuracy, slices=slices),
    )
