"""Compares ways to build a model on the people of a dataset, out of fold; decides nothing and registers nothing."""

from __future__ import annotations

from typing import Any

from prefect import flow
from pydantic import BaseModel, ConfigDict

from bitface.bootstrap.jobs import open_job
from bitface.flows.tasks import step, untagged
from bitface.usecases import stages, studies


class StudyRequest(BaseModel):
    """What a person requests; context or variants None: those of params.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "full"
    context: str | None = None
    overrides: tuple[str, ...] = ()
    variants: str | None = None


@flow(name="study", persist_result=False)
def study(request: StudyRequest) -> dict[str, Any]:
    """Runs the stages in order; returns the study as plain values."""
    job = open_job(request.profile, request.overrides, "train", request.context)
    with job.running(), untagged():
        run = step(stages.comparable, step(stages.plan, step(stages.version, job), job), job)
        data = step(stages.validate, run, step(stages.featurise, run, job), job)
        found = step(studies.study, run, data, request.variants, job)
        return {**step(studies.report_study, run, found, job), "warnings": job.course.warnings}


class LandmarkRequest(BaseModel):
    """What a person requests; context None: that of params.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "full"
    context: str | None = None
    overrides: tuple[str, ...] = ()


@flow(name="study-landmarks", persist_result=False)
def study_landmarks(request: LandmarkRequest) -> dict[str, Any]:
    """Runs the stages in order; returns the study as plain values."""
    job = open_job(request.profile, request.overrides, "train", request.context)
    with job.running(), untagged():
        run = step(stages.comparable, step(stages.plan, step(stages.version, job), job), job)
        data = step(stages.validate, run, step(stages.featurise, run, job), job)
        found = step(studies.study_landmarks, run, data, job)
        return {**step(studies.report_landmarks, run, found, job), "warnings": job.course.warnings}
