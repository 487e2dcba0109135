"""Every night: which live models hold people whose consent has ended, which consents end soon, and which logs are too old."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows import wiring


@flow(name="expire", persist_result=True, result_serializer="json")
def expire(days: int | None = None) -> dict[str, Any]:
    """Looks, clears, and tells; a live model with somebody who left asks for a retrain. Nothing is decided here."""
    with wiring.open_tools().ledger as ledger:
        return wiring.look_after(ledger, days)
