"""Judges the deployed model and its twin on people who trained neither, overall and group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bitface.counted_words import counted, some_of
from bitface.errors import InputError
from bitface.evaluation.by_group import GroupReport, group_report
from bitface.evaluation.coverage import CalibrationReport, SetPredictions, calibration_report
from bitface.evaluation.intervals import Interval
from bitface.evaluation.membership import membership_auc, person_losses
from bitface.evaluation.predictions import Predictions, check_predictions
from bitface.evaluation.scores import ModelScores, score_model
from bitface.faces.features import ClipTable
from bitface.models.calibrator import Calibrator, logit_of
from bitface.params import CalibrationParams
from bitface.ports import LoadRuntime, Runtime
from bitface.steps.retrain.calibrate import OutOfFold, labels_of, out_of_fold_calibrator, read_out_of_fold
from bitface.steps.retrain.export import Model
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.train import OUT_OF_FOLD, PRECISIONS, centred


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Predictions and figures of both models on the same judged samples; `judged_on` says who was judged, in words.

    `predictions` are moved in logits so that each threshold is 0.5: the top emotion is then the one farthest above its
    threshold, in calibrated logits, for every model alike. `calibration` is judged on stills, which `predict` reads. `membership`:
    how well stills tell who trained the one-bit model, None where everyone did.
    """

    predictions: Mapping[str, Predictions]
    models: Mapping[str, ModelScores]
    groups: GroupReport
    calibration: Mapping[str, CalibrationReport]
    judged_on: str
    membership: Interval | None


@dataclass(frozen=True, kw_only=True)
class ModelPredictions:
    """What one model says of judged people: of the samples as they are, and of their apex stills."""

    predictions: Predictions
    stills: SetPredictions
    calibrator: Calibrator


def evaluate_models(run: Run, model: Model, data: Data, load: LoadRuntime) -> Evaluated:
    """Scores both models: on gate people through the deployed runtime, or out of fold where the set is small.

    Raises:
        InputError: nobody is left to judge on.
    """
    table, networks, folder = data.originals, model.networks.folder, model.bundle.folder
    if run.members.folds:
        said = predictions_out_of_fold(read_out_of_fold(table, networks / OUT_OF_FOLD), run.params.calibration)
    else:
        said = predictions_of_held_out(table.of_split("gate"), networks, load(folder))
    predictions = {name: with_centred_scores(check_predictions(one.predictions)) for name, one in said.items()}
    params, seed, slices = run.params.evaluation, run.params.seed, run.slices()
    return Evaluated(
        predictions=predictions,
        models={name: score_model(one, params, seed) for name, one in predictions.items()},
        groups=group_report(predictions["one-bit"], slices, params, seed),
        calibration={
            name: calibration_report(one.stills, one.calibrator.confidence, one.calibrator.remark, slices, params, seed)
            for name, one in said.items()
        },
        judged_on=_who(predictions["one-bit"], run),
        membership=None if run.members.folds else _membership(table, load(folder), run),
    )


def _membership(table: ClipTable, runtime: Runtime, run: Run) -> Interval:
    """By stills of the training people and of the gate people, each as the model knows faces: the most expressive frame."""
    from bitface.training.batches import apex_stills

    def losses(split: str) -> NDArray[np.float64]:
        said = runtime_predictions(apex_stills(table.of_split(split)), runtime)
        return person_losses(said.scores, said.truth(), said.persons)

    params = run.params.evaluation
    return membership_auc(
        losses("train"), losses("gate"), params.bootstrap_resamples, params.confidence, run.params.seed
    )


def with_centred_scores(predictions: Predictions) -> Predictions:
    """The same decisions with every threshold at 0.5, see `train.centred`."""
    return replace(
        predictions,
        scores=centred(predictions.scores, predictions.thresholds),
        thresholds=np.full(len(predictions.emotions), 0.5),
    )


def predictions_of_held_out(judged: ClipTable, models: Path, runtime: Runtime) -> dict[str, ModelPredictions]:
    """What the one-bit model says through the runtime that is deployed, and the twin through torch."""
    from bitface.training.batches import apex_stills
    from bitface.training.loop import load_model, predict_scores

    if not len(judged):
        raise InputError("validation left no gate people; add people with split gate")
    stills, twin = apex_stills(judged), load_model(models / "float")
    calibrator = twin.calibration()
    scores = calibrator.probabilities(logit_of(predict_scores(twin, judged)))
    twin_logits = logit_of(predict_scores(twin, stills))
    logits = runtime.logits(stills.column(runtime.reads), stills.lengths).astype(np.float64)
    return {
        "one-bit": ModelPredictions(
            predictions=runtime_predictions(judged, runtime),
            stills=_sets(stills, runtime.emotions, logits, runtime.calibrator),
            calibrator=runtime.calibrator,
        ),
        "float": ModelPredictions(
            predictions=_predictions(judged, twin.emotions, scores, calibrator.thresholds(twin.thresholds)),
            stills=_sets(stills, twin.emotions, twin_logits, calibrator),
            calibrator=calibrator,
        ),
    }


