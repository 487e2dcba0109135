"""Withdrawal, erasure, retrain, proof: people leave, and what is left can be checked by anybody."""

from __future__ import annotations

from typing import Any

from prefect import flow, tags
from pydantic import BaseModel, ConfigDict

from flows.erasing import told, wire_erasure
from flows.retrain import RetrainRequest, retrain, step
from flows.wiring import home_tag, workspace


class EraseRequest(BaseModel):
    """Whom, why, and how the models are made again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subjects: tuple[str, ...]
    reason: str
    profile: str = "default"
    overrides: tuple[str, ...] = ()


@flow(name="erase", persist_result=False)
def erase(request: EraseRequest) -> dict[str, Any]:
    """Runs the order of an erasure; a retrain that fails or is blocked is told in the proof, and stops nothing."""
    erasing = wire_erasure(request.profile, request.overrides)
    with erasing.running():
        opened = step(erasing.begin)(request.subjects, request.reason)
        version = step(erasing.leave_dataset)(opened)
        made_again = RetrainRequest(profile=request.profile, overrides=request.overrides)
        state = retrain(made_again, return_state=True) if erasing.has_models(opened) else None
        retrained = told(state)
        done = step(erasing.destroy)(opened, retrained)
        return dict(step(erasing.prove)(opened, done, version, retrained))


def erase_here(request: EraseRequest) -> dict[str, Any]:
    """Runs it in this process, marked as this installation's."""
    with tags(home_tag(workspace())):
        return dict(erase(request))
