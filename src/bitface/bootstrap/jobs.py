"""Opens the job of one request: its tools and its purpose."""

from __future__ import annotations

from collections.abc import Sequence

from bitface.bootstrap.opening import open_tools
from bitface.steps.retrain.course import Course
from bitface.usecases.job import Job


def open_job(profile: str, overrides: Sequence[str], purpose: str, context: str | None) -> Job:
    """The job of one request; nothing is written yet."""
    tools = open_tools(profile, overrides)
    course = Course(begins=tools.progress.stage)
    return Job(tools=tools, purpose=purpose, context=context or tools.params.gate.context, course=course)
