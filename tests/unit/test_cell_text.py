"""What readers are told of a gate's cells: one count in the same words everywhere, singular and plural right, no figure that is noise."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from bitface.evaluation.intervals import Interval
from bitface.gate.cells import Cell, Question, State, at_least, at_most, judged, not_run, stated, too_few
from bitface.gate.decision import decide
from bitface.steps.versions.gate import decision_text
from bitface.steps.versions.guidance import causes_of, next_steps
from bitface.steps.versions.pictures import finding_rows
from bitface.steps.versions.shown.cell_text import cell_sentence, outcome_words, reason_sentences
from tests.builders import BLOCKED


def question(name: str, metric: str = "accuracy", required: bool = True) -> Question:
    kind, _, about = name.partition("/")
    attribute, _, value = about.partition(":")
    is_group = bool(value)
    return Question(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        metric=metric,
        required=required,
        emotion="" if is_group or kind != "emotion" else about,
        attribute=attribute if is_group else "",
        slice=value,
    )


def interval(lo: float, hi: float, people: int) -> Interval:
    return Interval(value=(lo + hi) / 2, lo=lo, hi=hi, n=2 * people, persons=people)


def gap(value: str, state: State, people: int, hidden: int = 0) -> Cell:
    """A cell of a group's gap, worded as the gate records it."""
    sentence = "+0.160 behind all others; at most 0.05 is asked, and that 0.10 be ruled out. p = 1.0000 that it makes no difference."
    note = f" {hidden} people did not tell: at worst it is +0.174." if hidden else ""
    asked = question(f"disparity/gender:{value}", "accuracy_gap")
    wide = interval(0.05, 0.27, people) if people > 4 else interval(-1.0, 1.0, people)
    return stated(asked, wide, at_most(0.05), state, p_value=0.004, sentence=sentence, note=note)


CELLS = (
    gap("male", State.FAIL, 48, hidden=4),
    gap("female", State.PASS, 47),
    judged(question("slice/skin_tone:monk_8_10"), interval(0.5, 0.9, 10), at_least(0.6)),
    judged(question("slice/age_band:45_59"), interval(0.3, 1.0, 3), at_least(0.6)),
    too_few(question("slice/age_band:60_plus"), "No gate person's age_band is 60_plus: bring people of whom it is."),
    too_few(
        question("disparity/age_band:60_plus", "accuracy_gap"),
        "1 people on one side; at least 2 on both have a difference.",
    ),
    judged(question("emotion/happiness", "balanced_accuracy"), interval(0.8, 0.9, 99), at_least(0.75)),
    judged(question("slice/gender:unknown", required=False), interval(0.5, 0.9, 4), at_least(0.6)),
)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([], "every required cell passes"),
        (["FAIL"], "1 required cell does not pass: 1 fails"),
        (["INSUFFICIENT"], "1 required cell does not pass: 1 is undecided"),
        (["FAIL", *["INSUFFICIENT"] * 9], "10 required cells do not pass: 1 fails, 9 are undecided"),
        (
            ["FAIL", "FAIL", "NOT-RUN", "INSUFFICIENT"],
            "4 required cells do not pass: 2 fail, 1 could not be judged, 1 is undecided",
        ),
    ],
)
def test_how_many_cells_do_not_pass_is_said_in_one_sentence(states: Sequence[str], said: str) -> None:
    assert outcome_words(states) == said


def test_one_decision_is_counted_alike_wherever_it_is_shown() -> None:
    decision = decide(CELLS)
    said = "5 required cells do not pass: 1 fails, 4 are undecided"
    causes = causes_of(decision)
    assert outcome_words([one["state"] for one in causes]) == said
    assert said in decision_text(decision.document()).splitlines()[0]
    assert len(finding_rows(decision)) == len(causes) == len(reason_sentences(decision.document()["cells"])) == 5


def test_a_decision_is_shown_within_a_hundred_columns_and_each_reason_once() -> None:
    text = decision_text(decide(CELLS).document())
    assert max(map(len, text.splitlines())) <= 100
    assert "because" not in text and text.count("disparity/gender:male") == 1
    lines = text.splitlines()
    assert lines.index("required cells: 7") < next(i for i, line in enumerate(lines) if line.startswith("FAIL"))
    assert any(line.startswith("advisory cells: 1") for line in lines)


def test_what_a_few_people_gave_is_called_too_few_and_not_a_figure() -> None:
    few = cell_sentence(gap("other", State.INSUFFICIENT, 3).document())
    assert few.startswith("too few people: 3") and "1.000 to" not in few and "would decide" not in few
    for cell in CELLS:
        assert "p = 1.0000" not in cell_sentence(cell.document())


def test_people_of_unknown_value_are_counted_in_plain_english() -> None:
    """The bundle keeps `did not tell`, since a replay compares it; a reader gets words."""
    many = cell_sentence(gap("male", State.FAIL, 48, hidden=4).document())
    one = cell_sentence(gap("male", State.FAIL, 48, hidden=1).document())
    assert "at worst +0.174, with 4 people whose gender is unknown" in many
    assert "with 1 person whose gender is unknown" in one
    assert "with an upper end of at most 0.100" in many, "the second limit, which decides most gaps, is said too"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_no_sentence_speaks_of_one_people_or_of_people_who_tell(cell: Cell) -> None:
    said = cell_sentence(cell.document())
    assert not re.search(r"\b1 (people|samples|cells)\b|did not tell|of whom|whose is\b|on one side", said), said


def test_a_group_that_is_as_large_as_others_is_not_told_to_bring_more_people() -> None:
    (remedy, *_) = next_steps(causes_of(decide(CELLS)), BLOCKED, 99, "default")
    assert "more people alone will not mend it" in remedy and "train with more people" not in remedy
    assert "pictures" in remedy and "labels" in remedy


@pytest.mark.parametrize("kind", ["disparity", "slice"])
@pytest.mark.parametrize(("people", "is_few"), [(10, True), (34, True), (36, False), (70, False)])
def test_more_people_are_advised_only_for_a_small_group(kind: str, people: int, is_few: bool) -> None:
    cells = [
        judged(question(f"{kind}/skin_tone:{name}"), interval(lo, lo + 0.1, count), at_least(0.75))
        for name, lo, count in (("dark", 0.3, people), ("light", 0.8, 70))
    ]
    (remedy, *_) = next_steps(causes_of(decide(cells)), BLOCKED, 99, "default")
    assert ("train with more people of skin tone dark" in remedy) == is_few


def test_what_could_not_be_judged_says_why() -> None:
    asked = question("latency/p50", "p50_ms")
    assert cell_sentence(not_run(asked, "no latency was measured").document()) == "not judged: no latency was measured"


def test_a_latency_keeps_its_unit_and_says_that_rounds_are_missing() -> None:
    asked, note = question("latency/p50", "p50_ms"), " Milliseconds of processor time. At least 100 rounds are needed."
    rounds = Interval(value=0.2, lo=0.1, hi=0.3, n=60, persons=0)
    said = cell_sentence(stated(asked, rounds, at_most(2.0), State.INSUFFICIENT, note=note).document())
    assert "Milliseconds" in said and "At least 100 rounds are needed" in said
