"""The gate on explanations: beside the face, where anatomy expects it, between groups, and against the champion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bitface.gate.cells import State
from bitface.gate.decision import evaluate_gate
from bitface.gate.decision_bundle import read_bundle, replay, write_bundle
from bitface.gate.explanations import explanation_cells


def cells_of(evidence, params, **changes):
    changed = replace(evidence, regions=replace(evidence.regions, **changes))
    return {cell.name: cell for cell in explanation_cells(changed, params, 0)}


def females(evidence):
    return np.array([evidence.slices[person]["gender"] == "female" for person in evidence.regions.persons])


def test_sound_regions_pass_all(evidence, gate_params) -> None:
    cells = cells_of(evidence, gate_params)
    assert cells["explanation/outside"].state is State.PASS and cells["explanation/outside"].required
    assert cells["explanation/mass/anger"].value == pytest.approx(1.8, abs=0.1)
    for name in ("mass/anger", "mass/happiness", "gender:female", "gender:male", "age_band:18_29"):
        assert cells[f"explanation/{name}"].state is State.PASS, name
        assert not cells[f"explanation/{name}"].required
    assert "explanation/mass/neutral" not in cells
    assert "explanation/champion" not in cells


def test_a_model_that_reads_the_background_fails_and_blocks(evidence, gate_params) -> None:
    """Four tenths beside the face, as its share of the pixels is."""
    outside = np.full(len(evidence.regions.persons), 0.4)
    assert cells_of(evidence, gate_params, outside_share=outside)["explanation/outside"].state is State.FAIL
    broken = replace(evidence, regions=replace(evidence.regions, outside_share=outside))
    assert evaluate_gate(broken, gate_params, 0).verdict == "block"


def test_landmarks_have_no_outside(evidence, gate_params) -> None:
    assert "explanation/outside" not in cells_of(evidence, gate_params, reads="landmarks")


def test_mass_that_lies_elsewhere_is_told(evidence, gate_params) -> None:
    shares = np.where(evidence.regions.labels == "anger", 0.1, evidence.regions.expected_share)
    cells = cells_of(evidence, gate_params, expected_share=shares)
    assert cells["explanation/mass/anger"].state is State.FAIL
    assert cells["explanation/mass/happiness"].state is State.PASS


def test_a_group_that_is_read_elsewhere_is_found(evidence, gate_params) -> None:
    """Women's faces 0.25 lower: a finding for both sides of the slice, with a small p-value; other attributes stay even."""
    shares = evidence.regions.expected_share - 0.25 * females(evidence)
    cells = cells_of(evidence, gate_params, expected_share=shares)
    for value, sign in (("female", -1), ("male", 1)):
        cell = cells[f"explanation/gender:{value}"]
        assert cell.state is State.FAIL
        assert sign * cell.value == pytest.approx(0.25, abs=0.03)
        assert cell.p_value < 0.05
    assert cells["explanation/age_band:18_29"].state is State.PASS
    assert cells["explanation/age_band:18_29"].p_value > 0.05


def test_who_shows_which_emotion_is_no_difference_between_groups(evidence, gate_params) -> None:
    """Anger rests 0.3 lower than happiness, and women show it more: within an emotion nobody is read otherwise."""
    labels, women = evidence.regions.labels.copy(), females(evidence)
    is_anger, is_happy = labels == "anger", labels == "happiness"
    labels[women & is_happy & (np.arange(len(labels)) % 2 == 0)] = "anger"
    labels[~women & is_anger & (np.arange(len(labels)) % 2 == 0)] = "happiness"
    rng = np.random.default_rng(3)
    even = np.where(labels == "anger", 0.3, 0.6) + 0.03 * rng.standard_normal(len(labels))
    shares = np.where(labels == "neutral", np.nan, even)
    plain = np.nanmean(shares[women]) - np.nanmean(shares[~women])
    cell = cells_of(evidence, gate_params, expected_share=shares, labels=labels)["explanation/gender:female"]
    assert abs(plain) > 0.1
    assert abs(cell.value) < 0.02
    assert cell.state is State.PASS


def test_few_people_decide_nothing(evidence, gate_params) -> None:
    """Three people, two groups: no interval, or one that leaves it open."""
    few = evidence.regions.persons < "person0000000003"
    columns = ("persons", "labels", "expected_share", "expected_area", "outside_share")
    cells = cells_of(evidence, gate_params, **{name: getattr(evidence.regions, name)[few] for name in columns})
    assert cells["explanation/gender:male"].state is State.INSUFFICIENT


def test_a_champion_that_rests_better_is_told(with_champion, gate_params) -> None:
    """The same shares pass, 0.2 fewer fail, none at all are NOT-RUN: it advises in any case."""
    same = cells_of(with_champion, gate_params)["explanation/champion"]
    assert (same.state, same.required, same.value) == (State.PASS, False, 0.0)
    worse = with_champion.regions.expected_share - 0.2
    assert cells_of(with_champion, gate_params, expected_share=worse)["explanation/champion"].state is State.FAIL
    unasked = cells_of(with_champion, gate_params, champion_expected_share=None)["explanation/champion"]
    assert unasked.state is State.NOT_RUN


def test_a_bundle_holds_all_of_it(with_champion, gate_params, tmp_path) -> None:
    """Replayed without faces, every cell is the same; a changed share is found by the digest of its content."""
    path = tmp_path / "gate.zip"
    for found in (with_champion, replace(with_champion, regions=None)):
        decision = evaluate_gate(found, gate_params, 4)
        write_bundle(path, found, gate_params, 4, decision, {})
        assert replay(read_bundle(path)).identical
    assert read_bundle(path).evidence.regions is None
