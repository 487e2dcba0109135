"""What purpose benchmark changes at the gate: only what nobody can know of a public set advises, and only there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bitface.consent.admission import Admission
from bitface.params import GateParams
from bitface.steps.retrain.terms import gate_params_of, notes_of

PEOPLE = [f"r{number:015d}" for number in range(20)]
KNOWN = {"age_band": "18_29", "gender": "female", "skin_tone": "monk_1_4", "ancestry": "white"}


def run_of(gate: GateParams, purpose: str, silent: dict[str, int], parts: str = "", consented: bool = False):
    """A run of twenty people, of whom so many are silent on an attribute."""
    slices = {
        person: {name: "unknown" if number < silent.get(name, 0) else value for name, value in KNOWN.items()}
        for number, person in enumerate(PEOPLE)
    }
    answer = Admission(admitted=True, reason="", event_id="e" if consented else None)
    members = SimpleNamespace(admissions=dict.fromkeys(PEOPLE, answer), parts=parts, samples=())
    return SimpleNamespace(
        purpose=purpose, context="research", params=SimpleNamespace(gate=gate), slices=lambda: slices, members=members
    )


ALL = dict.fromkeys(KNOWN, 20)


def test_of_a_benchmark_cells_of_what_is_not_known_advise(gate_params: GateParams) -> None:
    found = gate_params_of(run_of(gate_params, "benchmark", ALL), PEOPLE)
    assert set(gate_params.required) - set(found.required) == {"slice", "disparity"}
    assert GateParams.model_validate(found.model_dump()) == found


def test_of_a_benchmark_what_is_known_stays_required(gate_params: GateParams) -> None:
    """Two of twenty may be silent, by gate.unknown_share_max; three may not."""
    assert gate_params_of(run_of(gate_params, "benchmark", {"gender": 2}), PEOPLE) == gate_params
    found = gate_params_of(run_of(gate_params, "benchmark", {"gender": 3}), PEOPLE)
    assert found.required_attributes == tuple(one for one in gate_params.required_attributes if one != "gender")
    assert found.required == gate_params.required


def test_of_a_model_that_may_go_live_nothing_changes(gate_params: GateParams) -> None:
    assert gate_params_of(run_of(gate_params, "train", ALL), PEOPLE) == gate_params


def test_a_gate_that_asks_for_nothing_else_still_asks(gate_params: GateParams) -> None:
    """No parameters are made by which nothing is required."""
    strict = gate_params.model_copy(update={"required": ("slice", "disparity")})
    assert gate_params_of(run_of(strict, "benchmark", ALL), PEOPLE) == strict


@pytest.mark.parametrize(
    ("purpose", "consented", "count"), [("benchmark", False, 4), ("benchmark", True, 3), ("train", True, 1)]
)
def test_the_reader_is_told_of_purpose_parts_what_is_not_known_and_licences(
    gate_params: GateParams, purpose: str, consented: bool, count: int
) -> None:
    notes = notes_of(run_of(gate_params, purpose, ALL, "parts of the source: its test part judges", consented), PEOPLE)
    assert len(notes) == count and "parts of the source: its test part judges" in notes
    assert notes_of(run_of(gate_params, "train", ALL, consented=True), PEOPLE) == ()
