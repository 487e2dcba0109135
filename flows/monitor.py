"""Every day: whether the faces that models read recently still resemble those that the champion was judged on."""

from __future__ import annotations

from typing import Any

from prefect import flow

from bitface.bootstrap.jobs import open_job
from bitface.bootstrap.orchestrator import announce
from bitface.flows.deployments import DRIFTED
from bitface.usecases.watching import watch


@flow(name="monitor", persist_result=True, result_serializer="json")
def monitor(window: str | None = None) -> dict[str, Any]:
    """Reports drift, which can trigger a retrain but never blocks one."""
    job = open_job("default", (), "train", None)
    found = watch(window, job)
    if found["asks_for_retrain"]:
        announce(job.tools, DRIFTED, {"columns": len(found["drifted"])}, "bitface: drift", found["window"])
    return found
