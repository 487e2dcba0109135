"""The stages that make a model: each takes the run, earlier results and the job, and returns its own type."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from bitface.dataset.index import read_index
from bitface.steps.judging.read_units import check_weights
from bitface.steps.retrain.calibrate import calibrate_models
from bitface.steps.retrain.export import Exported, export_model
from bitface.steps.retrain.featurise import (
    Featuriser,
    Sight,
    featurise_people,
    fewer_copies,
    originals,
    people_of,
    with_copies_for,
)
from bitface.steps.retrain.plan import Request, Run, check_people, plan_run
from bitface.steps.retrain.run_data import Data, Seen
from bitface.steps.retrain.train import Calibrated, Trained, train_models
from bitface.steps.retrain.validate import Validation, validate_samples
from bitface.steps.retrain.version import DatasetRef, find_dataset
from bitface.steps.studies.comparable import comparable as of_comparable_people
from bitface.steps.versions.policy import adopt_first
from bitface.steps.versions.shown.tracked_run import start_tracking, traced
from bitface.steps.versions.summary import reuse as reuse_summary
from bitface.surroundings import user_name
from bitface.usecases.job import Job
from bitface.usecases.people import check_people_here, confirmed, render_default, writing
from bitface.usecases.tools import Tools


def version(job: Job) -> DatasetRef:
    """Finds, pulls or renders the dataset.

    Raises:
        RefusedError: an erased person has reappeared. InputError: everyone in it was erased.
    """
    tools, warn = job.tools, job.course.warnings.append
    marker = tools.workspace.home / "rendered.json"
    with job.course.timed("dataset"), writing(tools, "bitface retrain", warn) as writer:
        render = partial(render_default, tools, writer)
        found = find_dataset(tools.workspace.data, tools.store, render, tools.profile, marker)
        job.course.warnings.extend(confirmed(tools))
    check_people_here(tools)
    job.course.reused.extend([] if found.origin == "synthesised" else ["dataset"])
    return found


def present(job: Job) -> DatasetRef:
    """The existing dataset; raises InputError if there is none."""
    read_index(job.tools.workspace.data)
    return version(job)


def plan(dataset: DatasetRef, job: Job) -> Run:
    """Admits members and fixes the run."""
    tools = job.tools
    with job.course.timed("plan"):
        unit_weights(tools)
        adopt_first(tools.workspace.params, user_name(), tools.ledger)
        asked = Request(purpose=job.purpose, context=job.context, at=tools.now(), params=tools.params)
        return plan_run(dataset, tools.workspace, asked, tools.profile, tools.keys, tools.ledger)


def comparable(run: Run, job: Job) -> Run:
    """The run with only the people who allow judging."""
    found, warning = of_comparable_people(run, job.tools.ledger)
    job.course.warnings.extend([warning] if warning else [])
    return found


def reuse(run: Run, job: Job) -> dict[str, Any]:
    """The summary of the identical run."""
    found = reuse_summary(run, job.tools.ledger)
    return {**found, "warnings": [*found["warnings"], *job.course.warnings]}


def begin(run: Run, job: Job) -> None:
    """Records on the run's page, and in other catalogues, that it has begun; raises InputError if there are too few people."""
    check_people(run.members, run.params)
    start_tracking(run, job.tools.ports.tracking())
    job.tools.ports.lineage(job.course.warnings.append).started(traced(run), run.started_at)
    job.begun.append(run)


def featurise(run: Run, job: Job) -> Seen:
    """Landmarks, crops and quality of all people of the run."""
    with job.course.timed("features"):
        people = people_of(run.members.samples, run.members.content)
        tools = featuriser(run, job.tools)
        found = Seen(features=featurise_people(people, tools), keys=tools.keys)
    job.course.warnings.extend(fewer_copies(run.params.features, tools.sight.params.features))
    job.course.reused.extend(["features"] if found.reused else [])
    return found


def validate(run: Run, faces: Seen, job: Job) -> Data:
    """The data gate: raises GateError if it fails."""
    found = checked(run, faces, job)
    found.check()
    return Data(seen=faces, validation=found, quality=run.params.quality)


def checked(run: Run, faces: Seen, job: Job) -> Validation:
    """Suites and quality rule, with their findings."""
    with job.course.timed("validate"):
        return validate_samples(run, originals(faces.every_row), job.tools.ports.table_checks())


def train(run: Run, data: Data, job: Job) -> Trained:
    """The one-bit model and its twin."""
    with job.course.timed("train"):
        found = train_models(run, data, job.tools.workspace.stages, job.tools.progress)
    job.course.reused.extend(["models"] if found.reused else [])
    return found


def calibrate(run: Run, trained: Trained, data: Data, job: Job) -> Calibrated:
    """The pair with calibrators, fitted on people who neither train nor judge."""
    with job.course.timed("calibrate"):
        return calibrate_models(run, trained, data, job.tools.workspace.stages)


def export(run: Run, networks: Calibrated, job: Job) -> Exported:
    """The deployed bundle, and both latencies."""
    ports = job.tools.ports
    with job.course.timed("export"):
        write = ports.exporter(run.params.seed)
        return export_model(run, networks, job.tools.workspace.stages, write, ports.load)


def featuriser(run: Run, tools: Tools) -> Featuriser:
    """The tools of the featurise step for people of a run."""
    from bitface.training.image_augmentation import augmented

    make, sha256 = tools.ports.landmarker()
    return Featuriser(
        sight=Sight(
            data=tools.workspace.data,
            params=with_copies_for(run.members.samples, tools.params),
            decode=tools.ports.decode,
            augment=augmented,
            landmarker=make,
        ),
        features=tools.workspace.stages / "features",
        keys=tools.keys,
        asset_sha256=sha256,
        workers=tools.params.features.workers,
        report=tools.progress,
    )


def unit_weights(tools: Tools) -> Path | None:
    """The user's weights of the action-unit encoder, checked if params.yaml enables action units."""
    own = tools.params.action_units
    return check_weights(own.enabled, own.weights, tools.workspace.root)
