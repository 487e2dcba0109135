"""Hands the gate what was measured, writes the decision as a bundle that anybody can replay, and reads it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bitface.consent.admission import admit_people
from bitface.evaluation.intervals import Interval
from bitface.evaluation.predictions import Predictions
from bitface.gate.bundle import read_bundle, replay, write_bundle
from bitface.gate.cells import Cell
from bitface.gate.decision import GateDecision, evaluate_gate
from bitface.gate.evidence import ConsentEvidence, DriftEvidence, ExplanationEvidence, GateEvidence, RegionEvidence
from bitface.ledger.ledger import Ledger
from bitface.params import GateKind
from bitface.steps.artefacts import Findings, Model, Outcome
from bitface.steps.evaluate import Evaluated
from bitface.steps.explain import MAPS, Explained
from bitface.steps.export import Exported
from bitface.steps.plan import Run, dataset_entry_version

BUNDLE_NAME = "gate.zip"


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The decision, the bundle that holds it with its evidence, its digest, and the champion that it compared with."""

    decision: GateDecision
    path: Path
    sha256: str
    compared_with: int | None


@dataclass(frozen=True, kw_only=True)
class Rival:
    """The champion that a candidate is compared with: its version, and what it says of the same samples, if it can."""

    version: str
    predictions: Predictions | None


def decide_run(
    run: Run, model: Model, findings: Findings, rival: Rival | None, ledger: Ledger, at: datetime
) -> Decided:
    """Judges every cell on the evidence of a run and writes the bundle. It never raises for a model that is not good."""
    bundle, evaluation, explanation, drifted = (
        model.bundle,
        findings.evaluation,
        findings.explanation,
        findings.drifted,
    )
    judged = evaluation.predictions["one-bit"]
    people = {str(person) for person in judged.persons}
    evidence = GateEvidence(
        emotions=judged.emotions,
        one_bit=judged,
        twin=evaluation.predictions["float"],
        champion_version=rival.version if rival else None,
        champion=rival.predictions if rival else None,
        slices={person: values for person, values in run.slices().items() if person in people},
        latency_ms=bundle.timings.wall_ms,
        cpu_ms=bundle.timings.cpu_ms,
        explanations=(*(_explanation(explanation, kind) for kind in MAPS), _exact(explanation)),
        regions=_regions(explanation),
        consent=consent_evidence(run, ledger, at),
        drift=DriftEvidence(
            share=drifted.share,
            share_max=run.params.drift.share_max,
            features=len(drifted.columns),
            n_reference=drifted.people_reference,
            n_current=drifted.people_current,
        ),
        window=findings.window,
        counterfactuals=findings.changed_faces,
    )
    decision = evaluate_gate(evidence, run.params.gate, run.params.seed)
    path = run.folder / BUNDLE_NAME
    sha256 = write_bundle(path, evidence, run.params.gate, run.params.seed, decision, _digests(run, bundle))
    compared = int(rival.version) if rival else None
    return Decided(decision=decision, path=path, sha256=sha256, compared_with=compared)


def as_judged(outcome: Outcome) -> Outcome:
    """The same figures, with the intervals that the gate decided by: no report shows two intervals of one figure."""
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


def consent_evidence(run: Run, ledger: Ledger, at: datetime) -> ConsentEvidence:
    """How many of the run's samples consent still admits; samples admitted by licence alone stay admitted."""
    own = {person for person, answer in run.members.admissions.items() if answer.event_id is not None}
    events, notices = ledger.consents(), ledger.notice_ids()
    answers = admit_people(events, own, run.purpose, run.context, at, notices)
    gone = {person for person, answer in answers.items() if not answer.admitted}
    members = len(run.members.samples)
    return ConsentEvidence(
        members=members, admitted=members - sum(sample.person in gone for sample in run.members.samples)
    )


def replay_bundle(path: Path) -> dict[str, Any]:
    """Derives the decision again from its bundle; JSON of INTERFACE `gate replay`."""
    outcome = replay(read_bundle(path))
    return {
        "decision": outcome.decision.verdict,
        "identical": outcome.identical,
        "cells": [cell.document() for cell in outcome.decision.cells],
    }


def recorded_decision(path: Path) -> dict[str, Any]:
    """The decision as it was recorded in a bundle, with its cells."""
    outcome = replay(read_bundle(path))
    return outcome.decision.document()


def decision_text(document: Mapping[str, Any]) -> str:
    """The decision for a person: required cells first, worst first."""
    order = {"FAIL": 0, "NOT-RUN": 1, "INSUFFICIENT": 2, "PASS": 3}
    cells = sorted(document["cells"], key=lambda cell: (not cell["required"], order[cell["state"]], cell["name"]))
    lines = [f"decision: {document['decision']}", *(f"  because {reason}" for reason in document["reasons"])]
    for cell in cells:
        role = "required" if cell["required"] else "advisory"
        lines.append(f"{cell['state']:<12} {role}  {cell['name']:<32} {cell['reason']}")
    return "\n".join(lines)


def _explanation(explained: Explained, kind: str) -> ExplanationEvidence:
    made = explained.attributions[kind]
    return ExplanationEvidence(
        method=f"{made.method}, {'float' if kind == 'float' else 'one-bit'}",
        baseline=made.baseline,
        additive=made.gradient != "straight-through",
        gaps=explained.gaps(kind),
        persons=np.asarray(explained.persons),
    )


def _exact(explained: Explained) -> ExplanationEvidence:
    table = explained.regions[0]
    return ExplanationEvidence(
        method="exact Shapley of regions, one-bit",
        baseline=table.baseline,
        additive=True,
        gaps=table.sample_gaps(),
        persons=np.asarray(explained.region_persons),
    )


def _regions(explained: Explained) -> RegionEvidence:
    table = explained.regions[0]
    mass, area = table.expected(explained.region_labels)
    return RegionEvidence(
        reads=explained.reads,
        persons=np.asarray(explained.region_persons),
        labels=np.array(explained.region_labels),
        expected_share=mass,
        expected_area=area,
        outside_share=table.outside(),
        champion_expected_share=explained.rival_shares,
    )


def _digests(run: Run, bundle: Exported) -> dict[str, str]:
    return {
        "run": run.run_id,
        "model": bundle.bundle_sha256,
        "weights": bundle.weights_sha256,
        "dataset": dataset_entry_version(run),
        "manifest": run.dataset.manifest_sha256,
        "consent_snapshot": run.members.consent_snapshot_sha256,
        "code": run.code_sha256,
        "constraints": run.constraints_sha256,
    }
