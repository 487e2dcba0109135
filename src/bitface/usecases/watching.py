"""Compares new faces with the champion's: those that `predict --log` kept, or samples of the dataset that it was not trained on."""

from __future__ import annotations

from typing import Any, Final

from bitface.errors import InputError
from bitface.steps.judging.dataset_drift import DriftTest
from bitface.steps.judging.window import NEW_SAMPLES, Window, days_of, logged_window, new_samples
from bitface.steps.retrain.featurise import featurise_people
from bitface.steps.retrain.plan import code_commit
from bitface.steps.versions.monitor import JudgedPeople, compare_with_model, model_and_run, people_not_met, show_drift
from bitface.usecases import stages
from bitface.usecases.answers import prediction_log
from bitface.usecases.job import Job
from bitface.usecases.models import signed_runtime

CHAMPION: Final = "champion"
NOTHING_NEW: Final = {"window": "no new faces", "drifted": [], "asks_for_retrain": False}


def watch(window: str | None, job: Job) -> dict[str, Any]:
    """The comparison with the champion; a lack of faces does not fail a schedule."""
    with job.running():
        found = _window(CHAMPION, window, job)
        return dict(NOTHING_NEW) if found is None else _compared(CHAMPION, found, job)


def compare_now(model: str, window: str | None, job: Job) -> dict[str, Any]:
    """The comparison on request; raises InputError if there is nothing to compare."""
    with job.running():
        found = _window(model, window, job)
        if found is None:
            raise InputError(
                "no new faces; keep some with `bitface predict --log`, or import people and use --window new"
            )
        return _compared(model, found, job)


def _compared(model: str, window: Window, job: Job) -> dict[str, Any]:
    tools, ports = job.tools, job.tools.ports
    place, params = tools.workspace, tools.params
    compared = compare_with_model(
        window,
        model,
        JudgedPeople(ledger=tools.ledger, runs=place.runs, keys=tools.keys),
        DriftTest(params=params.drift, seed=params.seed, measure=ports.measure_drift()),
        place.home / "drift",
        tools.now(),
    )
    show_drift(compared, ports.pictures()[0], ports.tracking(), code_commit(place.root))
    return compared.document


def _window(model: str, window: str | None, job: Job) -> Window | None:
    tools = job.tools
    entry, _ = model_and_run(model, tools.ledger)
    if window == NEW_SAMPLES:
        runtime = signed_runtime(tools, model)  # before any picture is read
        run = stages.comparable(stages.plan(stages.present(job), job), job)
        features = featurise_people(people_not_met(run, model, tools.ledger), stages.featuriser(run, tools))
        return new_samples(run, features, runtime, tools.keys)
    days = days_of(window) if window else tools.params.drift.window_days
    return logged_window(prediction_log(tools), None, days, entry.bundle_sha256, tools.now())
