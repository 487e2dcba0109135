"""Shows a retrain as one parent run with a child per trained model, with names by which reviewers compare versions."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Final

from bitface.adapters.mlflow_tracking.notes import report_note, run_note
from bitface.adapters.mlflow_tracking.registry import MlflowRegistry
from bitface.adapters.mlflow_tracking.store import MlflowStore, millis
from bitface.errors import InputError
from bitface.ports import ShownVersions, TrackedModel, TrackedOutcome, TrackedReport, TrackedRun, TrackedVersion

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_TAG: Final = "bitface.run_id"
REPORT_TAG: Final = "bitface.report_id"
MODEL_TAG: Final = "bitface.model"
_DIGEST_CHARACTERS: Final = 36  # MLflow's limit


class MlflowTracking:
    """Runs, versions and aliases below `home`. Every method may safely be called again with the same values."""

    def __init__(self, home: Path) -> None:
        """Only keeps the folder; MLflow is imported and its store created at first use."""
        self._store = MlflowStore(home)
        self._registry = MlflowRegistry(self._store)

    @property
    def store_uri(self) -> str:
        """The value for `mlflow server --backend-store-uri`."""
        return self._store.uri

    @property
    def artefacts(self) -> Path:
        """The folder with every run's files."""
        return self._store.artefacts

    @property
    def page(self) -> str:
        """The path after a server's address that shows the list of retrains, in the pages for training."""
        return f"/#/experiments/{self._store.experiment_id}/runs?workflowType=machine_learning"

    def start(self, run: TrackedRun) -> str:
        """Opens the parent run of a retrain, an existing one if there is one; returns MLflow's id for it."""
        found = self._store.find(RUN_TAG, run.run_id)
        if found is None:
            found = self._store.client.create_run(
                self._store.experiment_id, start_time=millis(run.started_at), tags=_run_tags(run), run_name=run.run_id
            )
        else:
            self._store.client.update_run(found.info.run_id, status="RUNNING")
        self._store.log_params(found.info.run_id, run.params)
        self._log_dataset(found.info.run_id, run)
        return str(found.info.run_id)

    def log_model(self, run_id: str, model: TrackedModel) -> str:
        """Records one trained model as a finished child of the retrain `run_id` (ours); returns MLflow's id for it.

        Raises:
            InputError: the retrain was not started, or a metric is not finite.
        """
        parent = self._parent(run_id)
        tags = {
            MODEL_TAG: f"{run_id}/{model.name}",
            "mlflow.parentRunId": parent.info.run_id,
            "mlflow.source.name": "bitface retrain",
            "mlflow.source.type": "JOB",
            "model.variant": model.variant,
            "model.precision": model.precision,
            "evidence": parent.data.tags["evidence"],
        }
        child = self._store.find(MODEL_TAG, tags[MODEL_TAG]) or self._store.client.create_run(
            self._store.experiment_id, start_time=parent.info.start_time, tags=tags, run_name=model.name
        )
        self._store.log_params(child.info.run_id, model.params)
        points = {**{name: (value,) for name, value in model.metrics.items()}, **model.curves}
        self._store.log_metrics(child.info.run_id, points, _started_at(parent))
        self._store.client.set_terminated(child.info.run_id, "FINISHED")
        return str(child.info.run_id)

    def finish(self, run_id: str, outcome: TrackedOutcome) -> None:
        """Adds the results of a retrain, puts the key facts at the top of the run's page, and closes it.

        Raises:
            InputError: the retrain was not started, a metric is not finite, or a file is missing.
        """
        run = self._parent(run_id)
        points = {name: (value,) for name, value in outcome.metrics.items()}
        self._store.log_metrics(run.info.run_id, points, _started_at(run))
        for figure in outcome.figures:
            self._store.log_path(run.info.run_id, figure, "figures")
        for name, report in outcome.reports.items():
            self._store.log_path(run.info.run_id, report, f"reports/{name}" if report.is_dir() else "reports")
        tags = {
            "gate.decision": outcome.decision,
            "gate.reasons": "; ".join(outcome.reasons) or "none",
            "mlflow.note.content": run_note(run.data.tags, outcome),
        }
        self._store.log_tags(run.info.run_id, tags)
        # The list of runs then shows the decisions without a click.
        self._store.client.update_run(run.info.run_id, name=f"{outcome.decision} · {run_id}")
        self._store.client.set_terminated(run.info.run_id, "FINISHED")

    def fail(self, run_id: str, reason: str) -> None:
        """Closes a started retrain as failed, with one line of explanation."""
        run = self._parent(run_id)
        self._store.log_tags(run.info.run_id, {"mlflow.note.content": f"**Failed.** {reason}"})
        self._store.client.set_terminated(run.info.run_id, "FAILED")

    def purge(self, run_ids: Collection[str], why: str) -> int:
        """Deletes the files of retrains (ours), of their models and bundles, and of every report; metrics stay, and each page states
        why the rest was removed. Returns how many runs had files.
        """
        if not self._store.exists:
            return 0
        found = [run for run_id in run_ids if (run := self._store.find(RUN_TAG, run_id)) is not None]
        families = [run for parent in found for run in (parent, *self._store.children(parent))]
        with_files = [run for run in (*families, *self._store.reports()) if self._store.delete_files(run)]
        for run in with_files:
            self._store.log_tags(run.info.run_id, {"mlflow.note.content": f"**Files deleted.** {why}"})
        return len(with_files)

    def end_interrupted(self) -> tuple[str, ...]:
        """Closes as killed every retrain still shown as running; call it only when none can be. A sentence for each.

        A run that is started again is reopened.
        """
        if not self._store.exists:
            return ()
        sentences = []
        for run in self._store.running():
            run_id = run.data.tags.get(RUN_TAG, "")
            note = (
                "**Interrupted.** The process that ran it ended unexpectedly; run the same command again to continue."
            )
            self._store.log_tags(run.info.run_id, {"mlflow.note.content": note})
            self._store.client.set_terminated(run.info.run_id, "KILLED")
            sentences.append(f"run {run_id} was left open by a process that ended; it is now marked as killed")
        return tuple(sentences)

    def log_report(self, report: TrackedReport) -> str:
        """Records a study or a benchmark as a finished run beside the retrains; returns MLflow's id for it.

        Raises:
            InputError: a metric is not finite, or a file is missing.
        """
        store = self._store
        tags = {
            REPORT_TAG: report.report_id,
            "report.kind": report.kind,
            "code.commit": report.code_commit,
            "evidence": report.evidence,
            "mlflow.note.content": report_note(report),
            "mlflow.source.name": f"bitface {report.kind}",
            "mlflow.source.type": "JOB",
        }
        run = store.find(REPORT_TAG, report.report_id, store.reports_id) or store.client.create_run(
            store.reports_id, start_time=millis(report.started_at), tags=tags, run_name=report.title
        )
        store.log_params(run.info.run_id, report.params)
        points = {name: (value,) for name, value in report.metrics.items()}
        store.log_metrics(run.info.run_id, points, _started_at(run))
        for figure in report.figures:
            store.log_path(run.info.run_id, figure, "figures")
        for name, path in report.reports.items():
            store.log_path(run.info.run_id, path, f"reports/{name}" if path.is_dir() else "reports")
        store.client.set_terminated(run.info.run_id, "FINISHED")
        return str(run.info.run_id)

    def register(self, version: TrackedVersion) -> int:
        """Makes the registry show a version of the ledger; see `MlflowRegistry.register`."""
        return self._registry.register(version, self._parent(version.run_id).info.run_id)

    def point_aliases(self, name: str, aliases: Mapping[str, int | None]) -> tuple[str, ...]:
        """Sets aliases to versions of the ledger; see `MlflowRegistry.point_aliases`."""
        return self._registry.point_aliases(name, aliases)

    def tell_status(self, name: str, lines: Mapping[int, str]) -> None:
        """Updates the status lines of the ledger's versions; see `MlflowRegistry.tell_status`."""
        self._registry.tell_status(name, lines)

    def shown(self, name: str) -> ShownVersions:
        """What the registry shows for a name; see `MlflowRegistry.shown`."""
        return self._registry.shown(name)

    def serve(self, listener: socket, environment: Mapping[str, str], tell: Callable[[str], None]) -> int:
        """Serves MLflow's UI on a socket until it ends or is stopped, with all its processes; returns its exit code. `tell` receives
        the address and the password.
        """
        from bitface.adapters.mlflow_tracking.ui_application import mlflow_ui
        from bitface.adapters.servers.local_servers import access_to, local_server

        access = access_to(listener)
        application = mlflow_ui(self.store_uri, self.artefacts, access, environment)
        tell(
            f"MLflow: {access.address}{self.page}  (stop with Ctrl-C)\n  user {access.user}, password {access.password}\n"
        )
        with local_server(application, listener, access, None) as server:
            return server.wait()

    def _parent(self, run_id: str) -> Run:
        found = self._store.find(RUN_TAG, run_id)
        if found is None:
            raise InputError(f"run '{run_id}' was not started in the tracking store; start it first")
        return found

    def _log_dataset(self, mlflow_run_id: str, run: TrackedRun) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name="bitface",
            digest=run.manifest_sha256[:_DIGEST_CHARACTERS],
            source_type="dvc",
            source=json.dumps({"version": run.dataset_version, "content": run.dataset_content}),
            profile=json.dumps({"people": run.people, "samples": run.samples}),
        )
        tags = [InputTag("mlflow.data.context", run.purpose)]
        self._store.client.log_inputs(mlflow_run_id, datasets=[DatasetInput(dataset, tags)])


def _started_at(run: Run) -> datetime:
    return datetime.fromtimestamp(run.info.start_time / 1000, UTC)


def _run_tags(run: TrackedRun) -> dict[str, str]:
    return {
        RUN_TAG: run.run_id,
        "dataset.version": run.dataset_version,
        "dataset.content": run.dataset_content,
        "dataset.manifest_sha256": run.manifest_sha256,
        "dataset.people": str(run.people),
        "dataset.samples": str(run.samples),
        "consent.snapshot_sha256": run.consent_snapshot_sha256,
        "code.commit": run.code_commit,
        "params.sha256": run.params_sha256,
        "purpose": run.purpose,
        "context": run.context,
        "evidence": run.evidence,
        "mlflow.source.name": "bitface retrain",
        "mlflow.source.type": "JOB",
        "mlflow.source.git.commit": run.code_commit,
    }
