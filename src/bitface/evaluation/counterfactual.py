"""Asks the same face twice, in another skin tone, age texture or light: a fair model answers alike.

Groups of people differ in more than one thing, and a gap between them says little of its cause. A drawn face can be changed in
one thing alone, so that what changes in the answer is due to it (counterfactual fairness: Kusner et al., 2017, NeurIPS, definition 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.evaluation.intervals import Interval, percentile_interval, proportion_interval
from bitface.evaluation.resampling import person_resamples

Change = Literal["again", "skin_tone", "age_texture", "light"]
CHANGES: Final[tuple[Change, ...]] = ("again", "skin_tone", "age_texture", "light")
"""`again` is the control: the same picture taken again, with other noise of the sensor. What else changes is judged beside it."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedAnswers:
    """Two answers to each of n faces, one of them changed.

    `persons` (n,); `changed` bool (n,): another emotion is the answer, or the changed picture shows no face; `shift` float64 (n,): log odds
    of the emotion that the face shows, darker less lighter, older less younger or other less own light, NaN where either
    picture shows no face.
    """

    change: Change
    persons: NDArray[np.str_]
    changed: NDArray[np.bool_]
    shift: Floats


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """The share of answers that change, and the mean shift in log odds, with intervals over people."""

    changed: Interval
    shift: Interval


def counterfactual_of(
    answers: PairedAnswers, resamples: int, confidence: float, correlation: float, seed: int
) -> Counterfactual:
    """Both figures of one kind of change.

    Args:
        answers: at least one face, and one that was found in both pictures.
        resamples: of people.
        confidence: of both intervals.
        correlation: of answers within a person, assumed where none of them changes.
        seed: of the resamples.

    Raises:
        InputError: no face, columns of different lengths, or no face that was found twice.
    """
    n, found = len(answers.persons), np.isfinite(answers.shift)
    if not n or not len(answers.changed) == len(answers.shift) == n:
        raise InputError(f"{counted(n, 'face')} with {counted(len(answers.changed), 'answer')}; ask every face twice")
    if not found.any() or np.isinf(answers.shift).any():
        raise InputError("no face was found in both pictures, or its log odds are not finite; nothing can be compared")
    rows = person_resamples(answers.persons, resamples, seed)
    shifts = answers.shift[found]
    kept = person_resamples(answers.persons[found], resamples, seed)
    with np.errstate(invalid="ignore"):
        draws = (kept @ shifts) / kept.sum(axis=1)
    limit = float(np.abs(shifts).max())
    people = len(np.unique(answers.persons[found]))
    return Counterfactual(
        changed=proportion_interval(answers.changed, answers.persons, rows, confidence, correlation),
        shift=percentile_interval(
            float(shifts.mean()), draws, confidence, int(found.sum()), people, least=-limit, most=limit
        ),
    )
