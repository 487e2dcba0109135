"""Compares ways to build a model on the people of a dataset, out of fold; decides nothing and registers nothing."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel, ConfigDict

from bitface.flows.stages import wire
from bitface.flows.tasks import step, steps, untagged
from bitface.flows.wiring import worker_threads


class StudyRequest(BaseModel):
    """What a person asks for; context and variants are params.yaml's where None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "full"
    context: str | None = None
    overrides: tuple[str, ...] = ()
    variants: str | None = None


@flow(name="study", task_runner=ThreadPoolTaskRunner(max_workers=worker_threads()), persist_result=False)  # type: ignore[arg-type]
def study(request: StudyRequest) -> dict[str, Any]:
    """Runs the stages in order; returns the study as plain values."""
    stages = wire(request.profile, request.overrides, "train", request.context)
    with stages.running(), untagged():
        run = step(stages.comparable, step(stages.plan, step(stages.version)))
        data = step(stages.validate, run, stages.seen(steps(stages.featurise, run, stages.people(run))))
        found = step(stages.study, run, data, request.variants)
        return {**step(stages.report_study, run, found), "warnings": stages.course.warnings}


class LandmarkRequest(BaseModel):
    """What a person asks for; the context is params.yaml's where None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "full"
    context: str | None = None
    overrides: tuple[str, ...] = ()


@flow(name="study-landmarks", task_runner=ThreadPoolTaskRunner(max_workers=worker_threads()), persist_result=False)  # type: ignore[arg-type]
def study_landmarks(request: LandmarkRequest) -> dict[str, Any]:
    """Runs the stages in order; returns the study as plain values."""
    stages = wire(request.profile, request.overrides, "train", request.context)
    with stages.running(), untagged():
        run = step(stages.comparable, step(stages.plan, step(stages.version)))
        data = step(stages.validate, run, stages.seen(steps(stages.featurise, run, stages.people(run))))
        found = step(stages.study_landmarks, run, data)
        return {**step(stages.report_landmarks, run, found), "warnings": stages.course.warnings}
