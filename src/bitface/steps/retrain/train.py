"""Trains the one-bit model and its float twin; a small set is also judged out of fold, by models that never saw the person."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bitface.documents import Document
from bitface.errors import InputError
from bitface.faces.features import ClipTable
from bitface.models.calibrator import logit_of
from bitface.ports import Report
from bitface.steps.retrain.featurise import AUGMENTED, originals
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.reuse import StageInputs, unless_made
from bitface.steps.retrain.run_data import Data

if TYPE_CHECKING:
    from bitface.training.trained import TrainedModel

PRECISIONS = ("one-bit", "float")
OUT_OF_FOLD = "out_of_fold.npz"
INPUTS: Final = StageInputs(
    module=__name__,
    sections=("training", "seed", "quality", "splits"),
    inputs=("features", "kept", "folds"),
    code=(
        "training.loop",
        "training.closed_form",
        "training.choice",
        "training.batches",
        "training.seeds",
        "models.calibrator",
        "faces.features",
        "faces.quality",
    ),
    sources=("steps.retrain.run_data", "steps.retrain.featurise", "steps.retrain.validate"),
    carriers=("errors", "ports", "steps.retrain.plan", "steps.retrain.reuse"),
)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Where the trained pair lies: `folder/one-bit`, `folder/float`, and `out_of_fold.npz` for a small set."""

    folder: Path
    key: str
    reused: bool


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """Where the trained pair lies with its calibrators: `folder/one-bit`, `folder/float`, `out_of_fold.npz` for a small set."""

    folder: Path
    key: str
    reused: bool


def train_models(run: Run, data: Data, stages: Path, report: Report) -> Trained:
    """Trains, or reuses what the same features, parameters, seed and code gave before."""
    key = INPUTS.key(
        run.params,
        features=data.seen.digests(),
        kept=sorted(data.validation.kept),
        folds=sorted(run.members.folds.items()),
    )
    run = replace(run, params=INPUTS.restricted(run.params))
    folder = stages / "train" / key
    with unless_made(folder) as partial:
        if partial is not None:
            table = data.rows
            if run.members.folds:
                _out_of_fold(table, run, partial, report)
                table = with_folds(table, run.members.folds, judged=None, validation=0)
            from bitface.training.loop import train_pair

            learned = without_pseudonyms(table.of_split("train", "validation"))
            _save(train_pair(learned, run.params.training, run.params.seed, _progress(run, report)), partial)
    return Trained(folder=folder, key=key, reused=partial is None)


def with_folds(table: ClipTable, folds: Mapping[str, int], judged: int | None, validation: int) -> ClipTable:
    """The table with splits by fold: the judged fold is `gate`, one is validation, the others are train.

    Augmented copies are left out of what is judged or chosen by.
    """
    of_row = np.array([folds[str(person)] for person in table.persons])
    splits = np.where(of_row == validation, "validation", "train")
    splits = splits if judged is None else np.where(of_row == judged, "gate", splits)
    is_copy = np.char.find(table.sample_ids, AUGMENTED) >= 0
    return replace(table, splits=splits).where((splits == "train") | ~is_copy)


def centred(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores moved in logits so that each threshold becomes 0.5: folds with thresholds of their own can be pooled."""
    return np.asarray(expit(logit_of(scores) - logit_of(thresholds)), dtype=np.float64)


def _progress(run: Run, report: Report) -> Callable[[str, int, float], None]:
    def on_epoch(which: str, epoch: int, _: float) -> None:
        report(f"training {which}", epoch, run.params.training.epochs_of(which))

    return on_epoch


def _save(pair: Sequence[TrainedModel], folder: Path) -> None:
    from bitface.training.loop import save_model

    for name, model in zip(PRECISIONS, pair, strict=True):
        save_model(model, folder / name)


def without_pseudonyms(table: ClipTable) -> ClipTable:
    """Numbers people in the order in which they stand: random pseudonyms must not reach what is drawn in training."""
    _, first, of_row = np.unique(table.persons, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return replace(table, persons=np.array([f"{number:06d}" for number in rank[of_row]]))


def _out_of_fold(table: ClipTable, run: Run, folder: Path, report: Report) -> None:
    """Scores of each fold's people by networks that never saw them, as they are and as apex stills; `calibrate` reads them."""
    from bitface.training.batches import apex_stills
    from bitface.training.loop import predict_scores, train_pair
    from bitface.training.seeds import repeatable

    count = run.params.splits.folds
    names: list[NDArray[np.str_]] = []
    folds: list[NDArray[np.int64]] = []
    columns: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    emotions: set[tuple[str, ...]] = set()
    for fold in range(count):

        def on_epoch(which: str, epoch: int, _: float, fold: int = fold) -> None:
            report(f"fold {fold + 1} of {count}: {which}", epoch, run.params.training.epochs_of(which))

        part = with_folds(table, run.members.folds, judged=fold, validation=(fold + 1) % count)
        pair = train_pair(
            without_pseudonyms(part.of_split("train", "validation")),
            run.params.training,
            run.params.seed + fold,
            on_epoch,
        )
        judged = originals(part.of_split("gate"))
        names.append(judged.sample_ids)
        folds.append(np.full(len(judged), fold, dtype=np.int64))
        emotions |= {model.emotions for model in pair}
        for precision, model in zip(PRECISIONS, pair, strict=True):
            name = precision.replace("-", "_")
            with repeatable(run.params.seed, run.params.training.threads):
                columns[f"{name}_scores"].append(predict_scores(model, judged))
                columns[f"{name}_stills"].append(predict_scores(model, apex_stills(judged)))
            columns[f"{name}_thresholds"].append(model.thresholds[None])
    if len(emotions) != 1:
        raise InputError("the folds do not contain the same emotions; add more people per emotion")
    np.savez(
        folder / OUT_OF_FOLD,
        allow_pickle=False,
        sample_ids=np.concatenate(names),
        folds=np.concatenate(folds),
        emotions=np.array(next(iter(emotions))),
        **{name: np.concatenate(parts) for name, parts in columns.items()},
    )


def find_trained(stages: Path, weights_sha256: str) -> TrainedModel | None:
    """The training graph of a deployed model, by the digest of its weights, where this machine still has it."""
    from bitface.training.loop import load_model

    for spec in sorted(stages.glob("*/*/one-bit/spec.json")):
        if model_facts(spec.parent)["weights_sha256"] == weights_sha256:
            return load_model(spec.parent)
    return None


def model_facts(folder: Path) -> Document:
    """`spec.json` of a saved model."""
    document: Document = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    return document
