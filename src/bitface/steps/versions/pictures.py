"""Draws and writes what a reviewer opens: figures on the canonical mesh, the gate's report, the model card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bitface.dataset.files import write_atomically
from bitface.evaluation.coverage import CalibrationReport
from bitface.evaluation.curves import confusion, roc_curves
from bitface.evaluation.intervals import Interval
from bitface.explain.region_mass import landmark_values
from bitface.figure_ports import Figures, FindingRow, LatencyRow, Mesh, Overview
from bitface.gate.cells import Cell, State
from bitface.gate.decision import GateDecision
from bitface.gate.kinds import KINDS
from bitface.ledger.status import ModelStatus
from bitface.page_ports import CardFacts, CardMetric, GateReport, Pages
from bitface.steps.judging.dataset_drift import Drifted
from bitface.steps.judging.explain_models import Explained
from bitface.steps.retrain.export import Exported
from bitface.steps.retrain.plan import Run, dataset_entry_version
from bitface.steps.retrain.terms import notes_of
from bitface.steps.retrain.train import PRECISIONS
from bitface.steps.versions.outcome import Outcome
from bitface.steps.versions.shown.cell_text import (
    cell_sentence,
    is_too_few,
    open_states,
    outcome_words,
    reason_sentences,
    worst_first,
)
from bitface.steps.versions.shown.group_rows import WORST_FIRST, coverage_rows, forest_rows, slice_label, unit_rows

_VERDICTS = {
    "promote": "it passes the gate.",
    "hold": "the gate holds it.",
    "block": "the gate blocks it.",
}
_SHOWN = ("happiness", "surprise", "anger")
_FACES_MOST = 3
PROHIBITED = (
    "Workplace and education, except for an approved medical or safety reason (EU AI Act Art. 5(1)(f)): refused by the software.",
    "Any decision about a person without human review: an expression is not a feeling.",
    "People under 18: never admitted.",
)
LIMITS = (
    "It reads posed or rendered expressions of at most seven kinds; everyday expressions are subtler and mixed.",
    "Region values are exact. Maps of the one-bit model add up too, but use a stand-in gradient within regions.",
    "Groups missing from the data were not judged; see the slices with few people.",
)


def draw_figures(run: Run, status: ModelStatus, outcome: Outcome, draw: Figures, mesh: Mesh) -> list[Path]:
    """All figures of a run as PNG files; `draw` is the figures adapter, `mesh` the canonical face."""
    folder = run.folder / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    findings, decision = outcome.findings, outcome.decided
    evaluation, units, explanation = findings.evaluation, findings.units, findings.explanation
    judged, scored = evaluation.predictions["one-bit"], evaluation.models["one-bit"]
    calibrated = evaluation.calibration["one-bit"]
    areas = {emotion: own.auc for emotion, own in scored.emotions.items()}
    curves = {emotion: curve for emotion, curve in roc_curves(judged).items() if emotion in areas}
    rows = forest_rows(evaluation, decision)
    floor = run.params.gate.slice_accuracy_floor
    latencies = latency_rows(outcome.model.bundle)
    drawn = [
        draw.confusion_figure(confusion(judged), judged.emotions, folder / "confusion.png"),
        draw.reliability_figure(calibrated.before, calibrated.after, folder / "reliability.png"),
        draw.coverage_figure(
            coverage_rows(calibrated), calibrated.confidence, calibrated.remark, folder / "coverage.png"
        ),
        draw.roc_figure(curves, areas, folder / "roc.png"),
        draw.slice_figure(rows, floor, "accuracy", folder / "slices.png"),
        draw.latency_figure(latencies, run.params.gate.latency_p50_budget_ms, folder / "latency.png"),
    ]
    if units is not None:
        drawn.append(draw.unit_figure(unit_rows(units), units.against, folder / "action_units.png"))
    for precision in PRECISIONS:
        summary, name = explanation.summaries[precision], precision.replace("-", "_")
        drawn.append(draw.attribution_figure(summary, mesh, folder / f"attribution_{name}.png"))
        drawn.append(draw.landmark_ranking_figure(summary, mesh, folder / f"landmark_ranking_{name}.png"))
    exact = explanation.regions[0]
    emotions, values = exact.shown(explanation.region_labels)
    about = f"Mean over the faces that show it, of {len(exact.values)} stills of held-out people, against the {exact.baseline}."
    spread = landmark_values(values, exact.regions)
    drawn.append(draw.region_figure(spread, emotions, about, mesh, folder / "regions.png"))
    title = f"{status.reference}: {_VERDICTS[decision.decision.verdict]} Evidence: {run.evidence}."
    summary = explanation.summaries["float"]
    overview = Overview(
        title=title,
        outcome=outcome_words(open_states(decision.decision.document()["cells"])),
        findings=finding_rows(decision.decision),
        groups=rows,
        metric="accuracy",
        floor=floor,
        latency=latencies,
        summary=summary,
        shown=faces_shown(judged.emotions),
    )
    return [*drawn, draw.overview_figure(overview, mesh, folder / "overview.png")]


def faces_shown(emotions: Sequence[str]) -> list[str]:
    """The emotions that an overview has faces of: all of them, or the three that are read most plainly, filled up by others."""
    plain = sorted(emotions, key=lambda emotion: emotion not in _SHOWN)[:_FACES_MOST]
    return [emotion for emotion in emotions if emotion in plain]


def finding_rows(decision: GateDecision) -> list[FindingRow]:
    """The reasons for the decision: every required cell that does not pass, worst first, in the order of `bitface gate show`."""
    worst = sorted(
        (cell for cell in decision.cells if cell.required and cell.state is not State.PASS),
        key=lambda cell: (WORST_FIRST.index(cell.state), cell.name),
    )
    return [
        FindingRow(name=cell.name, words=cell_words(cell), figure=_figure_words(cell), state=cell.state.value)
        for cell in worst
    ]


def cell_words(cell: Cell) -> str:
    """A cell's question as text: `disparity/skin_tone:monk_8_10` is gap to all others, skin tone monk 8-10."""
    kind = "share of people with unknown value" if cell.metric == "unknown_share" else KINDS[cell.kind].caption
    about = [cell.emotion, f"{cell.attribute.replace('_', ' ')} {slice_label(cell.slice)}".strip()]
    if any(about):
        return ", ".join([kind, *filter(None, about)])
    return f"{kind}, {slice_label(cell.name.partition('/')[2])}"


