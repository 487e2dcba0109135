"""Studies, the benchmark of runtimes, and validation of the dataset: none of them decides anything."""

from __future__ import annotations

from typing import Any

from bitface.dataset.index import has_dataset
from bitface.evaluation.latency import Latency
from bitface.steps.retrain.featurise import featurise_people, originals, people_of, read_features
from bitface.steps.retrain.plan import Run, code_commit
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.validate import Validation
from bitface.steps.studies.bench import BenchTools, bench_networks, chosen_rivals, time_end_to_end
from bitface.steps.studies.bench_report import bench_text, report_bench
from bitface.steps.studies.bench_subjects import Faces, faces_of_people
from bitface.steps.studies.landmark_report import report_landmarks as write_landmark_report
from bitface.steps.studies.study import Study, StudyTools
from bitface.steps.studies.study_landmarks import LandmarkStudy
from bitface.steps.studies.study_landmarks import study_landmarks as study_subsets
from bitface.steps.studies.study_models import report_study as write_study_report
from bitface.steps.studies.study_models import study_models
from bitface.usecases import stages
from bitface.usecases.job import Job


def study(run: Run, data: Data, variants: str | None, job: Job) -> Study:
    """Variants of params.yaml's section study, trained and judged out of fold."""
    return study_models(run, data, variants, _study_tools(run, job))


def study_landmarks(run: Run, data: Data, job: Job) -> LandmarkStudy:
    """Subsets of the landmarks, screened and trained out of fold."""
    return study_subsets(run, data, _study_tools(run, job))


def report_landmarks(run: Run, found: LandmarkStudy, job: Job) -> dict[str, Any]:
    """Tables, pictures and page of a study of landmarks."""
    tools = job.tools
    draw, mesh, report = tools.ports.pictures()
    return write_landmark_report(run, found, draw, mesh, report, tools.ports.tracking(), tools.now())


def report_study(run: Run, found: Study, job: Job) -> dict[str, Any]:
    """Tables, picture and page of a study."""
    tools = job.tools
    draw, _, report = tools.ports.pictures()
    return write_study_report(run, found, draw, report, tools.ports.tracking(), tools.now())


def validate_dataset(job: Job) -> Validation:
    """Admission, suites and quality of the existing dataset, as a retrain would judge it; renders nothing.

    Raises:
        InputError: there is no dataset.
    """
    with job.running():
        run = stages.plan(stages.present(job), job)
        return stages.checked(run, stages.featurise(run, job), job)


def bench(against: str | None, job: Job) -> tuple[dict[str, Any], str]:
    """Times the networks in every available runtime, on the first training people if there is a dataset.

    Returns:
        the benchmark as plain values, and as text for a terminal.

    Raises:
        InputError: an unknown rival, or the packages of the extra `bench` are missing.
    """
    tools, ports, params = job.tools, job.tools.ports, job.tools.params
    rivals, runtimes = chosen_rivals(against), ports.rivals()
    with job.running():
        faces, whole = faces_of_training_people(job) if has_dataset(tools.workspace.data) else (None, {})
        timing = BenchTools(rivals=runtimes, export=ports.exporter(params.seed), load=ports.load, report=tools.progress)
        found = bench_networks(params.training, params.bench, params.seed, rivals, timing, faces, whole)
        document = report_bench(
            found,
            rivals,
            tools.workspace.home / "bench",
            ports.pictures()[0],
            ports.tracking(),
            code_commit(tools.workspace.root),
            tools.now(),
        )
        return document, bench_text(found)


def faces_of_training_people(job: Job) -> tuple[Faces | None, dict[str, Latency]]:
    """Faces of the first training people who allow an evaluation, and the times of the detector on one of their pictures.

    None and no times if there are none, or none with pictures.
    """
    tools, params = job.tools, job.tools.params
    run = stages.comparable(stages.plan(stages.present(job), job), job)
    training_people = [one for one in run.members.samples if one.split == "train" and one.kind != "landmarks"]
    people = people_of(training_people, run.members.content)[: params.bench.calibration_people]
    if not people:
        return None, {}
    featuriser = stages.featuriser(run, tools)
    table = originals(read_features(featurise_people(people, featuriser), tools.keys))
    seed, ports = params.seed, tools.ports
    whole = time_end_to_end(
        people[0][0], featuriser, params.training, params.bench, seed, ports.exporter(seed), ports.load
    )
    return faces_of_people(table, params.bench.calibration_faces), whole


def _study_tools(run: Run, job: Job) -> StudyTools:
    ports = job.tools.ports
    return StudyTools(
        stages=job.tools.workspace.stages,
        report=job.tools.progress,
        export=ports.exporter(run.params.seed),
        load=ports.load,
    )
