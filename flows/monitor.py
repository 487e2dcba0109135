"""Every day: whether the faces that models read of late are still like those that the champion was judged on."""

from __future__ import annotations

from typing import Any

from prefect import flow

from bitface.flows.stages import wire
from bitface.flows.watch import watch


@flow(name="monitor", persist_result=True, result_serializer="json")
def monitor(window: str | None = None) -> dict[str, Any]:
    """Reports drift, which can trigger a retrain and never blocks one."""
    return watch(wire("default", (), "train", None), window)