def _figure_words(cell: Cell) -> str:
    if cell.value is None:
        return "not judged" if cell.state is State.NOT_RUN else "too few people"
    if is_too_few(cell.document()):
        return f"too few people: {cell.persons}"
    interval = "" if cell.lo is None or cell.hi is None else f" ({cell.lo:.3f} to {cell.hi:.3f})"
    return f"{cell.value:.3f}{interval}" + ("" if cell.limit is None else f", {cell.bound} {cell.limit:.3f}")


def latency_rows(bundle: Exported) -> list[LatencyRow]:
    """The deployed model and its twin, with their size in bytes."""
    sizes = {"one-bit": bundle.one_bit_bytes, "float": bundle.float_bytes}
    words = {"one-bit": "one-bit (OpenVINO)", "float": "float twin (torch)"}
    return [
        LatencyRow(
            name=words[name],
            p50_ms=found.p50_ms,
            p95_ms=found.p95_ms,
            size_bytes=sizes[name],
            is_ours=name == "one-bit",
        )
        for name, found in bundle.latency().items()
    ]


def write_reports(run: Run, status: ModelStatus, outcome: Outcome, pages: Pages) -> dict[str, Path]:
    """Gate report and model card, each under the status line as judged, along with the other stages' reports; name -> file or
    folder. `pages` is the adapter.
    """
    folder, decision, drifted = run.folder / "reports", outcome.decided, outcome.findings.drifted
    facts = _facts(run, outcome)
    cells = [_with_slice(cell.document()) for cell in decision.decision.cells]
    gate = GateReport(
        status=status.line_as_judged,
        title=f"Gate of run {run.run_id}",
        decision=decision.decision.verdict,
        reasons=reason_sentences(decision.decision.document()["cells"]),
        outcome=outcome_words(open_states(decision.decision.document()["cells"])),
        evidence=run.evidence,
        facts=facts,
        cells=cells,
    )
    card = _card(run, status, outcome, facts)
    html, markdown = pages.write_model_card(card, folder / "model_card.html", folder / "model_card.md")
    return {
        "gate.html": pages.write_gate_report(gate, folder / "gate.html"),
        "gate.zip": decision.path,
        "model_card.html": html,
        "model_card.md": markdown,
        "drift.html": drifted.report,
        "drift.json": _drift_document(drifted),
        "explain.json": folder / "explain.json",
        "data_docs": outcome.data.validation.docs_index.parent,
    }


def _drift_document(drifted: Drifted) -> Path:
    """What drifted, overall and in each slice, next to the page that shows how."""
    path = drifted.report.with_name("drift.json")
    write_atomically(path, (json.dumps(drifted.document(), indent=1) + "\n").encode())
    return path


def _facts(run: Run, outcome: Outcome) -> dict[str, str]:
    validation, decision = outcome.data.validation, outcome.decided
    judged = outcome.findings.evaluation.predictions["one-bit"].persons
    return {
        "run": run.run_id,
        "dataset": dataset_entry_version(run),
        "people": str(len(run.members.admissions)),
        "samples": f"{validation.admitted} admitted, {len(validation.quarantined)} quarantined",
        "judged on": outcome.findings.evaluation.judged_on,
        "purpose and context": f"{run.purpose}, {run.context}",
        "notes": "; ".join(notes_of(run, set(map(str, judged)))) or "none",
        "code": run.code_commit,
        "gate": _gate_words(decision.decision),
        "gate bundle": decision.sha256,
    }


