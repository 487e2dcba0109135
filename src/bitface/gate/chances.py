"""How probably a cell of the gate passes with people of whom only the number is known, and from which measured figure on it does."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from bitface.evaluation.intervals import mean_of_two, seed_for, wilson
from bitface.gate.disparity import PEOPLE_MIN, detectable_gap
from bitface.gate.requirements import unseen_discordance
from bitface.gate.slice_gaps import SliceTable, nulls_of
from bitface.gate.unknown import lowest_mean, widest_gap
from bitface.params import GateParams

_WAY: Final = 17 / 24
"""How far from guessing to always right a model is assumed to come: of seven emotions to 0.75, which is above the floor of slices and
below what sharp acted faces give; of two to 0.85, where photographs of 99 people gave 0.86."""
ONE_BIT_LOSS: Final = 0.01
"""Macro balanced accuracy that one bit is assumed to cost: six runs lost 0.002 to 0.024."""
ONE_BIT_DIFFERS: Final = 0.05
"""The share of answers that is right in one of a one-bit model and its float twin: four runs of 99 to 945 people had 0.03 to 0.06."""
CHAMPION_DIFFERS: Final = 0.125
"""The same of an equally good candidate and the champion, see `champion_margin` in params.yaml."""
_PERMUTATIONS: Final = 999
_ALMOST: Final = 1e-3
_STEPS: Final = 1000
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """By which limits is judged, and what is assumed of a model that tells so many emotions apart."""

    params: GateParams
    emotions: int

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return assumed_accuracy(self.emotions)


def assumed_accuracy(emotions: int) -> float:
    """The share of right answers that is assumed of everybody: the fewer emotions, the more often guessing is right."""
    guessing = 1 / max(emotions, 2)
    return round(guessing + (1 - guessing) * _WAY, 4)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Samples of each person of a slice, of all others, and of those who may be on either side."""

    inside: Floats
    others: Floats
    hidden: Floats

    def grown(self, more: int, each: float) -> Sides:
        """The same with so many people more, and at least as many others."""
        inside = np.append(self.inside, np.full(more, each))
        missing = max(0, len(inside) - len(self.others)) if more else 0
        return Sides(inside=inside, others=np.append(self.others, np.full(missing, each)), hidden=self.hidden)


def floor_chance(sides: Sides, terms: Terms) -> float:
    """How probably a slice's accuracy is shown to reach its floor, as `requirements` judges it, also with the hidden people at worst."""
    if not len(sides.inside):
        return 0.0
    worth = _worth(sides.inside, terms.params)
    return NormalDist().cdf((terms.accuracy - floor_needed(sides, terms)) / _error(terms.accuracy, worth))


def floor_needed(sides: Sides, terms: Terms) -> float:
    """The smallest accuracy that is shown to reach the floor; infinite where nobody is in the slice.

    Wilson's lower end is at the floor or above where the share is z standard errors of the floor above it.
    """
    inside, hidden, params = sides.inside, sides.hidden, terms.params
    if not len(inside):
        return math.inf
    floor, worth, lost, worst_worth = params.slice_accuracy_floor, _worth(inside, params), 0.0, math.inf
    if len(hidden):
        right, samples, group = _side_by_side((inside, hidden), terms)
        is_inside = group == 0
        taken = lowest_mean(right, samples, is_inside, ~is_inside)
        lost, worst_worth = (
            _share(right, samples, is_inside) - _share(right, samples, taken),
            _worth(samples[taken], params),
        )
    shifted, z = min(floor + lost, 1.0), _z(params)
    return max(shifted + z * _error(shifted, worth), shifted + z * _error(floor, worst_worth))


def gap_chance(sides: Sides, terms: Terms) -> float:
    """How probably no gap is shown to be none, as `disparity` judges it, also with the hidden people at worst."""
    rest = np.append(sides.others, sides.hidden)
    if min(len(sides.inside), len(rest)) < PEOPLE_MIN:
        return 0.0
    worths = [_worth(side, terms.params) for side in (sides.inside, rest)]
    return NormalDist().cdf(
        gap_allowed(sides, terms) / math.hypot(*(_error(terms.accuracy, worth) for worth in worths))
    )


