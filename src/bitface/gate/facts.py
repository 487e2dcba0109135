"""The cells that are measured or counted and not predicted: speed, consent as of now, drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.evaluation.intervals import Interval, quantile_interval
from bitface.evaluation.latency import REFERENCE, undisturbed_ms
from bitface.gate.cells import Cell, CellKind, Question, State, at_least, at_most, judged, stated
from bitface.gate.evidence import RULES, DriftEvidence, GateEvidence
from bitface.params import GateParams

JUDGED_RUNTIME: Final = "one-bit"
Floats = NDArray[np.float64]


def latency_cells(evidence: GateEvidence, params: GateParams) -> Iterator[Cell]:
    """Median and 95th percentile of what the one-bit runtime takes by itself, against the budget.

    Without processor times the wall is judged, where nothing ever takes less.
    """
    wall = _milliseconds(evidence.latency_ms, JUDGED_RUNTIME)
    if wall.min() <= 0:
        raise InputError("a latency is not a positive number of milliseconds")
    samples = wall
    if evidence.cpu_ms:
        cpu, reference = (_milliseconds(evidence.cpu_ms, name) for name in (JUDGED_RUNTIME, REFERENCE))
        if not len(cpu) == len(reference) == len(wall):
            raise InputError("processor times are not of the rounds that were measured on the wall")
        samples = undisturbed_ms(cpu, reference, wall)
    for name, share, budget in (
        ("p50", 0.5, params.latency_p50_budget_ms),
        ("p95", 0.95, params.latency_p95_budget_ms),
    ):
        question, interval = latency_question(name, params), quantile_interval(samples, share, params.confidence)
        on_the_wall = f" Milliseconds of processor time; {float(np.quantile(wall, share)):.3f} on the wall."
        note = on_the_wall if evidence.cpu_ms else ""
        if len(samples) < params.latency_samples_min:
            note += f" At least {params.latency_samples_min} rounds are needed."
            cell = stated(question, interval, at_most(budget), State.INSUFFICIENT, note=note)
        else:
            cell = judged(question, interval, at_most(budget), note=note)
        yield cell if evidence.rules >= RULES else _in_edition_5(cell)


def _milliseconds(times: Mapping[str, Floats], name: str) -> Floats:
    found = times.get(name)
    if found is None or not len(found):
        raise InputError(f"no latency of the runtime '{name}' was measured")
    if not np.isfinite(found).all() or found.min() < 0:
        raise InputError("a latency is not a positive number of milliseconds")
    return found


def _in_edition_5(cell: Cell) -> Cell:
    """As the rules of edition 5 worded it, so that its bundles replay to the letter."""
    if cell.persons_needed is None and cell.n_needed is not None:
        worded = cell.reason.replace(" samples would decide", " samples of 0 people would decide")
        return replace(cell, reason=worded, persons_needed=0)
    return cell


def latency_question(name: str, params: GateParams) -> Question:
    """The cell of a quantile of the latency."""
    return Question(name=f"latency/{name}", kind="latency", metric=f"{name}_ms", required="latency" in params.required)


def consent_cells(evidence: GateEvidence, params: GateParams) -> Iterator[Cell]:
    """Whether every sample that the model was trained or judged on may be used now."""
    consent = evidence.consent
    if consent is None or consent.members < 1 or not 0 <= consent.admitted <= consent.members:
        raise InputError("consents were not looked up for the members of the dataset")
    share = consent.admitted / consent.members
    missing = consent.members - consent.admitted
    reason = (
        f"Consent admits all {consent.members} samples now."
        if not missing
        else f"Consent no longer admits {missing} of {consent.members} samples; retrain without them."
    )
    interval = _point(share, consent.members, 0)
    state = State.FAIL if missing else State.PASS
    yield stated(consent_question(params), interval, at_least(1.0), state, sentence=reason)


def consent_question(params: GateParams) -> Question:
    """The cell of consent as of now."""
    return Question(
        name="consent/admitted", kind="consent", metric="admitted_share", required="consent" in params.required
    )


def drift_cells(evidence: GateEvidence, params: GateParams) -> Iterator[Cell]:
    """The share of features that drifted between the training people and held-out people."""
    yield _drifted(evidence.drift, drift_question(params), "held-out people")


def drift_question(params: GateParams) -> Question:
    """The cell of drift."""
    return Question(name="drift/share", kind="drift", metric="drifted_share", required="drift" in params.required)


def window_cells(evidence: GateEvidence, params: GateParams) -> Iterator[Cell]:
    """The share of features in which the training people lie far from the faces that were predicted; no cell without a window."""
    if evidence.window is not None:
        yield _drifted(evidence.window, window_question(params), "faces that were predicted")


def window_question(params: GateParams) -> Question:
    """The cell of the latest window."""
    return Question(name="window/share", kind="window", metric="drifted_share", required="window" in params.required)


def _drifted(drift: DriftEvidence | None, question: Question, whom: str) -> Cell:
    if drift is None or min(drift.features, drift.n_reference, drift.n_current) < 1:
        raise InputError("drift was not measured")
    if not np.isfinite([drift.share, drift.share_max]).all() or not 0 <= drift.share <= 1:
        raise InputError(f"a share of {drift.share} features cannot have drifted")
    reason = (
        f"{drift.share:.0%} of {drift.features} features drifted between {drift.n_reference} training people and "
        f"{drift.n_current} {whom}; at most {drift.share_max:.0%} is asked."
    )
    state = State.PASS if drift.share <= drift.share_max else State.FAIL
    return stated(question, _point(drift.share, drift.n_current, 0), at_most(drift.share_max), state, sentence=reason)


def _point(value: float, n: int, persons: int) -> Interval:
    return Interval(value=value, lo=value, hi=value, n=n, persons=persons)


LATENCY: Final = CellKind(
    name="latency",
    caption="latency",
    cells=lambda evidence, params, _: latency_cells(evidence, params),
    questions=lambda _, params: [latency_question(name, params) for name in ("p50", "p95")],
    limits=("latency_p50_budget_ms", "latency_p95_budget_ms"),
    remedy="use a smaller model (training.channels) or a faster machine: it is too slow (other processes are not counted)",
)
CONSENT: Final = CellKind(
    name="consent",
    caption="consent",
    cells=lambda evidence, params, _: consent_cells(evidence, params),
    questions=lambda _, params: [consent_question(params)],
    remedy="run `bitface retrain` again: a consent ended during the run, and a new run excludes that person",
)
DRIFT: Final = CellKind(
    name="drift",
    caption="drift",
    cells=lambda evidence, params, _: drift_cells(evidence, params),
    questions=lambda _, params: [drift_question(params)],
)
WINDOW: Final = CellKind(
    name="window",
    caption="drift from real predictions",
    cells=lambda evidence, params, _: window_cells(evidence, params),
    questions=lambda _, params: [window_question(params)],
    remedy="train with people like those recently predicted: the training people differ from them",
    is_owed=False,
)
