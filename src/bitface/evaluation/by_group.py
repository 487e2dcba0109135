"""Figures of a model by age, gender, skin tone and ancestry: Fairlearn computes them, our intervals say what they are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bitface.counted_words import some_of
from bitface.errors import InputError
from bitface.evaluation.intervals import (
    Interval,
    percentile_interval,
    proportion_interval,
    seed_for,
)
from bitface.evaluation.predictions import Predictions, check_predictions
from bitface.evaluation.resampling import person_weights
from bitface.evaluation.scores import auc_of, balanced_accuracy_interval
from bitface.faces.records import SLICE_ATTRIBUTES
from bitface.params import EvaluationParams

Bools = NDArray[np.bool_]
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, kw_only=True)
class SliceFigures:
    """One emotion within one slice. What needs a positive or a negative sample is None where there is none."""

    attribute: str
    value: str
    emotion: str
    n: int
    persons: int
    positives: int
    selection_rate: Interval
    true_positive_rate: Interval | None
    balanced_accuracy: Interval | None
    auc: Interval | None


@dataclass(frozen=True, kw_only=True)
class GroupReport:
    """All slices of a model.

    `accuracy`: (attribute, value) -> top-1 accuracy. `equalized_odds_difference`: (attribute, emotion) -> the larger of
    the gaps between slices in true and in false positive rate, 0..1, over slices that hold both kinds of samples;
    people of unknown value are left out, and so is a pair with fewer than two slices. With many small slices it is
    biased upward even where there is no disparity: it is shown, and never decides.
    """

    accuracy: Mapping[tuple[str, str], Interval]
    slices: tuple[SliceFigures, ...]
    equalized_odds_difference: Mapping[tuple[str, str], float]


def group_report(
    predictions: Predictions, slices: Mapping[str, Mapping[str, str]], params: EvaluationParams, seed: int
) -> GroupReport:
    """Figures of every slice of the known attributes.

    Args:
        predictions: of one model.
        slices: person -> attribute -> value, see `faces.records.SLICE_ATTRIBUTES`.
        params: resamples, confidence and the correlation assumed within a person.
        seed: of the resamples.

    Raises:
        InputError: predictions that are not sound, or a person without a value of an attribute (`unknown` is one).
    """
    check_predictions(predictions)
    accuracy: dict[tuple[str, str], Interval] = {}
    found: list[SliceFigures] = []
    odds: dict[tuple[str, str], float] = {}
    for attribute in SLICE_ATTRIBUTES:
        values = slice_values(predictions.persons, slices, attribute)
        points = _fairlearn(predictions, values)
        for value in np.unique(values).tolist():
            part = predictions.where(values == value)
            weights = person_weights(
                part.persons, params.bootstrap_resamples, seed_for(seed, f"slice/{attribute}:{value}")
            )
            accuracy[attribute, value] = proportion_interval(
                part.correct(), part.persons, weights, params.confidence, params.intraclass_correlation
            )
            found += [
                _figures(part, column, (attribute, value), points[emotion, value], weights, params)
                for column, emotion in enumerate(part.emotions)
            ]
        for emotion in predictions.emotions:
            difference = _equalized_odds({value: points[emotion, value] for value in np.unique(values).tolist()})
            if difference is not None:
                odds[attribute, emotion] = difference
    return GroupReport(accuracy=accuracy, slices=tuple(found), equalized_odds_difference=odds)


def slice_values(
    persons: NDArray[np.str_], slices: Mapping[str, Mapping[str, str]], attribute: str
) -> NDArray[np.str_]:
    """The value of an attribute for the person of each sample, str (N,); raises InputError where there is none."""
    values = [slices.get(person, {}).get(attribute) for person in persons.tolist()]
    if None in values:
        lacking = some_of(values.count(None), len(values), ("has", "have"), what=("sample", "samples"))
        raise InputError(f"{lacking} no '{attribute}'; `unknown` is a value")
    return np.array(values, dtype=np.str_)


def _fairlearn(predictions: Predictions, values: NDArray[np.str_]) -> dict[tuple[str, str], dict[str, float]]:
    """Point figures by (emotion, slice value); one that does not exist is NaN, where Fairlearn's own rates say 0.

    One `MetricFrame` over all decisions, with the emotion as control feature, and one metric that holds all figures: Fairlearn makes
    arrays of its columns, value by value, for each metric and each group.
    """
    from fairlearn.metrics import MetricFrame

    E = len(predictions.emotions)
    frame = MetricFrame(
        metrics=_rates,
        y_true=predictions.truth().ravel(),
        y_pred=predictions.scores.ravel(),
        sensitive_features=np.repeat(values, E),
        control_features=np.tile(np.array(predictions.emotions), len(values)),
        sample_params={"decided": predictions.decisions().ravel(), "folds": np.repeat(predictions.folds, E)},
    )
    points: dict[tuple[str, str], dict[str, float]] = frame.by_group.to_dict()
    return points


def _rates(y_true: ArrayLike, y_pred: ArrayLike, decided: ArrayLike, folds: ArrayLike) -> dict[str, float]:
    truth, called = np.asarray(y_true, dtype=np.bool_), np.asarray(decided, dtype=np.bool_)
    scores, networks = np.asarray(y_pred, dtype=np.float64), np.asarray(folds, dtype=np.int64)
    return {
        "selection_rate": _mean(called),
        "true_positive_rate": _mean(called[truth]),
        "false_positive_rate": _mean(called[~truth]),
        "balanced_accuracy": (_mean(called[truth]) + _mean(~called[~truth])) / 2,
        "auc": float(auc_of(truth[:, None], scores[:, None], None, networks)[0, 0]),
    }


def _mean(column: Bools) -> float:
    return float(column.mean()) if len(column) else float("nan")


def _figures(
    part: Predictions,
    column: int,
    slice_: tuple[str, str],
    points: Mapping[str, float],
    weights: NDArray[np.float64],
    params: EvaluationParams,
) -> SliceFigures:
    truth, decided, scores = part.truth()[:, column], part.decisions()[:, column], part.scores[:, column]
    persons, both = part.persons, bool(0 < truth.sum() < len(truth))
    confidence, correlation = params.confidence, params.intraclass_correlation
    selected = proportion_interval(decided, persons, weights, confidence, correlation)
    hit = balanced = ranked = None
    if truth.any():
        hit = proportion_interval(decided[truth], persons[truth], weights[:, truth], confidence, correlation)
    if both:
        balanced = balanced_accuracy_interval(truth, decided, persons, weights, confidence, correlation)
        ranked = _ranked(points["auc"], auc_of(truth[:, None], scores[:, None], weights, part.folds), part, confidence)
    return SliceFigures(
        attribute=slice_[0],
        value=slice_[1],
        emotion=part.emotions[column],
        n=len(truth),
        persons=len(np.unique(persons)),
        positives=int(truth.sum()),
        selection_rate=_at(selected, points["selection_rate"]),
        true_positive_rate=_at(hit, points["true_positive_rate"]) if hit else None,
        balanced_accuracy=_at(balanced, points["balanced_accuracy"]) if balanced else None,
        auc=ranked,
    )


def _ranked(value: float, draws: NDArray[np.float64], part: Predictions, confidence: float) -> Interval | None:
    """The interval of an AUC; None where no fold holds both a positive and a negative sample."""
    if np.isnan(value):
        return None
    return percentile_interval(value, draws[:, 0], confidence, len(part), len(np.unique(part.persons)))


def _at(interval: Interval, value: float) -> Interval:
    """The interval around Fairlearn's figure; raises InputError when our own figure is another one."""
    if abs(interval.value - value) > 1e-9:
        raise InputError(
            f"two computations of the same figure give {interval.value} and {value}; please report this bug"
        )
    return interval


def _equalized_odds(points: Mapping[str, Mapping[str, float]]) -> float | None:
    """Source: Hardt, Price & Srebro, 2016; the larger of the two gaps, as Fairlearn's `equalized_odds_difference`."""
    rates = [(p["true_positive_rate"], p["false_positive_rate"]) for value, p in points.items() if value != UNKNOWN]
    whole = np.array([pair for pair in rates if not np.isnan(pair).any()])
    if len(whole) < 2:
        return None
    return float((whole.max(axis=0) - whole.min(axis=0)).max())
