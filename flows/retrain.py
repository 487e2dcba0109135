"""The main job: from a dataset to a model that is promoted, held or blocked, with the reasons on record.

Read it downwards; each task names the stage that does the work (`flows/stages.py`), and that names its step.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, tags
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel, ConfigDict

from bitface.steps.summary import is_finished
from flows.notices import told
from flows.stages import wire
from flows.tasks import step, untagged
from flows.wiring import home_tag, prepare_server, worker_threads, workspace


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
        dataset = step(stages.version)()
        run = step(stages.plan)(dataset)
        if is_finished(run):
            return dict(step(stages.reuse, run)())
        features = step(stages.featurise, run).map(stages.groups(run)).result()
        validation = step(stages.validate, run)(features)
        trained = step(stages.train, run)(features, validation)
        models = step(stages.calibrate, run)(trained, features, validation)
        bundle = step(stages.export, run)(models)
        evaluation = step(stages.evaluate, run)(models, bundle, features, validation)
        units = step(stages.action_units, run)(models, evaluation, features, validation)
        transferred = step(stages.transfer, run)(bundle)
        explanation = step(stages.explain, run)(models, bundle, features, validation)
        drifted = step(stages.drift, run)(features, validation)
        window = step(stages.window, run)(bundle, features, validation)
        asked = step(stages.counterfactual, run)(bundle)
        decision = step(stages.gate, run)(bundle, evaluation, explanation, drifted, window, asked, features)
        return dict(
            step(stages.register, run)(
                validation, models, bundle, evaluation, units, explanation, drifted, decision, transferred
            )
        )


def run_here(request: RetrainRequest) -> dict[str, Any]:
    """Runs it in this process, marked as this installation's."""
    prepare_server()
    with tags(home_tag(workspace())):
        return dict(retrain(request))
