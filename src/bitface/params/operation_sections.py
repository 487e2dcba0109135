"""Sections of params.yaml about operation: what goes live, when jobs run, what is kept, how much is answered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bitface.params.section import Section


class PromotionParams(Section):
    approvals_required: int = Field(ge=0, le=5)
    roles: tuple[Literal["engineer", "reviewer", "compliance"], ...]
    demo_is_enough: bool


class ScheduleParams(Section):
    retrain: str
    expire: str
    drift: str
    expire_days: int = Field(ge=0, le=36_500)
    notify: str | None
    lease_s: float = Field(ge=10)
    writer_wait_s: float = Field(ge=0)


class RetentionParams(Section):
    enforce_nightly: bool
    withdrawn_grace_days: int = Field(ge=0, le=30)


class PredictParams(Section):
    faces_max: int = Field(ge=1, le=100)
    # Files from before there were videos lack them, and nothing that is trained or judged depends on them.
    video_every_s: float = Field(default=0.2, ge=0, le=60)
    video_smoothing_s: float = Field(default=0.6, ge=0, le=60)
