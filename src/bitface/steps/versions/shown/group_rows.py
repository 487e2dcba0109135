"""The rows of figures about groups: a figure each with its people, what the gate says of it, and of what it says that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from bitface.evaluation.coverage import CalibrationReport
from bitface.evaluation.intervals import Interval
from bitface.faces.action_units import ACTION_UNIT_NAMES
from bitface.faces.records import SLICE_ATTRIBUTES
from bitface.figure_ports import ForestRow
from bitface.gate.cells import Cell, State
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.judging.read_units import UnitsRead
from bitface.steps.versions.gate import Decided

WORST_FIRST: Final = (State.FAIL, State.NOT_RUN, State.INSUFFICIENT, State.PASS)


def forest_rows(evaluation: Evaluated, decision: Decided) -> list[ForestRow]:
    """Accuracy of every slice with the worse of two gate states, of its accuracy and of its gap to all others, and which of them it is;
    a value that is asked for has a row even where no one has it.
    """
    judged = _judged_groups(decision.decision.cells)
    rows = []
    for attribute in SLICE_ATTRIBUTES:
        figures = {value: figure for (own, value), figure in evaluation.groups.accuracy.items() if own == attribute}
        asked = [value for own, value in judged if own == attribute]
        for value in sorted({*figures, *asked}):
            state, remark = worst_of(judged.get((attribute, value), {}))
            if value in figures:
                rows.append(_forest_row(attribute, value, figures[value], state, remark))
            else:
                rows.append(_row_without_people(attribute, value, state))
    return rows


def _judged_groups(cells: Sequence[Cell]) -> dict[tuple[str, str], dict[str, str]]:
    """(attribute, value) -> what was judged of it -> its state."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for cell in cells:
        is_own = cell.kind == "slice" and not cell.emotion and cell.slice
        if is_own or (cell.kind == "disparity" and cell.required and cell.slice):
            found.setdefault((cell.attribute, cell.slice), {})["accuracy" if is_own else "gap"] = cell.state.value
    return found


def worst_of(states: Mapping[str, str]) -> tuple[str, str]:
    """The worst state, and what it is of where it is not a pass."""
    worst = min(states.values(), key=WORST_FIRST.index, default="")
    return worst, "" if worst in ("", State.PASS.value) else ", ".join(
        what for what, own in states.items() if own == worst
    )


def _row_without_people(group: str, value: str, state: str) -> ForestRow:
    return ForestRow(
        group=group.replace("_", " "),
        label=slice_label(value),
        value=None,
        lo=None,
        hi=None,
        people=0,
        state=state,
        remark="no one was judged",
    )


def unit_rows(units: UnitsRead) -> list[ForestRow]:
    """Correlation, then F1, of every action unit."""
    return [
        _forest_row(heading, f"AU {unit}, {ACTION_UNIT_NAMES[unit]}", getattr(own, name))
        for heading, name in (("correlation of intensities", "correlation"), ("F1 of being shown", "f1"))
        for unit, own in units.report.units.items()
    ]


def coverage_rows(calibrated: CalibrationReport) -> list[ForestRow]:
    """Coverage of all samples, of each emotion, and of every slice by attribute."""
    rows = [_forest_row("all", "any emotion", calibrated.overall)]
    rows += [_forest_row("emotion", emotion, figure) for emotion, figure in calibrated.coverage.items()]
    rows += [
        _forest_row(attribute, value, figure)
        for attribute in SLICE_ATTRIBUTES
        for (own, value), figure in calibrated.groups.items()
        if own == attribute
    ]
    return rows


def _forest_row(group: str, value: str, figure: Interval, state: str = "", remark: str = "") -> ForestRow:
    return ForestRow(
        group=group.replace("_", " "),
        label=slice_label(value),
        value=figure.value,
        lo=figure.lo,
        hi=figure.hi,
        people=figure.persons,
        state=state,
        remark=remark,
    )


def slice_label(value: str) -> str:
    """A slice's value as text: `monk_5_7` is monk 5-7, `60_plus` is 60+, `east_asian` is east asian."""
    return re.sub(r"(?<=\d)_(?=\d)", "-", value.replace("_plus", "+")).replace("_", " ")
