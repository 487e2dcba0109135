"""Every night: which live models hold people whose consent has ended, and which consents end soon."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.nightly import look_after
from flows.wiring import open_tools


@flow(name="expire", persist_result=True, result_serializer="json")
def expire(days: int | None = None) -> dict[str, Any]:
    """Looks and tells; a live model with somebody who left asks for a retrain. Nothing is decided here."""
    return look_after(open_tools(), days)
