"""A kind of the gate that judges nothing is NOT-RUN: it blocks where it is required, however it came to nothing."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from bitface.errors import IntegrityError
from bitface.gate import container
from bitface.gate.cells import State
from bitface.gate.decision import evaluate_gate
from bitface.gate.kinds import KINDS


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.is_owed])
def test_a_kind_that_finds_no_cell_where_there_must_be_one_is_not_run(name, evidence, gate_params) -> None:
    """As if its loop had gone over an empty list."""
    required = gate_params.model_copy(update={"required": (name,)})
    silent = replace(KINDS[name], cells=lambda *_: iter(()))
    decision = evaluate_gate(evidence, required, 0, kinds=[silent])
    assert decision.verdict == "block"
    assert {cell.state for cell in decision.cells} == {State.NOT_RUN}
    assert all("nothing was judged" in reason for reason in decision.reasons) and decision.reasons


@pytest.mark.parametrize("name", ["champion", "binarization"])
def test_an_emotion_that_no_gate_sample_shows_leaves_nothing_to_compare(name, with_champion, gate_params) -> None:
    """The figure over emotions does not exist where one has no positive sample: no other emotions stand in for it."""
    labels = np.where(with_champion.one_bit.labels == "anger", "neutral", with_champion.one_bit.labels)
    models = {role: replace(getattr(with_champion, role), labels=labels) for role in ("one_bit", "twin", "champion")}
    required = gate_params.model_copy(update={"required": (name,)})
    decision = evaluate_gate(replace(with_champion, **models), required, 0, kinds=[KINDS[name]])
    assert decision.verdict == "block"
    assert State.NOT_RUN in {cell.state for cell in decision.cells if cell.required}


@pytest.mark.parametrize(("most", "why"), [(10, "has more than 10 bytes"), (50_000, "unpacks to 100000 bytes")])
def test_a_bundle_that_is_larger_than_any_is_not_read(most, why, tmp_path, monkeypatch) -> None:
    """Neither the file nor what a small file unpacks to."""
    path = tmp_path / "gate.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows", b"0" * 100_000)
    monkeypatch.setattr(container, "BYTES_MAX", most)
    with pytest.raises(IntegrityError, match=why):
        container.read_members(path)
