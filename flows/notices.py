"""Notifies people how a retrain ended, through the Prefect block in params.yaml; the text is the summary and names no one."""

from __future__ import annotations

from typing import Any

from bitface.bootstrap.orchestrator import inform
from bitface.bootstrap.places import workspace
from bitface.params import read_params
from bitface.steps.versions.summary import summary_text


def notify_of_end(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ARG001 - named by Prefect
    """A hook of Prefect: `state` is COMPLETED with a summary, or FAILED with a reason."""
    block = read_params(workspace().params).schedule.notify
    if block:
        body = summary_text(state.result()) if state.is_completed() else f"failed: {state.message}"
        inform(block, f"bitface {flow.name}: {body.splitlines()[0]}", body)
