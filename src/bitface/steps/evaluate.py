"""Judges the deployed model and its twin on people who trained neither, overall and group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bitface.dataset.keys import KeyStore
from bitface.errors import InputError
from bitface.evaluation.by_group import GroupReport, group_report
from bitface.evaluation.predictions import Predictions, check_predictions
from bitface.evaluation.scores import ModelScores, score_model
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.ports import LoadRuntime, Runtime
from bitface.steps.export import Exported
from bitface.steps.featurise import FeatureRef, originals
from bitface.steps.plan import Run
from bitface.steps.train import OUT_OF_FOLD, PRECISIONS, Trained, centred, run_table
from bitface.steps.validate import Validation


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Predictions and figures of both models on the same judged samples; `judged_on` says who was judged, in words.

    `predictions` are moved in logits so that each threshold is 0.5: the top emotion is then the one farthest above its
    threshold, for every model alike. `probabilities` are the one-bit model's scores as it gives them.
    """

    predictions: Mapping[str, Predictions]
    probabilities: Predictions
    models: Mapping[str, ModelScores]
    groups: GroupReport
    judged_on: str


def evaluate_models(
    run: Run,
    models: Trained,
    bundle: Exported,
    features: Sequence[FeatureRef],
    validation: Validation,
    keys: KeyStore,
    load: LoadRuntime,
) -> Evaluated:
    """Scores both models: on gate people through the deployed runtime, or out of fold where the set is small.

    Raises:
        InputError: nobody is left to judge on.
    """
    table = originals(run_table(run, features, validation, keys))
    if run.members.folds:
        predictions = _out_of_fold(table, models.folder / OUT_OF_FOLD)
    else:
        predictions = held_out_predictions(table.of_split("gate"), models.folder, load(bundle.folder))
    given = predictions["one-bit"]
    predictions = {name: with_centred_scores(check_predictions(one)) for name, one in predictions.items()}
    params, seed = run.params.evaluation, run.params.seed
    return Evaluated(
        predictions=predictions,
        probabilities=given,
        models={name: score_model(one, params, seed) for name, one in predictions.items()},
        groups=group_report(predictions["one-bit"], run.slices(), params, seed),
        judged_on=_who(predictions["one-bit"], run),
    )


def with_centred_scores(predictions: Predictions) -> Predictions:
    """The same decisions with every threshold at 0.5, see `train.centred`."""
    return replace(
        predictions,
        scores=centred(predictions.scores, predictions.thresholds),
        thresholds=np.full(len(predictions.emotions), 0.5),
    )


def held_out_predictions(judged: ClipTable, models: Path, runtime: Runtime) -> dict[str, Predictions]:
    """The one-bit model's scores through the runtime that is deployed, and the twin's through torch."""
    from bitface.training.loop import load_model, predict_scores

    if not len(judged):
        raise InputError("no gate person is left after validation; bring people of split gate, or a smaller set")
    twin = load_model(models / "float")
    one_bit = runtime_predictions(judged, runtime)
    scores = predict_scores(twin, judged)
    return {"one-bit": one_bit, "float": _predictions(judged, twin.emotions, scores, twin.thresholds)}


def runtime_predictions(judged: ClipTable, runtime: Runtime) -> Predictions:
    """What a deployed bundle says of the rows of a table."""
    scores = runtime.scores(judged.column(runtime.reads), judged.lengths)
    return _predictions(judged, runtime.emotions, scores, runtime.thresholds)


def _out_of_fold(table: ClipTable, path: Path) -> dict[str, Predictions]:
    with np.load(path, allow_pickle=False) as arrays:
        row_of = {str(name): row for row, name in enumerate(table.sample_ids)}
        rows = table.where(np.array([row_of[str(name)] for name in arrays["sample_ids"]], dtype=np.int64))
        emotions = tuple(map(str, arrays["emotions"]))
        limits = np.full(len(emotions), 0.5)
        folds, found = arrays["folds"], {name: arrays[name.replace("-", "_")] for name in PRECISIONS}
    return {name: replace(_predictions(rows, emotions, scores, limits), folds=folds) for name, scores in found.items()}


def _predictions(
    rows: ClipTable,
    emotions: tuple[str, ...],
    scores: np.typing.NDArray[np.float64],
    thresholds: np.typing.NDArray[np.float64],
) -> Predictions:
    return Predictions(
        sample_ids=rows.sample_ids,
        persons=rows.persons,
        labels=np.array([EMOTIONS[label] for label in rows.labels]),
        emotions=emotions,
        scores=scores,
        thresholds=thresholds,
        folds=np.zeros(len(rows), dtype=np.int64),
    )


def _who(predictions: Predictions, run: Run) -> str:
    people = len(np.unique(predictions.persons))
    kind = "synthetic people" if run.evidence == "synthetic" else "people"
    if run.members.folds:
        return f"{people} {kind} out of fold ({run.params.splits.folds} folds by person, {len(predictions)} samples)"
    return f"{people} unseen {kind} ({len(predictions)} samples)"
