"""What a model said of faces that it never saw: the only thing that scores and gates read of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """One-vs-rest scores of N samples for E emotions.

    `sample_ids`, `persons` (pseudonyms) and `labels` are str (N,); `emotions` names the columns of `scores`, float64
    (N, E) in 0..1; an emotion is called present at or above its threshold, `thresholds` float64 (E,). A label outside
    `emotions` is a face that the model can only get wrong. `folds` int64 (N,) numbers the networks that gave the scores:
    0 throughout for one model, the fold where a small set is judged out of fold. Scores of two networks are not ranked
    against each other.
    """

    sample_ids: NDArray[np.str_]
    persons: NDArray[np.str_]
    labels: NDArray[np.str_]
    emotions: tuple[str, ...]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    folds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def truth(self) -> NDArray[np.bool_]:
        """Whether a sample shows an emotion, bool (N, E)."""
        return np.asarray(self.labels[:, None] == np.array(self.emotions, dtype=np.str_)[None])

    def decisions(self) -> NDArray[np.bool_]:
        """Whether an emotion is called present, bool (N, E)."""
        return np.asarray(self.scores >= self.thresholds[None])

    def correct(self) -> NDArray[np.bool_]:
        """Whether the emotion with the highest score is the label, bool (N,)."""
        return np.asarray(np.array(self.emotions, dtype=np.str_)[self.scores.argmax(axis=1)] == self.labels)

    def where(self, mask: NDArray[np.bool_] | NDArray[np.intp]) -> Predictions:
        """The samples that a mask or an index picks."""
        return replace(
            self,
            sample_ids=self.sample_ids[mask],
            persons=self.persons[mask],
            labels=self.labels[mask],
            scores=self.scores[mask],
            folds=self.folds[mask],
        )


def problem_with(predictions: Predictions) -> str | None:
    """Why nothing can be concluded from predictions, in words; None when they are sound."""
    n, E = len(predictions.labels), len(predictions.emotions)
    if n == 0 or E == 0:
        return f"{counted(n, 'sample')} and {counted(E, 'emotion')}: there is nothing to judge"
    columns = (predictions.sample_ids, predictions.persons, predictions.folds, predictions.scores)
    if [column.shape for column in columns] != [(n,), (n,), (n,), (n, E)] or predictions.thresholds.shape != (E,):
        return f"columns do not agree: {counted(n, 'label')}, {counted(E, 'emotion')}, scores of shape {predictions.scores.shape}"
    if not np.isfinite(predictions.scores).all() or not np.isfinite(predictions.thresholds).all():
        return "a score or a threshold is not a finite number"
    if predictions.scores.min() < 0 or predictions.scores.max() > 1:
        return "a score lies outside 0 to 1"
    if len(np.unique(predictions.sample_ids)) != n:
        return "a sample is judged twice"
    if len(set(predictions.emotions)) != E:
        return "an emotion has two columns"
    return None


def check_predictions(predictions: Predictions) -> Predictions:
    """Returns sound predictions; raises InputError otherwise, with what is wrong."""
    problem = problem_with(predictions)
    if problem:
        raise InputError(f"predictions cannot be judged: {problem}; run the evaluation again")
    return predictions
