"""The same face asked twice: what counts as a changed answer, what the cells say of it, and how often they are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitface.errors import InputError
from bitface.evaluation.counterfactual import CHANGES, PairedAnswers, counterfactual_of
from bitface.faces.synthetic.synthetic_people import Variation, plan_people
from bitface.gate.cells import State
from bitface.gate.changed_faces import counterfactual_cells
from bitface.params import read_params
from bitface.steps.judging.redrawn_faces import changed
from tests.draws import draws

ROOT = Path(__file__).resolve().parents[2]
ASKED = {"resamples": 200, "confidence": 0.95, "correlation": 0.3, "seed": 1}


def answers(
    change: str = "skin_tone", people: int = 40, share: float = 0.0, shift: float = 0.0, seed: int = 0
) -> PairedAnswers:
    """Seven faces of each person; a `share` of answers changes, and log odds move by `shift` on average."""
    rng = np.random.default_rng(seed)
    own = np.repeat(rng.normal(shift, 0.1, people), 7)
    return PairedAnswers(
        change=change,
        persons=np.repeat([f"s{k:015d}" for k in range(people)], 7),
        changed=rng.random(7 * people) < share,
        shift=own + rng.normal(0, 0.2, 7 * people),
    )


def test_both_figures_are_means_over_faces_with_intervals_over_people() -> None:
    asked = answers(share=0.1, shift=-0.4)
    found = counterfactual_of(asked, **ASKED)
    assert found.changed.value == asked.changed.mean() and found.shift.value == pytest.approx(asked.shift.mean())
    assert found.changed.lo < found.changed.value < found.changed.hi and found.shift.lo < -0.4 < found.shift.hi
    assert found.changed.persons == found.shift.persons == 40


def test_a_face_that_is_lost_is_a_changed_answer_and_has_no_shift() -> None:
    asked = answers()
    asked.shift[:7], asked.changed[:7] = np.nan, True
    found = counterfactual_of(asked, **ASKED)
    assert found.changed.value == 7 / 280 and found.shift.n == 273 and found.shift.persons == 39


@pytest.mark.parametrize(
    "broken",
    [
        lambda good: replace(good, persons=good.persons[:0], changed=good.changed[:0], shift=good.shift[:0]),
        lambda good: replace(good, changed=good.changed[1:]),
        lambda good: replace(good, shift=np.full(len(good.shift), np.nan)),
        lambda good: replace(good, shift=np.where(np.arange(len(good.shift)) == 3, np.inf, good.shift)),
    ],
    ids=["nobody", "answers are missing", "no face found", "infinite log odds"],
)
def test_what_cannot_be_compared_is_refused(broken) -> None:
    with pytest.raises(InputError):
        counterfactual_of(broken(answers()), **ASKED)


def cells_of(evidence, params, **changes) -> dict[str, State]:
    asked = tuple(changes.get(change) or answers(change) for change in CHANGES)
    found = counterfactual_cells(replace(evidence, counterfactuals=asked), params, 3)
    return {cell.name: cell.state for cell in found}


def test_each_kind_of_change_has_two_cells_and_the_one_that_moves_answers_fails(evidence, gate_params) -> None:
    states = cells_of(evidence, gate_params, skin_tone=answers("skin_tone", share=0.3, shift=-1.0))
    assert list(states) == [
        f"counterfactual/{change}/{figure}" for change in CHANGES for figure in ("changed", "shift")
    ]
    assert states["counterfactual/skin_tone/changed"] is states["counterfactual/skin_tone/shift"] is State.FAIL
    assert {state for name, state in states.items() if "skin_tone" not in name} == {State.PASS}


def test_the_direction_of_a_shift_is_said_and_either_direction_counts(evidence, gate_params) -> None:
    for shift in (-1.0, 1.0):
        asked = tuple(answers(change, shift=shift) for change in CHANGES)
        cells = list(counterfactual_cells(replace(evidence, counterfactuals=asked), gate_params, 3))
        worse = [cell for cell in cells if cell.name == "counterfactual/skin_tone/shift"]
        assert worse[0].state is State.FAIL and f"{shift:+.1f}"[:2] in worse[0].reason and "darker" in worse[0].reason


def test_of_real_people_nobody_can_ask_it(evidence, gate_params) -> None:
    assert list(counterfactual_cells(replace(evidence, counterfactuals=None), gate_params, 3)) == []


def test_a_kind_of_change_that_is_missing_is_no_pass(evidence, gate_params) -> None:
    asked = tuple(answers(change) for change in CHANGES if change != "skin_tone")
    with pytest.raises(InputError, match="darker of two skin tones"):
        list(counterfactual_cells(replace(evidence, counterfactuals=asked), gate_params, 3))


def test_people_are_drawn_in_the_tone_and_age_that_lie_farther_and_the_direction_is_known() -> None:
    params = read_params(ROOT / "params.yaml")
    for person in plan_people(params.synthetic, params.seed)[:60]:
        other, direction = changed(person, "skin_tone")
        assert direction == np.sign((other.skin_tone or 0) - (person.record.skin_tone or 0))
        other, direction = changed(person, "age_texture")
        assert direction == np.sign((other.texture_age or 0) - person.age_years)
        assert changed(person, "light") == (Variation(light=1), 1)
        assert changed(person, "again") == (Variation(exposure=1), 1)


@pytest.mark.parametrize(("share", "shift", "state"), [(0.02, 0.0, "not FAIL"), (0.15, 0.5, "FAIL")])
def test_chance_alone_seldom_fails_a_fair_model_and_a_bias_is_seen(evidence, gate_params, share, shift, state) -> None:
    """Of 60 models, or 20, at 30 people: limits 0.05 and 0.25, so 2 % of answers is fair and 15 % with half a unit of log odds is not."""
    failed = [
        State.FAIL in cells_of(evidence, gate_params, skin_tone=answers("skin_tone", 30, share, shift, seed)).values()
        for seed in range(draws(60, 20))
    ]
    assert np.mean(failed) <= 0.05 if state == "not FAIL" else np.mean(failed) >= 0.95
