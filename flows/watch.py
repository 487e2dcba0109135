"""New faces against the champion's: those that `predict --log` kept, or samples of the dataset that it has not learned from."""

from __future__ import annotations

from typing import Any, Final

from bitface.errors import InputError
from bitface.flows import wiring
from bitface.flows.deployments import DRIFTED
from bitface.flows.service import announce
from bitface.flows.stages import Stages
from bitface.steps.judging.dataset_drift import DriftTest
from bitface.steps.judging.window import NEW_SAMPLES, Window, days_of, logged_window, new_samples
from bitface.steps.retrain.plan import code_commit
from bitface.steps.versions.monitor import JudgedPeople, compare_with_model, model_and_run, people_not_met, show_drift

CHAMPION: Final = "champion"


def watch(stages: Stages, window: str | None) -> dict[str, Any]:
    """The comparison, and an event where something drifted; having nothing to compare does not fail a schedule."""
    with stages.running():
        found = _window(stages, CHAMPION, window)
        if found is None:
            return {"window": "no new faces", "drifted": [], "asks_for_retrain": False}
        document = _compared(stages, CHAMPION, found)
    if document["asks_for_retrain"]:
        announce(stages.tools, DRIFTED, {"columns": len(document["drifted"])}, "bitface: drift", document["window"])
    return document


def compare_now(stages: Stages, model: str, window: str | None) -> dict[str, Any]:
    """The comparison for somebody who asks; raises InputError where there is nothing to compare."""
    with stages.running():
        found = _window(stages, model, window)
        if found is None:
            raise InputError(
                "no new faces; keep some with `bitface predict --log`, or import people and use --window new"
            )
        return _compared(stages, model, found)


def _compared(stages: Stages, model: str, window: Window) -> dict[str, Any]:
    tools = stages.tools
    place, params = tools.workspace, tools.params
    compared = compare_with_model(
        window,
        model,
        JudgedPeople(ledger=tools.ledger, runs=place.runs, keys=tools.keys),
        DriftTest(params=params.drift, seed=params.seed, measure=wiring.measure_drift()),
        place.home / "drift",
        tools.now(),
    )
    show_drift(compared, wiring.pictures(place)[0], wiring.tracking(place), code_commit(place.root))
    return compared.document


def _window(stages: Stages, model: str, window: str | None) -> Window | None:
    tools = stages.tools
    entry, _ = model_and_run(model, tools.ledger)
    if window == NEW_SAMPLES:
        runtime = wiring.signed_runtime(tools, model)  # before anybody's picture is read
        run = stages.comparable(stages.plan(stages.present()))
        features = stages.featurise(run, people_not_met(run, model, tools.ledger))
        return new_samples(run, features, runtime, tools.keys)
    days = days_of(window) if window else tools.params.drift.window_days
    return logged_window(wiring.prediction_log(tools), None, days, entry.bundle_sha256, tools.now())
