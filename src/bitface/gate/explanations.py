"""The cells on explanations: whether they add up, stay on the face, rest where anatomy expects it, and do so for everyone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.evaluation.intervals import Interval, percentile_interval, seed_for
from bitface.evaluation.multiplicity import holm
from bitface.evaluation.resampling import person_resamples, sums_by_code
from bitface.gate.cells import (
    Cell,
    CellKind,
    Question,
    State,
    at_least,
    at_most,
    judged,
    not_run,
    slice_question,
    stated,
    too_few,
)
from bitface.gate.evidence import ExplanationEvidence, GateEvidence, RegionEvidence
from bitface.gate.requirements import judged_attributes
from bitface.gate.unknown import UNKNOWN
from bitface.params import GateParams

PEOPLE_MIN: Final = 2
"""On each side of a slice; fewer have no spread."""
_DRAWS: Final = 999
"""Of people's slices, at most: the figure advises."""
_SAME: Final = 1e-12
Floats = NDArray[np.float64]


def explanation_cells(evidence: GateEvidence, params: GateParams, seed: int) -> Iterator[Cell]:
    """The largest gap of maps that claim to add up, which is asked; the median gap of approximate maps, which advises.

    Then, of the exact values of regions: what lies beside the face, which is asked of models that read pixels; and, advising,
    the share on the regions of an emotion's action units, its difference between slices, and that to the champion.

    Raises:
        InputError: nothing that adds up was made, or the values of regions are missing or not sound.
    """
    if not any(map_.additive for map_ in evidence.explanations) and "explanation" in params.required:
        raise InputError("no attribution that adds up was made; an approximate one cannot vouch for itself")
    for map_ in evidence.explanations:
        yield _gap_cell(map_, params)
    found = _sound(evidence.regions)
    drawn = person_resamples(found.persons, params.bootstrap_resamples, seed_for(seed, "explanation"))
    weights = drawn.counts[:, drawn.codes]
    if found.reads == "crops":
        yield _outside_cell(found, weights, params)
    yield from _mass_cells(found, weights, params)
    yield from _slice_cells(evidence, found, drawn.counts, params, seed)
    if evidence.champion_version is not None:
        yield _champion_cell(found, weights, params)


def explanation_question(method: str, additive: bool, params: GateParams) -> Question:
    """The cell of a kind of map; only one that claims to add up is required to."""
    return Question(
        name=f"explanation/{method}",
        kind="explanation",
        metric="completeness_gap_max" if additive else "completeness_gap_median",
        required=additive and "explanation" in params.required,
    )


def _gap_cell(map_: ExplanationEvidence, params: GateParams) -> Cell:
    gaps: Floats = map_.gaps
    if not len(gaps) or not np.isfinite(gaps).all() or gaps.min() < 0 or gaps.shape != map_.persons.shape:
        raise InputError(f"the gaps of '{map_.method}' are missing or not numbers")
    question = explanation_question(map_.method, map_.additive, params)
    people = len(np.unique(map_.persons))
    value = float(gaps.max() if map_.additive else np.median(gaps))
    state = State.PASS if value <= params.explanation_gap_max else State.FAIL
    what = "The largest" if map_.additive else "The median"
    reason = (
        f"{what} gap of {len(gaps)} maps of {people} people is {value:.2%} of the logit's change (baseline: "
        f"{map_.baseline}); at most {params.explanation_gap_max:.0%} is asked."
    )
    note = "" if map_.additive else " Approximate, not additive."
    interval = Interval(value=value, lo=value, hi=value, n=len(gaps), persons=people)
    return stated(question, interval, at_most(params.explanation_gap_max), state, sentence=reason + note)


def _sound(found: RegionEvidence | None) -> RegionEvidence:
    if found is None:
        raise InputError("the exact values of regions were not measured")
    columns = [found.expected_share, found.expected_area, found.outside_share, found.labels]
    columns += [] if found.champion_expected_share is None else [found.champion_expected_share]
    if not len(found.persons) or any(column.shape != found.persons.shape for column in columns):
        raise InputError("the exact values of regions are missing, or not one for each judged face")
    is_known = np.isfinite(found.expected_share)
    shares = [found.outside_share, found.expected_share[is_known], found.expected_area[is_known]]
    if any(not np.isfinite(own).all() or (own < 0).any() or (own > 1).any() for own in shares):
        raise InputError("a share of the exact values of regions is not a number from 0 to 1")
    return found


