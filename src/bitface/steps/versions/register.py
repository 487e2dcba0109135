"""Puts a decision into effect: first the ledger, in transactions; then MLflow, as a view that can be rebuilt; then the summary."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitface.dataset.files import sha256_of_tree
from bitface.documents import Document, Fields
from bitface.evaluation.coverage import CalibrationReport
from bitface.evaluation.intervals import Interval
from bitface.gate.cells import Cell, State
from bitface.ledger.entries import AssetEntry, DecisionEntry, ModelEntry
from bitface.ledger.leases import Lease
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.policy_document import policy_of
from bitface.ledger.status import ModelStatus
from bitface.metric_names import metric_name, slice_metric, with_interval
from bitface.ports import TracedRun, TrackedModel, TrackedOutcome, TrackedRun, TrackedVersion, Tracking
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.judging.read_units import UnitsRead
from bitface.steps.judging.redrawn_faces import counterfactual_summary
from bitface.steps.retrain.course import Course
from bitface.steps.retrain.export import Exported
from bitface.steps.retrain.plan import Run, dataset_entry_version
from bitface.steps.retrain.terms import notes_of
from bitface.steps.retrain.train import PRECISIONS, Calibrated, model_facts
from bitface.steps.versions.guidance import causes_of, next_steps
from bitface.steps.versions.model_choice import command_for
from bitface.steps.versions.outcome import Outcome
from bitface.steps.versions.promote import go_live, rule_of, stand_in
from bitface.steps.versions.reconcile import keep_shown, project_aliases
from bitface.steps.versions.release import CARD, release_bundle
from bitface.steps.versions.summary import exit_code, first_part, write_summary


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The ledger's current record of a version, and why it is not champion although it passed its gate."""

    status: ModelStatus
    withheld: str | None


def start_tracking(run: Run, tracking: Tracking) -> None:
    """Opens the run's page, so that a run that fails later is visible."""
    params = run.params.model_dump(mode="json")
    tracking.start(
        TrackedRun(
            run_id=run.run_id,
            started_at=run.started_at,
            purpose=run.purpose,
            context=run.context,
            evidence=run.evidence,
            dataset_version=dataset_entry_version(run),
            dataset_content=run.dataset.version,
            manifest_sha256=run.dataset.manifest_sha256,
            consent_snapshot_sha256=run.members.consent_snapshot_sha256,
            code_commit=run.code_commit,
            params_sha256=run.params.digest(),
            people=len(run.members.admissions),
            samples=len(run.members.samples),
            params=_named({**params, "profile": run.profile, "processor": platform.machine()}),
        )
    )


def traced(run: Run) -> TracedRun:
    """A run as lineage catalogues see it."""
    return TracedRun(
        run_id=run.run_id,
        dataset_version=dataset_entry_version(run),
        consent_snapshot_sha256=run.members.consent_snapshot_sha256,
        purpose=run.purpose,
        context=run.context,
        evidence=run.evidence,
        people=len(run.members.admissions),
    )


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The pictures and reports of a run: `figures` are PNG files, `reports` files or folders by name."""

    figures: Sequence[Path]
    reports: Mapping[str, Path]


@dataclass(frozen=True, kw_only=True)
class Registries:
    """Where a version is recorded and shown. `lease`: this process's right to promote, None if it needs none."""

    ledger: Ledger
    tracking: Tracking
    sign: Callable[[Path], None]
    lease: Lease | None


def record_version(run: Run, outcome: Outcome, ledger: Ledger) -> ModelStatus:
    """Records the model and the gate's decision on it; returns its status then, before anything goes live."""
    bundle, decision = outcome.model.bundle, outcome.decided
    entry = ledger.record_model(
        ModelEntry(
            bundle_sha256=bundle.bundle_sha256,
            weights_sha256=bundle.weights_sha256,
            run_id=run.run_id,
            evidence=run.evidence,
            purpose=run.purpose,
        )
    )
    ledger.record_decision(
        DecisionEntry(
            decision_sha256=decision.sha256,
            bundle_sha256=bundle.bundle_sha256,
            run_id=run.run_id,
            decision=decision.decision.verdict,
            reasons=decision.decision.reasons,
        )
    )
    ledger.record_judged_by(decision.sha256, policy_of(run.params))
    return ledger.status(entry)