def gap_allowed(sides: Sides, terms: Terms) -> float:
    """The largest gap to all others that passes; below 0 the slice must be ahead of them. -inf where there are too few to compare."""
    params, share, rest = terms.params, terms.accuracy, np.append(sides.others, sides.hidden)
    if min(len(sides.inside), len(rest)) < PEOPLE_MIN:
        return -math.inf
    (low, _), (_, high) = (wilson(share, _worth(side, params), params.confidence) for side in (sides.inside, rest))
    half, worst = math.hypot(high - share, share - low), 0.0
    if len(sides.hidden):
        right, samples, group = _side_by_side((sides.inside, sides.others, sides.hidden), terms)
        is_inside = group == 0
        taken = widest_gap(right, samples, is_inside, group == 2)
        worst = _gap(right, samples, taken) - _gap(right, samples, is_inside)
    return min(params.disparity_max, params.disparity_open_max - half) - worst


def balanced_chance(table: Floats, terms: Terms) -> float:
    """How probably an emotion's balanced accuracy is shown to reach its floor.

    `table` float64 (P, 2): how many samples of each person show the emotion, and how many another one.
    """
    if not table[:, 1].any() or terms.emotions < 2:
        return 0.0
    _, low, error = _balanced(terms.accuracy, table, terms)
    return NormalDist().cdf((low - terms.params.emotion_balanced_accuracy_floor) / error)


def balanced_needed(table: Floats, terms: Terms) -> float | None:
    """The smallest balanced accuracy that is shown to reach its floor, in steps of a thousandth of right answers; None where none is."""
    if not table[:, 1].any() or terms.emotions < 2:
        return None
    floor = terms.params.emotion_balanced_accuracy_floor
    step = bisect_left(range(_STEPS + 1), True, key=lambda i: _balanced(i / _STEPS, table, terms)[1] >= floor)
    return None if step > _STEPS else round(_balanced(step / _STEPS, table, terms)[0], 3)


def _balanced(share: float, table: Floats, terms: Terms) -> tuple[float, float, float]:
    """Balanced accuracy where such a share of answers is right and wrong ones are spread evenly over the others, the lower end of its
    interval, and its standard error.
    """
    params = terms.params
    refused = 1 - (1 - share) / (terms.emotions - 1)
    sides = [(one, _worth(side[side > 0], params)) for one, side in zip((share, refused), table.T, strict=True)]
    parts = [(one, *wilson(one, worth, params.confidence)) for one, worth in sides]
    low = mean_of_two(parts[0], parts[1])[0]
    return (share + refused) / 2, low, math.hypot(*(_error(one, worth) for one, worth in sides)) / 2


def loss_allowed(samples: Floats, terms: Terms) -> float:
    """The largest measured loss of one bit that passes."""
    half = _z(terms.params) * loss_error(samples, terms)
    unseen = unseen_discordance(int(samples.sum()), len(samples), terms.params)
    return terms.params.binarization_loss_max - max(half, unseen)


def loss_error(samples: Floats, terms: Terms) -> float:
    """The standard error of the loss: an answer counts half in its own emotion, and half among the others of that which was said."""
    counts = terms.emotions / (2 * max(terms.emotions - 1, 1))
    return counts * math.sqrt(ONE_BIT_DIFFERS / float(samples.sum()))


def beside_champion(is_asked: bool, inside: Floats, terms: Terms) -> list[float]:
    """How probably an equally good candidate is shown to be no worse than the champion for these people."""
    if not is_asked or "champion" not in terms.params.required:
        return []
    if not len(inside):
        return []
    error = math.sqrt(CHAMPION_DIFFERS / float(inside.sum()))
    unseen = unseen_discordance(int(inside.sum()), len(inside), terms.params)
    return [_within(terms.params.champion_slice_margin, error, unseen, terms)]


