"""Fits what makes a score a probability, and a set keep its promise, on people who neither trained nor judge a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.models.calibrator import Calibrator
from bitface.params import CalibrationParams

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.str_]
_FOLDS: Final = 5
_NEWTON_STEPS: Final = 100
_FLAT: Final = 1e-10
_ROUNDING: Final = 1e-14


def fit_calibrator(
    logits: Floats, labels: Texts, persons: Texts, emotions: tuple[str, ...], params: CalibrationParams, who: str
) -> Calibrator:
    """Platt's scaling, of all emotions where it is needed, and label-conditional conformal limits of every emotion.

    Both may come from the same people: a limit is a rank among scores, and an increasing map changes no rank, so scaling
    leaves every set, and what is promised of it, as it was. An emotion that these people do not show, or all of them
    show, keeps its scores. The remark says so, and which emotions too few people show to ever be left out of a set.

    Args:
        logits: float64 (N, E), of one still each.
        labels: str (N,); one that is not of `emotions` is a sample of none.
        persons: str (N,).
        emotions: names of the columns.
        params: the section `calibration`.
        who: the people, for the remark, for example `people of split test`.

    Raises:
        InputError: no sample, columns that do not agree, or a logit that is not finite.
    """
    if not len(logits) or logits.shape != (len(labels), len(emotions)) or len(persons) != len(labels):
        raise InputError(
            f"{counted(len(labels), 'label')} and logits of shape {logits.shape} cannot calibrate "
            f"{counted(len(emotions), 'emotion')}"
        )
    truth = labels[:, None] == np.array(emotions)
    slopes, intercepts = scaling(logits, truth, persons, params.slope_min)
    scores = expit(logits * slopes + intercepts)
    limits = tuple(
        set_limit(column[yes], persons[yes], params.alpha) for column, yes in zip(scores.T, truth.T, strict=True)
    )
    return Calibrator(
        slopes=tuple(slopes.tolist()),
        intercepts=tuple(intercepts.tolist()),
        set_limits=limits,
        set_size_max=params.set_size_max,
        confidence=1 - params.alpha,
        remark=_remark(truth, persons, emotions, bool((slopes == 1).all()), limits, params.alpha, who),
    )


def scaling(logits: Floats, truth: Bools, persons: Texts, slope_min: float) -> tuple[Floats, Floats]:
    """Platt's slopes and intercepts, float64 (E,) each, if they also help people whom they were not fitted to; else 1 and 0.

    A network of log loss is often calibrated, and then a few people's noise makes it worse: on 120 unseen people two dozen
    raised the error of such a model from 0.019 to 0.030. So fits without a fifth of the people, in turn, are asked how much
    more likely they make that fifth; the mean gain of a person must exceed its standard error. All emotions are asked
    together: two dozen people cannot answer for each, and left an error of 0.050 that could have been 0.035.

    Args:
        logits: float64 (n, E).
        truth: bool (n, E).
        persons: str (n,), in an order that does not depend on their names.
        slope_min: see `platt`.
    """
    _, first, of_row = np.unique(persons, return_index=True, return_inverse=True)
    person = np.argsort(np.argsort(first))[of_row]
    gains = np.zeros(len(logits))
    for fold in range(min(_FOLDS, len(first))):
        asked = person % _FOLDS == fold
        slopes, intercepts = _fits(logits[~asked], truth[~asked], slope_min)
        change = _losses(logits[asked], truth[asked]) - _losses(logits[asked] * slopes + intercepts, truth[asked])
        gains[asked] = change.sum(axis=1)
    of_person = np.bincount(person, gains) / np.bincount(person)
    if len(of_person) < 2 or of_person.mean() <= of_person.std(ddof=1) / np.sqrt(len(of_person)):
        return np.ones(logits.shape[1]), np.zeros(logits.shape[1])
    return _fits(logits, truth, slope_min)


def _fits(logits: Floats, truth: Bools, slope_min: float) -> tuple[Floats, Floats]:
    fits = [platt(column, yes, slope_min) for column, yes in zip(logits.T, truth.T, strict=True)]
    slopes, intercepts = np.array(fits, dtype=np.float64).T
    return slopes, intercepts


def _losses(logits: Floats, truth: Bools) -> Floats:
    return np.asarray(np.logaddexp(0, logits) - truth * logits)


def platt(logits: Floats, truth: Bools, slope_min: float) -> tuple[float, float]:
    """Slope and intercept of the most likely sigmoid(slope * logit + intercept), with Platt's smoothed targets.

    A positive counts as (P + 1) / (P + 2) and a negative as 1 / (N + 2), so the optimum is finite even where the classes
    are apart. The loss is convex and the slope at least `slope_min`: the order of scores stays. Source: Platt, 1999,
    Probabilistic outputs for support vector machines.

    Args:
        logits: float64 (n,).
        truth: bool (n,); all of one kind leaves scores as they are, (1, 0).
        slope_min: above 0.

    Raises:
        InputError: a logit that is not finite.
    """
    if not np.isfinite(logits).all():
        raise InputError("a logit is not finite; train the model again")
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return 1.0, 0.0
    targets = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # Standardised, so that one step size suits both parameters whatever the scale of the logits.
    middle, spread = float(logits.mean()), float(logits.std()) or 1.0
    unit, one = (logits - middle) / spread, np.ones_like(targets)
    slope, intercept = _most_likely(np.stack([unit, one]), targets, np.zeros_like(targets))
    if not unit.any() or slope < slope_min * spread:
        # The loss is convex, so that the best of what is allowed lies on its edge. Scores that are all the same say no slope.
        slope = max(slope_min, 0.0 if unit.any() else 1.0) * spread
        (intercept,) = _most_likely(one[None], targets, slope * unit)
    return slope / spread, intercept - slope / spread * middle


def _most_likely(columns: Floats, targets: Floats, offset: Floats) -> list[float]:
    """Weights of columns (K, n) that make targets (n,), each between 0 and 1, the most likely, beside an offset (n,).

    Newton's method, whose steps are halved until the loss falls as its slope promises: a fifth of the time of a method that has to
    learn the curvature. Source: Lin, Lin & Weng, 2007, A note on Platt's probabilistic outputs for support vector machines.
    """

    def loss(reach: Floats) -> float:
        return float((np.logaddexp(0, reach) - targets * reach).mean())

    weights = np.zeros(len(columns))
    for _ in range(_NEWTON_STEPS):
        reach = offset + weights @ columns
        likely = expit(reach)
        gradient = columns @ (likely - targets) / len(targets)
        if np.abs(gradient).max() <= _FLAT:
            break
        curvature = (columns * (likely * (1 - likely))) @ columns.T / len(targets) + _FLAT * np.eye(len(columns))
        step, now, size = np.linalg.solve(curvature, gradient), loss(reach), 1.0
        while size > _FLAT and loss(reach - size * step @ columns) > now - size * 1e-4 * gradient @ step + _ROUNDING:
            size /= 2
        weights -= size * step
    return [float(weight) for weight in weights]


def set_limit(scores: Floats, persons: Texts, alpha: float) -> float:
    """The score at or above which an emotion belongs to the set, from scores (n,) of calibrating samples that show it.

    Of a further person's sample that shows it, one drawn at random, the set holds the emotion with probability at least
    1 - alpha: label-conditional split conformal prediction (Vovk, Gammerman & Shafer, 2005; Sadinle, Lei & Wasserman,
    2019), where every person counts once however many samples there are (hierarchical conformal prediction, Lee, Barber &
    Willett, 2023). With one sample each it is the k-th smallest score, k = floor(alpha * (people + 1)).

    0, which is always reached, where people are fewer than 1 / alpha - 1.
    """
    _, of_row, samples = np.unique(persons, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    ordered, weights = scores[order], (1 / samples)[of_row][order]
    below = np.r_[0.0, np.cumsum(weights)][np.searchsorted(ordered, ordered, side="left")]
    # The tolerance is for sums of thirds and the like, far below what one person counts.
    enough = ordered[below + 1 <= alpha * (len(samples) + 1) + 1e-9]
    return float(enough[-1]) if len(enough) else 0.0


def coverage_of_one_draw(people: int, alpha: float) -> tuple[float, float]:
    """Mean and standard deviation of the share of new faces that sets hold, over draws of `people` who calibrate.

    The promise is the mean's; one model has one draw. With a sample of each person the share is Beta(people + 1 - k, k)
    distributed, k = floor(alpha * (people + 1)), whatever the scores, if no two are equal (Vovk, 2012, Conditional validity
    of inductive conformal predictors). (1, 0) where people are too few to leave anything out.
    """
    k = math.floor(alpha * (people + 1) + 1e-9)
    mean = (people + 1 - k) / (people + 1)
    return mean, math.sqrt(mean * (1 - mean) / (people + 2))


def _remark(
    truth: Bools,
    persons: Texts,
    emotions: tuple[str, ...],
    has_kept_scores: bool,
    limits: Sequence[float],
    alpha: float,
    who: str,
) -> str:
    said = [f"calibrated on {len(np.unique(persons))} {who}"]
    shown = [len(np.unique(persons[yes])) for yes, limit in zip(truth.T, limits, strict=True) if limit > 0]
    if shown:
        mean, spread = coverage_of_one_draw(min(shown), alpha)
        said.append(f"{min(shown)} who show an emotion give sets that cover {mean:.0%} of it, +/- {spread:.0%}")
    unseen = [name for name, yes in zip(emotions, truth.T, strict=True) if not 0 < yes.sum() < len(yes)]
    always = [name for name, limit in zip(emotions, limits, strict=True) if limit == 0]
    if has_kept_scores:
        said.append("scores needed no correction")
    if unseen:
        said.append(f"scores of {', '.join(unseen)} are uncalibrated, since all or none of them show it")
    if always:
        said.append(f"too few of them show {', '.join(always)} for a set at {1 - alpha:.0%} to leave it out")
    return "; ".join(said)
