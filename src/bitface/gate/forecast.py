"""What a gate could decide with people before any model has seen them: from how many there are, and the accuracy that one may hope for.

Every person is given as many right answers as people of that accuracy have, whose answers correlate as params.yaml assumes; the
limits, intervals and permutations are the gate's own. It forecasts of what people are, and not what a model will do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from bitface.evaluation.intervals import mean_of_two, seed_for, wilson
from bitface.faces.emotions import EMOTIONS
from bitface.gate.disparity import PEOPLE_MIN, detectable_gap
from bitface.gate.slice_gaps import SliceTable, nulls_of
from bitface.gate.unknown import UNKNOWN, lowest_mean, widest_gap
from bitface.params import GateParams

PLAUSIBLE: Final = 0.75
"""The share of right answers that is assumed of everybody: above the floor of slices, below what sharp acted faces give."""
EMOTION: Final = "emotion"
"""The attribute of rows that are about an emotion."""
_PERMUTATIONS: Final = 999
_MOST: Final = 100_000
_ALMOST: Final = 1e-3
Floats = NDArray[np.float64]
Verdict = Literal["can pass", "uncertain", "stays open", "nobody"]


@dataclass(frozen=True, kw_only=True)
class JudgedPerson:
    """Who would judge a model: slice attribute -> value, and how many samples show each emotion."""

    slices: Mapping[str, str]
    shown: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SliceForecast:
    """What can be decided of those who share a value, or who show an emotion.

    `accuracy`: how probably the cell of the slice, or of the emotion, passes where the model is right with probability `PLAUSIBLE`.
    `gap`: how probably the cell on its gap to all others passes where there is no gap at all, None where there is no such cell.
    `gap_shown`: the smallest gap that these people would show with `gate.disparity_power`. `verdict` is that of the less probable of the
    required ones. `more`: how many people more, who judge, make it likely, if others are at least as many; None where no number does.
    """

    attribute: str
    value: str
    people: int
    samples: int
    required: bool
    accuracy: float
    gap: float | None
    gap_shown: float | None
    verdict: Verdict
    more: int | None


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """Samples of each person of a slice, of all others, and of those who may be on either side."""

    inside: Floats
    others: Floats
    hidden: Floats

    def grown(self, more: int, each: float) -> _Sides:
        """The same with so many people more, and at least as many others."""
        inside = np.append(self.inside, np.full(more, each))
        missing = max(0, len(inside) - len(self.others)) if more else 0
        return _Sides(inside=inside, others=np.append(self.others, np.full(missing, each)), hidden=self.hidden)


def forecast_slices(
    people: Sequence[JudgedPerson], params: GateParams, seed: int, has_champion: bool = False
) -> tuple[SliceForecast, ...]:
    """Every value of the required attributes that is declared or found, then every emotion that is shown; in whichever order people are
    given.
    """
    if not people:
        return ()
    # Pseudonyms are random, and sums in another order differ in their last bits.
    people = sorted(people, key=lambda one: (sorted(one.slices.items()), sorted(one.shown.items())))
    samples = np.array([sum(one.shown.values()) for one in people], dtype=np.float64)
    values = {
        name: np.array([one.slices.get(name, UNKNOWN) for one in people], dtype=np.str_)
        for name in params.required_attributes
    }
    asked = [(name, one) for name in values for one in _declared_and_found(name, values[name], params)]
    shown = _gaps_shown(samples, {one: values[one[0]] == one[1] for one in asked if one[1] != UNKNOWN}, params, seed)
    by_value = [
        _of_value((name, value), samples, values[name], shown.get((name, value)), params, has_champion)
        for name, value in asked
    ]
    return (*by_value, *_of_emotions(people, params))


def _declared_and_found(name: str, values: NDArray[np.str_], params: GateParams) -> list[str]:
    declared = params.required_values.get(name, ())
    return [*declared, *sorted(set(values.tolist()) - {*declared, UNKNOWN}), *([UNKNOWN] if UNKNOWN in values else [])]


def _of_value(
    named: tuple[str, str],
    samples: Floats,
    values: NDArray[np.str_],
    shown: float | None,
    params: GateParams,
    has_champion: bool,
) -> SliceForecast:
    name, value = named
    is_known = value != UNKNOWN
    sides = _Sides(
        inside=samples[values == value],
        others=samples[(values != value) & (values != UNKNOWN)],
        hidden=samples[(values == UNKNOWN) & is_known],
    )
    required = is_known and "slice" in params.required
    of_gap = is_known and "disparity" in params.required and not has_champion
    typical = float(np.median(samples))

    def least(more: int) -> float:
        grown = sides.grown(more, typical)
        asked = [_floor_chance(grown, params)] if required else []
        return min([*asked, *([_gap_chance(grown, params)] if of_gap else [])], default=1.0)

    return SliceForecast(
        attribute=name,
        value=value,
        people=len(sides.inside),
        samples=int(sides.inside.sum()),
        required=required or of_gap,
        accuracy=round(_floor_chance(sides, params), 3),
        gap=round(_gap_chance(sides, params), 3) if is_known else None,
        gap_shown=shown,
        verdict=_verdict(len(sides.inside), least(0), params),
        more=_fewest(lambda more: least(more) >= params.disparity_power),
    )


def _of_emotions(people: Sequence[JudgedPerson], params: GateParams) -> list[SliceForecast]:
    emotions = [one for one in EMOTIONS if any(person.shown.get(one) for person in people)]
    return [_of_emotion(emotion, people, len(emotions), params) for emotion in emotions]


def _of_emotion(emotion: str, people: Sequence[JudgedPerson], count: int, params: GateParams) -> SliceForecast:
    table = np.array(
        [(n := one.shown.get(emotion, 0), sum(one.shown.values()) - n) for one in people], dtype=np.float64
    )
    typical = np.median(table[table[:, 0] > 0], axis=0)

    def chance(more: int) -> float:
        return _balanced_chance(np.vstack([table, np.tile(typical, (more, 1))]), count, params)

    required = "emotion" in params.required
    return SliceForecast(
        attribute=EMOTION,
        value=emotion,
        people=int((table[:, 0] > 0).sum()),
        samples=int(table[:, 0].sum()),
        required=required,
        accuracy=round(chance(0), 3),
        gap=None,
        gap_shown=None,
        verdict=_verdict(len(table), chance(0) if required else 1.0, params),
        more=_fewest(lambda more: chance(more) >= params.disparity_power) if required else 0,
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


def _floor_chance(sides: _Sides, params: GateParams) -> float:
    """How probably a slice's accuracy is shown to reach its floor, as `requirements` judges it, also with the hidden people at worst.

    Wilson's lower end is at the floor or above where the share is z standard errors of the floor above it.
    """
    inside, hidden, floor = sides.inside, sides.hidden, params.slice_accuracy_floor
    if not len(inside):
        return 0.0
    worth, lost, worst_worth = _worth(inside, params), 0.0, math.inf
    if len(hidden):
        right, samples, group = _side_by_side((inside, hidden), params)
        is_inside = group == 0
        taken = lowest_mean(right, samples, is_inside, ~is_inside)
        lost, worst_worth = (
            _share(right, samples, is_inside) - _share(right, samples, taken),
            _worth(samples[taken], params),
        )
    shifted = min(floor + lost, 1.0)
    z = NormalDist().inv_cdf(0.5 + params.confidence / 2)
    needed = max(shifted + z * _error(shifted, worth), shifted + z * _error(floor, worst_worth))
    return NormalDist().cdf((PLAUSIBLE - needed) / _error(PLAUSIBLE, worth))


def _gap_chance(sides: _Sides, params: GateParams) -> float:
    """How probably no gap is shown to be none, as `disparity` judges it, also with the hidden people at worst."""
    rest = np.append(sides.others, sides.hidden)
    if min(len(sides.inside), len(rest)) < PEOPLE_MIN:
        return 0.0
    worths = [_worth(side, params) for side in (sides.inside, rest)]
    (low, _), (_, high) = (wilson(PLAUSIBLE, worth, params.confidence) for worth in worths)
    half, worst = math.hypot(high - PLAUSIBLE, PLAUSIBLE - low), 0.0
    if len(sides.hidden):
        right, samples, group = _side_by_side((sides.inside, sides.others, sides.hidden), params)
        is_inside = group == 0
        taken = widest_gap(right, samples, is_inside, group == 2)
        worst = _gap(right, samples, taken) - _gap(right, samples, is_inside)
    allowed = min(params.disparity_max, params.disparity_open_max - half) - worst
    return NormalDist().cdf(allowed / math.hypot(*(_error(PLAUSIBLE, worth) for worth in worths)))


def _balanced_chance(table: Floats, count: int, params: GateParams) -> float:
    """How probably an emotion's balanced accuracy is shown to reach its floor; wrong answers are spread evenly over `count` - 1 others.

    `table` float64 (P, 2): how many samples of each person show the emotion, and how many another one.
    """
    positives, negatives = (side[side > 0] for side in table.T)
    if not len(negatives) or count < 2:
        return 0.0
    refused = 1 - (1 - PLAUSIBLE) / (count - 1)
    sides = [(PLAUSIBLE, _worth(positives, params)), (refused, _worth(negatives, params))]
    parts = [(share, *wilson(share, worth, params.confidence)) for share, worth in sides]
    spare = mean_of_two(parts[0], parts[1])[0] - params.emotion_balanced_accuracy_floor
    return NormalDist().cdf(spare / (math.hypot(*(_error(share, worth) for share, worth in sides)) / 2))


def _error(share: float, worth: float) -> float:
    """The standard error of a share of so many independent samples."""
    return math.sqrt(share * (1 - share) / worth)


def _gaps_shown(
    samples: Floats, masks: Mapping[tuple[str, str], NDArray[np.bool_]], params: GateParams, seed: int
) -> dict[tuple[str, str], float]:
    """The smallest gap that each slice would show, where there are people on both sides."""
    enough = {name: mask for name, mask in masks.items() if min(mask.sum(), (~mask).sum()) >= PEOPLE_MIN}
    if not enough:
        return {}
    order = np.random.default_rng(seed_for(seed, "forecast")).permutation(len(samples))
    right = np.empty_like(samples)
    right[order] = _right(samples[order], params)
    table = SliceTable(right, samples, np.stack(list(enough.values()), axis=1).astype(np.float64))
    nulls = nulls_of(
        table, [list(range(len(enough)))], min(params.permutations, _PERMUTATIONS), seed_for(seed, "exchange")
    )
    return {name: round(detectable_gap(nulls.gaps[:, k], len(enough), params), 4) for k, name in enumerate(enough)}


def _right(samples: Floats, params: GateParams) -> Floats:
    """Right answers of each of these people: the quantiles of a beta-binomial distribution, whose answers correlate within a person."""
    correlation = min(max(params.intraclass_correlation, _ALMOST), 1 - _ALMOST)
    ranks = (np.arange(len(samples)) + 0.5) / max(1, len(samples))
    right = np.empty_like(samples)
    for count in np.unique(samples).tolist():
        same = samples == count
        right[same] = np.searchsorted(_cumulated(round(count), 1 / correlation - 1), ranks[same])
    return np.minimum(right, samples)


@lru_cache(maxsize=1 << 8)
def _cumulated(n: int, both: float) -> Floats:
    """How probably at most 0 to n of n answers are right (beta-binomial, Skellam, 1948), float64 (n + 1,)."""
    a, b, k = PLAUSIBLE * both, (1 - PLAUSIBLE) * both, np.arange(n + 1)
    chosen = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.cumsum(np.exp(chosen + betaln(k + a, n - k + b) - betaln(a, b)))


def _worth(samples: Floats, params: GateParams) -> float:
    """How many independent samples they are worth (Kish, 1965), see `intervals.effective_n`."""
    each = float((samples**2).sum() / samples.sum())
    return float(samples.sum()) / (1 + (each - 1) * params.intraclass_correlation)


def _side_by_side(groups: Sequence[Floats], params: GateParams) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Right answers and samples of the people of all groups, each of which is alike, and the group of each."""
    right = np.concatenate([_right(group, params) for group in groups])
    return right, np.concatenate(groups), np.repeat(np.arange(len(groups)), [len(group) for group in groups])


def _share(right: Floats, samples: Floats, mask: NDArray[np.bool_]) -> float:
    return float(right[mask].sum() / samples[mask].sum())


def _gap(right: Floats, samples: Floats, mask: NDArray[np.bool_]) -> float:
    return _share(right, samples, ~mask) - _share(right, samples, mask)
