"""Opens MLflow's SQLite store without telemetry, and writes to it in batches that leave no duplicates when repeated."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from bitface.adapters.mlflow_tracking.moved import move_addresses
from bitface.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT: Final = "bitface retrain"
REPORTS: Final = "bitface reports"
_METRICS_AT_ONCE: Final = 1000  # MLflow's own limits per request
_PARAMS_AT_ONCE: Final = 100
_RUNS_AT_ONCE: Final = 50_000
_PARAM_CHARACTERS: Final = 6000
_SETTINGS: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_NOTES: Final = {
    EXPERIMENT: "One row per retrain, with a child row per trained model. The row's name shows the decision.",
    REPORTS: "One row per study or benchmark. These measurements do not affect the gate.",
}
T = TypeVar("T")


class MlflowStore:
    """MLflow's database and artefact folder below `home`; nothing is opened or created before the first use."""

    def __init__(self, home: Path) -> None:
        """Only keeps the folder."""
        self._home = home.resolve()

    @property
    def uri(self) -> str:
        """The value for `mlflow server --backend-store-uri`."""
        return f"sqlite:///{self._home / 'mlflow.db'}"

    @property
    def artefacts(self) -> Path:
        """The folder with every run's files."""
        return self._home / "artefacts"

    @property
    def exists(self) -> bool:
        """Whether the store exists yet."""
        return (self._home / "mlflow.db").is_file()

    def running(self) -> Sequence[Run]:
        """The retrains shown as running, without their models."""
        found = self.client.search_runs([self.experiment_id], "attributes.status = 'RUNNING'")
        return [run for run in found if "mlflow.parentRunId" not in run.data.tags]

    def children(self, parent: Run) -> Sequence[Run]:
        """The models of a retrain."""
        return self._all(self.experiment_id, f"tags.`mlflow.parentRunId` = '{quotable(parent.info.run_id)}'")

    def reports(self) -> Sequence[Run]:
        """Every report that contains people's data: all but benchmarks."""
        return self._all(self.reports_id, "tags.`report.kind` != 'bench'")

    def delete_files(self, run: Run) -> bool:
        """Deletes all files of a run; returns whether there were any."""
        folder = self.artefacts / str(run.info.run_id)
        had = folder.is_dir()
        shutil.rmtree(folder, ignore_errors=True)
        return had

    def _all(self, experiment_id: str, condition: str) -> Sequence[Run]:
        return list(self.client.search_runs([experiment_id], condition, max_results=_RUNS_AT_ONCE))

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client on this store; creates a new store (about 2 s), and follows a home that was moved."""
        # MLflow reads these when it is imported, so the import is here.
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self.artefacts.mkdir(parents=True, exist_ok=True)
        with _quiet_migrations():
            client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            client.search_experiments(max_results=1)
        with closing(sqlite3.connect(self._home / "mlflow.db")) as connection:
            # Stored in the file: a reader in the browser does not block a running retrain.
            connection.execute("PRAGMA journal_mode=WAL")
        known = client.get_experiment_by_name(EXPERIMENT)
        if known is not None and known.artifact_location != self.artefacts.as_uri():
            move_addresses(self._home / "mlflow.db", str(known.artifact_location), self.artefacts.as_uri())
        return client

    @cached_property
    def experiment_id(self) -> str:
        """The one experiment of all retrains."""
        return self._experiment(EXPERIMENT)

    @cached_property
    def reports_id(self) -> str:
        """The one experiment of all studies and benchmarks."""
        return self._experiment(REPORTS)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # This kind opens the pages for training, not those for chat models.
        tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": _NOTES[name]}
        try:
            return str(self.client.create_experiment(name, artifact_location=self.artefacts.as_uri(), tags=tags))
        except MlflowException as error:
            found = self.client.get_experiment_by_name(name)
            if error.error_code != "RESOURCE_ALREADY_EXISTS" or found is None:
                raise
            return str(found.experiment_id)

    def find(self, tag: str, value: str, experiment_id: str | None = None) -> Run | None:
        """The run with this tag, if there is one; among retrains, unless another experiment is named."""
        clause = f"tags.`{tag}` = '{quotable(value)}'"
        found = self.client.search_runs([experiment_id or self.experiment_id], clause, max_results=1)
        return found[0] if found else None

    def log_metrics(self, run_id: str, metrics: Mapping[str, Sequence[float]], at: datetime) -> None:
        """Logs each metric's values as steps 0, 1, ...; all dated `at`, so that a repetition adds no points.

        Raises:
            InputError: a value is not finite; omit a metric that is missing.
        """
        from mlflow.entities import Metric

        broken = sorted(name for name, values in metrics.items() if not all(map(math.isfinite, values)))
        if broken:
            raise InputError(f"metric '{broken[0]}' is not finite; omit figures that could not be measured")
        points = (
            Metric(name, float(value), millis(at), step)
            for name, values in metrics.items()
            for step, value in enumerate(values)
        )
        for batch in _batches(points, _METRICS_AT_ONCE):
            self.client.log_batch(run_id, metrics=batch)

    def log_params(self, run_id: str, params: Mapping[str, str | int | float]) -> None:
        """Logs parameters; logging the same value again is allowed."""
        from mlflow.entities import Param

        entries = (Param(name, str(value)[:_PARAM_CHARACTERS]) for name, value in params.items())
        for batch in _batches(entries, _PARAMS_AT_ONCE):
            self.client.log_batch(run_id, params=batch)

    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Sets tags of a run."""
        from mlflow.entities import RunTag

        self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_path(self, run_id: str, path: Path, place: str) -> None:
        """Copies a file into the folder `place` of a run's files, or a folder as that folder."""
        if path.is_dir():
            self.client.log_artifacts(run_id, str(path), place)
        elif path.is_file():
            self.client.log_artifact(run_id, str(path), place)
        else:
            raise InputError(f"nothing to log for {place}: '{path.name}' was not written; run the previous step again")


def millis(moment: datetime) -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return round(moment.timestamp() * 1000)


def quotable(text: str) -> str:
    """The text, if it may stand between quotes in MLflow's search; raises InputError otherwise."""
    if "'" in text or "\\" in text or "`" in text:
        raise InputError("a name or id contains a quote and cannot be looked up; use letters, digits, '-', '_' and '.'")
    return text


@contextmanager
def _quiet_migrations() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("mlflow.store.db.utils", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
