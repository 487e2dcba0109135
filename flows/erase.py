"""Withdrawal, erasure, retrain, proof: people are removed, and the result can be verified."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow, tags
from pydantic import BaseModel, ConfigDict

from bitface.bootstrap.opening import open_tools
from bitface.bootstrap.orchestrator import home_tag, prepare_server
from bitface.bootstrap.places import workspace
from bitface.flows.retrain import RetrainRequest, retrain
from bitface.flows.tasks import step, untagged
from bitface.usecases.erasing import Erasing, quarantine, removing, unfinished


class EraseRequest(BaseModel):
    """The erasure to finish, and how models are retrained. It holds no names: Prefect stores flow arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    erasure_id: str
    profile: str = "default"
    overrides: tuple[str, ...] = ()


@flow(name="erase", persist_result=False)
def erase(request: EraseRequest) -> dict[str, Any]:
    """Runs the steps of an erasure; a failed or blocked retrain is recorded in the proof and does not stop it."""
    erasing = Erasing(tools=open_tools(request.profile, request.overrides))
    with erasing.running(), untagged():
        opened = erasing.opened(request.erasure_id)
        version = step(erasing.leave_dataset, opened)
        made_again = RetrainRequest(profile=request.profile, overrides=request.overrides)
        state = retrain(made_again, return_state=True) if erasing.must_retrain(opened) else None
        retrained = erasing.retrained(opened, state)
        done = step(erasing.destroy, opened, retrained)
        return step(erasing.prove, opened, done, version, retrained)


def erase_here(subjects: Sequence[str], reason: str, profile: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Quarantines people at once, then runs the rest in this process, tagged as this installation's."""
    with removing(open_tools(profile, overrides)) as tools:
        return finish(quarantine(subjects, reason, tools), profile, overrides)


def resume_here(checkpoint: Path | None, profile: str, overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Finishes interrupted erasures, and erases reappeared people again."""
    with removing(open_tools(profile, overrides)) as tools:
        return list(map(partial(finish, profile=profile, overrides=overrides), unfinished(tools, checkpoint)))


def finished(erasure_id: str, profile: str, overrides: Sequence[str]) -> Any:
    """The same, as its final state: a failure is returned, not raised."""
    return erase(EraseRequest(erasure_id=erasure_id, profile=profile, overrides=tuple(overrides)), return_state=True)


def finish(erasure_id: str, profile: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Finishes an erasure that has begun; returns the proof."""
    prepare_server()
    with tags(home_tag(workspace())):
        return dict(erase(EraseRequest(erasure_id=erasure_id, profile=profile, overrides=tuple(overrides))))
