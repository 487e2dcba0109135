"""The cells on one model's disparity: does it serve a slice worse than everybody else, how wide is the gap, who falls between slices.

With a champion an alarm advises: blocking the candidate would keep a model that nothing says is fairer, and each slice is
compared with the champion anyway. Without one it blocks, if params.yaml asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.evaluation.intervals import (
    Interval,
    effective_n,
    percentile_interval,
    proportion_interval,
    seed_for,
    widened,
    wilson,
)
from bitface.evaluation.multiplicity import holm
from bitface.evaluation.predictions import Predictions
from bitface.evaluation.resampling import person_resamples, sums_by_code
from bitface.gate.cells import Cell, Question, State, judged, stated, too_few
from bitface.gate.evidence import GateEvidence
from bitface.gate.requirements import UNKNOWN, slice_values, sound
from bitface.params import GateParams

PEOPLE_MIN: Final = 2
"""On each side of a slice, and in an intersection; fewer have no spread."""
_AT_ONCE: Final = 250
_SAME: Final = 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SliceTable:
    """Right answers and samples of each person, float64 (P,), and who is in which slice, float64 (P, K) of 0 and 1."""

    right: Floats
    samples: Floats
    inside: Floats

    def gaps(self, rows: Floats | None = None) -> Floats:
        """Accuracy of all others less that of the slice, float64 (R, K), under weights of people (R, P); one row for None."""
        inside, outside = self._shares(rows)
        return outside - inside

    def accuracies(self, rows: Floats | None = None) -> Floats:
        """Accuracy of each slice, float64 (R, K), NaN where nobody is drawn."""
        return self._shares(rows)[0]

    def exchanged(self, order: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Accuracy of each slice and of all others when people's slices are exchanged: orders (D, P) -> two (D, K)."""
        return self._of(self.right[order] @ self.inside, self.samples[order] @ self.inside)

    def _shares(self, rows: Floats | None) -> tuple[Floats, Floats]:
        weights = np.ones((1, len(self.right))) if rows is None else rows
        right, samples = weights @ (self.right[:, None] * self.inside), weights @ (self.samples[:, None] * self.inside)
        return self._of(right, samples, weights @ self.right, weights @ self.samples)

    def _of(
        self, right: Floats, samples: Floats, all_right: Floats | None = None, all_samples: Floats | None = None
    ) -> tuple[Floats, Floats]:
        total_right = self.right.sum() if all_right is None else all_right[:, None]
        total = self.samples.sum() if all_samples is None else all_samples[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return right / samples, (total_right - right) / (total - samples)


@dataclass(frozen=True, eq=False)
class Nulls:
    """What exchanging people's slices gives: gaps (D, K), and the widest difference within each attribute (D, A)."""

    gaps: Floats
    widest: Floats


@dataclass(frozen=True, kw_only=True)
class WidestGap:
    """A largest less a smallest accuracy as `seen`, what is left of it when the bias of taking extremes is taken off, its interval.

    With no difference at all, extremes differ by chance; with a large one, hardly. The bias is therefore measured where the
    accuracies probably are: drawn towards their mean by the share of their variance that resampling explains (James & Stein,
    1961, positive part), plus the noise of resampled people. The ends are those of two pivotal intervals, of accuracies drawn all the
    way to their mean and of accuracies as they are, whichever lies farther out.
    """

    seen: float
    corrected: float
    lo: float
    hi: float

    @classmethod
    def of(cls, accuracies: Floats, draws: Floats, confidence: float) -> WidestGap:
        """From accuracies (K,) and those of resampled people (R, K)."""
        sound = draws[np.isfinite(draws).all(axis=1)]
        noise = sound - accuracies
        explained = float(sound.var(axis=0).mean() / max(float(accuracies.var(ddof=1)), 1e-12))
        likely = accuracies.mean() + max(0.0, 1 - explained) * (accuracies - accuracies.mean())
        seen, tail = float(np.ptp(accuracies)), (1 - confidence) / 2
        bias = float(np.ptp(likely + noise, axis=1).mean() - np.ptp(likely))
        corrected = max(0.0, seen - bias)
        levels = (np.full_like(accuracies, accuracies.mean()), accuracies)
        moves = [np.ptp(level + noise, axis=1) - np.ptp(level) for level in levels]
        low, high = min(np.quantile(m, tail) for m in moves), max(np.quantile(m, 1 - tail) for m in moves)
        ends = max(0.0, seen - float(high)), min(1.0, seen - float(low))
        return cls(seen=seen, corrected=corrected, lo=min(ends[0], corrected), hi=max(ends[1], corrected))


def disparity_cells(evidence: GateEvidence, params: GateParams, seed: int) -> Iterator[Cell]:
    """Each required slice against all others, then the widest gap within each required attribute, then two-way intersections.

    A slice FAILs where the by-person permutation test, Holm-adjusted over all slices, says worse (p < alpha) and the gap
    itself is beyond `disparity_max`. The gap's interval below that limit is PASS; neither is INSUFFICIENT, and advises.

    Raises:
        InputError: predictions that are not sound, or a person without a value of a required attribute.
    """
    predictions = sound(evidence.one_bit, evidence.emotions)
    values = {name: slice_values(predictions, evidence, name) for name in params.required_attributes}
    names = [(name, str(one)) for name in values for one in np.unique(values[name]) if one != UNKNOWN]
    table = table_of(predictions, [values[name] == value for name, value in names])
    people = np.stack([table.inside.sum(axis=0), len(table.inside) - table.inside.sum(axis=0)])
    enough = np.flatnonzero(people.min(axis=0) >= PEOPLE_MIN).tolist()
    for index in sorted(set(range(len(names))) - set(enough)):
        few = int(people[:, index].min())
        yield too_few(
            _question(*names[index]), f"{few} people on one side; at least {PEOPLE_MIN} on both have a difference."
        )
    if enough:
        kept = SliceTable(table.right, table.samples, table.inside[:, enough])
        yield from _judged_slices(
            predictions, values, kept, [names[i] for i in enough], blocks(params, evidence), params, seed
        )
    yield from _intersections(predictions, values, params, seed)


def disparity_question(params: GateParams, evidence: GateEvidence) -> Question:
    """The cell that stands for all of these where they cannot be judged."""
    return Question(name="disparity", kind="disparity", metric="accuracy_gap", required=blocks(params, evidence))


def blocks(params: GateParams, evidence: GateEvidence) -> bool:
    """Whether an alarm blocks."""
    return "disparity" in params.required and evidence.champion_version is None


def table_of(predictions: Predictions, masks: list[NDArray[np.bool_]]) -> SliceTable:
    """Counts by person; a mask (n,) holds all samples of a person or none."""
    persons, first, codes = np.unique(predictions.persons, return_index=True, return_inverse=True)
    inside = np.stack([mask[first] for mask in masks], axis=1) if masks else np.zeros((len(persons), 0))
    right = sums_by_code(predictions.correct(), codes, len(persons))
    return SliceTable(right, sums_by_code(np.ones(len(codes)), codes, len(persons)), inside.astype(np.float64))


def nulls_of(table: SliceTable, groups: list[list[int]], permutations: int, seed: int) -> Nulls:
    """Gaps when slices are exchanged between people at random, all slices of a person together.

    `groups`: the columns of each attribute, whose widest difference is taken.
    """
    rng, people = np.random.default_rng(seed), np.arange(len(table.right))
    gaps, widest = [], []
    for start in range(0, permutations, _AT_ONCE):
        order = rng.permuted(np.tile(people, (min(_AT_ONCE, permutations - start), 1)), axis=1)
        inside, outside = table.exchanged(order)
        gaps.append(outside - inside)
        widest.append(_widest(inside, groups))
    return Nulls(np.concatenate(gaps), np.concatenate(widest))


def p_values_of(observed: Floats, drawn: Floats) -> list[float]:
    """One-sided p-values that a figure (K,) is larger than exchanging explains, (D, K); the observed one counts as one draw."""
    as_far = (drawn >= observed[None] - _SAME).sum(axis=0)
    return [float(p) for p in (1 + as_far) / (1 + len(drawn))]


def _judged_slices(
    predictions: Predictions,
    values: Mapping[str, NDArray[np.str_]],
    table: SliceTable,
    names: list[tuple[str, str]],
    alarm_blocks: bool,
    params: GateParams,
    seed: int,
) -> Iterator[Cell]:
    attributes = list(dict.fromkeys(attribute for attribute, _ in names))
    groups = [[index for index, (own, _) in enumerate(names) if own == attribute] for attribute in attributes]
    nulls = nulls_of(table, groups, params.permutations, seed_for(seed, "disparity/exchange"))
    rows = person_resamples(predictions.persons, params.bootstrap_resamples, seed_for(seed, "disparity")).counts
    gaps, drawn = table.gaps()[0], table.gaps(rows)
    adjusted = holm(p_values_of(gaps, nulls.gaps))
    for index, (attribute, value) in enumerate(names):
        inside = values[attribute] == value
        interval = _gap_interval(predictions, inside, float(gaps[index]), drawn[:, index], params)
        yield _slice_cell(_question(attribute, value), interval, adjusted[index], alarm_blocks, params)
    accuracies, spread = table.accuracies()[0], table.accuracies(rows)
    adjusted = holm(p_values_of(_widest(accuracies[None], groups)[0], nulls.widest))
    for attribute, group, p_value in zip(attributes, groups, adjusted, strict=True):
        if len(group) > 1:
            found = WidestGap.of(accuracies[group], spread[:, group], params.confidence)
            yield _widest_cell(attribute, found, p_value, predictions, params)


def _question(attribute: str, value: str) -> Question:
    return Question(
        name=f"disparity/{attribute}:{value}",
        kind="disparity",
        metric="accuracy_gap",
        attribute=attribute,
        slice=value,
        required=False,
    )


def _gap_interval(
    predictions: Predictions, inside: NDArray[np.bool_], gap: float, draws: Floats, params: GateParams
) -> Interval:
    """By-person bootstrap, and never narrower than two Wilson intervals at effective n allow (Newcombe, 1998, method 10)."""
    right, ends = predictions.correct(), []
    for side in (inside, ~inside):
        share = float(right[side].mean())
        n = effective_n(right[side], predictions.persons[side], params.intraclass_correlation)
        ends.append((share, *wilson(share, n, params.confidence)))
    (slice_, slice_lo, slice_hi), (rest, rest_lo, rest_hi) = ends
    people = len(np.unique(predictions.persons[inside]))
    drawn = percentile_interval(gap, draws, params.confidence, int(inside.sum()), people, least=-1.0)
    low = gap - float(np.hypot(rest - rest_lo, slice_hi - slice_))
    return widened(drawn, low, gap + float(np.hypot(rest_hi - rest, slice_ - slice_lo)))


def _slice_cell(question: Question, interval: Interval, p_value: float, alarm_blocks: bool, params: GateParams) -> Cell:
    limit = params.disparity_max
    worse, within = p_value < params.alpha and interval.value > limit, interval.hi <= limit
    state = State.FAIL if worse else State.PASS if within else State.INSUFFICIENT
    asked = Question(**{**question.__dict__, "required": alarm_blocks and state is not State.INSUFFICIENT})
    sentence = (
        f"{interval.value:+.3f} ({interval.lo:+.3f} to {interval.hi:+.3f}) behind all others in accuracy, of {interval.n} samples of "
        f"{interval.persons} people; at most {limit:.2f} is asked. p = {p_value:.4f} that the slice makes no difference, adjusted over "
        "all slices."
    )
    return stated(asked, interval, limit, "at most", state, p_value=p_value, sentence=sentence)


def _widest(accuracies: Floats, groups: list[list[int]]) -> Floats:
    """Largest less smallest accuracy within each group of columns: (R, K) -> (R, A)."""
    return np.stack([np.ptp(accuracies[:, group], axis=1) for group in groups], axis=1)


def _widest_cell(
    attribute: str, found: WidestGap, p_value: float, predictions: Predictions, params: GateParams
) -> Cell:
    n, people = len(predictions), len(np.unique(predictions.persons))
    interval = Interval(value=found.corrected, lo=found.lo, hi=found.hi, n=n, persons=people)
    limit = params.disparity_max
    worse, within = p_value < params.alpha and found.corrected > limit, interval.hi <= limit
    state = State.FAIL if worse else State.PASS if within else State.INSUFFICIENT
    question = Question(
        name=f"disparity/{attribute}",
        kind="disparity",
        metric="accuracy_max_min_gap",
        attribute=attribute,
        required=False,
    )
    sentence = (
        f"{found.corrected:.3f} ({found.lo:.3f} to {found.hi:.3f}) between the best and the worst served value of {attribute}, once what "
        f"chance adds is taken off the {found.seen:.3f} seen; at most {limit:.2f} is asked. p = {p_value:.4f} that the attribute makes "
        "no difference, adjusted over attributes."
    )
    return stated(question, interval, limit, "at most", state, p_value=p_value, sentence=sentence)


def _intersections(
    predictions: Predictions, values: Mapping[str, NDArray[np.str_]], params: GateParams, seed: int
) -> Iterator[Cell]:
    """Accuracy where two attributes meet, against the floor of slices; it advises, because few people are in each."""
    right = predictions.correct()
    for one, other in combinations(values, 2):
        for first in np.unique(values[one]).tolist():
            for second in np.unique(values[other]).tolist():
                inside = (values[one] == first) & (values[other] == second)
                if UNKNOWN in (first, second) or not inside.any():
                    continue
                question = Question(
                    name=f"slice/{one}:{first}+{other}:{second}",
                    kind="disparity",
                    metric="accuracy",
                    attribute=f"{one}+{other}",
                    slice=f"{first}+{second}",
                    required=False,
                )
                persons = predictions.persons[inside]
                if len(np.unique(persons)) < PEOPLE_MIN:
                    yield too_few(
                        question, f"{len(np.unique(persons))} person; at least {PEOPLE_MIN} have an interval."
                    )
                    continue
                rows = person_resamples(persons, params.bootstrap_resamples, seed_for(seed, question.name))
                interval = proportion_interval(
                    right[inside], persons, rows, params.confidence, params.intraclass_correlation
                )
                yield judged(question, interval, params.slice_accuracy_floor, "at least")
