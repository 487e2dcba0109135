"""What a gate could decide with people before any model has seen them: from how many there are, and the accuracy that one may hope for.

Every person is given as many right answers as people of that accuracy have, whose answers correlate as params.yaml assumes; the
limits, intervals and permutations are the gate's own. It forecasts of what people are, and not what a model will do: so each row
also says from which measured figures on its cells pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bitface.faces.emotions import EMOTIONS
from bitface.gate.chances import (
    ONE_BIT_LOSS,
    Floats,
    Sides,
    Terms,
    balanced_chance,
    balanced_needed,
    beside_champion,
    emotion_beside_champion,
    floor_chance,
    floor_needed,
    gap_allowed,
    gap_chance,
    gaps_shown,
    loss_allowed,
    loss_error,
)
from bitface.gate.unknown import UNKNOWN
from bitface.params import GateParams

EMOTION: Final = "emotion"
"""The attribute of rows that are about an emotion."""
BINARIZATION: Final = "binarization"
"""The attribute of the row that is about what one bit costs."""
_MOST: Final = 100_000
Verdict = Literal["can pass", "uncertain", "stays open", "nobody"]


@dataclass(frozen=True, kw_only=True)
class JudgedPerson:
    """Who would judge a model: slice attribute -> value, and how many samples show each emotion."""

    slices: Mapping[str, str]
    shown: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SliceForecast:
    """What can be decided of those who share a value, or who show an emotion, or of everyone on what one bit costs.

    `accuracy`: how probably the cell of the slice, or of the emotion, passes where the model is right with probability
    `assumed_accuracy`; of one bit, where it costs `ONE_BIT_LOSS`. `gap`: how probably the cell on its gap to all others passes where
    there is no gap at all, None where no such cell is required. `passes_from`: the smallest measured accuracy, of an emotion balanced
    accuracy, with which the cell passes with these people, against `floor`; `passes_to`: the largest measured gap to all others, or
    loss, with which it passes. Each is None where no figure does, or where there is no such cell. `gap_shown`: the smallest gap that
    these people would show with `gate.disparity_power`. `verdict` is that of the least probable of the required ones. `more`: how
    many people more, who judge, make it likely, if others are at least as many; None where no number does at the assumed accuracy.
    """

    attribute: str
    value: str
    people: int
    samples: int
    required: bool
    accuracy: float
    gap: float | None
    floor: float | None
    passes_from: float | None
    passes_to: float | None
    gap_shown: float | None
    verdict: Verdict
    more: int | None


def emotions_shown(people: Sequence[JudgedPerson]) -> tuple[str, ...]:
    """The emotions that anybody shows, in the order of every column."""
    return tuple(one for one in EMOTIONS if any(person.shown.get(one) for person in people))


def forecast_slices(
    people: Sequence[JudgedPerson], params: GateParams, seed: int, has_champion: bool = False
) -> tuple[SliceForecast, ...]:
    """Every value of the required attributes that is declared or found, every emotion that is shown, then what one bit costs; in
    whichever order people are given.
    """
    if not people:
        return ()
    # Pseudonyms are random, and sums in another order differ in their last bits.
    people = sorted(people, key=lambda one: (sorted(one.slices.items()), sorted(one.shown.items())))
    terms = Terms(params=params, emotions=len(emotions_shown(people)))
    samples = np.array([sum(one.shown.values()) for one in people], dtype=np.float64)
    values = {
        name: np.array([one.slices.get(name, UNKNOWN) for one in people], dtype=np.str_)
        for name in params.required_attributes
    }
    asked = [(name, one) for name in values for one in _declared_and_found(name, values[name], params)]
    shown = gaps_shown(samples, {one: values[one[0]] == one[1] for one in asked if one[1] != UNKNOWN}, terms, seed)
    by_value = [
        _of_value((name, value), samples, values[name], shown.get((name, value)), terms, has_champion)
        for name, value in asked
    ]
    emotions = [_of_emotion(emotion, people, terms, has_champion) for emotion in emotions_shown(people)]
    return (*by_value, *emotions, *([_of_one_bit(samples, terms)] if "binarization" in params.required else []))


def _declared_and_found(name: str, values: NDArray[np.str_], params: GateParams) -> list[str]:
    declared = params.required_values.get(name, ())
    return [*declared, *sorted(set(values.tolist()) - {*declared, UNKNOWN}), *([UNKNOWN] if UNKNOWN in values else [])]


def _of_value(
    named: tuple[str, str],
    samples: Floats,
    values: NDArray[np.str_],
    shown: float | None,
    terms: Terms,
    has_champion: bool,
) -> SliceForecast:
    (name, value), params = named, terms.params
    is_known = value != UNKNOWN
    sides = Sides(
        inside=samples[values == value],
        others=samples[(values != value) & (values != UNKNOWN)],
        hidden=samples[(values == UNKNOWN) & is_known],
    )
    required = is_known and "slice" in params.required
    of_gap = is_known and "disparity" in params.required and not has_champion
    typical = float(np.median(samples))

    def least(more: int) -> float:
        grown = sides.grown(more, typical)
        chances = [floor_chance(grown, terms)] if required else []
        chances += [gap_chance(grown, terms)] if of_gap else []
        return min([*chances, *beside_champion(is_known and has_champion, grown.inside, terms)], default=1.0)

    return SliceForecast(
        attribute=name,
        value=value,
        people=len(sides.inside),
        samples=int(sides.inside.sum()),
        required=required or of_gap,
        accuracy=round(floor_chance(sides, terms), 3),
        gap=round(gap_chance(sides, terms), 3) if of_gap else None,
        floor=params.slice_accuracy_floor,
        passes_from=_at_most_one(floor_needed(sides, terms)),
        passes_to=_not_below_minus_one(gap_allowed(sides, terms)) if of_gap else None,
        gap_shown=shown,
        verdict=_verdict(len(sides.inside), least(0), params),
        more=_fewest(lambda more: least(more) >= params.disparity_power),
    )


def _of_emotion(emotion: str, people: Sequence[JudgedPerson], terms: Terms, has_champion: bool) -> SliceForecast:
    params = terms.params
    table = np.array(
        [(n := one.shown.get(emotion, 0), sum(one.shown.values()) - n) for one in people], dtype=np.float64
    )
    typical = np.median(table[table[:, 0] > 0], axis=0)
    required = "emotion" in params.required

    def chance(more: int) -> float:
        grown = np.vstack([table, np.tile(typical, (more, 1))])
        chances = [balanced_chance(grown, terms)] if required else []
        return min([*chances, *emotion_beside_champion(has_champion, grown, terms)], default=1.0)

    return SliceForecast(
        attribute=EMOTION,
        value=emotion,
        people=int((table[:, 0] > 0).sum()),
        samples=int(table[:, 0].sum()),
        required=required,
        accuracy=round(balanced_chance(table, terms), 3),
        gap=None,
        floor=params.emotion_balanced_accuracy_floor,
        passes_from=balanced_needed(table, terms),
        passes_to=None,
        gap_shown=None,
        verdict=_verdict(len(table), chance(0) if required else 1.0, params),
        more=_fewest(lambda more: chance(more) >= params.disparity_power) if required else 0,
    )


def _of_one_bit(samples: Floats, terms: Terms) -> SliceForecast:
    params, typical = terms.params, float(np.median(samples))

    def chance(more: int) -> float:
        grown = np.append(samples, np.full(more, typical))
        return NormalDist().cdf((loss_allowed(grown, terms) - ONE_BIT_LOSS) / loss_error(grown, terms))

    return SliceForecast(
        attribute=BINARIZATION,
        value="loss",
        people=len(samples),
        samples=int(samples.sum()),
        required=True,
        accuracy=round(chance(0), 3),
        gap=None,
        floor=None,
        passes_from=None,
        passes_to=round(loss_allowed(samples, terms), 3),
        gap_shown=None,
        verdict=_verdict(len(samples), chance(0), params),
        more=_fewest(lambda more: chance(more) >= params.disparity_power),
    )


def _verdict(people: int, chance: float, params: GateParams) -> Verdict:
    if not people:
        return "nobody"
    if chance >= params.disparity_power:
        return "can pass"
    return "uncertain" if chance > 1 - params.disparity_power else "stays open"


def _fewest(passes: Callable[[int], bool]) -> int | None:
    """The fewest people more with whom it passes: more never hurt. None where no number does."""
    most = 1
    if passes(0):
        return 0
    while not passes(most):
        most *= 2
        if most > _MOST:
            return None
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if passes(middle) else (middle, most)
    return most


def _at_most_one(share: float) -> float | None:
    return round(share, 3) if share <= 1 else None


def _not_below_minus_one(gap: float) -> float | None:
    return round(gap, 3) if gap >= -1 else None
