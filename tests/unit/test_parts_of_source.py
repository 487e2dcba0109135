"""The parts that a source names are its makers' own test: whoever they held out judges, and nobody moves in silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bitface.consent.admission import Admission
from bitface.errors import InputError
from bitface.faces.enough_people import check_enough
from bitface.faces.records import Sample
from bitface.faces.splits import with_parts_of_source
from bitface.params import read_params
from bitface.steps.people.admit import Members, choose_members

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml").splits
SHARES = {"train": PARAMS.train, "validation": PARAMS.validation}


def samples(**people: int) -> tuple[Sample, ...]:
    """So many people of each part, `none` for no part, each with two emotions."""
    parts = [part for part, count in people.items() for _ in range(count)]
    return tuple(
        Sample(
            sample_id=f"{number}-{label}", person=f"r{number:015d}", shard="s", kind="image", frames=1, fps=0.0, label=label,
            split="" if part == "none" else part, source="set", licence_id="own", sha256=f"{number:063d}{len(label) % 10}",
        )
        for number, part in enumerate(parts)
        for label in ("fear", "neutral")
    )  # fmt: skip


def chosen(rows: tuple[Sample, ...]) -> Members:
    admitted = Admission(admitted=True, reason="benchmark under the licence, without personal consent")
    return choose_members(rows, dict.fromkeys((row.sample_id for row in rows), admitted), (), PARAMS, seed=3)


def people(rows: tuple[Sample, ...]) -> Counter[str]:
    return Counter({row.person: row.split for row in rows}.values())


def test_train_validation_and_test_train_choose_and_judge() -> None:
    members = chosen(samples(train=60, validation=8, test=12))
    assert people(members.samples) == {"train": 60, "validation": 8, "gate": 12} and not members.folds
    assert members.parts == "parts of the source: its test part judges; validation people also calibrate"


def test_a_missing_validation_part_is_taken_from_training_people_and_said() -> None:
    members = chosen(samples(train=170, test=12))
    assert people(members.samples) == {"train": 140, "validation": 30, "gate": 12}
    assert "no validation part, so 30 people of its training part choose the model" in members.parts
    assert chosen(samples(train=170, test=12)).samples == members.samples


def test_a_named_gate_judges_and_the_test_part_calibrates_as_before() -> None:
    members = chosen(samples(train=20, validation=8, test=9, gate=12))
    assert people(members.samples) == {"train": 20, "validation": 8, "test": 9, "gate": 12} and not members.parts


def test_each_source_has_parts_of_its_own() -> None:
    """Synthetic gate people who are there already do not make the test part of a public set anything else than what judges."""
    rows = [
        replace(row, source="rendered") if row.split in ("gate", "") else row
        for row in samples(gate=5, none=20, train=9, test=4)
    ]
    members = chosen(tuple(rows))
    assert people(members.samples) == {"gate": 5 + 4, "train": 14 + 9, "validation": 3, "test": 3}
    assert members.parts == "parts of the source: its test part judges"


def test_people_of_no_part_are_split_as_usual_beside_those_of_one() -> None:
    counts = people(chosen(samples(train=10, test=10, none=100)).samples)
    assert counts == {"train": 10 + 70, "validation": 15, "test": 15, "gate": 10}
    assert people(chosen(samples(gate=10, none=100)).samples) == {"train": 70, "validation": 15, "test": 15, "gate": 10}


@pytest.mark.parametrize(
    "parts", [{"train": 60}, {"train": 60, "validation": 10}, {"test": 60}, {"validation": 9, "test": 9}]
)
def test_a_source_without_a_part_to_judge_by_or_to_learn_from_is_refused(parts: dict[str, int]) -> None:
    members = chosen(samples(**parts))
    with pytest.raises(InputError, match=r"each needs one at least; import more people for (train|gate|validation)"):
        check_enough(members.samples, members.folds, PARAMS.folds)


def test_parts_do_not_depend_on_pseudonyms() -> None:
    rows = samples(train=40, test=5)
    renamed = tuple(replace(row, person=row.person.replace("r0", "rx")) for row in rows)
    first, _ = with_parts_of_source(rows, SHARES, 3)
    second, _ = with_parts_of_source(renamed, SHARES, 3)
    assert [row.split for row in first] == [row.split for row in second]