def _gate_words(decision: GateDecision) -> str:
    """The verdict, how many required cells do not pass, and their names."""
    cells = [cell for cell in worst_first(decision.document()["cells"]) if cell["required"]]
    open_ = [f"{cell['name']} {cell['state']}" for cell in cells if cell["state"] != State.PASS.value]
    return "; ".join(
        [f"{decision.verdict}: {outcome_words(open_states(cells))}", *([", ".join(open_)] if open_ else [])]
    )


def _with_slice(cell: Mapping[str, object]) -> dict[str, object]:
    named = f"{cell['attribute']}: {cell['slice']}" if cell["slice"] else ""
    return {**cell, "slice": named, "reason": cell_sentence(cell)}


def _card(
    run: Run,
    status: ModelStatus,
    outcome: Outcome,
    facts: Mapping[str, str],
) -> CardFacts:
    from bitface.training.architectures import ARCHITECTURES  # it imports torch, which showing a decision does not need

    bundle, evaluation, explanation = outcome.model.bundle, outcome.findings.evaluation, outcome.findings.explanation
    scored = evaluation.models["one-bit"]

    def metric(group: str, name: str, metric_: str, figure: Interval) -> CardMetric:
        return CardMetric(
            group=group,
            name=name,
            metric=metric_,
            value=figure.value,
            lo=figure.lo,
            hi=figure.hi,
            n=figure.n,
            persons=figure.persons,
        )

    metrics = [
        metric("emotions", emotion, "balanced accuracy", own.balanced_accuracy)
        for emotion, own in scored.emotions.items()
    ]
    calibrated = evaluation.calibration["one-bit"]
    metrics += [metric("emotions", emotion, "set holds it", held) for emotion, held in calibrated.coverage.items()]
    metrics += [
        metric("macro", "mean of emotions", "AUC", scored.macro_auc),
        metric("macro", "mean of emotions", "balanced accuracy", scored.macro_balanced_accuracy),
        metric("macro", "top emotion", "accuracy", scored.accuracy),
    ]
    slices = [
        metric(attribute, value, "accuracy", figure)
        for (attribute, value), figure in evaluation.groups.accuracy.items()
    ]
    slices += [metric(*group, "set holds label", figure) for group, figure in calibrated.groups.items()]
    return CardFacts(
        status=status.line_as_judged,
        name=f"bitface {run.params.training.architecture}, one-bit",
        version=run.run_id,
        digest=bundle.bundle_sha256,
        evidence=run.evidence,
        summary=ARCHITECTURES[run.params.training.architecture].caption,
        intended_use=(
            f"Predictions {status.uses}, as far as the consent of each person in a picture allows it.",
            f"Trained and judged in context {run.context}.",
        ),
        prohibited_contexts=PROHIBITED,
        data=facts,
        training={
            "networks": "a one-bit model and its float twin (teacher)",
            "epochs": ", ".join(f"{run.params.training.epochs_of(one)} {one}" for one in PRECISIONS),
            "seed": str(run.params.seed),
            "bytes": f"{bundle.one_bit_bytes} one-bit, {bundle.float_bytes} float",
        },
        metrics=metrics,
        slices=slices,
        probabilities=_probability_sentences(calibrated),
        explanation=(explanation.sentence(), _regions_sentence(explanation)),
        limits=LIMITS,
    )


def _probability_sentences(calibrated: CalibrationReport) -> tuple[str, ...]:
    errors = ", ".join(
        f"{emotion} {curve.expected_calibration_error:.3f} to {calibrated.after[emotion].expected_calibration_error:.3f}"
        for emotion, curve in calibrated.before.items()
    )
    promised = (
        "Its sets have no target coverage."
        if calibrated.confidence is None
        else f"Sets have a target coverage of {calibrated.confidence:.0%} per emotion, for people like the calibration "
        "people. Single groups and other people are not covered by it."
    )
    sentences = [
        f"The model is {calibrated.remark}.",
        f"{calibrated.sentence()}.",
        f"ECE before and after: {errors}.",
        promised,
    ]
    if calibrated.answered is not None:
        sentences.append(f"Where it answers, the set contains the true emotion in {calibrated.answered.value:.0%}.")
    sentences.append(
        "Where emotions are more or less frequent than among the calibration people, probabilities are too low or too high."
    )
    return tuple(sentences)


def _regions_sentence(explanation: Explained) -> str:
    summary = explanation.summaries["float"]
    pairs = [
        f"{emotion} {mass / area:.1f}"
        for emotion, mass, area in zip(summary.emotions, summary.expected_mass, summary.expected_area, strict=True)
        if mass is not None and area and np.isfinite(mass)
    ]
    return f"Mass on the regions of an emotion's action units over their share of landmarks: {', '.join(pairs)}."
