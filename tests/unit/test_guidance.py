"""The last lines of a run: what held or blocked means, which figures, what to do, and how to look at the version anyway."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bitface.evaluation.intervals import Interval
from bitface.gate.cells import Cell, Question, State, at_least, judged, not_run
from bitface.gate.decision import decide
from bitface.gate.kinds import KINDS
from bitface.steps.versions.guidance import causes_of, guidance_text, next_steps
from bitface.steps.versions.model_choice import command_for
from bitface.steps.versions.summary import exit_code, time_words
from tests.builders import BLOCKED

ROOT = Path(__file__).resolve().parents[2]
STATUS = replace(BLOCKED, version=3, run_id="0123456789abcdef", decision="hold")


def cell(kind: str, lo: float, hi: float, people: int = 40, slice_: str = "", required: bool = True) -> Cell:
    attribute, _, value = slice_.partition(":")
    question = Question(
        name=f"{kind}/{slice_ or 'anger'}",
        kind=kind,  # type: ignore[arg-type]
        metric="accuracy",
        required=required,
        emotion="" if slice_ else "anger",
        attribute=attribute,
        slice=value,
    )
    interval = Interval(value=(lo + hi) / 2, lo=lo, hi=hi, n=7 * people, persons=people)
    return judged(question, interval, at_least(0.75))


def summary(*cells: Cell, alias: str | None = None, profile: str = "default") -> dict[str, Any]:
    decision = decide(cells)
    status = replace(STATUS, decision=decision.verdict, alias=alias)  # type: ignore[arg-type]
    causes = causes_of(decision)
    return {
        "version": 3,
        "run_id": STATUS.run_id,
        "alias": alias,
        "status": status.document(),
        "gate": {"decision": decision.verdict, "causes": causes},
        "next_steps": next_steps(causes, status, 40, profile),
        "use": command_for(status),
    }


def test_a_promoted_run_has_no_such_lines() -> None:
    assert guidance_text(summary(cell("emotion", 0.80, 0.90))) == ""


def test_a_blocked_run_names_each_failing_figure_its_limit_and_what_mends_it() -> None:
    said = guidance_text(
        summary(
            cell("emotion", 0.50, 0.60),
            cell("slice", 0.50, 0.70, 12, "skin_tone:monk_8_10"),
            cell("emotion", 0.70, 0.80),
            cell("emotion", 0.10, 0.20, required=False),
        )
    )
    last, said = said.splitlines()[-1], " ".join(said.split())
    assert (
        "the gate's decision, not an error" in said and "3 required cells do not pass: 2 fail, 1 is undecided" in said
    )
    assert "emotion/anger FAIL" in said and "0.550 (0.500 to 0.600), 40 people; at least 0.750 required" in said
    assert "slice/skin_tone:monk_8_10" in said
    assert (
        "labels of anger; then train with more people who show it" in said
        and "wrong too often for skin tone monk 8 10" in said
    )
    assert said.index("slice/skin_tone") < said.index("INSUFFICIENT"), "what blocks comes first"
    assert "0.150" not in said, "what merely advises is left out"
    assert last.strip() == "bitface predict FILE --model bitface/3 --purpose demo --context research"
    assert "bitface gate show 0123456789abcdef" in said and "make ui" in said


def test_a_held_run_says_how_many_people_would_decide_it_overall_and_of_the_smallest_group() -> None:
    found = summary(cell("emotion", 0.70, 0.90), cell("slice", 0.60, 0.96, 9, "age_band:18_29"), profile="quick")
    (people, profile, look) = found["next_steps"]
    needed = {one["name"]: one["persons_needed"] for one in found["gate"]["causes"]}
    assert f"age band 18 29 had 9, and about {needed['slice/age_band:18_29']} would decide" in people
    assert "judge more than 40 people" in people and "default profile" in profile and "make ui" in look
    said = guidance_text(found)
    assert "No required cell fails" in said and f"about {needed['emotion/anger']} would decide" in said


def test_of_many_cells_the_first_are_shown_and_where_the_others_are() -> None:
    said = guidance_text(summary(*[cell("slice", 0.5, 0.9, 12, f"age_band:band_{k}") for k in range(9)]))
    assert said.count("INSUFFICIENT") == 6 and f"and 3 more: bitface gate show {STATUS.run_id}" in said
    assert max(map(len, said.splitlines()[3:])) <= 100


def test_a_demo_says_that_it_is_no_champion_and_is_used_without_being_named() -> None:
    said = guidance_text(summary(cell("emotion", 0.70, 0.90), alias="demo", profile="quick"))
    assert "No required cell fails" in said and "not the champion" in said and "--purpose demo only" in said
    assert said.splitlines()[-1].strip() == "bitface predict FILE --purpose demo --context research"


def test_what_could_not_be_judged_and_a_gate_without_cells_are_said_too() -> None:
    question = Question(name="latency/p50", kind="latency", metric="p50_ms", required=True)
    said = guidance_text(summary(not_run(question, "no latency was measured")))
    assert "1 required cell does not pass: 1 could not be judged" in said
    assert "latency/p50: not judged: no latency was measured" in said
    assert "no required cell was judged" in guidance_text(summary())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_figure_that_fails_has_a_remedy_without_gaps(kind: str) -> None:
    (remedy, _) = summary(cell(kind, 0.1, 0.2, slice_="gender:female"))["next_steps"]
    assert "{" not in remedy and len(remedy) > 20


@pytest.mark.parametrize(
    ("decision", "alias", "is_enough", "code"),
    [
        ("promote", "champion", False, 0),
        ("promote", None, False, 0),
        ("hold", "demo", True, 0),
        ("hold", "demo", False, 3),
        ("hold", None, True, 3),
        ("block", None, True, 3),
    ],
)
def test_only_a_quick_run_is_content_with_a_demo(decision: str, alias: str | None, is_enough: bool, code: int) -> None:
    assert exit_code(decision, alias, is_enough) == code


def test_a_figure_on_its_limit_does_not_ask_for_people() -> None:
    found = summary(cell("emotion", 0.70, 0.80))
    assert "the value is at the limit" in guidance_text(found) and State.INSUFFICIENT.value in guidance_text(found)
    assert len(found["next_steps"]) == 1


@pytest.mark.parametrize(("code", "is_explained"), [(3, True), (2, False), (4, False), (0, False)])
def test_make_keeps_the_failure_and_says_that_an_answer_of_the_gate_is_no_crash(
    tmp_path: Path, code: int, is_explained: bool
) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    command = venv / "bin" / "bitface"
    command.write_text(f"#!/bin/sh\necho '{{}}'\nexit {code}\n")
    command.chmod(0o755)
    for name in (".venv", ".main"):
        (venv / name).touch()
    done = subprocess.run(["make", "retrain", f"VENV={venv}"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert bool(done.returncode) == bool(code) and done.stdout == "{}\n", "the summary alone is on standard output"
    assert ("Nothing has crashed" in done.stderr) == is_explained
    assert (f"Error {code}" in done.stderr) == bool(code)


def test_what_a_run_took_is_what_passed_by_the_clock_and_not_the_sum_of_what_ran_side_by_side() -> None:
    said = time_words({"seconds": {"features": 200.0, "train": 174.0}, "took_s": 327.4, "reused": ["version"]})
    assert said == "327 s; longest stages (some run in parallel): features 200 s, train 174 s; reused version"
    assert time_words({"seconds": {}, "reused": ["everything"]}) == "nothing to compute"
