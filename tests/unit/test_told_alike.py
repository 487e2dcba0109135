"""What a run shows of a decision is the decision: the failing cell stands in each report, and a figure has one interval."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bitface.evaluation.by_group import group_report
from bitface.evaluation.scores import score_model
from bitface.gate.cells import Cell, State
from bitface.gate.decision import decide, evaluate_gate
from bitface.params import EvaluationParams
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.versions.finished_run import fairness_sentence
from bitface.steps.versions.outcome import with_intervals_of
from bitface.steps.versions.pictures import cell_words, finding_rows
from bitface.steps.versions.shown.group_rows import forest_rows

PARAMS = EvaluationParams(bootstrap_resamples=100, confidence=0.95, intraclass_correlation=0.3, reliability_bins=10)


@pytest.fixture(scope="module")
def evaluated(evidence) -> Evaluated:
    judged = evidence.one_bit
    return Evaluated(
        predictions={"one-bit": judged, "float": evidence.twin},
        models={"one-bit": score_model(judged, PARAMS, 1), "float": score_model(evidence.twin, PARAMS, 1)},
        groups=group_report(
            judged, {who: {"ancestry": "unknown", **own} for who, own in evidence.slices.items()}, PARAMS, 1
        ),
        calibration={},
        judged_on="60 people",
        membership=None,
    )


def cell(name: str, kind: str = "disparity", state: State = State.FAIL, **changes) -> Cell:
    figure = {"n": 70, "persons": 10, "value": 0.059, "lo": 0.01, "hi": 0.108, "limit": 0.05, "bound": "at most"}
    return Cell(name=name, kind=kind, metric="m", required=True, state=state, reason="because", **{**figure, **changes})


def test_figures_of_a_run_have_the_intervals_that_the_gate_decided_by(evaluated, evidence, gate_params) -> None:
    cells = {one.name: one for one in evaluate_gate(evidence, gate_params, 7).cells}
    told = with_intervals_of(list(cells.values()), evaluated)
    for emotion, own in told.models["one-bit"].emotions.items():
        asked = cells[f"emotion/{emotion}"]
        assert (own.balanced_accuracy.lo, own.balanced_accuracy.hi) == (asked.lo, asked.hi)
    judged_slices = [key for key in told.groups.accuracy if f"slice/{key[0]}:{key[1]}" in cells]
    assert judged_slices
    for attribute, value in judged_slices:
        asked = cells[f"slice/{attribute}:{value}"]
        figure = told.groups.accuracy[attribute, value]
        assert (figure.lo, figure.hi) == (asked.lo, asked.hi)
    assert told.models["float"] == evaluated.models["float"]


def test_the_overview_lists_the_cells_that_decide_worst_first() -> None:
    """A gap that blocks stood nowhere on the picture of a blocked run."""
    decision = decide(
        [
            cell("emotion/fear", "emotion", State.INSUFFICIENT, emotion="fear"),
            cell("disparity/skin_tone:monk_8_10", attribute="skin_tone", slice="monk_8_10"),
            cell("latency/p95", "latency", State.PASS),
        ]
    )
    rows = finding_rows(decision)
    assert [(row.name, row.state) for row in rows] == [
        ("disparity/skin_tone:monk_8_10", "FAIL"),
        ("emotion/fear", "INSUFFICIENT"),
    ]
    assert rows[0].words == "gap to all others, skin tone monk 8-10"
    assert rows[0].figure == "0.059 (0.010 to 0.108), at most 0.050"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (cell("latency/p95", "latency"), "latency, p95"),
        (cell("emotion/fear", "emotion", emotion="fear"), "balanced accuracy, fear"),
        (cell("slice/age_band:60_plus", "slice", attribute="age_band", slice="60_plus"), "accuracy, age band 60+"),
        (cell("binarization/loss", "binarization"), "cost of one bit, loss"),
    ],
)
def test_a_cell_is_named_as_a_reader_says_it(made: Cell, words: str) -> None:
    assert cell_words(made) == words


def test_a_group_is_marked_with_the_worst_of_its_accuracy_and_its_gap(evaluated) -> None:
    attribute, value = next(key for key in evaluated.groups.accuracy if key[0] == "gender")
    own = {"attribute": attribute, "slice": value}
    cells = [
        cell(f"slice/{attribute}:{value}", "slice", State.PASS, **own),
        cell(f"disparity/{attribute}:{value}", "disparity", State.FAIL, **own),
    ]
    rows = forest_rows(evaluated, SimpleNamespace(decision=decide(cells)))
    assert [row.state for row in rows if row.label == value] == ["FAIL"]


def test_the_fairness_line_names_groups_that_were_judged_with_their_people(evaluated) -> None:
    """A group of one person was named as the best served one."""
    (one, other), *_ = (
        [key for key in evaluated.groups.accuracy if key[0] == attribute] for attribute in ("gender", "age_band")
    )
    open_ = [
        cell(f"slice/{a}:{v}", "slice", State.INSUFFICIENT, attribute=a, slice=v)
        for a, v in evaluated.groups.accuracy
        if (a, v) not in (one, other)
    ]
    told = fairness_sentence(evaluated, open_)
    assert told.count("people, ") == 2 and one[1] in told and other[1] in told
    assert "have too few people to compare" in told
    everybody = [
        cell(f"slice/{a}:{v}", "slice", State.INSUFFICIENT, attribute=a, slice=v) for a, v in evaluated.groups.accuracy
    ]
    assert "too small to compare" in fairness_sentence(evaluated, everybody)
