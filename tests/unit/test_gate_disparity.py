"""Who is served worse than the others, told by exchanging slices between people; what it takes to block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bitface.gate.cells import State
from bitface.gate.decision import evaluate_gate
from bitface.gate.disparity import disparity_cells
from bitface.gate.slice_gaps import SliceTable, WidestGap, nulls_of, p_values_of, table_of


def by_name(cells):
    return {cell.name: cell for cell in cells}


def with_women_served_worse(evidence, share: float):
    """Of women's stills a share more is taken for the next emotion."""
    model = evidence.one_bit
    women = np.array([evidence.slices[person]["gender"] == "female" for person in model.persons])
    wrong = women & (np.random.default_rng(3).random(len(women)) < share)
    return replace(
        evidence, one_bit=replace(model, scores=np.where(wrong[:, None], model.scores[:, [1, 2, 0]], model.scores))
    )


def test_a_model_that_serves_all_alike_raises_no_alarm(evidence, gate_params) -> None:
    cells = by_name(disparity_cells(evidence, gate_params, 0))
    assert not [cell.name for cell in cells.values() if cell.state is State.FAIL]
    assert cells["disparity/gender:female"].value == -cells["disparity/gender:male"].value


def test_a_slice_that_is_served_worse_blocks_a_first_model(evidence, gate_params) -> None:
    worse = with_women_served_worse(evidence, 0.35)
    cells = by_name(disparity_cells(worse, gate_params, 0))
    found = cells["disparity/gender:female"]
    assert found.state is State.FAIL and found.required and found.p_value < 0.05 and found.value > 0.2
    assert cells["disparity/gender:male"].state is State.PASS
    assert cells["disparity/gender"].state is State.FAIL and not cells["disparity/gender"].required
    assert evaluate_gate(worse, gate_params, 0).verdict == "block"


def test_beside_a_champion_it_advises(with_champion, gate_params) -> None:
    worse = with_women_served_worse(with_champion, 0.35)
    same = replace(worse, champion=worse.one_bit)
    cells = by_name(disparity_cells(same, gate_params, 0))
    assert cells["disparity/gender:female"].state is State.FAIL and not cells["disparity/gender:female"].required


def test_an_undecided_wide_gap_holds_and_an_unread_table_blocks(evidence, gate_params) -> None:
    """Women are six points behind: chance may explain it, and 12 points are not ruled out."""
    behind = with_women_served_worse(evidence, 0.08)
    cells = by_name(disparity_cells(behind, gate_params, 0))
    found = cells["disparity/gender:female"]
    assert found.state is State.INSUFFICIENT and found.required and found.value > gate_params.disparity_max
    assert evaluate_gate(behind, gate_params, 0).verdict == "hold"
    assert (
        0.08 < found.detectable < 0.16 and f"a gap of {found.detectable:.3f} would have been shown 80%" in found.reason
    )
    nameless = replace(evidence, slices={person: {} for person in evidence.slices})
    (cell,) = [cell for cell in evaluate_gate(nameless, gate_params, 0).cells if cell.kind == "disparity"]
    assert cell.state is State.NOT_RUN and cell.required


def test_a_small_gap_of_so_few_people_that_a_wide_one_is_possible_holds(evidence, gate_params) -> None:
    few = replace(
        evidence, one_bit=evidence.one_bit.where(np.isin(evidence.one_bit.persons, list(evidence.slices)[:24]))
    )
    cells = by_name(disparity_cells(few, gate_params, 0))
    assert cells["disparity/age_band:18_29"].state is State.INSUFFICIENT and cells["disparity/age_band:18_29"].required


def test_a_slice_of_one_person_has_no_gap(evidence, gate_params) -> None:
    lonely = {
        person: {**values, "gender": "other"} if row == 0 else values
        for row, (person, values) in enumerate(evidence.slices.items())
    }
    cells = by_name(disparity_cells(replace(evidence, slices=lonely), gate_params, 0))
    assert cells["disparity/gender:other"].state is State.INSUFFICIENT and cells["disparity/gender:other"].required
    assert "1 people on one side" in cells["disparity/gender:other"].reason


def test_where_two_attributes_meet_the_floor_advises(evidence, gate_params) -> None:
    cells = by_name(disparity_cells(evidence, gate_params, 0))
    met = cells["slice/age_band:18_29+gender:female"]
    assert met.persons == 15 and met.limit == gate_params.slice_accuracy_floor and not met.required


def test_gaps_are_those_of_counting(evidence) -> None:
    model = evidence.one_bit
    women = np.array([evidence.slices[person]["gender"] == "female" for person in model.persons])
    table = table_of(model, [women, ~women])
    right = model.correct()
    assert table.gaps()[0] == pytest.approx(
        [right[~women].mean() - right[women].mean(), right[women].mean() - right[~women].mean()]
    )
    twice = table.gaps(np.full((1, 60), 2.0))
    assert twice[0] == pytest.approx(table.gaps()[0])


def test_exchanging_keeps_people_whole_and_all_their_slices_together() -> None:
    """Two slices that are one: their exchanged gaps are one, too; and p-values are those of a full enumeration."""
    right, inside = np.array([3.0, 0.0, 0.0, 0.0]), np.array([[0, 0], [1, 1], [1, 1], [0, 0]], dtype=float)
    table = SliceTable(right, np.full(4, 3.0), inside)
    nulls = nulls_of(table, [[0, 1]], 6000, 0)
    assert (nulls.gaps[:, 0] == nulls.gaps[:, 1]).all() and (nulls.widest == 0).all()
    assert table.gaps()[0] == pytest.approx([0.5, 0.5])
    # Person 0 lies outside the slice in half of all exchanges.
    assert p_values_of(table.gaps()[0], nulls.gaps) == pytest.approx([0.5, 0.5], abs=0.02)


def test_the_widest_gap_is_less_than_seen_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(0)
    accuracies = np.array([0.70, 0.72, 0.71, 0.69])
    alike = WidestGap.of(accuracies, accuracies + 0.03 * rng.standard_normal((2000, 4)), 0.95)
    assert alike.corrected == 0 and alike.lo == 0 and alike.hi < 0.06
    apart = WidestGap.of(
        np.array([0.5, 0.7, 0.7, 0.7]), np.array([0.5, 0.7, 0.7, 0.7]) + 0.01 * rng.standard_normal((2000, 4)), 0.95
    )
    assert 0.17 < apart.corrected < 0.2 and apart.lo > 0.14 and apart.hi > 0.19