def _outside_cell(found: RegionEvidence, weights: Floats, params: GateParams) -> Cell:
    question = Question(
        name="explanation/outside",
        kind="explanation",
        metric="outside_share",
        required="explanation" in params.required,
    )
    note = " Share of a face's absolute values that lies beside the face."
    interval = _interval(found, weights, params, lambda rows: _mean(found.outside_share, rows))
    return judged(question, interval, at_most(params.explanation_outside_max), note)


def _mass_cells(found: RegionEvidence, weights: Floats, params: GateParams) -> Iterator[Cell]:
    """Of each emotion that moves something: the share on its regions over their share of what is read."""
    for emotion in _emotions(found):
        own = found.labels == emotion

        def ratio(rows: Floats, own: NDArray[np.bool_] = own) -> Floats:
            mass, area = (_mean(np.where(own, v, 0.0), rows) for v in (found.expected_share, found.expected_area))
            return np.asarray(mass / np.maximum(area, 1e-9))

        question = Question(
            name=f"explanation/mass/{emotion}",
            kind="explanation",
            metric="mass_over_area",
            emotion=emotion,
            required=False,
        )
        interval = _interval(found, weights, params, ratio, int(own.sum()), most=np.inf)
        yield judged(question, interval, at_least(params.explanation_mass_ratio_min))


def _slice_cells(
    evidence: GateEvidence, found: RegionEvidence, drawn: Floats, params: GateParams, seed: int
) -> Iterator[Cell]:
    """Each slice against everyone else: whether their faces are read as much where anatomy expects it.

    Compared within each emotion and then averaged, so that who shows what cannot pass for a difference. The p-value permutes
    people's slices, Holm-adjusted over all of them.
    """
    found_slices: list[tuple[Question, Interval, float]] = []
    sides = _sides_of(found)
    for attribute in judged_attributes(params):
        values = [evidence.slices.get(person, {}).get(attribute, "") for person in sides.persons.tolist()]
        for value in sorted(set(values) - {"", UNKNOWN}):
            inside = np.array([own == value for own in values])
            question = slice_question("explanation", "expected_share_difference", attribute, value, required=False)
            few = min(int((sides.counts[side].sum(axis=1) > 0).sum()) for side in (inside, ~inside))
            if few < PEOPLE_MIN:
                yield too_few(question, f"{few} people on one side; at least {PEOPLE_MIN} on both have a difference.")
                continue
            interval = _slice_interval(sides, inside, drawn, params)
            found_slices.append((question, interval, _permuted(sides, inside, params, seed_for(seed, question.name))))
    adjusted = holm([p_value for _, _, p_value in found_slices])
    for (question, interval, _), p_value in zip(found_slices, adjusted, strict=True):
        yield _slice_cell(question, interval, p_value, params)


def _slice_interval(sides: _Sides, inside: NDArray[np.bool_], drawn: Floats, params: GateParams) -> Interval:
    """Of the samples inside whose emotion moves something."""
    n, one = int(sides.counts[inside].sum()), inside.astype(np.float64)[None]
    value, draws = sides.differences(one, 1 - one)[0], sides.differences(drawn * one, drawn * (1 - one))
    return percentile_interval(float(value), draws, params.confidence, n, len(sides.persons), least=-1.0)


def _slice_cell(question: Question, interval: Interval, p_value: float, params: GateParams) -> Cell:
    margin = params.explanation_slice_margin
    within, beyond = max(-interval.lo, interval.hi) <= margin, interval.lo > margin or interval.hi < -margin
    state = State.PASS if within else State.FAIL if beyond else State.INSUFFICIENT
    asked = at_most(margin) if interval.value >= 0 else at_least(-margin)
    sentence = (
        f"{interval.value:+.3f} ({interval.lo:+.3f} to {interval.hi:+.3f}) of {interval.n} faces of the slice against all others, in "
        f"the share on the regions of an emotion's action units; within {margin:.2f} either way is asked. "
        f"p = {p_value:.4f} that the slice makes no difference, adjusted over all slices."
    )
    return stated(question, interval, asked, state, p_value=p_value, sentence=sentence)


