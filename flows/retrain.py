"""The main job: from a dataset to a model that is promoted, held or blocked, with the reasons on record.

Read it downwards; each task names the step that does the work.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel, ConfigDict

from bitface.steps import drift, evaluate, explain, export, featurise, gate, plan, register, summary, train, validate, version
from flows import wiring


class RetrainRequest(BaseModel):
    """What a person or a schedule asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str = "default"
    purpose: str = "train"
    context: str | None = None
    overrides: tuple[str, ...] = ()


def step(function: Any, name: str) -> Any:
    """A plain function as a task; our own content keys decide what is reused, so Prefect caches nothing."""
    return task(function, name=name, cache_policy=NO_CACHE, persist_result=False)


@flow(name="retrain", task_runner=ThreadPoolTaskRunner(max_workers=wiring.worker_threads()), validate_parameters=True)
def retrain(request: RetrainRequest) -> dict[str, Any]:
    """Runs the stages in order; returns the summary, which names the decision and where to look."""
    stages = wiring.wire(request.profile, request.overrides, request.purpose, request.context)
    with stages.running():
        dataset = step(stages.version, "version")()
        run = step(stages.plan, "plan")(dataset)
        if summary.is_finished(run):
            return step(stages.reuse, "reuse")(run)
        features = step(stages.featurise, "featurise").map(stages.groups(run), unmapped(run))
        validation = step(stages.validate, "validate")(run, features)
        models = step(stages.train, "train")(run, features, validation)
        bundle = step(stages.export, "export")(run, models, features, validation)
        evaluation = step(stages.evaluate, "evaluate")(run, models, bundle, features, validation)
        explanation = step(stages.explain, "explain")(run, models, bundle, features, validation)
        drifted = step(stages.drift, "drift")(run, features, validation)
        decision = step(stages.gate, "gate")(run, validation, bundle, evaluation, explanation, drifted)
        return step(stages.register, "register")(
            run, validation, models, bundle, evaluation, explanation, drifted, decision
        )
