"""The points behind the figures: who is taken for whom, at which price a face is found, and whether a probability is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.evaluation.intervals import wilson
from bitface.evaluation.predictions import Predictions, check_predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """Points of a ROC curve, float64 (P,), from (0, 0) to (1, 1), and the point of the model's own threshold."""

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
    check_predictions(predictions)
    E = len(predictions.emotions)
    rows = np.array([_index(predictions.emotions, label) for label in predictions.labels.tolist()])
    known = rows >= 0
    counts = np.zeros((E, E), dtype=np.int64)
    np.add.at(counts, (rows[known], predictions.scores.argmax(axis=1)[known]), 1)
    return counts


def roc_curves(predictions: Predictions) -> dict[str, RocCurve]:
    """The ROC curve of each emotion that has both positive and negative samples. Raises InputError if not sound."""
    check_predictions(predictions)
    truth, decided = predictions.truth(), predictions.decisions()
    return {
        emotion: _roc(truth[:, column], decided[:, column], predictions.scores[:, column])
        for column, emotion in enumerate(predictions.emotions)
        if 0 < truth[:, column].sum() < len(truth)
    }


def reliability(predictions: Predictions, bins: int, confidence: float) -> dict[str, Reliability]:
    """Whether scores are probabilities, per emotion, over `bins` equal bins of 0..1. Raises InputError if not sound."""
    check_predictions(predictions)
    truth = predictions.truth()
    return {
        emotion: _reliability(truth[:, column], predictions.scores[:, column], bins, confidence)
        for column, emotion in enumerate(predictions.emotions)
    }


def _roc(truth: NDArray[np.bool_], decided: NDArray[np.bool_], scores: Floats) -> RocCurve:
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.flatnonzero(np.r_[np.diff(-scores[order]) > 0, True])
    found = np.cumsum(truth[order])[last_of_ties] / truth.sum()
    mistaken = np.cumsum(~truth[order])[last_of_ties] / (~truth).sum()
    return RocCurve(
        false_positive_rate=np.r_[0.0, mistaken],
        true_positive_rate=np.r_[0.0, found],
        at_threshold=(float(decided[~truth].mean()), float(decided[truth].mean())),
    )


def _reliability(truth: NDArray[np.bool_], scores: Floats, bins: int, confidence: float) -> Reliability:
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


def _index(emotions: tuple[str, ...], label: str) -> int:
    return emotions.index(label) if label in emotions else -1