def _champion_cell(found: RegionEvidence, weights: Floats, params: GateParams) -> Cell:
    question = Question(
        name="explanation/champion", kind="explanation", metric="expected_share_difference", required=False
    )
    if found.champion_expected_share is None:
        return not_run(
            question, "the champion's regions were not measured; it reads another input or ships no mean face"
        )
    change = np.where(_is_expected(found), found.expected_share - found.champion_expected_share, 0.0)

    def difference(rows: Floats) -> Floats:
        return np.asarray(_mean(change, rows) / np.maximum(_mean(_is_expected(found).astype(np.float64), rows), 1e-9))

    interval = _interval(found, weights, params, difference, int(_is_expected(found).sum()), least=-1.0)
    return judged(question, interval, at_least(-params.explanation_champion_margin))


@dataclass(frozen=True, eq=False)
class _Sides:
    """Expected shares summed over each person's samples of each emotion, and how many they are, float64 (people, emotions)."""

    persons: NDArray[np.str_]
    sums: Floats
    counts: Floats

    def differences(self, inside: Floats, outside: Floats) -> Floats:
        """Inside less outside, mean over the emotions that both show, per row of weights of people (R, people): (R,)."""
        counts = inside @ self.counts, outside @ self.counts
        means = [side @ self.sums / np.maximum(n, 1e-9) for side, n in zip((inside, outside), counts, strict=True)]
        both = (counts[0] > 0) & (counts[1] > 0)
        return np.asarray(np.where(both, means[0] - means[1], 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1))


def _sides_of(found: RegionEvidence) -> _Sides:
    persons, codes = np.unique(found.persons, return_inverse=True)
    own = np.stack([(found.labels == emotion) & _is_expected(found) for emotion in _emotions(found)], axis=1)
    sums = sums_by_code(own * np.nan_to_num(found.expected_share)[:, None], codes, len(persons))
    return _Sides(persons, sums, sums_by_code(own, codes, len(persons)))


def _permuted(sides: _Sides, inside: NDArray[np.bool_], params: GateParams, seed: int) -> float:
    """Two-sided p-value of the difference when people's slices are exchanged at random; the observed one counts as one."""
    rng, draws = np.random.default_rng(seed), min(params.permutations, _DRAWS)
    exchanged = rng.permuted(np.tile(inside.astype(np.float64), (draws, 1)), axis=1)
    one = inside.astype(np.float64)[None]
    observed = abs(sides.differences(one, 1 - one)[0])
    as_far = int((np.abs(sides.differences(exchanged, 1 - exchanged)) >= observed - _SAME).sum())
    return (1 + as_far) / (1 + draws)


def _interval(
    found: RegionEvidence,
    weights: Floats,
    params: GateParams,
    figure: Callable[[Floats], Floats],
    n: int | None = None,
    *,
    least: float = 0.0,
    most: float = 1.0,
) -> Interval:
    value = float(figure(np.ones((1, len(found.persons))))[0])
    people = len(np.unique(found.persons))
    n = len(found.persons) if n is None else n
    return percentile_interval(value, figure(weights), params.confidence, n, people, least=least, most=most)


def _mean(values: Floats, rows: Floats) -> Floats:
    return np.asarray(rows @ np.nan_to_num(values) / np.maximum(rows.sum(axis=1), 1e-9))


def _is_expected(found: RegionEvidence) -> NDArray[np.bool_]:
    return np.isfinite(found.expected_share)


def _emotions(found: RegionEvidence) -> list[str]:
    return [str(emotion) for emotion in np.unique(found.labels[_is_expected(found)])]


EXPLANATION: Final = CellKind(
    name="explanation",
    caption="explanation",
    cells=explanation_cells,
    questions=lambda _, params: [explanation_question("none", True, params)],
    limits=("explanation_gap_max", "explanation_outside_max"),
    remedy="inspect the maps (`make ui`, reports/explain.json): they do not add up, or fall outside the face",
)
