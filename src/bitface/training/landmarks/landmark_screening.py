"""Says in a blink what a subset of landmarks could be worth: a linear head on it, solved at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bitface.models.landmark.landmark_codes import DEVIATION_FLOOR, picked
from bitface.training.choice import balanced_thresholds, macro_auc
from bitface.training.closed_form import LOGITS_PER_TARGET, ridge

Floats = NDArray[np.float64]


def screened_scores(
    landmarks: tuple[int, ...],
    train: tuple[NDArray[np.float32], NDArray[np.float32]],
    validation: tuple[NDArray[np.float32], NDArray[np.float32]],
    judged: NDArray[np.float32],
    strengths: Sequence[float],
) -> tuple[Floats, Floats]:
    """Probabilities float64 (N, E) of judged stills by a ridge regression on these landmarks, and thresholds (E,).

    Args:
        landmarks: those that the regression reads.
        train: stills float32 (n, 478, 3) and one-vs-rest targets (n, E) that it is solved by.
        validation: those that choose among strengths, by macro AUC, and thresholds.
        judged: stills of people of neither.
        strengths: of the ridge, in mean variances of a coordinate.
    """
    shown = picked(train[0], landmarks).astype(np.float64)
    centre, deviation = shown.mean(axis=0), np.maximum(shown.std(axis=0), DEVIATION_FLOOR / 4)

    def standard(stills: NDArray[np.float32]) -> Floats:
        return np.asarray((picked(stills, landmarks) - centre) / deviation)

    values, targets = standard(train[0]), train[1].astype(np.float64)
    sums = (values.T @ values, values.T @ targets, values.sum(axis=0), targets.sum(axis=0))
    solved = [ridge(len(values), *sums, strength) for strength in strengths]
    believed = [_probabilities(standard(validation[0]), *one) for one in solved]
    best = int(np.argmax([macro_auc(validation[1], own) for own in believed]))
    return _probabilities(standard(judged), *solved[best]), balanced_thresholds(validation[1], believed[best])


def _probabilities(values: Floats, weights: Floats, biases: Floats) -> Floats:
    return np.asarray(expit(LOGITS_PER_TARGET * (values @ weights + biases - 0.5)))
