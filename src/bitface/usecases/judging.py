"""The stages that judge a model and put it on record."""

from __future__ import annotations

from functools import partial
from typing import Any

from bitface.evaluation.counterfactual import PairedAnswers
from bitface.gate.evidence import DriftEvidence
from bitface.ports import Runtime, TracedModel
from bitface.steps.formats.london_set import london_source
from bitface.steps.judging.dataset_drift import Drifted, measure_drift
from bitface.steps.judging.evaluate import Evaluated, evaluate_models
from bitface.steps.judging.explain_models import Explained, explain_models
from bitface.steps.judging.findings import Findings
from bitface.steps.judging.read_units import UnitSources, UnitsRead, read_action_units
from bitface.steps.judging.redrawn_faces import Redrawing, ask_counterfactuals
from bitface.steps.judging.reference import keep_reference
from bitface.steps.judging.transfer import Entry, Seeing, Transferred, judge_on_real_people, london_folder
from bitface.steps.judging.window import PRODUCTION, drift_from_window, logged_window
from bitface.steps.people.on_record import OnRecord
from bitface.steps.people.reentry import reentry
from bitface.steps.retrain.export import Made
from bitface.steps.retrain.featurise import originals
from bitface.steps.retrain.plan import Run
from bitface.steps.versions.finished_run import summarise
from bitface.steps.versions.gate import Decided, decide_run
from bitface.steps.versions.outcome import Outcome, as_judged
from bitface.steps.versions.pictures import draw_figures, write_reports
from bitface.steps.versions.register import Registries, record_version, register_model
from bitface.steps.versions.rival import find_rival, why_not_judged
from bitface.steps.versions.shown.tracked_run import Shown, traced
from bitface.usecases.answers import prediction_log
from bitface.usecases.job import Job
from bitface.usecases.models import signed_runtime
from bitface.usecases.stages import unit_weights
from bitface.usecases.tools import Tools


def evaluate(run: Run, made: Made, job: Job) -> Evaluated:
    """Figures on people not used for training."""
    with job.course.timed("evaluate"):
        return evaluate_models(run, made.model, made.data, job.tools.ports.load)


def action_units(run: Run, made: Made, evaluation: Evaluated, job: Job) -> UnitsRead | None:
    """Action units by a float network next to the deployed one, if params.yaml enables it."""
    tools = job.tools
    if not run.params.action_units.enabled:
        return None
    with job.course.timed("action units"):
        place = tools.workspace
        sources = UnitSources(shards=place.data, weights=unit_weights(tools), stages=place.stages)
        found = read_action_units(run, made.model, evaluation, made.data, sources, tools.progress)
    job.course.reused.extend(["action units"] if found.reused else [])
    return found


def transfer(run: Run, made: Made, job: Job) -> Transferred | None:
    """The deployed model on real people, if a folder of them is configured and it learned from synthetic ones."""
    tools, warnings = job.tools, job.course.warnings
    folder = london_folder(tools.workspace.root, run.params.transfer.london)
    if folder is None:
        return None
    if run.evidence != "synthetic":
        warnings.append("not judged on the London Set: this run trained on real people, who may be the same people")
        return None
    with job.course.timed("transfer"):
        source, at = london_source(folder, tools.now()), tools.now()
        found = judge_on_real_people(run, made.model.bundle, source, _seeing(tools), at, _entry(tools))
    warnings.extend(found.warnings())
    return found


def explain(run: Run, made: Made, job: Job) -> Explained:
    """Explanations of the deployed model, its twin and the champion of the same evidence, on the same faces."""
    tools = job.tools
    with job.course.timed("explain"):
        return explain_models(run, made.model, made.data, tools.ports.load, _champion(run, tools), tools.progress)


def drift(run: Run, made: Made, job: Job) -> Drifted:
    """Compares training people with held-out people."""
    with job.course.timed("drift"):
        return measure_drift(run, made.data, job.tools.ports.measure_drift())


def window(run: Run, made: Made, job: Job) -> DriftEvidence | None:
    """Compares training people with recently predicted real faces; keeps the reference for later comparisons."""
    tools = job.tools
    with job.course.timed("drift"):
        keep_reference(run, made.model, made.data, tools.ports.load)
        if run.evidence == "synthetic":
            return None
        days = run.params.drift.window_days
        found = logged_window(prediction_log(tools), PRODUCTION, days, None, tools.now())
        return drift_from_window(run, made.data, found, tools.ports.measure_drift())


def counterfactual(run: Run, made: Made, job: Job) -> tuple[PairedAnswers, ...] | None:
    """The deployed model's answers for the same drawn faces in another skin tone, age texture and light."""
    tools = job.tools
    with job.course.timed("counterfactual"):
        return ask_counterfactuals(run, made.model.bundle, _redrawing(tools), tools.ports.load, tools.progress)


def gate(run: Run, made: Made, findings: Findings, job: Job) -> Decided:
    """Promote, hold or block, as a bundle that can be replayed."""
    tools = job.tools
    with job.course.timed("gate"):
        rival, warning = find_rival(
            run,
            findings.evaluation.predictions["one-bit"],
            originals(made.data.seen.every_row),
            tools.ledger,
            tools.workspace.runs,
            tools.keys,
            partial(signed_runtime, tools),
        )
        job.course.warnings.extend([warning] if warning else [])
        return decide_run(run, made.model, findings, rival, tools.ledger, tools.keys, tools.now())


def register(run: Run, outcome: Outcome, job: Job) -> dict[str, Any]:
    """Pictures, reports, ledger, MLflow, summary."""
    tools, course = job.tools, job.course
    with course.timed("register"):
        draw, mesh, report = tools.ports.pictures()
        outcome = as_judged(outcome)
        recorded = record_version(run, outcome, tools.ledger)
        shown = Shown(
            figures=draw_figures(run, recorded, outcome, draw, mesh),
            reports=write_reports(run, recorded, outcome, report),
        )
        registries = Registries(
            ledger=tools.ledger,
            tracking=tools.ports.tracking(),
            sign=tools.ports.signer().sign,
            lease=job.lease[-1] if job.lease else None,
        )
        registered = register_model(run, recorded, outcome, shown, registries)
        made = TracedModel(version=registered.status.version, bundle_sha256=outcome.model.bundle.bundle_sha256)
        tools.ports.lineage(course.warnings.append).completed(traced(run), made, tools.now())
        tools.ledger.sign_end()
    return summarise(run, outcome, registered, course)


def _champion(run: Run, tools: Tools) -> Runtime | None:
    entry = tools.ledger.champion()
    if entry is None or entry.evidence != run.evidence or why_not_judged(entry, tools.ledger) is not None:
        return None
    return signed_runtime(tools)


def _seeing(tools: Tools) -> Seeing:
    look, _ = tools.ports.landmarker()
    return Seeing(landmarker=look, read=tools.ports.read_image, load=tools.ports.load, report=tools.progress)


def _entry(tools: Tools) -> Entry:
    return Entry(
        asked=reentry(tools.keys, tools.workspace.home),
        encode=tools.ports.encode,
        record=OnRecord(tools.workspace.data, tools.keys),
        ledger=tools.ledger,
    )


def _redrawing(tools: Tools) -> Redrawing:
    make, sha256 = tools.ports.landmarker()
    return Redrawing(
        render=tools.ports.redraw,
        encode=tools.ports.encode,
        decode=tools.ports.decode,
        landmarker=make,
        asset_sha256=sha256,
        stages=tools.workspace.stages,
        keys=tools.keys,
        workers=tools.params.features.workers,
    )
