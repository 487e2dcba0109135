"""The cells on one model's disparity: does a slice do worse than all others, how wide is the gap, and what about intersections of slices.

Doubt is not a pass: a gap beyond the limit that may be chance, or an interval that allows a far wider one, holds. For the same gap,
fewer people only widen the interval; whoever's value is not known is counted where they would do most harm; a declared value that
nobody has is open. So leaving people or their values out never turns a hold into a promotion.

With a champion an alarm advises: blocking the candidate would keep a model that nothing says is fairer, and each slice is
compared with the champion anyway. Without one it blocks, if params.yaml asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist
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
from bitface.evaluation.resampling import person_resamples
from bitface.gate.cells import (
    Cell,
    CellKind,
    Criterion,
    Question,
    State,
    at_least,
    at_most,
    judged,
    slice_question,
    stated,
    too_few,
)
from bitface.gate.evidence import RULES, GateEvidence
from bitface.gate.requirements import declared_and_found, slice_values, sound
from bitface.gate.slice_gaps import SliceTable, WidestGap, nulls_of, p_values_of, table_of, widest_of
from bitface.gate.unknown import UNKNOWN, widest_gap
from bitface.params import GateParams

PEOPLE_MIN: Final = 2
"""On each side of a slice, and in an intersection; fewer have no spread."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Gap:
    """A slice behind all others: its interval, and its p-value adjusted over all slices.

    `worst`: the same if each of the `hidden` people, whose value is unknown, were where they would do most harm;
    `detectable`: the smallest gap that these people would have shown, with the power that is asked.
    """

    interval: Interval
    p_value: float
    worst: Interval
    hidden: int
    detectable: float


def disparity_cells(evidence: GateEvidence, params: GateParams, seed: int) -> Iterator[Cell]:
    """Each required slice against all others, then the widest gap within each required attribute, then two-way intersections.

    A slice FAILs where the by-person permutation test, Holm-adjusted over all slices, says worse (p < alpha) and the gap
    itself is beyond `disparity_max`. PASS: the gap is within it, and its interval within `disparity_open_max`, also if everyone
    whose value is unknown were where they would widen it most. Neither is INSUFFICIENT.

    Raises:
        InputError: predictions that are not sound, or a person without a value of a required attribute.
    """
    predictions = sound(evidence.one_bit, evidence.emotions)
    values = {name: slice_values(predictions, evidence, name) for name in params.required_attributes}
    names = [(name, one) for name in values for one in declared_and_found(name, values[name], params) if one != UNKNOWN]
    table = table_of(predictions, [values[name] == value for name, value in names])
    people = np.stack([table.inside.sum(axis=0), len(table.inside) - table.inside.sum(axis=0)])
    enough = np.flatnonzero(people.min(axis=0) >= PEOPLE_MIN).tolist()
    required = blocks(params, evidence)
    for index in sorted(set(range(len(names))) - set(enough)):
        few = int(people[:, index].min())
        question = slice_question("disparity", "accuracy_gap", *names[index], required and evidence.rules >= RULES)
        yield too_few(question, f"{few} people on one side; at least {PEOPLE_MIN} on both have a difference.")
    if enough:
        kept = SliceTable(table.right, table.samples, table.inside[:, enough])
        asked = [slice_question("disparity", "accuracy_gap", *names[index], required) for index in enough]
        yield from _judged_slices(predictions, values, kept, asked, evidence.rules, params, seed)
    yield from _intersections(predictions, values, params, seed)


def disparity_question(params: GateParams, evidence: GateEvidence) -> Question:
    """The cell that stands for all of these where they cannot be judged."""
    return Question(name="disparity", kind="disparity", metric="accuracy_gap", required=blocks(params, evidence))


def blocks(params: GateParams, evidence: GateEvidence) -> bool:
    """Whether an alarm blocks."""
    return "disparity" in params.required and evidence.champion_version is None


def _judged_slices(
    predictions: Predictions,
    values: Mapping[str, NDArray[np.str_]],
    table: SliceTable,
    asked: list[Question],
    rules: int,
    params: GateParams,
    seed: int,
) -> Iterator[Cell]:
    attributes = list(dict.fromkeys(question.attribute for question in asked))
    groups = [[i for i, question in enumerate(asked) if question.attribute == attribute] for attribute in attributes]
    nulls = nulls_of(table, groups, params.permutations, seed_for(seed, "disparity/exchange"))
    rows = person_resamples(predictions.persons, params.bootstrap_resamples, seed_for(seed, "disparity")).counts
    gaps, drawn = table.gaps()[0], table.gaps(rows)
    codes = np.unique(predictions.persons, return_inverse=True)[1]
    intervals = [_gap_interval(predictions, codes, table, index, drawn, params) for index in range(len(asked))]
    hidden = table_of(predictions, [values[question.attribute] == UNKNOWN for question in asked]).inside > 0
    worst = _at_worst(predictions, table, hidden, rows, params) if hidden.any() else intervals
    adjusted = holm(p_values_of(gaps, nulls.gaps))
    for index, question in enumerate(asked):
        found = _Gap(
            interval=intervals[index],
            p_value=adjusted[index],
            worst=worst[index],
            hidden=int(hidden[:, index].sum()),
            detectable=detectable_gap(nulls.gaps[:, index], len(asked), params),
        )
        yield _slice_cell(question, found, params) if rules >= RULES else _in_edition_5(question, found, params)
    accuracies, spread = table.accuracies()[0], table.accuracies(rows)
    adjusted = holm(p_values_of(widest_of(accuracies[None], groups)[0], nulls.widest))
    for attribute, group, p_value in zip(attributes, groups, adjusted, strict=True):
        if len(group) > 1:
            widest = WidestGap.of(accuracies[group], spread[:, group], params.confidence)
            yield _widest_cell(attribute, widest, p_value, predictions, params)


