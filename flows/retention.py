"""Every night: whoever had to be gone is erased, by the same erasure as `bitface retention --enforce`, without manual confirmation."""

from __future__ import annotations

from functools import partial
from typing import Any

from prefect import flow
from pydantic import BaseModel, ConfigDict

from bitface.bootstrap.opening import open_tools
from bitface.flows.erase import finished
from bitface.usecases.erasing import outcome, removing, tonight


class RetentionRequest(BaseModel):
    """How models are made again without whoever is erased."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "default"
    overrides: tuple[str, ...] = ()


@flow(name="retention", persist_result=True, result_serializer="json")
def enforce(request: RetentionRequest) -> dict[str, Any]:
    """Finishes erasures that were interrupted, and begins one of everybody whose time is over; one that fails stops none of the others.

    Returns:
        how many people, of which erasures, and how many failed: `bitface erase --resume` says why, and the next night goes on.
    """
    with removing(open_tools(request.profile, request.overrides)) as tools:
        begun, failed = tonight(tools)
        states = map(partial(finished, profile=request.profile, overrides=request.overrides), begun)
        return outcome(begun, list(states), failed)
