"""Promote, hold or block: what cannot be judged blocks, every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bitface.evaluation.intervals import Interval
from bitface.evaluation.predictions import Predictions
from bitface.gate.cells import Question, State, at_least, not_run, stated
from bitface.gate.decision import decide, evaluate_gate
from bitface.gate.evidence import ConsentEvidence, DriftEvidence, ExplanationEvidence


def cell(state, required=True, name="a"):
    question = Question(name=name, kind="emotion", metric="balanced_accuracy", required=required)
    if state is State.NOT_RUN:
        return not_run(question, "no predictions")
    interval = Interval(value=0.8, lo=0.7, hi=0.9, n=10, persons=5)
    return stated(question, interval, at_least(0.75), state)


P, F, I, N = State.PASS, State.FAIL, State.INSUFFICIENT, State.NOT_RUN  # noqa: E741 - as in the rule's table


@pytest.mark.parametrize(
    ("required", "advisory", "verdict"),
    [
        ([P, P], [], "promote"),
        ([P, P], [F, N, I], "promote"),
        ([P, I], [], "hold"),
        ([I, I], [P], "hold"),
        ([P, F], [], "block"),
        ([P, N], [], "block"),
        ([I, F], [], "block"),
        ([I, N], [], "block"),
        ([], [P, P], "block"),
        ([], [], "block"),
    ],
)
def test_one_required_failure_or_gap_blocks_and_doubt_holds(required, advisory, verdict) -> None:
    decision = decide([*(cell(state) for state in required), *(cell(state, required=False) for state in advisory)])
    assert decision.verdict == verdict
    assert bool(decision.reasons) == (verdict != "promote")


def test_the_order_of_cells_changes_no_verdict() -> None:
    cells = [cell(P), cell(I), cell(F), cell(N)]
    assert {decide(cells[turn:] + cells[:turn]).verdict for turn in range(4)} == {"block"}


def test_a_sound_first_model_is_promoted(evidence, gate_params) -> None:
    decision = evaluate_gate(evidence, gate_params, 0)
    assert (decision.verdict, decision.reasons) == ("promote", ())
    assert decision.counts()["not_run"] == 0
    names = [cell.name for cell in decision.cells]
    assert len(set(names)) == len(names)


def test_a_sound_second_model_is_promoted(with_champion, gate_params) -> None:
    decision = evaluate_gate(with_champion, gate_params, 0)
    assert decision.verdict == "promote"
    assert any(cell.kind == "champion" for cell in decision.cells)


def broken(model: Predictions, **change) -> Predictions:
    return replace(model, **change)


def spoiled(scores, value):
    scores = scores.copy()
    scores[3, 1] = value
    return scores


UNUSABLE = {
    "no predictions": lambda e: replace(e, one_bit=None),
    "no twin": lambda e: replace(e, twin=None),
    "a champion whose predictions are missing": lambda e: replace(e, champion_version="7", champion=None),
    "empty predictions": lambda e: replace(e, one_bit=e.one_bit.where(np.zeros(len(e.one_bit), dtype=bool))),
    "a score that is NaN": lambda e: replace(e, one_bit=broken(e.one_bit, scores=spoiled(e.one_bit.scores, np.nan))),
    "a twin's score that is NaN": lambda e: replace(e, twin=broken(e.twin, scores=spoiled(e.twin.scores, np.nan))),
    "a score above 1": lambda e: replace(e, one_bit=broken(e.one_bit, scores=spoiled(e.one_bit.scores, 1.5))),
    "a threshold that is NaN": lambda e: replace(e, one_bit=broken(e.one_bit, thresholds=np.full(3, np.nan))),
    "scores that are words": lambda e: replace(e, one_bit=broken(e.one_bit, scores=e.one_bit.scores.astype(str))),
    "other emotions than agreed": lambda e: replace(e, emotions=("anger", "fear", "neutral")),
    "no emotion": lambda e: replace(e, emotions=()),
    "a twin judged on other samples": lambda e: replace(e, twin=e.twin.where(np.arange(len(e.twin)) > 5)),
    "a twin judged in another order": lambda e: replace(e, twin=broken(e.twin, sample_ids=e.twin.sample_ids[::-1])),
    "a champion judged on other samples": lambda e: replace(
        e, champion_version="7", champion=e.twin.where(np.arange(len(e.twin)) > 5)
    ),
    "a champion that tells an emotion more": lambda e: replace(
        e, champion_version="7", champion=broken(e.twin, emotions=("anger", "happiness", "fear"))
    ),
    "a missing slice column": lambda e: replace(e, slices={p: {"gender": "male"} for p in e.slices}),
    "no slices": lambda e: replace(e, slices={}),
    "no latency": lambda e: replace(e, latency_ms={"float": np.ones(300)}),
    "a latency that is NaN": lambda e: replace(e, latency_ms={"one-bit": np.full(300, np.nan)}),
    "a latency of no time": lambda e: replace(e, latency_ms={"one-bit": np.zeros(300)}),
    "no explanation": lambda e: replace(e, explanations=()),
    "only approximate explanations": lambda e: replace(e, explanations=e.explanations[1:]),
    "a gap that is NaN": lambda e: replace(e, explanations=(replace(e.explanations[0], gaps=np.full(20, np.nan)),)),
    "gaps that are missing": lambda e: replace(
        e,
        explanations=(
            ExplanationEvidence(method="m", baseline="b", additive=True, gaps=None, persons=None),  # type: ignore[arg-type]
        ),
    ),
    "no values of regions": lambda e: replace(e, regions=None),
    "a share that is NaN": lambda e: replace(
        e, regions=replace(e.regions, outside_share=np.full(len(e.regions.persons), np.nan))
    ),
    "a share above 1": lambda e: replace(e, regions=replace(e.regions, expected_share=e.regions.expected_share + 1)),
    "faces without a share": lambda e: replace(e, regions=replace(e.regions, outside_share=np.zeros(3))),
    "no consent looked up": lambda e: replace(e, consent=None),
    "consent of nobody": lambda e: replace(e, consent=ConsentEvidence(members=0, admitted=0)),
    "more consents than members": lambda e: replace(e, consent=ConsentEvidence(members=5, admitted=6)),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_judged_is_not_run_and_blocks(name, evidence, gate_params) -> None:
    """No exception, no pass: the evidence is {name}."""
    few = gate_params.model_copy(update={"bootstrap_resamples": 40, "permutations": 99})
    decision = evaluate_gate(UNUSABLE[name](evidence), few, 0)
    assert decision.verdict == "block"
    assert any(cell.required and cell.state is State.NOT_RUN for cell in decision.cells)
    assert any("NOT-RUN" in reason for reason in decision.reasons)
    decision.canonical()


def test_without_drift_figures_only_an_advisory_cell_is_missing(evidence, gate_params) -> None:
    decision = evaluate_gate(replace(evidence, drift=None), gate_params, 0)
    assert decision.verdict == "promote"
    required = gate_params.model_copy(update={"required": (*gate_params.required, "drift")})
    assert evaluate_gate(replace(evidence, drift=None), required, 0).verdict == "block"


def test_every_required_kind_has_a_required_cell(with_champion, gate_params) -> None:
    """A kind that is required cannot vanish: it is there, judged or NOT-RUN. Disparity is asked of a first model alone, and a window where
    faces were predicted.
    """
    every = gate_params.model_copy(update={"required": (*gate_params.required, "drift")})
    empty = replace(
        with_champion,
        one_bit=None,
        twin=None,
        champion=None,
        slices={},
        latency_ms={},
        explanations=(),
        regions=None,
        consent=None,
        drift=None,
    )
    seen = DriftEvidence(share=0.0, share_max=0.1, features=70, n_reference=300, n_current=300)
    for found in (replace(with_champion, window=seen), replace(empty, window=replace(seen, features=0))):
        decision = evaluate_gate(found, every, 0)
        assert {cell.kind for cell in decision.cells if cell.required} == set(every.required) - {"disparity"}
        first = evaluate_gate(replace(found, champion_version=None, champion=None), every, 0)
        assert {cell.kind for cell in first.cells if cell.required} == set(every.required) - {"champion"}


def test_no_sentence_names_a_person(evidence, gate_params) -> None:
    missing = dict(list(evidence.slices.items())[1:])
    decision = evaluate_gate(replace(evidence, slices=missing), gate_params, 0)
    assert "person0" not in decision.canonical()


def test_the_same_evidence_gives_the_same_document(with_champion, gate_params) -> None:
    one, other = (evaluate_gate(with_champion, gate_params, 3) for _ in range(2))
    assert one.canonical() == other.canonical() and one.sha256() == other.sha256()
    assert evaluate_gate(with_champion, gate_params, 4).sha256() != one.sha256()
