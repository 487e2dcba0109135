"""Whether a drawn face gets the same answer in another skin tone, age texture or light; this cannot be measured on real people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

from bitface.errors import InputError
from bitface.evaluation.counterfactual import CHANGES, Change, Counterfactual, counterfactual_of
from bitface.evaluation.intervals import Interval, seed_for
from bitface.gate.cells import Cell, CellKind, Question, at_most, judged
from bitface.gate.evidence import GateEvidence
from bitface.params import GateParams

Figure = Literal["changed", "shift"]
_DIRECTIONS: Final[dict[Change, str]] = {
    "again": "when the same picture is taken again",
    "skin_tone": "in the darker of two skin tones",
    "age_texture": "with the skin and hair of the older of two ages",
    "light": "in another light",
}


def counterfactual_cells(evidence: GateEvidence, params: GateParams, seed: int) -> Iterator[Cell]:
    """Two cells for each kind of change: the share of answers that change, and how far the log odds move on average.

    No cell where nobody was asked, as of real people.

    Raises:
        InputError: a kind of change is missing or cannot be judged.
    """
    if evidence.counterfactuals is None:
        return
    asked = {one.change: one for one in evidence.counterfactuals}
    for change in CHANGES:
        if change not in asked:
            raise InputError(f"faces were not asked again {_DIRECTIONS[change]}; ask every kind of change")
        found = counterfactual_of(
            asked[change],
            params.bootstrap_resamples,
            params.confidence,
            params.intraclass_correlation,
            seed_for(seed, f"counterfactual/{change}"),
        )
        yield _changed_cell(change, found, params)
        yield _shift_cell(change, found, params)


def counterfactual_question(change: Change, figure: Figure, params: GateParams) -> Question:
    """The cell of a kind of change."""
    metrics = {"changed": "changed_share", "shift": "log_odds_shift"}
    return Question(
        name=f"counterfactual/{change}/{figure}",
        kind="counterfactual",
        metric=metrics[figure],
        required="counterfactual" in params.required,
    )


def counterfactual_questions(params: GateParams) -> list[Question]:
    """All cells, which stand for these where faces were asked and the answers cannot be judged."""
    figures: tuple[Figure, ...] = ("changed", "shift")
    return [counterfactual_question(change, figure, params) for change in CHANGES for figure in figures]


def _changed_cell(change: Change, found: Counterfactual, params: GateParams) -> Cell:
    question = counterfactual_question(change, "changed", params)
    return judged(question, found.changed, at_most(params.counterfactual_changed_max), note=" Answers that change.")


def _shift_cell(change: Change, found: Counterfactual, params: GateParams) -> Cell:
    own = found.shift
    crosses = own.lo <= 0 <= own.hi
    size = Interval(
        value=abs(own.value),
        lo=0.0 if crosses else min(abs(own.lo), abs(own.hi)),
        hi=max(abs(own.lo), abs(own.hi)),
        n=own.n,
        persons=own.persons,
    )
    cell = judged(counterfactual_question(change, "shift", params), size, at_most(params.counterfactual_shift_max))
    signed = f" The emotion that a face shows gets {own.value:+.3f} ({own.lo:+.3f} to {own.hi:+.3f}) log odds {_DIRECTIONS[change]}."
    return replace(cell, reason=cell.reason + signed)


COUNTERFACTUAL: Final = CellKind(
    name="counterfactual",
    caption="the same face, changed",
    cells=counterfactual_cells,
    questions=lambda _, params: counterfactual_questions(params),
    limits=("counterfactual_changed_max", "counterfactual_shift_max"),
    is_owed=False,
)
