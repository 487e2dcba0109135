"""How well a model separates emotions, each figure with an interval over people: ten faces of one person are not ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import some_of
from bitface.errors import InputError
from bitface.evaluation.intervals import (
    Interval,
    effective_n,
    mean_of_two,
    percentile_interval,
    proportion_interval,
    seed_for,
    widened,
    wilson,
)
from bitface.evaluation.predictions import Predictions, check_predictions
from bitface.evaluation.resampling import Rows, person_weights
from bitface.params import EvaluationParams

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class EmotionScores:
    """One-vs-rest figures of an emotion; balanced accuracy and F1 at the model's threshold."""

    positives: int
    auc: Interval
    balanced_accuracy: Interval
    f1: Interval


@dataclass(frozen=True, kw_only=True)
class ModelScores:
    """Figures of a model. `unjudged` names emotions without a positive and a negative sample in one fold: no figure exists."""

    emotions: Mapping[str, EmotionScores]
    unjudged: tuple[str, ...]
    accuracy: Interval
    macro_auc: Interval
    macro_balanced_accuracy: Interval
    macro_f1: Interval


def score_model(predictions: Predictions, params: EvaluationParams, seed: int) -> ModelScores:
    """All figures of a model, with percentile intervals over resampled people.

    AUC: Mann-Whitney, ties count half, over pairs of the same fold, see `auc_of`. Balanced accuracy: mean of sensitivity and
    specificity. `accuracy`: the highest score is the label. Macro figures are plain means over the judged emotions. A
    resample without a positive or without a negative sample has no figure and widens the interval.

    Raises:
        InputError: predictions that are not sound, or in which no emotion can be judged.
    """
    check_predictions(predictions)
    truth, decided = predictions.truth(), predictions.decisions()
    areas = auc_of(truth, predictions.scores, None, predictions.folds)[0]
    judged = np.flatnonzero(np.isfinite(areas)).tolist()
    if not judged:
        raise InputError("no emotion has both positive and negative samples; bring faces of at least two emotions")
    weights = person_weights(predictions.persons, params.bootstrap_resamples, seed_for(seed, "scores"))
    truth, decided, scores = truth[:, judged], decided[:, judged], predictions.scores[:, judged]
    figures = {
        "auc": (areas[judged], auc_of(truth, scores, weights, predictions.folds)),
        "balanced_accuracy": (
            balanced_accuracy_of(truth, decided, None)[0],
            balanced_accuracy_of(truth, decided, weights),
        ),
        "f1": (f1_of(truth, decided, None)[0], f1_of(truth, decided, weights)),
    }
    n, people = len(truth), len(np.unique(predictions.persons))

    def interval(name: str, column: int | None) -> Interval:
        value, draws = figures[name]
        if column is None:
            return percentile_interval(float(value.mean()), draws.mean(axis=1), params.confidence, n, people)
        return percentile_interval(float(value[column]), draws[:, column], params.confidence, n, people)

    names = predictions.emotions
    return ModelScores(
        emotions={
            names[e]: EmotionScores(
                positives=int(truth[:, column].sum()),
                auc=interval("auc", column),
                balanced_accuracy=interval("balanced_accuracy", column),
                f1=interval("f1", column),
            )
            for column, e in enumerate(judged)
        },
        unjudged=tuple(name for e, name in enumerate(names) if e not in judged),
        accuracy=proportion_interval(
            predictions.correct(), predictions.persons, weights, params.confidence, params.intraclass_correlation
        ),
        macro_auc=interval("auc", None),
        macro_balanced_accuracy=interval("balanced_accuracy", None),
        macro_f1=interval("f1", None),
    )


def auc_of(truth: Bools, scores: Floats, weights: Floats | None, folds: NDArray[np.int64]) -> Floats:
    """Area under the ROC curve, float64 (R, E), NaN where no positive and negative weight share a fold.

    The share of ordered pairs among all pairs of one fold: each fold has a network of its own, and a difference between
    two networks' scales would count as errors in pooled pairs. Source: Forman & Scholz, 2010, SIGKDD Explorations 12(1),
    who find merged AUC biased downwards and recommend the mean over folds, here weighted by pairs.

    `truth` bool (n, E), `scores` float64 (n, E), `weights` (R, n) whole numbers, or None for one row of ones, `folds`
    int64 (n,).
    """
    rows = np.ones((1, len(truth))) if weights is None else weights
    parts = [folds == fold for fold in np.unique(folds)]
    return np.stack([_auc(truth[:, e], scores[:, e], rows, parts) for e in range(truth.shape[1])], axis=1)


