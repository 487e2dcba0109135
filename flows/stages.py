"""The stages of the main job with their tools bound: what `retrain` puts in order, and the command line runs one of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bitface.dataset.index import has_dataset, read_index
from bitface.evaluation.counterfactual import PairedAnswers
from bitface.evaluation.latency import Latency
from bitface.faces.records import Sample
from bitface.flows import wiring
from bitface.gate.evidence import DriftEvidence
from bitface.ledger.leases import Lease
from bitface.ports import Runtime, TracedModel
from bitface.steps.formats.london_set import london_source
from bitface.steps.judging.dataset_drift import Drifted, measure_drift
from bitface.steps.judging.evaluate import Evaluated, evaluate_models
from bitface.steps.judging.explain_models import Explained, explain_models
from bitface.steps.judging.read_units import UnitSources, UnitsRead, check_weights, read_action_units
from bitface.steps.judging.redrawn_faces import ask_counterfactuals
from bitface.steps.judging.reference import keep_reference
from bitface.steps.judging.transfer import Entry, Seeing, Transferred, judge_on_real_people, london_folder
from bitface.steps.judging.window import PRODUCTION, drift_from_window, logged_window
from bitface.steps.people.lease import holding
from bitface.steps.people.naming_nobody import naming_nobody
from bitface.steps.people.on_record import OnRecord
from bitface.steps.people.reentry import reentry
from bitface.steps.retrain.artefacts import Data, Findings, Model, Outcome, Seen
from bitface.steps.retrain.calibrate import calibrate_models
from bitface.steps.retrain.course import Course
from bitface.steps.retrain.export import Exported, export_model
from bitface.steps.retrain.featurise import (
    FeatureRef,
    featurise_people,
    groups_of_people,
    originals,
    read_features,
)
from bitface.steps.retrain.plan import Request, Run, check_people, code_commit, plan_run
from bitface.steps.retrain.train import Calibrated, Trained, train_models
from bitface.steps.retrain.validate import Validation, validate_samples
from bitface.steps.retrain.version import DatasetRef, find_dataset
from bitface.steps.studies.bench import BenchTools, bench_networks, chosen_rivals, time_end_to_end
from bitface.steps.studies.bench_report import bench_text, report_bench
from bitface.steps.studies.bench_subjects import Faces, faces_of_people
from bitface.steps.studies.comparable import comparable
from bitface.steps.studies.landmark_report import report_landmarks
from bitface.steps.studies.study import Study, StudyTools
from bitface.steps.studies.study_landmarks import LandmarkStudy, study_landmarks
from bitface.steps.studies.study_models import report_study, study_models
from bitface.steps.versions.gate import Decided, as_judged, decide_run
from bitface.steps.versions.pictures import draw_figures, write_reports
from bitface.steps.versions.policy import adopt_first
from bitface.steps.versions.register import (
    Registries,
    Shown,
    record_version,
    register_model,
    start_tracking,
    summarise,
    traced,
)
from bitface.steps.versions.rival import find_rival, why_not_judged
from bitface.steps.versions.summary import reuse
from bitface.surroundings import user_name


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Each method is one stage; `course` says afterwards how it went."""

    tools: wiring.Tools
    purpose: str
    context: str
    course: Course = field(default_factory=Course)
    lease: list[Lease] = field(default_factory=list)
    begun: list[Run] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Opens progress and the ledger for a run, and closes both."""
        with self.tools.progress, self.tools.ledger:
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """The same for what no second process may do meanwhile; cleans up after one that was killed, and puts the registry right.

        Raises:
            LeaseHeldError: another process does it.
        """
        lasts = timedelta(seconds=self.tools.params.schedule.lease_s)
        with self.tools.progress, self.tools.ledger, holding(self.tools.ledger, "retrain", lasts) as lease:
            self.lease.append(lease)
            self.course.warnings.extend([*wiring.ended(self.tools), *wiring.reconciled(self.tools)])
            try:
                with naming_nobody():
                    yield
            except BaseException as error:
                wiring.failed(self.tools, self.begun, error, self.course.warnings.append)
                raise

    def version(self) -> DatasetRef:
        """Finds, pulls or renders the dataset.

        Raises:
            RefusedError: somebody who was erased is here again. InputError: everybody in it was erased.
        """
        tools = self.tools
        marker = tools.workspace.home / "rendered.json"
        with (
            self.course.timed("dataset"),
            wiring.writing(tools, "bitface retrain", self.course.warnings.append) as writer,
        ):
            found = find_dataset(
                tools.workspace.data, tools.store, partial(wiring.synthesise, tools, writer), tools.profile, marker
            )
            self.course.warnings.extend(wiring.confirmed(tools))
        wiring.check_people_here(tools)
        self.course.reused.extend([] if found.origin == "synthesised" else ["dataset"])
        return found

    def present(self) -> DatasetRef:
        """The dataset that is there; raises InputError where there is none."""
        read_index(self.tools.workspace.data)
        return self.version()

    def plan(self, dataset: DatasetRef) -> Run:
        """Admits members and fixes the run."""
        tools = self.tools
        with self.course.timed("plan"):
            self._unit_weights()
            adopt_first(tools.workspace.params, user_name(), tools.ledger)
            return plan_run(
                dataset,
                tools.workspace,
                Request(purpose=self.purpose, context=self.context, at=tools.now(), params=tools.params),
                tools.profile,
                tools.keys,
                tools.ledger,
            )

    def comparable(self, run: Run) -> Run:
        """The run with those people alone who allow it to be judged."""
        found, told = comparable(run, self.tools.ledger)
        self.course.warnings.extend([told] if told else [])
        return found

    def reuse(self, run: Run) -> dict[str, Any]:
        """The summary of the identical run."""
        found = reuse(run, self.tools.ledger)
        return {**found, "warnings": [*found["warnings"], *self.course.warnings]}

    def groups(self, run: Run) -> list[tuple[tuple[Sample, ...], ...]]:
        """Groups of people, where they are enough; says on the run's page, and to other catalogues, that it has begun."""
        check_people(run.members, run.params)
        start_tracking(run, wiring.tracking(self.tools.workspace))
        wiring.lineage(self.tools, self.course.warnings.append).started(traced(run), run.started_at)
        self.begun.append(run)
        return self.people(run)

    def featurise(self, _run: Run, people: Sequence[Sequence[Sample]]) -> tuple[FeatureRef, ...]:
        """Landmarks, crops and quality of a group of people."""
        with self.course.timed("features"):
            return featurise_people(people, wiring.featuriser(self.tools))

    def seen(self, groups: Sequence[Sequence[FeatureRef]]) -> Seen:
        """The features of all people of the run."""
        found = Seen(features=[one for group in groups for one in group], keys=self.tools.keys)
        self.course.reused.extend(["features"] if found.reused else [])
        return found

    def validate(self, run: Run, seen: Seen) -> Data:
        """The data gate: rises where it does not hold."""
        found = self.checked(run, seen)
        found.check()
        return Data(seen=seen, validation=found, quality=run.params.quality)

    def checked(self, run: Run, seen: Seen) -> Validation:
        """Suites and quality rule, and what they found."""
        with self.course.timed("validate"):
            return validate_samples(run, originals(seen.every_row), wiring.table_checks())

    def train(self, run: Run, data: Data) -> Trained:
        """The one-bit model and its twin."""
        with self.course.timed("train"):
            found = train_models(run, data, self.tools.workspace.stages, self.tools.progress)
        self.course.reused.extend(["models"] if found.reused else [])
        return found

    def calibrate(self, run: Run, trained: Trained, data: Data) -> Calibrated:
        """The pair with calibrators, by people who neither train nor judge."""
        with self.course.timed("calibrate"):
            return calibrate_models(run, trained, data, self.tools.workspace.stages)

    def export(self, run: Run, networks: Calibrated) -> Exported:
        """The deployed bundle, and both latencies."""
        with self.course.timed("export"):
            export = wiring.export_bundle(run.params.seed)
            return export_model(run, networks, self.tools.workspace.stages, export, wiring.load_runtime)

    def evaluate(self, run: Run, model: Model, data: Data) -> Evaluated:
        """Figures on people who trained nothing."""
        with self.course.timed("evaluate"):
            return evaluate_models(run, model, data, wiring.load_runtime)

    def action_units(self, run: Run, model: Model, evaluation: Evaluated, data: Data) -> UnitsRead | None:
        """Action units by a float network beside the deployed one, where params.yaml asks for it."""
        place = self.tools.workspace
        if not run.params.action_units.enabled:
            return None
        with self.course.timed("action units"):
            sources = UnitSources(shards=place.data, weights=self._unit_weights(), stages=place.stages)
            found = read_action_units(run, model, evaluation, data, sources, self.tools.progress)
        self.course.reused.extend(["action units"] if found.reused else [])
        return found

    def transfer(self, run: Run, model: Model) -> Transferred | None:
        """The deployed model on real people, where a folder of them is configured and it learned from synthetic ones."""
        tools = self.tools
        folder = london_folder(tools.workspace.root, run.params.transfer.london)
        if folder is None:
            return None
        if run.evidence != "synthetic":
            self.course.warnings.append(
                "not judged on the London Set: this run trained on real people, who may be the same people"
            )
            return None
        with self.course.timed("transfer"):
            source, (look, _) = london_source(folder, tools.now()), wiring.landmarker(tools)
            seeing = Seeing(landmarker=look, read=tools.read_image, load=wiring.load_runtime, report=tools.progress)
            found = judge_on_real_people(
                run,
                model.bundle,
                source,
                seeing,
                tools.now(),
                Entry(
                    asked=reentry(tools.keys, tools.workspace.home),
                    encode=tools.encode,
                    record=OnRecord(tools.workspace.data, tools.keys),
                    ledger=tools.ledger,
                ),
            )
        self.course.warnings.extend(found.warnings())
        return found

    def explain(self, run: Run, model: Model, data: Data) -> Explained:
        """What the deployed model and its twin rest on, and the champion of the same evidence, of the same faces."""
        with self.course.timed("explain"):
            return explain_models(run, model, data, wiring.load_runtime, self._champion(run), self.tools.progress)

    def drift(self, run: Run, data: Data) -> Drifted:
        """Training people against held-out people."""
        with self.course.timed("drift"):
            return measure_drift(run, data, wiring.measure_drift())

    def window(self, run: Run, model: Model, data: Data) -> DriftEvidence | None:
        """Training people against real faces that were predicted of late; keeps whom later faces are compared with."""
        tools = self.tools
        with self.course.timed("drift"):
            keep_reference(run, model, data, wiring.load_runtime)
            if run.evidence == "synthetic":
                return None
            log, days = wiring.prediction_log(tools), run.params.drift.window_days
            window = logged_window(log, PRODUCTION, days, None, tools.now())
            return drift_from_window(run, data, window, wiring.measure_drift())

    def counterfactual(self, run: Run, model: Model) -> tuple[PairedAnswers, ...] | None:
        """What the deployed model says of the same drawn faces in another skin tone, age texture and light."""
        tools = self.tools
        with self.course.timed("counterfactual"):
            return ask_counterfactuals(run, model.bundle, wiring.redrawing(tools), wiring.load_runtime, tools.progress)

    def gate(self, run: Run, model: Model, findings: Findings, data: Data) -> Decided:
        """Promote, hold or block, as a bundle that can be replayed."""
        tools = self.tools
        with self.course.timed("gate"):
            rival, warning = find_rival(
                run,
                findings.evaluation.predictions["one-bit"],
                originals(data.seen.every_row),
                tools.ledger,
                tools.workspace.runs,
                tools.keys,
                partial(wiring.signed_runtime, tools),
            )
            self.course.warnings.extend([warning] if warning else [])
            return decide_run(run, model, findings, rival, tools.ledger, tools.keys, tools.now())

    def register(self, run: Run, outcome: Outcome) -> dict[str, Any]:
        """Pictures, reports, ledger, MLflow, summary."""
        tools, place = self.tools, self.tools.workspace
        with self.course.timed("register"):
            draw, mesh, report = wiring.pictures(place)
            outcome = as_judged(outcome)
            recorded = record_version(run, outcome, tools.ledger)
            shown = Shown(
                figures=draw_figures(run, recorded, outcome, draw, mesh),
                reports=write_reports(run, recorded, outcome, report),
            )
            registries = Registries(
                ledger=tools.ledger,
                tracking=wiring.tracking(place),
                sign=wiring.signer(place).sign,
                lease=self.lease[-1] if self.lease else None,
            )
            registered = register_model(run, recorded, outcome, shown, registries)
            made = TracedModel(version=registered.status.version, bundle_sha256=outcome.model.bundle.bundle_sha256)
            wiring.lineage(tools, self.course.warnings.append).completed(traced(run), made, tools.now())
            tools.ledger.sign_end()
        return summarise(run, outcome, registered, self.course)

    def people(self, run: Run) -> list[tuple[tuple[Sample, ...], ...]]:
        """All people in one group: what one task works on, with a process for each core."""
        return groups_of_people(run.members.samples, len(run.members.samples), run.members.content)

    def study(self, run: Run, data: Data, variants: str | None) -> Study:
        """Variants of params.yaml's section study, trained and judged out of fold."""
        return study_models(run, data, variants, self._study_tools(run))

    def study_landmarks(self, run: Run, data: Data) -> LandmarkStudy:
        """Subsets of the landmarks, screened and trained out of fold."""
        return study_landmarks(run, data, self._study_tools(run))

    def _study_tools(self, run: Run) -> StudyTools:
        return StudyTools(
            stages=self.tools.workspace.stages,
            report=self.tools.progress,
            export=wiring.export_bundle(run.params.seed),
            load=wiring.load_runtime,
        )

    def report_landmarks(self, run: Run, found: LandmarkStudy) -> dict[str, Any]:
        """Tables, pictures and page of a study of landmarks."""
        draw, mesh, report = wiring.pictures(self.tools.workspace)
        return report_landmarks(run, found, draw, mesh, report, wiring.tracking(self.tools.workspace), self.tools.now())

    def report_study(self, run: Run, found: Study) -> dict[str, Any]:
        """Tables, picture and page of a study."""
        place = self.tools.workspace
        draw, _, report = wiring.pictures(place)
        return report_study(run, found, draw, report, wiring.tracking(place), self.tools.now())

    def lent_faces(self) -> tuple[Faces | None, dict[str, Latency]]:
        """Faces of the first training people who allow an evaluation, and the times of the detector on one of their pictures.

        None, and no times, where nobody does.
        """
        tools = self.tools
        run = self.comparable(self.plan(self.present()))
        training_people = [sample for sample in run.members.samples if sample.split == "train"]
        groups = groups_of_people(training_people, tools.params.bench.calibration_people, run.members.content)
        if not groups:
            return None, {}
        featuriser = wiring.featuriser(tools)
        references = featurise_people(groups[0], featuriser)
        table = originals(read_features(references, tools.keys))
        params, seed = tools.params, tools.params.seed
        whole = time_end_to_end(
            groups[0][0][0],
            featuriser,
            params.training,
            params.bench,
            seed,
            wiring.export_bundle(seed),
            wiring.load_runtime,
        )
        return faces_of_people(table, params.bench.calibration_faces), whole

    def _champion(self, run: Run) -> Runtime | None:
        entry = self.tools.ledger.champion()
        if entry is None or entry.evidence != run.evidence or why_not_judged(entry, self.tools.ledger) is not None:
            return None
        return wiring.signed_runtime(self.tools)

    def _unit_weights(self) -> Path | None:
        own = self.tools.params.action_units
        return check_weights(own.enabled, own.weights, self.tools.workspace.root)


