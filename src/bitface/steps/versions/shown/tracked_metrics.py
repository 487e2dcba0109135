"""A run's figures by name, with their intervals, as a tracking store keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from bitface.evaluation.coverage import CalibrationReport
from bitface.evaluation.intervals import Interval
from bitface.metric_names import metric_name, slice_metric, with_interval
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.judging.read_units import UnitsRead
from bitface.steps.judging.redrawn_faces import counterfactual_summary
from bitface.steps.versions.outcome import Outcome


def run_metrics(outcome: Outcome) -> dict[str, float]:
    """Every figure of a run by name: of its one-bit model, groups, explanations, speed and size."""
    findings, bundle, decision = outcome.findings, outcome.model.bundle, outcome.decided.decision
    evaluation, explanation, transferred = findings.evaluation, findings.explanation, findings.transferred
    metrics = model_metrics(evaluation, "one-bit") | _slice_metrics(evaluation)
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


def model_metrics(evaluation: Evaluated, name: str) -> dict[str, float]:
    """The figures of one model of the pair by name."""
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
