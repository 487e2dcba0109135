"""A run, its models and its version as a tracking store and lineage catalogues see them: a view, from which nothing is decided."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitface.documents import Fields
from bitface.ledger.status import ModelStatus
from bitface.metric_names import metric_name
from bitface.ports import TracedRun, TrackedModel, TrackedOutcome, TrackedRun, TrackedVersion, Tracking
from bitface.steps.judging.read_units import UnitsRead
from bitface.steps.retrain.plan import Run, dataset_entry_version
from bitface.steps.retrain.train import PRECISIONS, model_facts
from bitface.steps.versions.outcome import Outcome
from bitface.steps.versions.shown.cell_text import open_states, outcome_words, reason_sentences
from bitface.steps.versions.shown.tracked_metrics import model_metrics, run_metrics, unit_metrics


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The pictures and reports of a run: `figures` are PNG files, `reports` files or folders by name."""

    figures: Sequence[Path]
    reports: Mapping[str, Path]


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
            params=params_by_name({**params, "profile": run.profile, "processor": platform.machine()}),
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


def show_run(
    run: Run,
    recorded: ModelStatus,
    outcome: Outcome,
    shown: Shown,
    headline: Mapping[str, str],
    tracking: Tracking,
) -> None:
    """Fills the run's page: its models, the gate's decision, figures, pictures and reports."""
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
                metrics=model_metrics(findings.evaluation, name) | {"train_s": float(facts["train_s"])},
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
        reasons=reason_sentences(decision.decision.document()["cells"]),
        headline=headline,
        metrics=run_metrics(outcome),
        figures=shown.figures,
        reports=shown.reports,
    )
    tracking.finish(run.run_id, tracked)


def _tracked_units(units: UnitsRead) -> TrackedModel:
    return TrackedModel(
        name="action_units float",
        variant="ResNet-50",
        precision="float",
        metrics=unit_metrics(units) | {"train_s": units.train_s},
        params={"started_from": units.started_from, "weights_sha256": units.weights_sha256, "against": units.against},
        curves=units.epochs,
    )


def headline_of(run: Run, outcome: Outcome, other_limits: str | None) -> dict[str, str]:
    """The key facts of a run in words, in reading order; `other_limits` says why its version does not go live automatically."""
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
        "gate": outcome_words(open_states(decision.decision.document()["cells"])),
        **({"policy": other_limits} if other_limits else {}),
    }


def tracked_version(
    run: Run, released: Path, outcome: Outcome, recorded: ModelStatus, headline: Mapping[str, str]
) -> TrackedVersion:
    """A version as the registry should show it."""
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
        reasons=reason_sentences(decision.decision.document()["cells"]),
        evidence=run.evidence,
        purpose=run.purpose,
        context=run.context,
        dataset_version=dataset_entry_version(run),
        consent_snapshot_sha256=run.members.consent_snapshot_sha256,
        headline=headline,
    )


def params_by_name(params: Fields) -> dict[str, str | int | float]:
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
