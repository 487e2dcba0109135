"""Whether probabilities are ones and sets keep their promise, on judged people: overall, per emotion and per group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.evaluation.by_group import UNKNOWN, slice_values
from bitface.evaluation.curves import Reliability, reliability
from bitface.evaluation.intervals import (
    Interval,
    percentile_interval,
    proportion_interval,
    seed_for,
)
from bitface.evaluation.resampling import person_weights
from bitface.faces.records import SLICE_ATTRIBUTES
from bitface.params import EvaluationParams

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class SetPredictions:
    """Stills of N judged samples for E emotions.

    `persons` and `labels` str (N,); `before` and `after` calibration float64 (N, E) in 0..1; `sets` bool (N, E), whether an
    emotion may be shown; `abstained` bool (N,), whether the set means abstention.
    """

    persons: Texts
    labels: Texts
    emotions: tuple[str, ...]
    before: Floats
    after: Floats
    sets: Bools
    abstained: Bools

    def truth(self) -> Bools:
        """Whether a sample shows an emotion, bool (N, E)."""
        return np.asarray(self.labels[:, None] == np.array(self.emotions, dtype=np.str_))


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """What calibration is worth on judged people.

    `before` and `after` by emotion. Coverage is the share of samples whose set holds the label: by emotion, `overall`, by
    (attribute, value) in `groups`, and among those with an answer in `answered` (None where there is none). Labels that the
    model does not know are left out of it. `set_size` is the mean number of emotions in a set, `abstained` the share of sets
    that are no answer. `confidence` is what was promised of each emotion, and of no group; None where nothing was. `remark`
    says who calibrated.
    """

    before: Mapping[str, Reliability]
    after: Mapping[str, Reliability]
    coverage: Mapping[str, Interval]
    groups: Mapping[tuple[str, str], Interval]
    overall: Interval
    answered: Interval | None
    set_size: Interval
    abstained: Interval
    confidence: float | None
    remark: str

    @property
    def ece_before(self) -> float:
        """Mean of the emotions' expected calibration errors before calibration."""
        return float(np.mean([curve.expected_calibration_error for curve in self.before.values()]))

    @property
    def ece_after(self) -> float:
        """The same after it."""
        return float(np.mean([curve.expected_calibration_error for curve in self.after.values()]))

    def sentence(self) -> str:
        """One line for the summary: calibration error, coverage with the range over age bands, set size, abstention."""
        held = f"contain the true emotion in {self.overall.value:.0%}{self._over_ages()}"
        sizes = f"{self.set_size.value:.1f} emotions on average, abstention on {self.abstained.value:.0%}"
        if self.confidence is None:
            return f"{self.remark}: ECE {self.ece_before:.3f}; sets of what is above its threshold {held}, {sizes}"
        error = f"ECE {self.ece_before:.3f} before, {self.ece_after:.3f} after calibration"
        if all(np.array_equal(curve.mean_score, self.after[name].mean_score) for name, curve in self.before.items()):
            error = f"ECE {self.ece_after:.3f}, calibration did not change the scores"
        return f"{error}; sets at {self.confidence:.0%} {held}, {sizes}"

    def document(self) -> dict[str, object]:
        """The figures for the run's summary, rounded; shares as value, lo and hi."""
        return {
            "calibrated_on": self.remark,
            "confidence": self.confidence,
            "ece_uncalibrated": round(self.ece_before, 4),
            "ece": round(self.ece_after, 4),
            "emotions": {
                emotion: {
                    "ece_uncalibrated": round(self.before[emotion].expected_calibration_error, 4),
                    "ece": round(curve.expected_calibration_error, 4),
                    "coverage": _rounded(self.coverage.get(emotion)),
                }
                for emotion, curve in self.after.items()
            },
            "slices": {f"{name}:{value}": _rounded(found) for (name, value), found in self.groups.items()},
            "coverage": _rounded(self.overall),
            "coverage_where_answered": _rounded(self.answered),
            "mean_set_size": round(self.set_size.value, 4),
            "abstained": round(self.abstained.value, 4),
            "sentence": self.sentence(),
        }

    def _over_ages(self) -> str:
        ages = [found.value for (name, value), found in self.groups.items() if name == "age_band" and value != UNKNOWN]
        return f" (by age {min(ages):.0%} to {max(ages):.0%})" if len(ages) > 1 else ""


def calibration_report(
    judged: SetPredictions,
    confidence: float | None,
    remark: str,
    slices: Mapping[str, Mapping[str, str]],
    params: EvaluationParams,
    seed: int,
) -> CalibrationReport:
    """All figures, shares with intervals over people. An expected calibration error has none: resampling adds to it.

    Args:
        judged: of people who neither trained nor calibrated the model.
        confidence: what its sets promise, see `Calibrator`.
        remark: who calibrated.
        slices: person -> attribute -> value, see `faces.records.SLICE_ATTRIBUTES`.
        params: bins, resamples, confidence of intervals and the correlation assumed within a person.
        seed: of the resamples.

    Raises:
        InputError: no judged sample has a label that the model knows, or a person has no value of an attribute.
    """
    truth = judged.truth()
    known = np.isin(judged.labels, judged.emotions)
    if not known.any():
        raise InputError("no judged sample shows an emotion that the model knows; bring faces of these")
    covered = np.asarray((truth & judged.sets).any(axis=1))[known]
    persons, labels = judged.persons[known], judged.labels[known]

    def share(right: Bools, people: Texts, name: str) -> Interval:
        weights = person_weights(people, params.bootstrap_resamples, seed_for(seed, f"coverage/{name}"))
        return proportion_interval(right, people, weights, params.confidence, params.intraclass_correlation)

    answers = ~judged.abstained[known]
    return CalibrationReport(
        before=_curves(judged.emotions, truth, judged.before, params),
        after=_curves(judged.emotions, truth, judged.after, params),
        coverage={
            emotion: share(covered[labels == emotion], persons[labels == emotion], emotion)
            for emotion in judged.emotions
            if (labels == emotion).any()
        },
        groups={
            (attribute, str(value)): share(covered[values == value], persons[values == value], f"{attribute}:{value}")
            for attribute in SLICE_ATTRIBUTES
            for values in [slice_values(persons, slices, attribute)]
            for value in np.unique(values)
        },
        overall=share(covered, persons, "overall"),
        answered=share(covered[answers], persons[answers], "answered") if answers.any() else None,
        set_size=_mean_size(judged, params, seed),
        abstained=share(judged.abstained, judged.persons, "abstained"),
        confidence=confidence,
        remark=remark,
    )


def _rounded(figure: Interval | None) -> dict[str, float] | None:
    return None if figure is None else {name: round(getattr(figure, name), 4) for name in ("value", "lo", "hi")}


def _curves(
    emotions: tuple[str, ...], truth: Bools, scores: Floats, params: EvaluationParams
) -> dict[str, Reliability]:
    return {
        emotion: reliability(truth[:, column], scores[:, column], params.reliability_bins, params.confidence)
        for column, emotion in enumerate(emotions)
    }


def _mean_size(judged: SetPredictions, params: EvaluationParams, seed: int) -> Interval:
    sizes, n, most = judged.sets.sum(axis=1), len(judged.labels), float(len(judged.emotions))
    weights = person_weights(judged.persons, params.bootstrap_resamples, seed_for(seed, "coverage/size"))
    draws = weights @ sizes / weights.sum(axis=1)
    people = len(np.unique(judged.persons))
    return percentile_interval(float(sizes.mean()), draws, params.confidence, n, people, most=most)