def balanced_accuracy_of(truth: Bools, decided: Bools, weights: Rows | None) -> Floats:
    """Mean of sensitivity and specificity, float64 (R, E), NaN where one does not exist. Arguments: bool (n, E), (R, n)."""
    sensitivity, specificity = rates_of(truth, decided, weights)
    return (sensitivity + specificity) / 2


def rates_of(truth: Bools, decided: Bools, weights: Rows | None) -> tuple[Floats, Floats]:
    """Sensitivity and specificity, each float64 (R, E), NaN where there is no such sample."""
    rows = _rows(weights, len(truth))
    return _ratio(rows @ (truth & decided), rows @ truth), _ratio(rows @ (~truth & ~decided), rows @ ~truth)


def f1_of(truth: Bools, decided: Bools, weights: Rows | None) -> Floats:
    """Harmonic mean of precision and recall, float64 (R, E), NaN where there is no positive sample."""
    rows = _rows(weights, len(truth))
    figure = _ratio(2 * (rows @ (truth & decided)), rows @ truth + rows @ decided)
    return np.where(rows @ truth > 0, figure, np.nan)


def balanced_accuracy_interval(
    truth: Bools, decided: Bools, persons: NDArray[np.str_], weights: Rows, confidence: float, correlation: float
) -> Interval:
    """Balanced accuracy of one decision with the wider of bootstrap and MOVER of two Wilson intervals at effective n.

    `truth` and `decided` bool (n,), `persons` str (n,), `weights` (R, n); `correlation` within a person counts where it
    cannot be estimated, see `effective_n`.

    Raises:
        InputError: no positive or no negative sample.
    """
    if not 0 < truth.sum() < len(truth):
        positive = some_of(int(truth.sum()), len(truth), ("is", "are"), what=("sample", "samples"))
        raise InputError(f"{positive} positive; balanced accuracy needs both kinds")
    value = float(balanced_accuracy_of(truth[:, None], decided[:, None], None)[0, 0])
    draws = balanced_accuracy_of(truth[:, None], decided[:, None], weights)[:, 0]
    names, codes = np.unique(persons, return_inverse=True)  # numbers are sorted faster than names, in each part again
    drawn = percentile_interval(value, draws, confidence, len(truth), len(names))
    parts = []
    for kind, right in ((truth, decided), (~truth, ~decided)):
        share = float(right[kind].mean())
        parts.append((share, *wilson(share, effective_n(right[kind], codes[kind], correlation), confidence)))
    low, high = mean_of_two(parts[0], parts[1])
    return widened(drawn, max(0.0, low), min(1.0, high))


def _auc(truth: Bools, scores: Floats, weights: Floats, parts: Sequence[Bools]) -> Floats:
    counts = [_ordered_pairs(truth[part], scores[part], weights[:, part]) for part in parts]
    return _ratio(np.sum([ordered for ordered, _ in counts], axis=0), np.sum([pairs for _, pairs in counts], axis=0))


def _ordered_pairs(truth: Bools, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weight of pairs with the positive above the negative, ties counting half, and of all pairs, each float64 (R,)."""
    negative = np.flatnonzero(~truth)[np.argsort(scores[~truth], kind="stable")]
    up_to = np.zeros((len(weights), len(negative) + 1))
    np.cumsum(weights[:, negative], axis=1, out=up_to[:, 1:])
    ends = (np.searchsorted(scores[negative], scores[truth], side=side) for side in ("left", "right"))
    below = sum(up_to[:, end] for end in ends) / 2
    positive = weights[:, truth]
    return np.einsum("rn,rn->r", positive, below), positive.sum(axis=1) * up_to[:, -1]


def _rows(weights: Rows | None, n: int) -> Rows:
    return np.ones((1, n)) if weights is None else weights


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0))
