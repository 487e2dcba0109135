"""The cells that compare a candidate with the champion on the same people: an alarm, and a proof of not being worse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.evaluation.intervals import Interval, percentile_interval, seed_for, widened
from bitface.evaluation.multiplicity import holm
from bitface.evaluation.predictions import Predictions
from bitface.evaluation.resampling import Rows, person_resamples
from bitface.evaluation.scores import balanced_accuracy_of
from bitface.gate.cells import Cell, CellKind, Question, State, at_least, stated
from bitface.gate.evidence import RULES, GateEvidence
from bitface.gate.paired_tests import by_person_sums, mcnemar_p_value, sign_flip_p_values
from bitface.gate.requirements import at_worst, paired, slice_values, unseen_discordance
from bitface.gate.unknown import UNKNOWN
from bitface.params import GateParams

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """One cell to be: per-sample differences (N,), zero outside the cell, whose sum is the paired difference."""

    question: Question
    differences: Floats
    inside: NDArray[np.bool_]
    interval: Interval
    margin: float


def champion_cells(evidence: GateEvidence, params: GateParams, seed: int) -> Iterator[Cell]:
    """Each emotion and each required slice, candidate against champion; nothing where there is no champion.

    FAIL: the by-person sign-flip test, Holm-adjusted over all cells, says worse (p < alpha). PASS: the paired interval
    lies within the margin (non-inferiority). Neither: INSUFFICIENT, which holds and does not block.

    Raises:
        InputError: there is a champion, but no sound predictions of it on the same samples, or a slice is unknown.
    """
    if evidence.champion_version is None:
        return
    comparisons = _comparisons(evidence, params, seed)
    differences = np.stack([comparison.differences for comparison in comparisons], axis=1)
    persons = _pair(evidence)[0].persons
    p_values = sign_flip_p_values(
        by_person_sums(differences, persons), params.permutations, seed_for(seed, "champion/flips")
    ).tolist()
    for index, comparison in enumerate(comparisons):
        if _is_one_sample_each(comparison, persons):
            signs = np.sign(comparison.differences)
            p_values[index] = mcnemar_p_value(int((signs > 0).sum()), int((signs < 0).sum()))
    for comparison, p_value in zip(comparisons, holm(p_values), strict=True):
        yield _judged(comparison, p_value, params)


def champion_question(params: GateParams) -> Question:
    """The cell that stands for all comparisons where they cannot be made."""
    return Question(name="champion", kind="champion", metric="difference", required="champion" in params.required)


def _comparisons(evidence: GateEvidence, params: GateParams, seed: int) -> list[_Comparison]:
    candidate, champion = _pair(evidence)
    weights = person_resamples(candidate.persons, params.bootstrap_resamples, seed_for(seed, "champion"))
    found = [_of_emotion(candidate, champion, weights, emotion, params) for emotion in champion.emotions]
    # Faces of an emotion that the champion was never taught would only flatter the candidate.
    known = np.isin(candidate.labels, champion.emotions)
    for attribute in params.required_attributes:
        values = slice_values(candidate, evidence, attribute)
        hidden = known & (values == UNKNOWN) & (evidence.rules >= RULES)
        for value in np.unique(values[known]).tolist():
            if value != UNKNOWN:
                inside = known & (values == value)
                one = _of_slice(candidate, champion, weights, inside, f"{attribute}:{value}", params)
                found.append(_with_hidden(one, candidate, champion, hidden))
    return found


def _with_hidden(
    one: _Comparison, candidate: Predictions, champion: Predictions, hidden: NDArray[np.bool_]
) -> _Comparison:
    """The same, as far behind as it may be with those of the people of unknown value who are served worse than by the champion."""
    if not hidden.any():
        return one
    right = candidate.correct().astype(np.float64) - champion.correct()
    rows = one.inside | hidden
    worst = at_worst(candidate.persons[rows], right[rows], one.inside[rows], hidden[rows])
    further = one.interval.value - float(right[rows][worst].mean())
    return replace(one, interval=widened(one.interval, max(-1.0, one.interval.lo - further), one.interval.hi))


def _pair(evidence: GateEvidence) -> tuple[Predictions, Predictions]:
    candidate, champion = paired(evidence.one_bit, evidence.champion, "the champion")
    lost = [emotion for emotion in champion.emotions if emotion not in candidate.emotions]
    if lost:
        raise InputError(
            f"the champion tells {', '.join(lost)} and this model does not; train it with faces that show it"
        )
    return candidate, champion


def _of_emotion(
    candidate: Predictions, champion: Predictions, weights: Rows, emotion: str, params: GateParams
) -> _Comparison:
    truth = (candidate.labels == emotion)[:, None]
    if not 0 < truth.sum() < len(truth):
        raise InputError(f"{int(truth.sum())} of {len(truth)} gate samples show {emotion}")
    new, old = (model.decisions()[:, [model.emotions.index(emotion)]] for model in (candidate, champion))

    def difference(rows: Rows | None) -> Floats:
        return np.asarray((balanced_accuracy_of(truth, new, rows) - balanced_accuracy_of(truth, old, rows))[:, 0])

    right = (new == truth).astype(np.float64) - (old == truth)
    share = np.where(truth, 1 / truth.sum(), 1 / (~truth).sum()) / 2
    inside = np.ones(len(truth), dtype=np.bool_)
    kinds = (truth[:, 0], ~truth[:, 0])
    unseen = [unseen_discordance(int(k.sum()), len(np.unique(candidate.persons[k])), params) for k in kinds]
    drawn = _drawn(difference(None)[0], difference(weights), candidate.persons, sum(unseen) / 2, params)
    question = Question(
        name=f"champion/{emotion}",
        kind="champion",
        metric="balanced_accuracy_difference",
        emotion=emotion,
        required="champion" in params.required,
    )
    return _Comparison(
        question=question,
        differences=(right * share)[:, 0],
        inside=inside,
        interval=drawn,
        margin=params.champion_margin,
    )


def _of_slice(
    candidate: Predictions,
    champion: Predictions,
    weights: Rows,
    inside: NDArray[np.bool_],
    name: str,
    params: GateParams,
) -> _Comparison:
    right = candidate.correct().astype(np.float64) - champion.correct()
    n, persons = int(inside.sum()), candidate.persons[inside]
    with np.errstate(invalid="ignore"):
        draws = weights[:, inside] @ right[inside] / weights[:, inside].sum(axis=1)
    unseen = unseen_discordance(n, len(np.unique(persons)), params)
    attribute, _, value = name.partition(":")
    question = Question(
        name=f"champion/{name}",
        kind="champion",
        metric="accuracy_difference",
        attribute=attribute,
        slice=value,
        required="champion" in params.required,
    )
    return _Comparison(
        question=question,
        differences=np.where(inside, right / n, 0.0),
        inside=inside,
        interval=_drawn(float(right[inside].mean()), draws, persons, unseen, params),
        margin=params.champion_slice_margin,
    )


def _drawn(value: float, draws: Floats, persons: NDArray[np.str_], unseen: float, params: GateParams) -> Interval:
    people = len(np.unique(persons))
    drawn = percentile_interval(value, draws, params.confidence, len(persons), people, least=-1.0, most=1.0)
    return widened(drawn, max(-1.0, value - unseen), min(1.0, value + unseen))


def _judged(comparison: _Comparison, p_value: float, params: GateParams) -> Cell:
    worse, within = p_value < params.alpha, comparison.interval.lo >= -comparison.margin
    state = State.FAIL if worse else State.PASS if within else State.INSUFFICIENT
    note = f" Against the champion; p = {p_value:.4f} that it is worse, adjusted over all comparisons."
    return stated(
        comparison.question, comparison.interval, at_least(-comparison.margin), state, p_value=p_value, note=note
    )


def _is_one_sample_each(comparison: _Comparison, persons: NDArray[np.str_]) -> bool:
    inside = persons[comparison.inside]
    return comparison.question.metric == "accuracy_difference" and len(np.unique(inside)) == len(inside)


CHAMPION: Final = CellKind(
    name="champion",
    caption="against the champion",
    cells=champion_cells,
    questions=lambda _, params: [champion_question(params)],
    limits=("champion_margin",),
    remedy="no action is needed: the candidate is worse than the champion, which stays live",
    is_owed=False,
)
