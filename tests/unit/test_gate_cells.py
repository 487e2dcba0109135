"""A cell says yes, no, or that it cannot know; and each kind of cell fails at least once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bitface.evaluation.intervals import Interval
from bitface.gate.cells import Question, State, at_least, at_most, judged
from bitface.gate.champion import champion_cells
from bitface.gate.decision import evaluate_gate
from bitface.gate.evidence import ConsentEvidence, DriftEvidence, ExplanationEvidence
from bitface.gate.explanations import explanation_cells
from bitface.gate.facts import consent_cells, drift_cells, latency_cells, window_cells
from bitface.gate.requirements import binarization_cells, emotion_cells, slice_cells

QUESTION = Question(name="emotion/fear", kind="emotion", metric="balanced_accuracy", required=True, emotion="fear")


def interval(value, lo, hi):
    return Interval(value=value, lo=lo, hi=hi, n=100, persons=20)


def by_name(cells):
    return {cell.name: cell for cell in cells}


@pytest.mark.parametrize(
    ("lo", "hi", "as_floor", "as_ceiling"),
    [
        (0.75, 0.85, State.PASS, State.INSUFFICIENT),
        (0.76, 0.85, State.PASS, State.FAIL),
        (0.65, 0.74, State.FAIL, State.PASS),
        (0.70, 0.75, State.INSUFFICIENT, State.PASS),
        (0.70, 0.80, State.INSUFFICIENT, State.INSUFFICIENT),
    ],
)
def test_the_whole_interval_must_lie_on_one_side(lo, hi, as_floor, as_ceiling) -> None:
    """A limit that the interval touches is met, whichever side is asked."""
    found = interval((lo + hi) / 2, lo, hi)
    assert judged(QUESTION, found, at_least(0.75)).state is as_floor
    assert judged(QUESTION, found, at_most(0.75)).state is as_ceiling


def test_what_is_needed_is_said() -> None:
    """Half-width 0.10 at n = 100, and 0.05 above the floor: four times as many samples, of four times as many people."""
    cell = judged(QUESTION, interval(0.80, 0.70, 0.90), at_least(0.75))
    assert (cell.n_needed, cell.persons_needed) == (400, 80)
    assert "about 400 samples of 80 people would decide" in cell.reason


def test_a_figure_on_the_limit_is_never_decided_by_more_samples() -> None:
    cell = judged(QUESTION, interval(0.75, 0.65, 0.85), at_least(0.75))
    assert cell.state is State.INSUFFICIENT and cell.n_needed is None
    assert "will not decide it" in cell.reason


def test_a_figure_that_is_no_number_is_never_a_cell() -> None:
    with pytest.raises(ValueError, match="nan"):
        judged(QUESTION, interval(float("nan"), 0.1, 0.9), at_least(0.75))


def test_sound_evidence_passes_every_required_cell(evidence, gate_params) -> None:
    for build in (emotion_cells, slice_cells, binarization_cells, explanation_cells):
        cells = list(build(evidence, gate_params, 0))
        assert cells and all(cell.state is State.PASS for cell in cells if cell.required), build
    for fact in (latency_cells, consent_cells, drift_cells):
        cells = list(fact(evidence, gate_params))
        assert cells and all(cell.state is State.PASS for cell in cells if cell.required), fact


def test_an_emotion_that_is_guessed_fails(evidence, gate_params) -> None:
    """Happiness never called present: sensitivity 0 and specificity 1, balanced accuracy one half."""
    blind = replace(evidence.one_bit, thresholds=np.array([0.5, 0.9, 0.5]))
    cells = by_name(emotion_cells(replace(evidence, one_bit=blind), gate_params, 0))
    assert cells["emotion/happiness"].state is State.FAIL
    assert cells["emotion/happiness"].value == 0.5
    assert cells["emotion/anger"].state is State.PASS


def test_an_emotion_that_no_gate_face_shows_is_not_run(evidence, gate_params) -> None:
    without = evidence.one_bit.where(evidence.one_bit.labels != "happiness")
    cells = by_name(emotion_cells(replace(evidence, one_bit=without), gate_params, 0))
    assert cells["emotion/happiness"].state is State.NOT_RUN


def test_few_people_are_insufficient_and_told_how_many(evidence, gate_params, make_predictions) -> None:
    cells = by_name(emotion_cells(replace(evidence, one_bit=make_predictions(people=3)), gate_params, 0))
    assert {cell.state for cell in cells.values()} <= {State.INSUFFICIENT, State.PASS}
    waiting = [cell for cell in cells.values() if cell.state is State.INSUFFICIENT]
    assert waiting and all(cell.n_needed > 18 and cell.persons_needed > 3 for cell in waiting)


def of_women(evidence):
    return np.array([evidence.slices[person]["gender"] == "female" for person in evidence.one_bit.persons])


def test_a_slice_that_is_served_badly_fails_alone(evidence, gate_params) -> None:
    scores = np.where(of_women(evidence)[:, None], evidence.one_bit.scores[:, [1, 2, 0]], evidence.one_bit.scores)
    cells = by_name(slice_cells(replace(evidence, one_bit=replace(evidence.one_bit, scores=scores)), gate_params, 0))
    assert cells["slice/gender:female"].state is State.FAIL and cells["slice/gender:female"].required
    assert cells["slice/gender:male"].state is State.PASS


def test_ancestry_and_emotions_within_a_slice_only_advise(evidence, gate_params) -> None:
    cells = list(slice_cells(evidence, gate_params, 0))
    required = {cell.attribute for cell in cells if cell.required}
    assert required == {"age_band", "gender", "skin_tone"}
    assert not [cell for cell in cells if cell.required and cell.emotion]
    assert {cell.slice for cell in cells if cell.attribute == "ancestry"} == {"a", "b"}


def test_people_of_unknown_age_only_advise(evidence, gate_params) -> None:
    unknown = {person: {**values, "age_band": "unknown"} for person, values in list(evidence.slices.items())[:30]}
    cells = by_name(slice_cells(replace(evidence, slices={**evidence.slices, **unknown}), gate_params, 0))
    assert not cells["slice/age_band:unknown"].required
    assert cells["slice/age_band:18_29"].required


def test_an_attribute_that_nobody_told_holds_and_does_not_pass(evidence, gate_params) -> None:
    unknown = {person: {**values, "age_band": "unknown"} for person, values in evidence.slices.items()}
    cell = by_name(slice_cells(replace(evidence, slices=unknown), gate_params, 0))["slice/age_band"]
    assert cell.required and cell.state is State.INSUFFICIENT


def test_a_person_without_a_record_leaves_every_slice_unjudged(evidence, gate_params) -> None:
    slices = dict(list(evidence.slices.items())[1:])
    cells = list(slice_cells(replace(evidence, slices=slices), gate_params, 0))
    assert {cell.state for cell in cells} == {State.NOT_RUN}
    assert "6 of 360 gate samples" in cells[0].reason


def test_a_missing_column_leaves_its_slices_unjudged_and_no_others(evidence, gate_params) -> None:
    slices = {person: {k: v for k, v in values.items() if k != "gender"} for person, values in evidence.slices.items()}
    cells = by_name(slice_cells(replace(evidence, slices=slices), gate_params, 0))
    assert cells["slice/gender"].state is State.NOT_RUN and cells["slice/gender"].required
    assert cells["slice/age_band:18_29"].state is State.PASS


def test_one_bit_that_costs_too_much_fails(evidence, gate_params, make_predictions) -> None:
    """The twin is nearly always right, one bit is wrong on a fifth: about 15 points where 3 are tolerated."""
    worse = replace(evidence, one_bit=make_predictions(errors=0.2), twin=make_predictions(errors=0.0))
    (cell,) = binarization_cells(worse, gate_params, 0)
    assert cell.state is State.FAIL
    assert cell.value == pytest.approx(0.15, abs=0.03)


def test_a_loss_of_nothing_among_three_people_is_not_shown(evidence, gate_params, make_predictions) -> None:
    few = make_predictions(people=3)
    (cell,) = binarization_cells(replace(evidence, one_bit=few, twin=few), gate_params, 0)
    assert cell.value == 0.0 and cell.state is State.INSUFFICIENT


def test_a_slow_tail_fails_although_the_median_is_quick(evidence, gate_params) -> None:
    times = np.r_[np.full(250, 0.3), np.full(50, 9.0)]
    cells = by_name(latency_cells(replace(evidence, latency_ms={"one-bit": times}), gate_params))
    assert cells["latency/p50"].state is State.PASS
    assert cells["latency/p95"].state is State.FAIL


def test_few_rounds_bound_no_tail(evidence, gate_params) -> None:
    cells = by_name(latency_cells(replace(evidence, latency_ms={"one-bit": np.full(30, 0.3)}), gate_params))
    assert cells["latency/p95"].state is State.INSUFFICIENT


def test_a_busy_machine_changes_no_verdict_on_latency(evidence, gate_params) -> None:
    """Half of the rounds wait 30 ms for the processor, which takes the wall beyond every budget."""
    cpu = {"one-bit": np.linspace(0.2, 0.4, 300), "reference": np.full(300, 0.1)}
    wall = cpu["one-bit"] + np.where(np.arange(300) % 2, 30.0, 0.0)
    busy = by_name(latency_cells(replace(evidence, latency_ms={"one-bit": wall}, cpu_ms=cpu), gate_params))
    assert {cell.state for cell in busy.values()} == {State.PASS}
    assert busy["latency/p95"].value == pytest.approx(0.39)
    assert "of processor time; 30.380 on the wall" in busy["latency/p95"].reason


def test_a_runtime_that_burns_the_processor_fails(evidence, gate_params) -> None:
    cpu = {"one-bit": np.full(300, 6.0), "reference": np.full(300, 0.1)}
    slow = replace(evidence, latency_ms={"one-bit": cpu["one-bit"]}, cpu_ms=cpu)
    assert {cell.state for cell in latency_cells(slow, gate_params)} == {State.FAIL}


@pytest.mark.parametrize(
    "cpu",
    [
        {"one-bit": np.full(300, 0.1)},
        {"reference": np.full(300, 0.1)},
        {"one-bit": np.full(10, 0.1), "reference": np.full(10, 0.1)},
        {"one-bit": np.full(300, np.nan), "reference": np.full(300, 0.1)},
        {"one-bit": np.full(300, -0.1), "reference": np.full(300, 0.1)},
    ],
)
def test_processor_times_that_are_not_of_the_rounds_judge_nothing(evidence, gate_params, cpu) -> None:
    decision = evaluate_gate(replace(evidence, cpu_ms=cpu), gate_params, 0)
    assert decision.verdict == "block" and {c.state for c in decision.cells if c.kind == "latency"} == {State.NOT_RUN}


def test_what_is_not_of_people_names_none(evidence, gate_params) -> None:
    """An undecided latency once asked for `150,912 samples of 0 people`."""
    tail = {"one-bit": np.r_[np.full(280, 0.25), np.linspace(4.5, 5.5, 20)]}
    cells = by_name(latency_cells(replace(evidence, latency_ms=tail), gate_params))
    assert cells["latency/p95"].state is State.INSUFFICIENT and cells["latency/p95"].persons_needed is None
    assert (
        "people" not in cells["latency/p95"].reason and "about 810 samples would decide" in cells["latency/p95"].reason
    )


def test_a_map_that_claims_to_add_up_and_does_not_fails(evidence, gate_params) -> None:
    """One map of twenty with a gap is enough: the largest is judged."""
    gaps = np.r_[np.full(19, 1e-4), 0.2]
    broken = replace(evidence.explanations[0], gaps=gaps)
    cells = by_name(explanation_cells(replace(evidence, explanations=(broken,)), gate_params, 0))
    assert cells["explanation/exact"].state is State.FAIL and cells["explanation/exact"].required


def test_an_approximate_map_advises_and_says_so(evidence, gate_params) -> None:
    cell = by_name(explanation_cells(evidence, gate_params, 0))["explanation/rough"]
    assert cell.state is State.FAIL and not cell.required
    assert "Approximate, not additive" in cell.reason


def test_one_withdrawn_consent_fails(evidence, gate_params) -> None:
    (cell,) = consent_cells(replace(evidence, consent=ConsentEvidence(members=500, admitted=499)), gate_params)
    assert cell.state is State.FAIL and "no longer admits 1 of 500" in cell.reason


def test_drifted_training_data_fail_and_only_advise(evidence, gate_params) -> None:
    drifted = DriftEvidence(share=0.6, share_max=0.5, features=20, n_reference=300, n_current=300)
    (cell,) = drift_cells(replace(evidence, drift=drifted), gate_params)
    assert cell.state is State.FAIL and not cell.required


def test_training_people_unlike_those_that_were_predicted_block(evidence, gate_params) -> None:
    assert list(window_cells(evidence, gate_params)) == []
    for share, state in ((0.1, State.PASS), (0.11, State.FAIL)):
        window = DriftEvidence(share=share, share_max=0.1, features=70, n_reference=126, n_current=900)
        (cell,) = window_cells(replace(evidence, window=window), gate_params)
        assert cell.state is state and cell.required and "900 faces that were predicted" in cell.reason
        assert evaluate_gate(replace(evidence, window=window), gate_params, 0).verdict == (
            "promote" if state is State.PASS else "block"
        )


@pytest.mark.parametrize("broken", [{"features": 0}, {"n_current": 0}, {"share": math.nan}, {"share": 1.5}])
def test_a_window_that_was_measured_badly_blocks(evidence, gate_params, broken) -> None:
    window = DriftEvidence(
        **{"share": 0.0, "share_max": 0.1, "features": 70, "n_reference": 9, "n_current": 9, **broken}
    )
    decision = evaluate_gate(replace(evidence, window=window), gate_params, 0)
    assert decision.verdict == "block" and "window/share NOT-RUN" in decision.reasons[0]


def test_there_is_nothing_to_compare_without_a_champion(evidence, gate_params) -> None:
    assert list(champion_cells(evidence, gate_params, 0)) == []


def test_a_model_as_good_as_the_champion_passes(with_champion, gate_params) -> None:
    cells = list(champion_cells(with_champion, gate_params, 0))
    assert {cell.emotion for cell in cells} == {"anger", "happiness", "neutral", ""}
    assert {cell.state for cell in cells} == {State.PASS}
    assert all(cell.p_value == 1.0 for cell in cells)


def test_a_model_that_is_worse_than_the_champion_fails(with_champion, gate_params, make_predictions) -> None:
    worse = replace(with_champion, one_bit=make_predictions(errors=0.3, seed=3))
    cells = by_name(champion_cells(worse, gate_params, 0))
    assert cells["champion/happiness"].state is State.FAIL
    assert cells["champion/happiness"].p_value < 0.05


def test_a_difference_that_few_people_cannot_show_is_insufficient(with_champion, gate_params, make_predictions) -> None:
    few = make_predictions(people=8)
    cells = list(champion_cells(replace(with_champion, one_bit=few, champion=few), gate_params, 0))
    assert {cell.state for cell in cells} == {State.INSUFFICIENT}


def test_an_emotion_new_to_the_champion_is_compared_with_nothing(with_champion, gate_params) -> None:
    old = with_champion.champion
    taught_two = replace(
        old, emotions=("anger", "neutral"), scores=old.scores[:, [0, 2]], thresholds=old.thresholds[:2]
    )
    cells = by_name(champion_cells(replace(with_champion, champion=taught_two), gate_params, 0))
    assert "champion/happiness" not in cells
    assert cells["champion/gender:female"].n == 120


def test_one_sample_a_person_is_judged_exactly(with_champion, gate_params) -> None:
    """Where each person has one sample, the p-value of a slice is McNemar's, and no draw of ours is in it."""
    one_each = np.arange(60) * 6 + np.arange(60) % 6
    one = with_champion.one_bit.where(np.isin(np.arange(360), one_each))
    worse = replace(one, scores=np.roll(one.scores, 1, axis=1))
    found = [
        by_name(champion_cells(replace(with_champion, one_bit=worse, champion=one), gate_params, seed))
        for seed in (1, 2)
    ]
    assert found[0]["champion/gender:male"].p_value == found[1]["champion/gender:male"].p_value
    assert found[0]["champion/gender:male"].state is State.FAIL


def test_maps_of_no_sample_are_not_maps(evidence, gate_params) -> None:
    empty = ExplanationEvidence(
        method="exact", baseline="mean face", additive=True, gaps=np.array([]), persons=np.array([], dtype=str)
    )
    with pytest.raises(Exception, match="missing or not numbers"):
        list(explanation_cells(replace(evidence, explanations=(empty,)), gate_params, 0))
