"""Nobody is in two splits, whatever the source names and however many people come later."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitface.errors import InputError
from bitface.faces.records import Sample
from bitface.faces.splits import fold_of_people, people_by_content, split_by_person
from tests.builders import sample

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}


def samples_of(people: int, each: int = 2, split: str = "") -> tuple[Sample, ...]:
    return tuple(
        sample(f"{p}-{i}", f"s{p:015d}", split=split, sha256=f"{p:032d}{i:032d}")
        for p in range(people)
        for i in range(each)
    )


@given(st.integers(1, 80), st.integers(0, 10_000))
def test_a_person_is_in_one_split_and_shares_hold(people: int, seed: int) -> None:
    split = split_by_person(samples_of(people), SHARES, seed)
    by_person = {(row.person, row.split) for row in split}
    assert len(by_person) == people
    assert abs(sum(name == "train" for _, name in by_person) - 0.7 * people) <= 1


def test_a_named_split_is_honoured() -> None:
    named = samples_of(5, split="gate")
    others = tuple(replace(row, person="r" + row.person[1:], sample_id="r" + row.sample_id) for row in samples_of(20))
    split = split_by_person(named + others, SHARES, 1)
    assert {row.split for row in split if row.person.startswith("s")} == {"gate"}
    assert "gate" not in {row.split for row in split if row.person.startswith("r")}


def test_a_person_named_in_two_splits_is_refused() -> None:
    one, two = samples_of(1)
    with pytest.raises(InputError, match=r"two splits .* split by person"):
        split_by_person((replace(one, split="train"), replace(two, split="test")), SHARES, 1)


def test_folds_differ_by_one_person_at_most_and_do_not_depend_on_order() -> None:
    rows = samples_of(102)
    folds = fold_of_people(rows, 5, 7)
    sizes = [list(folds.values()).count(fold) for fold in range(5)]
    assert max(sizes) - min(sizes) <= 1
    assert folds == fold_of_people(rows[::-1], 5, 7)


def test_the_same_pictures_under_other_pseudonyms_split_alike() -> None:
    """Pseudonyms of real people are random on each installation; a run must not be."""
    rows = samples_of(30)
    renamed = tuple(replace(row, person=row.person[::-1], sample_id=row.sample_id[::-1]) for row in rows)
    assert [row.split for row in split_by_person(rows, SHARES, 3)] == [
        row.split for row in split_by_person(renamed, SHARES, 3)
    ]
    assert [person[::-1] for person in people_by_content(rows)] == list(people_by_content(renamed))
