"""Every night: people due for erasure are erased, as by `bitface retention --enforce`, without manual confirmation."""

from __future__ import annotations

from functools import partial
from typing import Any

from prefect import flow
from pydantic import BaseModel, ConfigDict

from bitface.bootstrap.opening import open_tools
from bitface.flows.erase import finished
from bitface.usecases.erasing import outcome, removing, tonight


class RetentionRequest(BaseModel):
    """How models are retrained without the erased people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "default"
    overrides: tuple[str, ...] = ()


@flow(name="retention", persist_result=True, result_serializer="json")
def enforce(request: RetentionRequest) -> dict[str, Any]:
    """Finishes interrupted erasures, and begins one of all people who are overdue; one that fails does not stop the others.

    Returns:
        how many people, in which erasures, and how many failed: `bitface erase --resume` reports why, and the next night continues.
    """
    with removing(open_tools(request.profile, request.overrides)) as tools:
        begun, failed = tonight(tools)
        states = map(partial(finished, profile=request.profile, overrides=request.overrides), begun)
        return outcome(begun, list(states), failed)
