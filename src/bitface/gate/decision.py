"""Promote, hold or block: one required cell that failed or could not be judged is enough to block, whatever the others say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from bitface.errors import BitfaceError
from bitface.gate.cells import Cell, CellKind, State, not_run
from bitface.gate.evidence import GateEvidence
from bitface.gate.kinds import KINDS
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


def evaluate_gate(
    evidence: GateEvidence, params: GateParams, seed: int, kinds: Sequence[CellKind] | None = None
) -> GateDecision:
    """Judges every cell of the kinds, all of them where none are given, and decides. The same evidence, parameters and seed give the
    same document.

    It raises nothing for unusable evidence: what cannot be judged is NOT-RUN, and blocks where it is required.
    """
    cells: list[Cell] = []
    for kind in tuple(KINDS.values()) if kinds is None else kinds:
        found, why = _run(partial(kind.cells, evidence, params, seed))
        if why is None and not found and kind.is_owed:
            why = "nothing was judged"
        cells += [not_run(question, why) for question in kind.questions(evidence, params)] if why else found
    return decide(cells)


def _run(build: Callable[[], Iterable[Cell]]) -> tuple[list[Cell], str | None]:
    try:
        return list(build()), None
    except BitfaceError as error:
        return [], str(error)
    except _CANNOT_JUDGE as error:
        return [], f"the evidence cannot be read ({type(error).__name__})"
