"""Every night: which live models contain people whose consent has ended, which consents end soon, and which data are due for erasure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import flow

from bitface.bootstrap.opening import open_tools
from bitface.flows.nightly import look_after
from bitface.flows.retention import RetentionRequest


@flow(name="expire", persist_result=True, result_serializer="json")
def expire(days: int | None = None, profile: str = "default", overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Reports lapsed consents and erases people past their retention date; a live model with people who left triggers a retrain."""
    request = RetentionRequest(profile=profile, overrides=tuple(overrides))
    return look_after(open_tools(profile, overrides), days, request)
