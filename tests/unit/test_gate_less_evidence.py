"""Less evidence never passes more easily: whoever, or whatever is known of them, is left out, a hold does not become a promotion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bitface.evaluation.predictions import Predictions
from bitface.gate.cells import State
from bitface.gate.champion import champion_cells
from bitface.gate.decision import decide, evaluate_gate
from bitface.gate.disparity import disparity_cells
from bitface.gate.evidence import RULES, GateEvidence
from bitface.gate.requirements import slice_cells
from bitface.gate.unknown import lowest_mean, widest_gap
from bitface.params import GateParams
from tests.draws import draws

FEW = settings(max_examples=draws(25, 12), deadline=None, derandomize=True)
EMOTIONS = ("anger", "happiness", "neutral")
TONES = ("monk_1_4", "monk_8_10")


def judged_people(evidence: GateEvidence, rights: np.ndarray, tones: list[str]) -> GateEvidence:
    """People of whose six stills so many (P,) are right, with a skin tone each."""
    people, stills = len(rights), 6
    index = np.tile(np.repeat(np.arange(3), 2), people)
    right = (np.arange(stills) < rights[:, None]).ravel()
    names = [f"p{number:015d}" for number in range(people)]
    model = Predictions(
        sample_ids=np.array([f"s{row}" for row in range(people * stills)]),
        persons=np.repeat(names, stills),
        labels=np.array(EMOTIONS)[index],
        emotions=EMOTIONS,
        scores=np.where(np.where(right, index, (index + 1) % 3)[:, None] == np.arange(3), 0.8, 0.1),
        thresholds=np.full(3, 0.5),
        folds=np.zeros(people * stills, dtype=np.int64),
    )
    slices = {name: {"skin_tone": tone} for name, tone in zip(names, tones, strict=True)}
    return replace(evidence, one_bit=model, twin=model, slices=slices)


def only_tones(params: GateParams) -> GateParams:
    asked = {"required_attributes": ("skin_tone",), "required_values": {"skin_tone": TONES}}
    return params.model_copy(update={**asked, "bootstrap_resamples": 100, "permutations": 499})


def verdict(evidence: GateEvidence, params: GateParams) -> str:
    asked = only_tones(params)
    return decide([*slice_cells(evidence, asked, 0), *disparity_cells(evidence, asked, 0)]).verdict


def without(evidence: GateEvidence, gone: set[str]) -> GateEvidence:
    model = evidence.one_bit.where(~np.isin(evidence.one_bit.persons, list(gone)))
    left = {person: values for person, values in evidence.slices.items() if person not in gone}
    return replace(evidence, one_bit=model, twin=model, slices=left)


def untold(evidence: GateEvidence, people: set[str]) -> GateEvidence:
    hidden = {p: {**v, "skin_tone": "unknown"} if p in people else v for p, v in evidence.slices.items()}
    return replace(evidence, slices=hidden)


def promoted_no_sooner(before: GateEvidence, after: GateEvidence, params: GateParams) -> bool:
    return verdict(before, params) == "promote" or verdict(after, params) != "promote"


tables = st.tuples(
    st.integers(20, 120),
    st.floats(0.7, 0.99),
    st.floats(-0.05, 0.15),
    st.floats(0.15, 0.85),
    st.integers(0, 2**32 - 1),
)
"""People, how often they are answered rightly, how much less often in the second tone, its share, and a seed."""


def drawn(evidence: GateEvidence, table: tuple[int, float, float, float, int]) -> GateEvidence:
    people, skill, gap, share, seed = table
    rng = np.random.default_rng(seed)
    dark = rng.random(people) < share
    rights = rng.binomial(6, np.clip(skill - gap * dark, 0, 1))
    return judged_people(evidence, rights, [TONES[int(one)] for one in dark])


@FEW
@given(tables, st.floats(0.01, 1.0), st.integers(0, 2**32 - 1))
def test_hiding_anybody_s_value_promotes_no_sooner(evidence, gate_params, table, share, seed) -> None:
    before = drawn(evidence, table)
    hidden = {person for person in before.slices if np.random.default_rng([seed, int(person[1:])]).random() < share}
    assert promoted_no_sooner(before, untold(before, hidden), gate_params)


@FEW
@given(tables, st.integers(1, 12), st.sampled_from(TONES))
@example((73, 0.8928107376069248, 0.018689539806030053, 0.5439530875175441, 1010590247), 5, "monk_8_10")
def test_hiding_those_who_are_served_worst_promotes_no_sooner(evidence, gate_params, table, count, tone) -> None:
    before = drawn(evidence, table)
    right = dict(zip(before.one_bit.persons[::6], before.one_bit.correct().reshape(-1, 6).sum(axis=1), strict=True))
    ordered = sorted((p for p, v in before.slices.items() if v["skin_tone"] == tone), key=lambda p: right[p])
    assert promoted_no_sooner(before, untold(before, set(ordered[:count])), gate_params)


@FEW
@given(tables, st.integers(0, 1), st.sampled_from(TONES))
def test_leaving_out_a_slice_or_all_but_one_of_it_never_promotes(evidence, gate_params, table, kept, tone) -> None:
    before = drawn(evidence, table)
    people = [person for person, values in before.slices.items() if values["skin_tone"] == tone]
    assert verdict(without(before, set(people[kept:])), gate_params) != "promote"


@FEW
@given(tables, st.integers(2, 4))
def test_fewer_people_of_the_same_kinds_promote_no_sooner(evidence, gate_params, table, times) -> None:
    """Everybody `times` over, against everybody once."""
    once = drawn(evidence, (min(table[0], 60), *table[1:]))
    rights = once.one_bit.correct().reshape(-1, 6).sum(axis=1)
    tones = [values["skin_tone"] for values in once.slices.values()]
    many = judged_people(evidence, np.tile(rights, times), tones * times)
    assert promoted_no_sooner(many, once, gate_params)


@FEW
@given(tables)
def test_an_attribute_that_nobody_tells_never_promotes(evidence, gate_params, table) -> None:
    before = drawn(evidence, table)
    assert verdict(untold(before, set(before.slices)), gate_params) != "promote"


def test_equal_service_to_enough_people_is_promoted(evidence, gate_params) -> None:
    """The properties above are not true of a gate that never promotes."""
    equal = judged_people(evidence, np.tile([6, 5, 6, 4, 6], 24), list(TONES) * 60)
    assert verdict(equal, gate_params) == "promote"
    few = {person for number, person in enumerate(equal.slices) if number % 30 == 0}
    assert verdict(untold(equal, few), gate_params) == "promote", "four of 120 could not change it"
    many = {person for number, person in enumerate(equal.slices) if number % 3 == 0}
    assert verdict(untold(equal, many), gate_params) == "hold"


def test_what_people_did_not_tell_is_told(evidence, gate_params) -> None:
    equal = judged_people(evidence, np.full(60, 6), list(TONES) * 30)
    hidden = untold(equal, set(list(equal.slices)[:12]))
    cells = {cell.name: cell for cell in slice_cells(hidden, only_tones(gate_params), 0)}
    told = cells["coverage/skin_tone"]
    assert told.required and told.state is State.INSUFFICIENT and told.value == 0.2
    assert "12 of 60 gate people (20.0%)" in told.reason


def test_a_declared_value_that_nobody_has_holds_and_says_what_to_do(evidence, gate_params) -> None:
    meant = {**gate_params.required_values, "age_band": ("18_29", "30_44", "60_plus")}
    decision = evaluate_gate(evidence, gate_params.model_copy(update={"required_values": meant}), 0)
    assert decision.verdict == "hold"
    assert "take it out of gate.required_values.age_band" in " ".join(decision.reasons)


def test_the_champion_is_compared_with_the_worst_that_is_hidden(with_champion, gate_params) -> None:
    """Six people whom the candidate fails and the champion does not: hidden, they are counted as if they were known."""
    served = with_champion.one_bit
    people = [p for p, values in with_champion.slices.items() if values["gender"] == "female"][:6]
    wrong = np.isin(served.persons, people)
    worse = replace(served, scores=np.where(wrong[:, None], np.roll(served.scores, 1, axis=1), served.scores))
    known = replace(with_champion, one_bit=worse)
    hidden = {p: {**v, "gender": "unknown"} if p in people else v for p, v in known.slices.items()}
    found = []
    for slices, rules in ((known.slices, RULES), (hidden, RULES), (hidden, RULES - 1)):
        judged = replace(known, slices=slices, rules=rules)
        cells = {cell.name: cell for cell in champion_cells(judged, gate_params, 0)}
        found.append(cells["champion/gender:female"].state)
    assert found == [State.INSUFFICIENT, State.INSUFFICIENT, State.PASS]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=4, max_size=8), st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_worst_that_is_assumed_is_at_least_any_truth(people, data) -> None:
    """Against every way in which the hidden people may belong to the slice; with as many samples of each, nothing is beyond it."""
    right = np.array([float(min(r, 5)) for r, _ in people])
    samples = np.full(len(people), 5.0)
    inside, hidden = np.zeros(len(people), dtype=bool), np.zeros(len(people), dtype=bool)
    inside[0] = True  # and the second person is known to be outside
    hidden[2:] = data.draw(st.lists(st.booleans(), min_size=len(people) - 2, max_size=len(people) - 2))
    out = ~widest_gap(right, samples, inside, hidden)
    worst = right[out].sum() / samples[out].sum() - right[~out].sum() / samples[~out].sum()
    taken = lowest_mean(right, samples, inside, hidden)
    lowest = right[taken].sum() / samples[taken].sum()
    where = np.flatnonzero(hidden)
    gaps, means = [], []
    for bits in range(2 ** len(where)):
        own = inside.copy()
        own[where[[bool(bits >> place & 1) for place in range(len(where))]]] = True
        means.append(right[own].sum() / samples[own].sum())
        gaps.append(right[~own].sum() / samples[~own].sum() - means[-1])
    assert worst == pytest.approx(max(gaps)) and lowest == pytest.approx(min(means))
