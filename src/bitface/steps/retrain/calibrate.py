"""Calibrates the trained pair on people who neither trained nor judge it: a score is then a probability, a set a promise."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from bitface.evaluation.calibration import fit_calibrator
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable
from bitface.models.calibrator import Calibrator, logit_of, uncalibrated
from bitface.params import CalibrationParams
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import StageInputs, unless_made
from bitface.steps.retrain.run_data import Data
from bitface.steps.retrain.train import OUT_OF_FOLD, PRECISIONS, Calibrated, Trained

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel

OUT_OF_FOLD_PEOPLE = "people out of fold, by networks of other folds, so coverage is approximate"
INPUTS: Final = StageInputs(
    module=__name__,
    sections=("calibration", "seed", "quality", "training"),
    inputs=("models",),
    code=(
        "evaluation.calibration",
        "training.loop",
        "training.batches",
        "training.seeds",
        "models.calibrator",
        "faces.emotions",
        "faces.features",
        "faces.quality",
    ),
    sources=("steps.retrain.run_data", "steps.retrain.featurise", "steps.retrain.train", "steps.retrain.validate"),
    carriers=("params", "steps.retrain.plan", "steps.retrain.reuse"),
)
NOBODY = "not calibrated: the dataset has no people in split test or validation, who neither train nor judge a model"
ALSO_CHOSE = "people of split validation, who also chose the model, since the source has no part to calibrate by"


@dataclass(frozen=True, kw_only=True)
class OutOfFold:
    """What networks said of people whom they never saw: `rows` of a table, and int64 (N,) the fold of each.

    By precision, float64 (N, E): `logits` of the samples as they are, `still_logits` of their apex stills, and the
    `thresholds` of the network that gave them.
    """

    rows: ClipTable
    folds: NDArray[np.int64]
    emotions: tuple[str, ...]
    logits: Mapping[str, NDArray[np.float64]]
    still_logits: Mapping[str, NDArray[np.float64]]
    thresholds: Mapping[str, NDArray[np.float64]]


def calibrate_models(run: Run, trained: Trained, data: Data, stages: Path) -> Calibrated:
    """The same pair, each with a calibrator of its own, or reuses what the same models, parameters and code gave before.

    Apex stills of people of split `test`, or of `validation` where a source has no such part, calibrate, without augmented copies;
    where a small set is judged out of fold, everyone's out-of-fold stills. Where there is nobody, scores stay as they are and the
    calibrator says so. A closed-form model's counts of people stay where training left them: an erasure has one place to look.
    """
    folder = stages / "calibrate" / INPUTS.key(run.params, models=trained.key)
    run = replace(run, params=INPUTS.restricted(run.params))
    with unless_made(folder) as partial:
        if partial is not None:
            _calibrate(run, trained, data.originals, partial)
    return Calibrated(folder=folder, key=folder.name, reused=trained.reused and partial is None)


def _calibrate(run: Run, trained: Trained, table: ClipTable, partial: Path) -> None:
    from bitface.training.loop import load_model, save_model
    from bitface.training.seeds import repeatable

    if run.members.folds:
        shutil.copy2(trained.folder / OUT_OF_FOLD, partial / OUT_OF_FOLD)
    for precision in PRECISIONS:
        model = load_model(trained.folder / precision)
        if run.members.folds:
            found = read_out_of_fold(table, trained.folder / OUT_OF_FOLD)
            calibrator = out_of_fold_calibrator(found, precision, run.params.calibration)
        else:
            with repeatable(run.params.seed, run.params.training.threads):
                calibrator = held_out_calibrator(model, table, run.params.calibration)
        save_model(replace(model, calibrator=calibrator), partial / precision)


def held_out_calibrator(model: TrainedModel, table: ClipTable, params: CalibrationParams) -> Calibrator:
    """A calibrator of a model's logits by the apex stills of the people of split `test`; where there are none, of `validation`, and of
    nobody where there are none either.
    """
    from bitface.training.batches import apex_stills
    from bitface.training.loop import predict_scores

    asked, who = table.of_split("test"), "people of split test"
    if not len(asked):
        asked, who = table.of_split("validation"), ALSO_CHOSE
    if not len(asked):
        return uncalibrated(model.thresholds, NOBODY)
    logits = logit_of(predict_scores(model, apex_stills(asked)))
    return fit_calibrator(logits, labels_of(asked), asked.persons, model.emotions, params, who)


def out_of_fold_calibrator(
    found: OutOfFold, precision: str, params: CalibrationParams, judged: int | None = None
) -> Calibrator:
    """A calibrator of logits by the people of every fold but the `judged` one.

    What answers is another network than those that scored these people, as in cross-conformal prediction: close to
    1 - alpha in practice, while 1 - 2 alpha is what can be proved of such schemes (Barber, Candes, Ramdas & Tibshirani,
    2021, Predictive inference with the jackknife+). The remark says that it is approximate.
    """
    asked = found.folds != judged if judged is not None else np.full(len(found.folds), True)
    rows = found.rows.where(asked)
    logits = found.still_logits[precision][asked]
    return fit_calibrator(logits, labels_of(rows), rows.persons, found.emotions, params, OUT_OF_FOLD_PEOPLE)


def read_out_of_fold(table: ClipTable, path: Path) -> OutOfFold:
    """What the training stage wrote to `path`; `table` holds the rows of everyone who is named in it."""
    with np.load(path, allow_pickle=False) as arrays:
        row_of = {str(name): row for row, name in enumerate(table.sample_ids)}
        rows = table.where(np.array([row_of[str(name)] for name in arrays["sample_ids"]], dtype=np.int64))
        folds = arrays["folds"]
        prefix = {precision: precision.replace("-", "_") for precision in PRECISIONS}
        return OutOfFold(
            rows=rows,
            folds=folds,
            emotions=tuple(map(str, arrays["emotions"])),
            logits={p: logit_of(arrays[f"{name}_scores"]) for p, name in prefix.items()},
            still_logits={p: logit_of(arrays[f"{name}_stills"]) for p, name in prefix.items()},
            thresholds={p: arrays[f"{name}_thresholds"][folds] for p, name in prefix.items()},
        )


def labels_of(table: ClipTable) -> NDArray[np.str_]:
    """The names of the labels, str (N,)."""
    return np.array([EMOTIONS[label] for label in table.labels], dtype=np.str_)
