"""The points behind the figures: confusion, ROC and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.evaluation.intervals import wilson
from bitface.evaluation.predictions import Predictions, check_predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """Points of a ROC curve, float64 (P,), from (0, 0) to (1, 1), and the point of the model's own threshold.

    Over folds it is the mean curve at each false positive rate (Fawcett, 2006, section 8.1), weighted by a fold's pairs,
    so that the area under it is the AUC of `scores.auc_of`.
    """

    false_positive_rate: Floats
    true_positive_rate: Floats
    at_threshold: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Per bin of equal width with samples in it: mean score, share of positives with Wilson limits, and samples.

    `expected_calibration_error` is the mean distance of the two, weighted by samples (Naeini et al., 2015).
    """

    mean_score: Floats
    share: Floats
    lo: Floats
    hi: Floats
    samples: NDArray[np.int64]
    expected_calibration_error: float


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    """Counts of label (row) by emotion with the highest score (column), int64 (E, E); labels outside `emotions` are left out.

    Raises:
        InputError: predictions that are not sound.
    """
    from sklearn.metrics import confusion_matrix

    check_predictions(predictions)
    names = np.array(predictions.emotions)
    known = np.isin(predictions.labels, names)
    if not known.any():
        return np.zeros((len(names), len(names)), dtype=np.int64)
    said = names[predictions.scores.argmax(axis=1)]
    return np.asarray(confusion_matrix(predictions.labels[known], said[known], labels=names), dtype=np.int64)


def roc_curves(predictions: Predictions) -> dict[str, RocCurve]:
    """The ROC curve of each emotion with positive and negative samples in one fold. Raises InputError if not sound."""
    check_predictions(predictions)
    truth, decided = predictions.truth(), predictions.decisions()
    parts = [predictions.folds == fold for fold in np.unique(predictions.folds)]
    found: dict[str, RocCurve] = {}
    for column, emotion in enumerate(predictions.emotions):
        yes, called = truth[:, column], decided[:, column]
        if both := [part for part in parts if 0 < yes[part].sum() < part.sum()]:
            mistaken, hit = _mean_curve([(yes[part], predictions.scores[part, column]) for part in both])
            found[emotion] = RocCurve(
                false_positive_rate=mistaken,
                true_positive_rate=hit,
                at_threshold=(float(called[~yes].mean()), float(called[yes].mean())),
            )
    return found


def reliability(truth: NDArray[np.bool_], scores: Floats, bins: int, confidence: float) -> Reliability:
    """Whether the scores of an emotion are probabilities, over `bins` equal bins of 0..1.

    `truth` bool (n,), `scores` float64 (n,) in 0..1. Raises InputError where there is no sample.
    """
    if not len(scores):
        raise InputError("the calibration table is empty; add samples")
    of_bin = np.minimum((scores * bins).astype(np.int64), bins - 1)
    samples = np.bincount(of_bin, minlength=bins)
    filled = np.flatnonzero(samples)
    n = samples[filled]
    share = np.bincount(of_bin, weights=truth, minlength=bins)[filled] / n
    mean_score = np.bincount(of_bin, weights=scores, minlength=bins)[filled] / n
    limits = np.array([wilson(float(p), int(count), confidence) for p, count in zip(share, n, strict=True)])
    return Reliability(
        mean_score=mean_score,
        share=share,
        lo=limits[:, 0],
        hi=limits[:, 1],
        samples=n.astype(np.int64),
        expected_calibration_error=float((np.abs(share - mean_score) * n).sum() / n.sum()),
    )


def _mean_curve(folds: Sequence[tuple[NDArray[np.bool_], Floats]]) -> tuple[Floats, Floats]:
    """False and true positive rates of the mean of the folds' curves, each given as truth and scores."""
    curves = [_roc(truth, scores) for truth, scores in folds]
    if len(curves) == 1:
        return curves[0]
    pairs = [float(truth.sum() * (~truth).sum()) for truth, _ in folds]
    grid = np.unique(np.concatenate([mistaken for mistaken, _ in curves]))
    ends = [np.stack([_height(curve, grid, top) for top in (False, True)], axis=1).ravel() for curve in curves]
    return np.repeat(grid, 2), np.average(ends, axis=0, weights=pairs)


def _height(curve: tuple[Floats, Floats], grid: Floats, top: bool) -> Floats:
    """True positive rate at each false positive rate of `grid`; the upper or lower end where the curve goes straight up."""
    mistaken, found = curve
    if not top:
        return 1 - _height((1 - mistaken[::-1], 1 - found[::-1]), (1 - grid)[::-1], top=True)[::-1]
    last = np.searchsorted(mistaken, grid, side="right") - 1
    following = np.minimum(last + 1, len(mistaken) - 1)
    run = mistaken[following] - mistaken[last]
    share = np.divide(grid - mistaken[last], run, out=np.zeros(len(grid)), where=run > 0)
    return np.asarray(found[last] + share * (found[following] - found[last]))


def _roc(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    from sklearn.metrics import roc_curve

    mistaken, found, _ = roc_curve(truth, scores, drop_intermediate=False)
    return mistaken, found