def _at_worst(
    predictions: Predictions, table: SliceTable, hidden: NDArray[np.bool_], rows: Floats, params: GateParams
) -> list[Interval]:
    """The interval of each gap when the hidden people, bool (P, K), are where they would widen it most."""
    columns = [
        widest_gap(table.right, table.samples, table.inside[:, index] > 0, hidden[:, index])
        for index in range(hidden.shape[1])
    ]
    worst = SliceTable(table.right, table.samples, np.stack(columns, axis=1).astype(np.float64))
    drawn, codes = worst.gaps(rows), np.unique(predictions.persons, return_inverse=True)[1]
    return [_gap_interval(predictions, codes, worst, index, drawn, params) for index in range(hidden.shape[1])]


def detectable_gap(null: Floats, slices: int, params: GateParams) -> float:
    """The gap that FAILs with probability `disparity_power`: what is called worse in the first step of Holm, and as many standard
    errors above it as that power asks.
    """
    called = max(params.disparity_max, float(np.quantile(null, 1 - params.alpha / slices)))
    return min(1.0, called + NormalDist().inv_cdf(params.disparity_power) * float(null.std()))


def _gap_interval(
    predictions: Predictions,
    codes: NDArray[np.intp],
    table: SliceTable,
    column: int,
    drawn: Floats,
    params: GateParams,
) -> Interval:
    """By-person bootstrap, and never narrower than two Wilson intervals at effective n allow (Newcombe, 1998, method 10).

    `codes` (n,): the row of each sample's person in the table; `drawn` float64 (R, K): the gaps of resampled people.
    """
    inside, gap = (table.inside[:, column] > 0)[codes], float(table.gaps()[0, column])
    right, ends = predictions.correct(), []
    for side in (inside, ~inside):
        share = float(right[side].mean())
        n = effective_n(right[side], codes[side], params.intraclass_correlation)
        ends.append((share, *wilson(share, n, params.confidence)))
    (slice_, slice_lo, slice_hi), (rest, rest_lo, rest_hi) = ends
    people = int(table.inside[:, column].sum())
    found = percentile_interval(gap, drawn[:, column], params.confidence, int(inside.sum()), people, least=-1.0)
    low = gap - float(np.hypot(rest - rest_lo, slice_hi - slice_))
    return widened(found, low, gap + float(np.hypot(rest_hi - rest, slice_ - slice_lo)))


def _slice_cell(question: Question, found: _Gap, params: GateParams) -> Cell:
    seen, limit, wide = found.interval, params.disparity_max, params.disparity_open_max
    # Of few people the wider half counts: hidden people may be those who make the known ones look alike.
    interval = widened(seen, seen.lo, min(1.0, max(found.worst.hi, seen.hi + found.worst.value - seen.value)))
    worse = found.p_value < params.alpha and seen.value > limit
    within = found.worst.value <= limit and interval.hi <= wide
    state = State.FAIL if worse else State.PASS if within else State.INSUFFICIENT
    sentence = (
        f"{_gap_words(interval)}; at most {limit:.2f} is asked, and that {wide:.2f} be ruled out. p = {found.p_value:.4f} that "
        f"the slice makes no difference, adjusted over all slices; a gap of {found.detectable:.3f} would have been shown "
        f"{params.disparity_power:.0%} of the time."
    )
    note = f" {found.hidden} people did not tell: at worst it is {found.worst.value:+.3f}." if found.hidden else ""
    asked = Criterion(bound="at most", limit=limit, open_limit=wide if found.worst.value <= limit else limit)
    cell = stated(question, interval, asked, state, p_value=found.p_value, sentence=sentence, note=note)
    return replace(cell, detectable=round(found.detectable, 4))


def _in_edition_5(question: Question, found: _Gap, params: GateParams) -> Cell:
    """As the rules of edition 5 judged: doubt advised, however wide."""
    interval, limit = found.interval, params.disparity_max
    worse, within = found.p_value < params.alpha and interval.value > limit, interval.hi <= limit
    state = State.FAIL if worse else State.PASS if within else State.INSUFFICIENT
    asked = replace(question, required=question.required and state is not State.INSUFFICIENT)
    sentence = (
        f"{_gap_words(interval)}; at most {limit:.2f} is asked. p = {found.p_value:.4f} that the slice makes no difference, adjusted "
        "over all slices."
    )
    return stated(asked, interval, at_most(limit), state, p_value=found.p_value, sentence=sentence)


def _gap_words(interval: Interval) -> str:
    return (
        f"{interval.value:+.3f} ({interval.lo:+.3f} to {interval.hi:+.3f}) behind all others in accuracy, of {interval.n} samples of "
        f"{interval.persons} people"
    )


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
    return stated(question, interval, at_most(limit), state, p_value=p_value, sentence=sentence)


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
                yield judged(question, interval, at_least(params.slice_accuracy_floor))


DISPARITY: Final = CellKind(
    name="disparity",
    caption="gap to all others",
    cells=disparity_cells,
    questions=lambda evidence, params: [disparity_question(params, evidence)],
    limits=("disparity_max",),
    remedy="train with more people of {what}: they are few, and the model works better for others",
    remedy_of_many="the model serves {what} less well although they are as many as others, so that more people alone will not mend it: "
    "look at their pictures (light, pose, sharpness) and labels, and at the faces it gets wrong (`bitface explain`)",
)
