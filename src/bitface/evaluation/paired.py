"""Compares networks on the same people: a difference of means says little, a difference on each person says much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.evaluation.intervals import Interval, percentile_interval, seed_for
from bitface.evaluation.predictions import Predictions, check_predictions
from bitface.evaluation.resampling import person_weights
from bitface.evaluation.scores import auc_of, balanced_accuracy_of

Floats = NDArray[np.float64]
Figure = Callable[[Predictions, Floats | None], Floats]
"""A figure of predictions under each row of weights (R, n), float64 (R,); one row where they are None."""


def macro_balanced_accuracies(predictions: Predictions, weights: Floats | None) -> Floats:
    """Macro balanced accuracy per row of weights (R, n), float64 (R,); one row where `weights` is None."""
    return np.asarray(balanced_accuracy_of(predictions.truth(), predictions.decisions(), weights).mean(axis=1))


def macro_aucs(predictions: Predictions, weights: Floats | None) -> Floats:
    """Macro AUC per row of weights (R, n), float64 (R,), over the emotions that can be judged; one row for None."""
    truth, folds = predictions.truth(), predictions.folds
    judged = np.isfinite(auc_of(truth, predictions.scores, None, folds)[0])
    return np.asarray(auc_of(truth[:, judged], predictions.scores[:, judged], weights, folds).mean(axis=1))


def mean_difference(
    one: Sequence[Predictions],
    other: Sequence[Predictions],
    resamples: int,
    confidence: float,
    seed: int,
    figure: Figure = macro_balanced_accuracies,
) -> Interval:
    """A figure of `one` minus that of `other`, each the mean over its trainings, by resampled people.

    Every element is a training (another seed) judged on the same samples; the numbers of trainings may differ. The
    interval is over people and holds for these trainings: their spread is told apart from it.

    Raises:
        InputError: nothing to compare, or samples that are not the same.
    """
    first, second = _aligned([*one, *other])[: len(one)], _aligned([*one, *other])[len(one) :]
    if not first or not second:
        raise InputError("a comparison needs at least one training on each side; run the study again")
    weights = person_weights(first[0].persons, resamples, seed_for(seed, "paired"))

    def difference(rows: Floats | None) -> Floats:
        means = [np.mean([figure(p, rows) for p in side], axis=0) for side in (first, second)]
        return np.asarray(means[0] - means[1])

    people = len(np.unique(first[0].persons))
    value, draws = float(difference(None)[0]), difference(weights)
    return percentile_interval(value, draws, confidence, len(first[0]), people, least=-1.0, most=1.0)


def fused(parts: Sequence[Predictions], shares: Sequence[float] | None = None) -> Predictions:
    """Late fusion: the mean of the logits relative to each part's thresholds, weighted by `shares` where they are given;
    every threshold becomes 0.5.
    """
    aligned = _aligned(parts)
    if len({part.emotions for part in aligned}) != 1:
        raise InputError("models of different emotions cannot be fused; train them on the same emotions")
    logits = [_logit(part.scores) - _logit(part.thresholds) for part in aligned]
    scores = 1 / (1 + np.exp(-np.average(logits, axis=0, weights=shares)))
    return replace(aligned[0], scores=scores, thresholds=np.full(len(aligned[0].emotions), 0.5))


def _aligned(parts: Sequence[Predictions]) -> list[Predictions]:
    """The same samples in the order of their ids."""
    ordered = []
    for part in parts:
        rows = np.argsort(check_predictions(part).sample_ids, kind="stable")
        ordered.append(part.where(rows))
    if any(not np.array_equal(part.sample_ids, ordered[0].sample_ids) for part in ordered):
        raise InputError("the models were not judged on the same samples; run the study again")
    return ordered


def _logit(scores: Floats) -> Floats:
    likely = np.clip(scores, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(likely) - np.log1p(-likely))
