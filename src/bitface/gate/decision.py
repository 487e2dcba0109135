"""Promote, hold or block: one required cell that failed or could not be judged is enough to block, whatever the others say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from bitface.errors import BitfaceError
from bitface.gate.cells import Cell, Question, State, not_run
from bitface.gate.champion import champion_cells, champion_question
from bitface.gate.counterfactual import counterfactual_cells, counterfactual_questions
from bitface.gate.disparity import disparity_cells, disparity_question
from bitface.gate.evidence import GateEvidence
from bitface.gate.explanations import explanation_cells, explanation_question
from bitface.gate.facts import (
    consent_cells,
    consent_question,
    drift_cells,
    drift_question,
    latency_cells,
    latency_question,
    window_cells,
    window_question,
)
from bitface.gate.requirements import (
    attribute_question,
    binarization_cells,
    binarization_question,
    emotion_cells,
    emotion_question,
    judged_attributes,
    slice_cells,
)
from bitface.params import GateParams

Verdict = Literal["promote", "hold", "block"]
_CANNOT_JUDGE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What unusable evidence, or a machine at its end, makes a computation raise. Each becomes NOT-RUN, as our own errors do: a gate
that cannot run is not a pass."""

_OWED_ONLY_IF_THERE: Final = ("window", "counterfactual", "champion")
"""Kinds without a cell where there is nothing to compare with."""


@dataclass(frozen=True, kw_only=True)
class GateDecision:
    """A verdict, the sentences that say why, and every cell. `reasons` is empty for promote."""

    verdict: Verdict
    reasons: tuple[str, ...]
    cells: tuple[Cell, ...]

    def counts(self) -> dict[str, int]:
        """Cells by state: pass, fail, insufficient, not_run; required and advisory ones together."""
        states = [cell.state for cell in self.cells]
        return {state.name.lower(): states.count(state) for state in State}

    def document(self) -> dict[str, Any]:
        """The decision as plain JSON values."""
        cells = [cell.document() for cell in self.cells]
        return {"decision": self.verdict, "reasons": list(self.reasons), "cells": cells}

    def canonical(self) -> str:
        """The decision as canonical JSON: equal decisions are equal texts."""
        return json.dumps(self.document(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def sha256(self) -> str:
        """SHA-256 of the canonical JSON, as 64 hexadecimal digits: what approvals and promotions are bound to."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def decide(cells: Sequence[Cell]) -> GateDecision:
    """Block on any required FAIL or NOT-RUN, else hold on any required INSUFFICIENT, else promote.

    Without a single required cell there is nothing to rest a promotion on: block.
    """
    required = [cell for cell in cells if cell.required]
    blocking = [cell for cell in required if cell.state in (State.FAIL, State.NOT_RUN)]
    holding = [cell for cell in required if cell.state is State.INSUFFICIENT]
    verdict: Verdict = "block" if blocking or not required else "hold" if holding else "promote"
    reasons = [f"{cell.name} {cell.state}: {cell.reason}" for cell in [*blocking, *holding]]
    if not required:
        reasons = ["No required cell was judged; nothing is known of the model."]
    return GateDecision(verdict=verdict, reasons=tuple(reasons), cells=tuple(cells))


def evaluate_gate(evidence: GateEvidence, params: GateParams, seed: int) -> GateDecision:
    """Judges every cell and decides. The same evidence, parameters and seed give the same document.

    It raises nothing for unusable evidence: what cannot be judged is NOT-RUN, and blocks where it is required.
    """
    cells: list[Cell] = []
    for kind, build, questions in _groups(evidence, params, seed):
        found, why = _run(build)
        if why is None and not found and kind not in _OWED_ONLY_IF_THERE:
            why = "nothing was judged"
        cells += [not_run(question, why) for question in questions] if why else found
    return decide(cells)


def _run(build: Callable[[], Iterable[Cell]]) -> tuple[list[Cell], str | None]:
    try:
        return list(build()), None
    except BitfaceError as error:
        return [], str(error)
    except _CANNOT_JUDGE as error:
        return [], f"the evidence cannot be read ({type(error).__name__})"


def _groups(
    evidence: GateEvidence, params: GateParams, seed: int
) -> list[tuple[str, Callable[[], Iterable[Cell]], list[Question]]]:
    """Each kind of cell, how it is judged, and the cells that stand as NOT-RUN in its place."""
    emotions = [emotion_question(emotion, params) for emotion in evidence.emotions]
    nameless = emotion_question("none", params)
    attributes = [attribute_question(attribute, params) for attribute in judged_attributes(params)]
    latencies = [latency_question(name, params) for name in ("p50", "p95")]
    return [
        ("emotion", lambda: emotion_cells(evidence, params, seed), emotions or [nameless]),
        ("slice", lambda: slice_cells(evidence, params, seed), attributes),
        ("disparity", lambda: disparity_cells(evidence, params, seed), [disparity_question(params, evidence)]),
        ("binarization", lambda: binarization_cells(evidence, params, seed), [binarization_question(params)]),
        ("latency", lambda: latency_cells(evidence, params), latencies),
        (
            "explanation",
            lambda: explanation_cells(evidence, params, seed),
            [explanation_question("none", True, params)],
        ),
        ("consent", lambda: consent_cells(evidence, params), [consent_question(params)]),
        ("drift", lambda: drift_cells(evidence, params), [drift_question(params)]),
        ("window", lambda: window_cells(evidence, params), [window_question(params)]),
        ("counterfactual", lambda: counterfactual_cells(evidence, params, seed), counterfactual_questions(params)),
        ("champion", lambda: champion_cells(evidence, params, seed), [champion_question(params)]),
    ]