def _other_limits(run: Run, ledger: Ledger) -> str | None:
    """Why this run's version does not go live automatically: it was judged by limits that differ from the policy in force."""
    policy = ledger.policy()
    other = policy.differences(run.profile, policy_of(run.params)) if policy else ()
    if not other:
        return None
    return (
        f"judged by limits that differ from the policy in force: {'; '.join(other)}. Retrain under that policy, or adopt these limits: "
        "bitface policy adopt"
    )


def register_model(
    run: Run,
    recorded: ModelStatus,
    outcome: Outcome,
    shown: Shown,
    registries: Registries,
) -> Registered:
    """Signs the released bundle, promotes the recorded version if the decision allows it, and shows everything.

    Raises:
        RefusedError: a person's consent ended between the start of the run and now; nothing is promoted.
        StalePromotionError: another champion was promoted meanwhile.
    """
    version, decision = recorded.version, outcome.decided
    ledger, tracking, lease = registries.ledger, registries.tracking, registries.lease
    ledger.record_assets(_assets(run, outcome.model.bundle, shown))
    withheld = _other_limits(run, ledger)
    headline = _headline(run, outcome, withheld)
    released = release_bundle(run, outcome, shown.reports[CARD], version, registries.sign)
    tracked = _version(run, released, outcome, recorded, headline)
    keep_shown(run.folder, tracked)
    _show(run, recorded, outcome, shown, headline, tracking)
    tracking.register(tracked)
    if decision.decision.verdict == "promote" and run.purpose == "train" and withheld is None:
        rule = rule_of(run.params.promotion)
        withheld = go_live(version, decision.compared_with, run.evidence, decision.sha256, rule, ledger, lease)
    if decision.decision.verdict == "hold" and (run.purpose, run.evidence) == ("train", "synthetic"):
        stand_in(version, decision.sha256, ledger, lease)
    project_aliases(ledger, tracking)
    entry = ledger.model(version)
    return Registered(status=recorded if entry is None else ledger.status(entry), withheld=withheld)


def _assets(run: Run, bundle: Exported, shown: Shown) -> list[AssetEntry]:
    """The files that an auditor must be able to find: the bundle, pictures and reports, as shown in MLflow."""
    home = run.folder.parent.parent
    found = {"bundle": [bundle.folder], "figure": list(shown.figures), "report": list(shown.reports.values())}
    return [
        AssetEntry(run_id=run.run_id, path=path.relative_to(home).as_posix(), kind=kind, sha256=sha256_of_tree(path))
        for kind, paths in found.items()
        for path in paths
    ]


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


def _headline(run: Run, outcome: Outcome, other_limits: str | None) -> dict[str, str]:
    evaluation, bundle, decision = outcome.findings.evaluation, outcome.model.bundle, outcome.decided
    one_bit, twin = (evaluation.models[name] for name in PRECISIONS)
    calibrated = evaluation.calibration["one-bit"]
    macro, other = one_bit.macro_balanced_accuracy, twin.macro_balanced_accuracy
    return {
        "evidence": f"{run.evidence}, judged on {evaluation.judged_on}",
        "macro AUC": f"{one_bit.macro_auc.value:.3f} one-bit, {twin.macro_auc.value:.3f} float twin",
        "balanced accuracy": f"{macro.value:.3f} ({macro.lo:.3f} to {macro.hi:.3f}) one-bit, {other.value:.3f} float twin",
        "probabilities": calibrated.sentence(),
        "latency": ", ".join(f"{found.p50_ms:.3f} ms {name}" for name, found in bundle.latency().items()),
        "gate": ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in decision.decision.counts().items()),
        **({"policy": other_limits} if other_limits else {}),
    }


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
    left_out = f"; {len(known) - len(judged)} groups have too few people to compare" if len(judged) < len(known) else ""
    if len(judged) < 2:
        people = sorted(figure.persons for figure in known.values())
        return f"groups of {people[0]} to {people[-1]} people are too small to compare"
    worst, best = min(judged, key=lambda key: judged[key].value), max(judged, key=lambda key: judged[key].value)
    return f"accuracy by group from {_group_words(worst, judged)} to {_group_words(best, judged)}{left_out}"


