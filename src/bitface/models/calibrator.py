"""What turns a network's logits into probabilities, and these into a set of emotions or no answer: it ships with a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from bitface.counted_words import counted
from bitface.documents import Fields
from bitface.errors import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_LEAST: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """Per emotion, in the order of the model's outputs; checked where it is built.

    `slopes` (above 0) and `intercepts`: a probability is sigmoid(slope * logit + intercept), so the order of an emotion's
    scores stays. `set_limits`, 0..1: an emotion belongs to the set at or above its limit, and always at 0. A set of more
    than `set_size_max` emotions means abstention. `confidence`: the share of faces of each emotion, of people like those who
    calibrated, whose set is made to hold it; None where nothing is promised. `remark`: who calibrated, in words.

    Raises:
        InputError: lengths that differ, a number that is not finite or out of its range.
    """

    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    set_limits: tuple[float, ...]
    set_size_max: int
    confidence: float | None
    remark: str

    def __post_init__(self) -> None:
        numbers = np.array([*self.slopes, *self.intercepts, *self.set_limits], dtype=np.float64)
        if not len(self.slopes) == len(self.intercepts) == len(self.set_limits) > 0 or not np.isfinite(numbers).all():
            raise InputError("slopes, intercepts and set limits must be finite numbers, one of each for every emotion")
        if min(self.slopes) <= 0 or min(self.set_limits) < 0 or max(self.set_limits) > 1:
            raise InputError("a slope must be above 0 and a set limit within 0 to 1; calibrate the model again")
        if self.set_size_max < 1 or (self.confidence is not None and not 0 < self.confidence < 1):
            raise InputError(
                f"sets of at most {counted(self.set_size_max, 'emotion')} at {self.confidence} give no coverage"
            )

    @property
    def keeps_scores(self) -> bool:
        """Whether a probability is the network's own score, because calibrating it would not help."""
        return all(slope == 1 for slope in self.slopes) and not any(self.intercepts)

    def probabilities(self, logits: NDArray[np.float32] | NDArray[np.float64]) -> Floats:
        """Calibrated probabilities, float64 (..., E), of logits (..., E)."""
        return np.asarray(expit(self.log_odds(logits)))

    def log_odds(self, logits: NDArray[np.float32] | NDArray[np.float64]) -> Floats:
        """Calibrated log odds, float64 (..., E), of logits (..., E): what is explained, since there parts can add up."""
        return np.asarray(logits.astype(np.float64) * np.array(self.slopes) + np.array(self.intercepts))

    def thresholds(self, thresholds: Floats) -> Floats:
        """Thresholds of uncalibrated scores as those of calibrated ones, float64 (..., E): every decision stays."""
        return self.probabilities(logit_of(thresholds))

    def sets(self, probabilities: Floats) -> Bools:
        """Whether each emotion belongs to the set, bool (N, E), of calibrated probabilities (N, E)."""
        return np.asarray(probabilities >= np.array(self.set_limits))

    def abstains(self, sets: Bools) -> Bools:
        """Whether a set, bool (N, E), means abstention, bool (N,): it is empty, too large, or holds whatever there is."""
        size, emotions = sets.sum(axis=1), sets.shape[1]
        return np.asarray((size == 0) | (size > self.set_size_max) | ((size == emotions) & (emotions > 1)))


def uncalibrated(thresholds: Floats, remark: str) -> Calibrator:
    """Scores as they are, and sets of what is at or above its threshold, of any size: nothing is promised."""
    limits = tuple(float(limit) for limit in thresholds)
    return Calibrator(
        slopes=(1.0,) * len(limits),
        intercepts=(0.0,) * len(limits),
        set_limits=limits,
        set_size_max=max(1, len(limits)),
        confidence=None,
        remark=remark,
    )


def calibrator_of(document: Fields) -> Calibrator:
    """A calibrator from its JSON, see `dataclasses.asdict`.

    Raises:
        InputError, TypeError, ValueError: it is not one.
    """
    lists = ("slopes", "intercepts", "set_limits")
    return Calibrator(**{**document, **{name: tuple(map(float, document.get(name, ()))) for name in lists}})


def logit_of(probabilities: Floats) -> Floats:
    """Log odds, float64; 0 and 1 count as one in a thousand million from there, so that they stay finite."""
    return np.asarray(logit(np.clip(probabilities, _LEAST, 1 - _LEAST)), dtype=np.float64)
