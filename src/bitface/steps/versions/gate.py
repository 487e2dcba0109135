"""Passes measurements to the gate, without names, writes the decision as a replayable bundle, and reads it back."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from bitface.consent.admission import Use, admit_people
from bitface.dataset.keys import KeyStore
from bitface.dataset.sealed_evidence import names_by, open_evidence, seal_evidence
from bitface.documents import Document, Fields
from bitface.errors import InputError, IntegrityError
from bitface.evaluation.predictions import Predictions
from bitface.faces.records import kind_asked
from bitface.gate.decision import GateDecision, evaluate_gate
from bitface.gate.decision_bundle import (
    GateBundle,
    Seal,
    read_bundle,
    read_recorded,
    replay,
    write_bundle,
    write_unsealed,
)
from bitface.gate.evidence import ConsentEvidence, DriftEvidence, ExplanationEvidence, GateEvidence, RegionEvidence
from bitface.gate.unnamed import Token, unnamed
from bitface.ledger.ledger import Ledger
from bitface.steps.judging.explain_models import MAPS, Explained
from bitface.steps.judging.findings import Findings
from bitface.steps.retrain.export import Exported, Model
from bitface.steps.retrain.plan import Run, dataset_entry_version
from bitface.steps.retrain.terms import gate_params_of
from bitface.steps.versions.model_choice import existing_versions
from bitface.steps.versions.shown.cell_text import cell_sentence, open_states, outcome_words, worst_first
from bitface.workspace import Workspace

BUNDLE_NAME = "gate.zip"
_COLUMNS = 100
_INDENT = " " * 13


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The decision, its bundle with the evidence, the bundle's digest, and the champion it compared with."""

    decision: GateDecision
    path: Path
    sha256: str
    compared_with: int | None


@dataclass(frozen=True, kw_only=True)
class Rival:
    """The champion that a candidate is compared with: its version, and its predictions for the same samples, if possible."""

    version: str
    predictions: Predictions | None


def decide_run(
    run: Run, model: Model, findings: Findings, rival: Rival | None, ledger: Ledger, keys: KeyStore, at: datetime
) -> Decided:
    """Judges every cell on the evidence of a run and writes the bundle. A poor model is not an error.

    Raises:
        RefusedError: a person in it was erased meanwhile.
    """
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
    nameless = unnamed(evidence, names_in(run.run_id, run.evidence, keys))
    asked = gate_params_of(run, people)
    decision = evaluate_gate(nameless, asked, run.params.seed)
    path = run.folder / BUNDLE_NAME
    seal = partial(seal_evidence, keys=keys, renew=run.evidence == "synthetic")
    sha256 = write_bundle(path, nameless, asked, run.params.seed, decision, _digests(run, bundle), seal)
    compared = int(rival.version) if rival else None
    return Decided(decision=decision, path=path, sha256=sha256, compared_with=compared)


def consent_evidence(run: Run, ledger: Ledger, at: datetime) -> ConsentEvidence:
    """How many of the run's samples consent still admits; samples admitted by licence alone stay admitted."""
    own = {person for person, answer in run.members.admissions.items() if answer.event_id is not None}
    events, notices = ledger.consents(), ledger.notice_ids()
    kind = kind_asked(sample.sample_id for sample in run.members.samples)
    use = Use(purpose=run.purpose, context=run.context, kind=kind)
    answers = [admit_people(events, own, use, now, notices) for now in ledger.moments(at)]
    not_admitted = {person for one in answers for person, answer in one.items() if not answer.admitted}
    members = len(run.members.samples)
    return ConsentEvidence(
        members=members, admitted=members - sum(sample.person in not_admitted for sample in run.members.samples)
    )


def names_in(run_id: str, evidence: str, keys: KeyStore) -> Token:
    """The names for people and samples in the evidence of a run with such people: real, synthetic or mixed."""
    return names_by(run_id, keys.evidence_names(published=evidence == "synthetic"))


def opened_bundle(path: Path, keys: KeyStore) -> GateBundle:
    """A bundle with its rows about people decrypted. Raises what `read_bundle` and `open_evidence` raise."""
    return read_bundle(path, partial(open_evidence, keys=keys))


def replay_bundle(path: Path, unseal: Seal) -> Document:
    """Recomputes the decision from its bundle; JSON of INTERFACE `gate replay`."""
    outcome = replay(read_bundle(path, unseal))
    return {
        "decision": outcome.decision.verdict,
        "identical": outcome.identical,
        "cells": [cell.document() for cell in outcome.decision.cells],
    }


def check_judged(run_id: str, runs: Path, ledger: Ledger) -> None:
    """Raises InputError if a run has no bundle here; the message lists the existing versions."""
    if not run_id.isalnum() or not (runs / run_id / BUNDLE_NAME).is_file():
        raise InputError(f"run '{run_id[:40]}' has no decision; {existing_versions(ledger)}")


def recorded_decision(run_id: str, runs: Path, ledger: Ledger) -> Document:
    """The decision as recorded in a run's bundle, with its cells; rows about people stay sealed.

    Raises:
        IntegrityError: the bundle is not the one on record.
    """
    found = read_recorded(runs / run_id / BUNDLE_NAME)
    decisions = (one for model in ledger.models() for one in ledger.decisions(model.bundle_sha256))
    on_record = {one.decision_sha256 for one in decisions if one.run_id == run_id}
    if on_record and found.sha256 not in on_record:
        raise IntegrityError(f"the gate bundle of run {run_id} differs from the recorded one; restore it")
    return dict(found.decision)


def hand_out(run_id: str, out: Path, place: Workspace, keys: KeyStore) -> str:
    """Writes a copy of a run's bundle that anyone can replay, and logs that; returns its digest.

    Raises:
        InputError: `out` is in home or the dataset folder, where erasures would miss it. What `write_unsealed` and `open_evidence` raise.
    """
    if any(out.resolve().is_relative_to(folder.resolve()) for folder in (place.home, place.data)):
        raise InputError(
            f"'{out.name}' would be inside this installation's home or dataset, where an erasure would miss it; name a file elsewhere"
        )

    def noted(sealed: bytes, run: str) -> bytes:
        content = open_evidence(sealed, run, keys)
        keys.note_handed_out(run)
        return content

    return write_unsealed(out, place.runs / run_id / BUNDLE_NAME, noted)


def decision_text(document: Fields) -> str:
    """The decision as text of at most 100 columns: required cells first, worst first, each with one sentence."""
    lines = [f"decision: {document['decision']}; {outcome_words(open_states(document['cells']))}"]
    for role, is_required in (("required", True), ("advisory", False)):
        cells = [cell for cell in worst_first(document["cells"]) if cell["required"] == is_required]
        lines += ["", f"{role} cells: {len(cells)}"] if cells else []
        lines += [line for cell in cells for line in _cell_lines(cell, role)]
    return "\n".join(lines)


def _cell_lines(cell: Fields, role: str) -> list[str]:
    head, sentence = f"{cell['state']:<12} {role}  {cell['name']}", cell_sentence(cell)
    if len(head) + len(sentence) + 2 <= _COLUMNS:
        return [f"{head}  {sentence}"]
    return [head, *textwrap.wrap(sentence, _COLUMNS, initial_indent=_INDENT, subsequent_indent=_INDENT)]


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
