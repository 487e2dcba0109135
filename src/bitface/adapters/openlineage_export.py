"""Reports what a retrain read and made to lineage catalogues, as OpenLineage events: to a file, and to a server where one is configured.

No event names a person: the consents that a run rests on are one digest. A server that does not answer hinders no retrain.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bitface.consent.events import utc_text
from bitface.ports import TracedModel, TracedRun

if TYPE_CHECKING:
    from datetime import datetime

    from openlineage.client.event_v2 import RunEvent

NAMESPACE: Final = "bitface"
PRODUCER: Final = "urn:bitface"
CONSENT_FACET: Final = "bitface_consentSnapshot"
SCHEMA: Final = "urn:bitface:facets:consent-snapshot:1"
"""Of `consent_snapshot.schema.json`, beside this file."""
FILE: Final = "lineage.jsonl"
_SECONDS: Final = 5
_RUNS: Final = uuid.uuid5(uuid.NAMESPACE_URL, PRODUCER)


class LineageExport:
    """Appends to `lineage.jsonl` below `home`; `url` is that of a server, None for none. `warn` receives a server's failure."""

    def __init__(self, home: Path, url: str | None, warn: Callable[[str], None]) -> None:
        self._file, self._url, self._warn = home / FILE, url, warn

    def started(self, run: TracedRun, at: datetime) -> None:
        """The run began, on this dataset version."""
        self._send(run, "START", at, None, None)

    def completed(self, run: TracedRun, model: TracedModel, at: datetime) -> None:
        """The run made this model."""
        self._send(run, "COMPLETE", at, model, None)

    def failed(self, run: TracedRun, why: str, at: datetime) -> None:
        """The run ended without a model."""
        self._send(run, "FAIL", at, None, why)

    def _send(self, run: TracedRun, state: str, at: datetime, model: TracedModel | None, why: str | None) -> None:
        from openlineage.client import OpenLineageClient
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.transport.http import HttpConfig, HttpTransport

        event = _event(run, state, at, model, why)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(self._file), append=True))).emit(event)
        if self._url:
            try:
                config = HttpConfig(url=self._url, timeout=_SECONDS, retry={"total": 0})
                OpenLineageClient(transport=HttpTransport(config)).emit(event)
            except Exception as error:  # noqa: BLE001 - whatever a server does, the file has the event
                self._warn(f"the lineage server rejected an event ({type(error).__name__}); it is kept in {FILE}")


def _event(run: TracedRun, state: str, at: datetime, model: TracedModel | None, why: str | None) -> RunEvent:
    import attr
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.generated.base import DatasetFacet
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
    from openlineage.client.generated.error_message_run import ErrorMessageRunFacet
    from openlineage.client.generated.job_type_job import JobTypeJobFacet

    @attr.define
    class ConsentSnapshotDatasetFacet(DatasetFacet):
        """Which consents a dataset version rests on: one digest over who was admitted by which event."""

        snapshotSha256: str  # noqa: N815 - the standard's spelling
        purpose: str
        context: str
        people: int
        evidence: str

        @staticmethod
        def _get_schema() -> str:
            return SCHEMA

    consent = ConsentSnapshotDatasetFacet(
        snapshotSha256=run.consent_snapshot_sha256,
        purpose=run.purpose,
        context=run.context,
        people=run.people,
        evidence=run.evidence,
    )
    read = InputDataset(
        namespace=NAMESPACE,
        name="faces",
        facets={"version": DatasetVersionDatasetFacet(datasetVersion=run.dataset_version), CONSENT_FACET: consent},
    )
    made: list[Any] = []
    if model is not None:
        own = DatasetVersionDatasetFacet(datasetVersion=str(model.version))
        made = [
            OutputDataset(namespace=NAMESPACE, name="models/bitface", facets={"version": own, CONSENT_FACET: consent})
        ]
    facets: dict[str, Any] = {}
    if why is not None:
        facets["errorMessage"] = ErrorMessageRunFacet(message=why, programmingLanguage="PYTHON")
    return RunEvent(
        eventType=RunState[state],
        eventTime=utc_text(at),
        producer=PRODUCER,
        run=Run(runId=str(uuid.uuid5(_RUNS, run.run_id)), facets=facets),
        job=Job(
            namespace=NAMESPACE,
            name="retrain",
            facets={"jobType": JobTypeJobFacet(processingType="BATCH", integration="BITFACE", jobType="TRAINING")},
        ),
        inputs=[read],
        outputs=made,
    )
