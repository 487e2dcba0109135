"""Chooses emotions, epoch and decision thresholds on people outside training, whom no weight has seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bitface.errors import InputError
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable


def trainable_emotions(train: ClipTable, validation: ClipTable) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The emotions that can be learned and checked, in the order of EMOTIONS, and the others with the reason.

    Raises:
        InputError: a split is empty, people are in both, or no emotion is left.
    """
    for name, table in (("train", train), ("validation", validation)):
        if not len(table):
            raise InputError(f"no sample in split '{name}'; a model is trained on one and chosen on the other")
    if shared := len(np.intersect1d(train.persons, validation.persons)):
        raise InputError(f"{shared} people are in both train and validation; split by person")
    reasons = {emotion: _obstacle(EMOTIONS.index(emotion), train, validation) for emotion in EMOTIONS}
    emotions = tuple(emotion for emotion in EMOTIONS if not reasons[emotion])
    if not emotions:
        raise InputError("no emotion has samples of it and of others in both train and validation; bring more people")
    return emotions, tuple((emotion, reason) for emotion, reason in reasons.items() if reason)


def _obstacle(label: int, train: ClipTable, validation: ClipTable) -> str:
    for name, table in (("train", train), ("validation", validation)):
        positives = int((table.labels == label).sum())
        if not positives:
            return f"no sample of it in {name}"
        if positives == len(table):
            return f"every sample in {name} is of it"
    return ""


def targets_of(table: ClipTable, emotions: tuple[str, ...]) -> NDArray[np.float32]:
    """One-vs-rest targets, float32 (N, E): 1 where the sample's label is the emotion."""
    columns = np.array([EMOTIONS.index(emotion) for emotion in emotions])
    return np.asarray(table.labels[:, None] == columns, dtype=np.float32)


def macro_auc(targets: NDArray[np.float32], scores: NDArray[np.float64]) -> float:
    """Mean over emotions of the area under the ROC curve (Mann-Whitney; ties count half), of (N, E) each."""
    areas = []
    for truth, score in zip(targets.T > 0, scores.T, strict=True):
        positives, negatives = int(truth.sum()), int((~truth).sum())
        rank_sum = float(rankdata(score)[truth].sum())
        areas.append((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))
    return float(np.mean(areas))


def best_thresholds(targets: NDArray[np.float32], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per emotion the threshold, float64 (E,), of highest balanced accuracy for the rule `score >= threshold`.

    Where several are best, the middle of the widest gap between two scores: it leaves room on both sides.
    """
    return np.array([_best_threshold(truth, score) for truth, score in zip(targets.T > 0, scores.T, strict=True)])


def _best_threshold(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    values = np.unique(scores)
    if len(values) == 1:
        return float(values[0])
    gaps = np.stack([values[:-1], values[1:]])
    limits = gaps.mean(axis=0)
    ordered_yes, ordered_no = np.sort(scores[truth]), np.sort(scores[~truth])
    sensitivity = 1 - np.searchsorted(ordered_yes, limits) / len(ordered_yes)
    specificity = np.searchsorted(ordered_no, limits) / len(ordered_no)
    balanced = sensitivity + specificity
    is_best = balanced >= balanced.max() - 1e-12
    widest = np.where(is_best, gaps[1] - gaps[0], -1).argmax()
    return float(limits[widest])