def emotion_beside_champion(is_asked: bool, table: Floats, terms: Terms) -> list[float]:
    if not is_asked or "champion" not in terms.params.required or not table[:, 1].any():
        return []
    sides = [side[side > 0] for side in table.T]
    # Of every answer that differs, one of the other emotions' decisions does.
    shares = (CHAMPION_DIFFERS, CHAMPION_DIFFERS / max(terms.emotions - 1, 1))
    error = math.hypot(*(math.sqrt(q / float(side.sum())) for q, side in zip(shares, sides, strict=True))) / 2
    unseen = sum(unseen_discordance(int(side.sum()), len(side), terms.params) for side in sides) / 2
    return [_within(terms.params.champion_margin, error, unseen, terms)]


def _within(margin: float, error: float, unseen: float, terms: Terms) -> float:
    return NormalDist().cdf((margin - max(_z(terms.params) * error, unseen)) / error)


def _z(params: GateParams) -> float:
    return NormalDist().inv_cdf(0.5 + params.confidence / 2)


def _error(share: float, worth: float) -> float:
    """The standard error of a share of so many independent samples, never 0: a share of 1 is still a measured one."""
    return math.sqrt(max(share * (1 - share), _ALMOST) / worth)


def gaps_shown(
    samples: Floats, masks: Mapping[tuple[str, str], NDArray[np.bool_]], terms: Terms, seed: int
) -> dict[tuple[str, str], float]:
    """The smallest gap that each slice would show, where there are people on both sides."""
    enough = {name: mask for name, mask in masks.items() if min(mask.sum(), (~mask).sum()) >= PEOPLE_MIN}
    if not enough:
        return {}
    order = np.random.default_rng(seed_for(seed, "forecast")).permutation(len(samples))
    right, params = np.empty_like(samples), terms.params
    right[order] = _right(samples[order], terms)
    table = SliceTable(right, samples, np.stack(list(enough.values()), axis=1).astype(np.float64))
    nulls = nulls_of(
        table, [list(range(len(enough)))], min(params.permutations, _PERMUTATIONS), seed_for(seed, "exchange")
    )
    return {name: round(detectable_gap(nulls.gaps[:, k], len(enough), params), 4) for k, name in enumerate(enough)}


def _right(samples: Floats, terms: Terms) -> Floats:
    """Right answers of each of these people: the quantiles of a beta-binomial distribution, whose answers correlate within a person."""
    correlation = min(max(terms.params.intraclass_correlation, _ALMOST), 1 - _ALMOST)
    ranks = (np.arange(len(samples)) + 0.5) / max(1, len(samples))
    right = np.empty_like(samples)
    for count in np.unique(samples).tolist():
        same = samples == count
        right[same] = np.searchsorted(_cumulated(round(count), terms.accuracy, 1 / correlation - 1), ranks[same])
    return np.minimum(right, samples)


@lru_cache(maxsize=1 << 8)
def _cumulated(n: int, share: float, both: float) -> Floats:
    """How probably at most 0 to n of n answers are right (beta-binomial, Skellam, 1948), float64 (n + 1,)."""
    a, b, k = share * both, (1 - share) * both, np.arange(n + 1)
    chosen = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.cumsum(np.exp(chosen + betaln(k + a, n - k + b) - betaln(a, b)))


def _worth(samples: Floats, params: GateParams) -> float:
    """How many independent samples they are worth (Kish, 1965), see `intervals.effective_n`."""
    each = float((samples**2).sum() / samples.sum())
    return float(samples.sum()) / (1 + (each - 1) * params.intraclass_correlation)


def _side_by_side(groups: Sequence[Floats], terms: Terms) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Right answers and samples of the people of all groups, each of which is alike, and the group of each."""
    right = np.concatenate([_right(group, terms) for group in groups])
    return right, np.concatenate(groups), np.repeat(np.arange(len(groups)), [len(group) for group in groups])


def _share(right: Floats, samples: Floats, mask: NDArray[np.bool_]) -> float:
    return float(right[mask].sum() / samples[mask].sum())


def _gap(right: Floats, samples: Floats, mask: NDArray[np.bool_]) -> float:
    return _share(right, samples, ~mask) - _share(right, samples, mask)