def _group_words(group: tuple[str, str], figures: Mapping[tuple[str, str], Interval]) -> str:
    own = figures[group]
    return f"{own.value:.3f} ({group[0]} {group[1]}, {own.persons} people, {own.lo:.3f} to {own.hi:.3f})"


def _show(
    run: Run,
    recorded: ModelStatus,
    outcome: Outcome,
    shown: Shown,
    headline: Mapping[str, str],
    tracking: Tracking,
) -> None:
    models, findings, decision = outcome.model.networks, outcome.findings, outcome.decided
    start_tracking(run, tracking)
    for name in PRECISIONS:
        facts = model_facts(models.folder / name)
        tracking.log_model(
            run.run_id,
            TrackedModel(
                name=f"{facts['network']} {name}",
                variant=str(facts["variant"]),
                precision=name,
                metrics=_metrics(findings.evaluation, name) | {"train_s": float(facts["train_s"])},
                params={"best_epoch": int(facts["best_epoch"])},
                curves={
                    "loss": [record["loss"] for record in facts["history"]],
                    "validation_auc": [record["validation_auc"] for record in facts["history"]],
                },
            ),
        )
    if findings.units is not None:
        tracking.log_model(run.run_id, _tracked_units(findings.units))
    tracked = TrackedOutcome(
        decision=decision.decision.verdict,
        status=recorded.line_as_judged,
        reasons=decision.decision.reasons,
        headline=headline,
        metrics=_run_metrics(outcome),
        figures=shown.figures,
        reports=shown.reports,
    )
    tracking.finish(run.run_id, tracked)


def _run_metrics(outcome: Outcome) -> dict[str, float]:
    findings, bundle, decision = outcome.findings, outcome.model.bundle, outcome.decided.decision
    evaluation, explanation, transferred = findings.evaluation, findings.explanation, findings.transferred
    metrics = _metrics(evaluation, "one-bit") | _slice_metrics(evaluation)
    for name, cell in (counterfactual_summary(decision.cells) or {"cells": {}})["cells"].items():
        metrics |= with_interval(metric_name("counterfactual", *name.split("/")), cell["value"], cell["lo"], cell["hi"])
    metrics |= {metric_name("explain", name): value for name, value in explanation.figures().items()}
    for name, found in bundle.latency().items():
        metrics |= {
            metric_name("latency", name, "p50_ms"): found.p50_ms,
            metric_name("latency", name, "p95_ms"): found.p95_ms,
        }
    if evaluation.membership is not None:
        metrics |= _with_intervals({metric_name("privacy", "membership_auc"): evaluation.membership})
    metrics |= {"size/one_bit_bytes": float(bundle.one_bit_bytes), "size/float_bytes": float(bundle.float_bytes)}
    if transferred is not None:
        metrics |= _with_intervals(
            {
                metric_name("transfer", transferred.source, emotion, metric): getattr(own, metric)
                for emotion, own in transferred.scores.emotions.items()
                for metric in ("auc", "balanced_accuracy")
            }
        )
    return metrics | (unit_metrics(findings.units) if findings.units else {})


def _metrics(evaluation: Evaluated, name: str) -> dict[str, float]:
    scored = evaluation.models[name]
    figures = {
        metric_name(emotion, metric): getattr(own, metric)
        for emotion, own in scored.emotions.items()
        for metric in ("auc", "balanced_accuracy", "f1")
    }
    figures |= {
        metric_name("macro", "auc"): scored.macro_auc,
        metric_name("macro", "balanced_accuracy"): scored.macro_balanced_accuracy,
        metric_name("macro", "f1"): scored.macro_f1,
        metric_name("macro", "accuracy"): scored.accuracy,
    }
    return _with_intervals(figures) | _calibration_metrics(evaluation.calibration[name])


def _calibration_metrics(calibrated: CalibrationReport) -> dict[str, float]:
    errors = {
        metric_name(emotion, metric): curve.expected_calibration_error
        for metric, curves in (("ece_uncalibrated", calibrated.before), ("ece", calibrated.after))
        for emotion, curve in curves.items()
    }
    errors |= {
        metric_name("macro", "ece_uncalibrated"): calibrated.ece_before,
        metric_name("macro", "ece"): calibrated.ece_after,
    }
    figures = {metric_name(emotion, "coverage"): figure for emotion, figure in calibrated.coverage.items()}
    figures |= {
        metric_name("conformal", "coverage"): calibrated.overall,
        metric_name("conformal", "mean_set_size"): calibrated.set_size,
        metric_name("conformal", "abstained"): calibrated.abstained,
    }
    if calibrated.answered is not None:
        figures[metric_name("conformal", "coverage_where_answered")] = calibrated.answered
    return errors | _with_intervals(figures)


