"""The main job: from a dataset to a model that is promoted, held or blocked, with the reasons on record.

Read it from top to bottom; each task names the stage that does the work (`usecases.stages`, `usecases.judging`), which names its step.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, tags
from pydantic import BaseModel, ConfigDict

from bitface.bootstrap.jobs import open_job
from bitface.bootstrap.orchestrator import home_tag, prepare_server
from bitface.bootstrap.places import workspace
from bitface.flows.notices import notify_of_end
from bitface.flows.tasks import step, untagged
from bitface.steps.judging.findings import Findings
from bitface.steps.retrain.export import Made, Model
from bitface.steps.versions.outcome import Outcome
from bitface.steps.versions.summary import is_finished
from bitface.usecases import judging, stages


class RetrainRequest(BaseModel):
    """What a person or a schedule requests; context None: that of params.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "default"
    purpose: str = "train"
    context: str | None = None
    overrides: tuple[str, ...] = ()


@flow(
    name="retrain",
    persist_result=True,
    result_serializer="json",
    on_completion=[notify_of_end],
    on_failure=[notify_of_end],
)
def retrain(request: RetrainRequest) -> dict[str, Any]:
    """Runs the stages in order; returns the summary, with the decision and where to look."""
    job = open_job(request.profile, request.overrides, request.purpose, request.context)
    with job.exclusive(), untagged():
        run = step(stages.plan, step(stages.version, job), job)
        if is_finished(run):
            return step(stages.reuse, run, job)
        stages.begin(run, job)
        data = step(stages.validate, run, step(stages.featurise, run, job), job)
        networks = step(stages.calibrate, run, step(stages.train, run, data, job), data, job)
        model = Model(networks=networks, bundle=step(stages.export, run, networks, job))
        made = Made(data=data, model=model)
        evaluation = step(judging.evaluate, run, made, job)
        findings = Findings(
            evaluation=evaluation,
            units=step(judging.action_units, run, made, evaluation, job),
            transferred=step(judging.transfer, run, made, job),
            explanation=step(judging.explain, run, made, job),
            drifted=step(judging.drift, run, made, job),
            window=step(judging.window, run, made, job),
            changed_faces=step(judging.counterfactual, run, made, job),
        )
        decided = step(judging.gate, run, made, findings, job)
        return step(judging.register, run, Outcome(data=data, model=model, findings=findings, decided=decided), job)


def run_here(request: RetrainRequest) -> dict[str, Any]:
    """Runs it in this process, tagged as this installation's."""
    prepare_server()
    with tags(home_tag(workspace())):
        return dict(retrain(request))
