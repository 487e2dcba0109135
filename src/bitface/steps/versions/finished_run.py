"""The summary of a finished run as one document: what was judged, what the gate said, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bitface.counted_words import counted, counted_people
from bitface.documents import Document
from bitface.evaluation.intervals import Interval
from bitface.gate.cells import Cell, State
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.judging.redrawn_faces import counterfactual_summary
from bitface.steps.retrain.course import Course
from bitface.steps.retrain.plan import Run, dataset_entry_version
from bitface.steps.retrain.terms import notes_of
from bitface.steps.retrain.train import PRECISIONS, Calibrated, model_facts
from bitface.steps.versions.guidance import causes_of, next_steps
from bitface.steps.versions.model_choice import command_for
from bitface.steps.versions.outcome import Outcome
from bitface.steps.versions.register import Registered
from bitface.steps.versions.summary import exit_code, files_of, first_part, write_summary


def summarise(run: Run, outcome: Outcome, registered: Registered, course: Course) -> Document:
    """Writes and returns the summary of a finished run (docs: INTERFACE `retrain --json`)."""
    begun, status, findings = first_part(run), registered.status, outcome.findings
    decision, evaluation, bundle = outcome.decided, findings.evaluation, outcome.model.bundle
    models, validation, units = outcome.model.networks, outcome.data.validation, findings.units
    causes, judged = causes_of(decision.decision), evaluation.predictions["one-bit"]
    document = begun | {
        "warnings": [*begun["warnings"], *course.warnings],
        "dataset": {
            "version": run.dataset.version,
            "recorded_as": dataset_entry_version(run),
            "people": len(run.members.admissions),
            "samples": validation.samples,
            "admitted": validation.admitted,
            "quarantined": len(validation.quarantined),
            "note": run.dataset.note,
        },
        "models": [_model(name, models, evaluation) for name in PRECISIONS],
        "not_trained": _not_trained(models),
        "judged_on": evaluation.judged_on,
        "notes": list(notes_of(run, set(map(str, judged.persons)))),
        "latency": {
            name: {"p50_ms": round(found.p50_ms, 4), "p95_ms": round(found.p95_ms, 4)}
            for name, found in bundle.latency().items()
        },
        "size_bytes": {"one_bit": bundle.one_bit_bytes, "float": bundle.float_bytes},
        "explain": findings.explanation.figures(),
        "explanation": findings.explanation.sentence(),
        "fairness": fairness_sentence(evaluation, decision.decision.cells),
        "counterfactual": counterfactual_summary(decision.decision.cells),
        "privacy": {"membership_auc": _rounded(evaluation.membership)},
        "calibration": evaluation.calibration["one-bit"].document(),
        "action_units": units.document() if units else None,
        "transfer": findings.transferred.document() if findings.transferred else None,
        "gate": {
            "decision": decision.decision.verdict,
            "reasons": list(decision.decision.reasons),
            "bundle": str(decision.path),
            "cells": decision.decision.counts(),
            "causes": causes,
        },
        "version": status.version,
        "alias": status.alias,
        "status": status.document(),
        "withheld": registered.withheld,
        "next_steps": next_steps(causes, status, len(np.unique(judged.persons)), run.profile),
        "use": command_for(status),
        "reused": list(course.reused),
        "seconds": {name: round(value, 2) for name, value in course.seconds.items()},
        "files": files_of(run),
        "took_s": round(course.took_s(), 2),
        "exit_code": exit_code(
            "hold" if registered.withheld and not status.alias else decision.decision.verdict,
            status.alias,
            run.params.promotion.demo_is_enough,
        ),
    }
    return write_summary(run, document)


def _model(name: str, models: Calibrated, evaluation: Evaluated) -> Document:
    facts = model_facts(models.folder / name)
    scored, calibrated = evaluation.models[name], evaluation.calibration[name]
    emotions = {
        emotion: {
            "auc": round(own.auc.value, 4),
            "balanced_accuracy": round(own.balanced_accuracy.value, 4),
            "f1": round(own.f1.value, 4),
            "ece": round(calibrated.after[emotion].expected_calibration_error, 4),
        }
        for emotion, own in scored.emotions.items()
    }
    return {
        "name": f"{facts['network']} {name}",
        "variant": facts["variant"],
        "precision": name,
        "emotions": emotions,
        "macro_auc": round(scored.macro_auc.value, 4),
        "macro_balanced_accuracy": round(scored.macro_balanced_accuracy.value, 4),
        "accuracy": round(scored.accuracy.value, 4),
        "ece_uncalibrated": round(calibrated.ece_before, 4),
        "ece": round(calibrated.ece_after, 4),
        "train_s": round(float(facts["train_s"]), 2),
    }


def _not_trained(models: Calibrated) -> list[str]:
    return [str(emotion) for emotion, _ in model_facts(models.folder / "one-bit")["untrained"] if emotion != "contempt"]


def _rounded(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {name: round(getattr(interval, name), 4) for name in ("value", "lo", "hi")}


def fairness_sentence(evaluation: Evaluated, cells: Sequence[Cell]) -> str:
    """One line with the worst and the best served group and their people, among groups with enough people for the gate."""
    known = {key: figure for key, figure in evaluation.groups.accuracy.items() if key[1] != "unknown"}
    if len(known) < 2:
        return "fewer than two groups are known, so groups cannot be compared"
    open_ = {
        (cell.attribute, cell.slice)
        for cell in cells
        if cell.kind == "slice" and not cell.emotion and cell.state is State.INSUFFICIENT
    }
    judged = {key: figure for key, figure in known.items() if key not in open_}
    left_out = (
        f"; {counted(len(known) - len(judged), 'group has', 'groups have')} too few people to compare"
        if len(judged) < len(known)
        else ""
    )
    if len(judged) < 2:
        people = sorted(figure.persons for figure in known.values())
        return f"groups of {people[0]} to {counted_people(people[-1])} are too small to compare"
    worst, best = min(judged, key=lambda key: judged[key].value), max(judged, key=lambda key: judged[key].value)
    return f"accuracy by group from {_group_words(worst, judged)} to {_group_words(best, judged)}{left_out}"


def _group_words(group: tuple[str, str], figures: Mapping[tuple[str, str], Interval]) -> str:
    own = figures[group]
    return f"{own.value:.3f} ({group[0]} {group[1]}, {counted_people(own.persons)}, {own.lo:.3f} to {own.hi:.3f})"
