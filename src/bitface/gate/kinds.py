"""Every kind of cell that a gate judges, in the order in which cells are listed: a new one is a module with its record, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bitface.gate.cells import CellKind
from bitface.gate.champion import CHAMPION
from bitface.gate.changed_faces import COUNTERFACTUAL
from bitface.gate.disparity import DISPARITY
from bitface.gate.explanations import EXPLANATION
from bitface.gate.facts import CONSENT, DRIFT, LATENCY, WINDOW
from bitface.gate.requirements import BINARIZATION, EMOTION, SLICE

KINDS: Final[dict[str, CellKind]] = {
    kind.name: kind
    for kind in (
        EMOTION,
        SLICE,
        DISPARITY,
        BINARIZATION,
        LATENCY,
        EXPLANATION,
        CONSENT,
        DRIFT,
        WINDOW,
        COUNTERFACTUAL,
        CHAMPION,
    )
}


def kinds_asked(params: Mapping[str, Any]) -> tuple[CellKind, ...]:
    """The kinds that a gate of these parameters judged. One whose limits they lack is younger than they are, unless they require it."""
    return tuple(
        kind for kind in KINDS.values() if kind.name in params["required"] or params.keys() >= set(kind.limits)
    )


def limits_unasked(params: Mapping[str, Any]) -> set[str]:
    """The limits that these parameters lack because the kinds that ask them are younger."""
    asked = kinds_asked(params)
    return {name for kind in KINDS.values() if kind not in asked for name in kind.limits} - params.keys()