def runtime_predictions(judged: ClipTable, runtime: Runtime) -> Predictions:
    """What a deployed bundle says of the rows of a table."""
    scores = runtime.scores(judged.column(runtime.reads), judged.lengths)
    return _predictions(judged, runtime.emotions, scores, runtime.thresholds)


def predictions_out_of_fold(found: OutOfFold, params: CalibrationParams) -> dict[str, ModelPredictions]:
    """What the networks of each fold say of its people, calibrated by the people of the other folds."""
    return {precision: _predictions_out_of_fold(found, precision, params) for precision in PRECISIONS}


def _predictions_out_of_fold(found: OutOfFold, precision: str, params: CalibrationParams) -> ModelPredictions:
    """Each fold has thresholds of its own, so predictions are relative to them: 0.5 throughout."""
    logits, stills = found.logits[precision], found.still_logits[precision]
    scores, after = np.empty_like(logits), np.empty_like(stills)
    sets, abstained = np.empty(after.shape, np.bool_), np.empty(len(after), np.bool_)
    whole, fitted = out_of_fold_calibrator(found, precision, params), list[Calibrator]()
    for fold in np.unique(found.folds).tolist():
        rows = found.folds == fold
        calibrator = out_of_fold_calibrator(found, precision, params, judged=fold)
        fitted.append(calibrator)
        limits = calibrator.thresholds(found.thresholds[precision][rows])
        scores[rows] = centred(calibrator.probabilities(logits[rows]), limits)
        after[rows] = calibrator.probabilities(stills[rows])
        sets[rows] = calibrator.sets(after[rows])
        abstained[rows] = calibrator.abstains(sets[rows])
    middle = np.full(len(found.emotions), 0.5)
    return ModelPredictions(
        predictions=replace(_predictions(found.rows, found.emotions, scores, middle), folds=found.folds),
        stills=SetPredictions(
            persons=found.rows.persons,
            labels=labels_of(found.rows),
            emotions=found.emotions,
            before=expit(stills),
            after=after,
            sets=sets,
            abstained=abstained,
        ),
        calibrator=replace(whole, remark=whole.remark + _folds_remark(whole, fitted)),
    )


def _folds_remark(whole: Calibrator, fitted: Sequence[Calibrator]) -> str:
    """Where the shipped calibrator and those of the folds, which are judged, differ in whether they change scores at all."""
    changing = sum(not one.keeps_scores for one in fitted)
    if changing in (0, len(fitted)) and bool(changing) != whole.keeps_scores:
        return ""
    folds = some_of(changing, len(fitted), ("has", "have"), what=("fold", "folds"))
    return f"; judged out of fold, where {folds} a calibrator that changes scores"


def _sets(
    stills: ClipTable, emotions: tuple[str, ...], logits: NDArray[np.float64], calibrator: Calibrator
) -> SetPredictions:
    after = calibrator.probabilities(logits)
    sets = calibrator.sets(after)
    return SetPredictions(
        persons=stills.persons,
        labels=labels_of(stills),
        emotions=emotions,
        before=expit(logits),
        after=after,
        sets=sets,
        abstained=calibrator.abstains(sets),
    )


def _predictions(
    rows: ClipTable,
    emotions: tuple[str, ...],
    scores: NDArray[np.float64],
    thresholds: NDArray[np.float64],
) -> Predictions:
    return Predictions(
        sample_ids=rows.sample_ids,
        persons=rows.persons,
        labels=labels_of(rows),
        emotions=emotions,
        scores=scores,
        thresholds=thresholds,
        folds=np.zeros(len(rows), dtype=np.int64),
    )


def _who(predictions: Predictions, run: Run) -> str:
    people = len(np.unique(predictions.persons))
    kind = "synthetic " if run.evidence == "synthetic" else ""
    if run.members.folds:
        who, folds = counted(people, f"{kind}person", f"{kind}people"), counted(run.params.splits.folds, "fold")
        return f"{who} out of fold ({folds} by person, {counted(len(predictions), 'sample')})"
    return f"{counted(people, f'unseen {kind}person', f'unseen {kind}people')} ({counted(len(predictions), 'sample')})"