def _tracked_units(units: UnitsRead) -> TrackedModel:
    return TrackedModel(
        name="action_units float",
        variant="ResNet-50",
        precision="float",
        metrics=unit_metrics(units) | {"train_s": units.train_s},
        params={"started_from": units.started_from, "weights_sha256": units.weights_sha256, "against": units.against},
        curves=units.epochs,
    )


def unit_metrics(units: UnitsRead) -> dict[str, float]:
    """Figures of action units by name; those against a proxy have a separate name: it is not ground truth."""
    root = "action_units" if units.is_true else "action_units_proxy"
    figures = {
        metric_name(root, f"AU{unit}", metric): getattr(own, metric)
        for unit, own in units.report.units.items()
        for metric in ("correlation", "f1")
    }
    figures |= {
        metric_name(root, "mean", "correlation"): units.report.mean_correlation,
        metric_name(root, "mean", "f1"): units.report.mean_f1,
        metric_name("action_units", "emotions", "macro_auc"): units.emotions.macro_auc,
        metric_name("action_units", "emotions", "macro_balanced_accuracy"): units.emotions.macro_balanced_accuracy,
    }
    for precision, gain in units.gains.items():
        figures |= {
            metric_name("action_units", "fusion", precision, "auc_gain"): gain.auc_gain,
            metric_name("action_units", "fusion", precision, "balanced_accuracy_gain"): gain.balanced_accuracy_gain,
        }
    shares = {metric_name("action_units", "fusion", name, "share"): gain.share for name, gain in units.gains.items()}
    return shares | _with_intervals(figures)


def _slice_metrics(evaluation: Evaluated) -> dict[str, float]:
    figures = {
        slice_metric(attribute, value, "accuracy"): figure
        for (attribute, value), figure in evaluation.groups.accuracy.items()
    }
    figures |= {
        slice_metric(attribute, value, "coverage"): figure
        for (attribute, value), figure in evaluation.calibration["one-bit"].groups.items()
    }
    for row in evaluation.groups.slices:
        if row.balanced_accuracy is not None:
            figures[slice_metric(row.attribute, row.value, f"{row.emotion}_balanced_accuracy")] = row.balanced_accuracy
    return _with_intervals(figures)


def _with_intervals(figures: Mapping[str, Interval]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for name, figure in figures.items():
        metrics |= with_interval(name, figure.value, figure.lo, figure.hi)
    return metrics


def _version(
    run: Run, released: Path, outcome: Outcome, recorded: ModelStatus, headline: Mapping[str, str]
) -> TrackedVersion:
    bundle, decision = outcome.model.bundle, outcome.decided
    return TrackedVersion(
        name=recorded.name,
        version=recorded.version,
        status=recorded.line_as_judged,
        run_id=run.run_id,
        bundle=released,
        bundle_sha256=bundle.bundle_sha256,
        weights_sha256=bundle.weights_sha256,
        decision=decision.decision.verdict,
        decision_sha256=decision.sha256,
        reasons=decision.decision.reasons,
        evidence=run.evidence,
        purpose=run.purpose,
        context=run.context,
        dataset_version=dataset_entry_version(run),
        consent_snapshot_sha256=run.members.consent_snapshot_sha256,
        headline=headline,
    )


def _named(params: Fields) -> dict[str, str | int | float]:
    """Values by dotted name, without characters that a tracking store may refuse: users name the variants of a study."""
    return {metric_name(name): value for name, value in _flat("", params)}


def _flat(prefix: str, value: object) -> list[tuple[str, str | int | float]]:
    if isinstance(value, Mapping):
        return [
            item for key, inner in value.items() for item in _flat(f"{prefix}.{key}" if prefix else str(key), inner)
        ]
    if isinstance(value, (list, tuple)):
        return [(prefix, ", ".join(map(str, value)))]
    return [(prefix, value if isinstance(value, (int, float, str)) else str(value))]
