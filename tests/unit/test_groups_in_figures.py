"""Rows of figures of groups: what a mark is about, and that a value asked for has a row even where nobody has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from bitface.evaluation.intervals import Interval
from bitface.figure_ports import ForestRow
from bitface.gate.cells import Cell, at_least, at_most, judged, slice_question, too_few
from bitface.gate.decision import decide
from bitface.steps.judging.evaluate import Evaluated
from bitface.steps.versions.gate import Decided
from bitface.steps.versions.pictures import faces_shown
from bitface.steps.versions.shown.group_rows import forest_rows

MANY = Interval(value=0.8, lo=0.7, hi=0.9, n=96, persons=48)
GAP = Interval(value=0.16, lo=0.06, hi=0.27, n=96, persons=48)


def rows(*cells: Cell) -> dict[str, ForestRow]:
    accuracy = {("gender", "female"): MANY, ("gender", "male"): MANY}
    evaluated = cast(Evaluated, SimpleNamespace(groups=SimpleNamespace(accuracy=accuracy)))
    found = forest_rows(evaluated, cast(Decided, SimpleNamespace(decision=decide(cells))))
    return {row.label: row for row in found}


def own(value: str, floor: float) -> Cell:
    return judged(slice_question("slice", "accuracy", "gender", value, True), MANY, at_least(floor))


def gap(value: str, most: float) -> Cell:
    return judged(slice_question("disparity", "accuracy_gap", "gender", value, True), GAP, at_most(most))


def test_a_mark_says_whether_accuracy_or_the_gap_gave_it() -> None:
    found = rows(own("male", 0.6), gap("male", 0.05), own("female", 0.75), gap("female", 0.2))
    assert (found["male"].state, found["male"].remark) == ("FAIL", "gap")
    assert (found["female"].state, found["female"].remark) == ("INSUFFICIENT", "accuracy, gap")
    assert rows(own("male", 0.6), gap("male", 0.3))["male"].remark == "", "a pass needs no words"
    assert found["male"].people == 48, "people, not samples"


def test_a_value_that_nobody_has_is_a_row() -> None:
    missing = too_few(slice_question("slice", "accuracy", "age_band", "60_plus", True), "nobody")
    row = rows(own("male", 0.6), missing)["60+"]
    assert (row.value, row.people, row.state, row.remark) == (None, 0, "INSUFFICIENT", "no one was judged")


@pytest.mark.parametrize(
    ("emotions", "shown"),
    [
        (("happiness", "neutral"), ["happiness", "neutral"]),
        (("anger", "sadness", "neutral"), ["anger", "sadness", "neutral"]),
        (("disgust", "fear", "sadness", "neutral"), ["disgust", "fear", "sadness"]),
        (
            ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
            ["anger", "happiness", "surprise"],
        ),
    ],
)
def test_an_overview_has_a_face_of_every_emotion_where_there_are_few(
    emotions: tuple[str, ...], shown: list[str]
) -> None:
    assert faces_shown(emotions) == shown
