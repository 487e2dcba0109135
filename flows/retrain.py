"""The main job: from a dataset to a model that is promoted, held or blocked, with the reasons on record.

Read it downwards; each task names the stage that does the work (`flows/stages.py`), and that names its step.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, tags
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel, ConfigDict

from bitface.flows.notices import told
from bitface.flows.stages import wire
from bitface.flows.tasks import step, steps, untagged
from bitface.flows.wiring import home_tag, prepare_server, worker_threads, workspace
from bitface.steps.retrain.artefacts import Findings, Model, Outcome
from bitface.steps.versions.summary import is_finished


class RetrainRequest(BaseModel):
    """What a person or a schedule asks for; the context is params.yaml's where None."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "default"
    purpose: str = "train"
    context: str | None = None
    overrides: tuple[str, ...] = ()


@flow(
    name="retrain",
    task_runner=ThreadPoolTaskRunner(max_workers=worker_threads()),  # type: ignore[arg-type]
    persist_result=True,
    result_serializer="json",
    on_completion=[told],
    on_failure=[told],
)
def retrain(request: RetrainRequest) -> dict[str, Any]:
    """Runs the stages in order; returns the summary, which names the decision and where to look."""
    stages = wire(request.profile, request.overrides, request.purpose, request.context)
    with stages.alone(), untagged():
        run = step(stages.plan, step(stages.version))
        if is_finished(run):
            return step(stages.reuse, run)
        seen = stages.seen(steps(stages.featurise, run, stages.groups(run)))
        data = step(stages.validate, run, seen)
        networks = step(stages.calibrate, run, step(stages.train, run, data), data)
        model = Model(networks=networks, bundle=step(stages.export, run, networks))
        evaluation = step(stages.evaluate, run, model, data)
        findings = Findings(
            evaluation=evaluation,
            units=step(stages.action_units, run, model, evaluation, data),
            transferred=step(stages.transfer, run, model),
            explanation=step(stages.explain, run, model, data),
            drifted=step(stages.drift, run, data),
            window=step(stages.window, run, model, data),
            changed_faces=step(stages.counterfactual, run, model),
        )
        decided = step(stages.gate, run, model, findings, data)
        return step(stages.register, run, Outcome(data=data, model=model, findings=findings, decided=decided))


def run_here(request: RetrainRequest) -> dict[str, Any]:
    """Runs it in this process, marked as this installation's."""
    prepare_server()
    with tags(home_tag(workspace())):
        return dict(retrain(request))