def validate_dataset(purpose: str, context: str | None) -> Validation:
    """Admission, suites and quality of the dataset that is there, as a retrain would judge it; renders nothing.

    Raises:
        InputError: there is no dataset.
    """
    stages = wire("default", (), purpose, context)
    with stages.running():
        run = stages.plan(stages.present())
        groups = stages.people(run)
        return stages.checked(run, stages.seen([stages.featurise(run, group) for group in groups]))


def bench(against: str | None, overrides: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Times the networks in every runtime at hand; a dataset that is there lends its first training people.

    Returns:
        the benchmark as plain values, and as words for a terminal.

    Raises:
        InputError: an unknown rival, or the packages of the extra `bench` are missing.
    """
    rivals, runtimes = chosen_rivals(against), wiring.other_runtimes()
    stages = wire("default", overrides, "train", None)
    tools = stages.tools
    with stages.running():
        faces, whole = stages.lent_faces() if has_dataset(tools.workspace.data) else (None, {})
        found = bench_networks(
            tools.params.training,
            tools.params.bench,
            tools.params.seed,
            rivals,
            BenchTools(
                rivals=runtimes,
                export=wiring.export_bundle(tools.params.seed),
                load=wiring.load_runtime,
                report=tools.progress,
            ),
            faces,
            whole,
        )
        draw, _, _ = wiring.pictures(tools.workspace)
        document = report_bench(
            found,
            rivals,
            tools.workspace.home / "bench",
            draw,
            wiring.tracking(tools.workspace),
            code_commit(tools.workspace.root),
            tools.now(),
        )
        return document, bench_text(found)


def wire(profile: str, overrides: Sequence[str], purpose: str, context: str | None) -> Stages:
    """The stages for one request; nothing is written yet."""
    tools = wiring.open_tools(profile, overrides)
    return Stages(tools=tools, purpose=purpose, context=context or tools.params.gate.context)
