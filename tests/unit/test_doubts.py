"""What the data gate lists for a person to look at: copies of others' pictures and labels that faces contradict, by sample id alone."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from bitface.faces.features import ClipTable
from bitface.steps.retrain.doubts import doubts_of, slices_with_odd_labels
from tests.evidence.made_up_sets import MadeUpSet, made_up_set
from tests.unit.test_near_copies import faces


def real_people(count: int, seed: int) -> MadeUpSet:
    """Made-up people under pseudonyms of real ones, each with a face of their own."""
    made = made_up_set(count, seed)
    persons = np.char.replace(made.table.persons, "s0", "r0", count=1)
    slices = {name.replace("s0", "r0", 1): values for name, values in made.slices.items()}
    return MadeUpSet(table=replace(made.table, persons=persons, crops=faces(count, seed)[:, None]), slices=slices)


def with_copy(table: ClipTable, of: int, at: int) -> ClipTable:
    crops = table.crops.copy()
    crops[at] = crops[of][..., ::-1]
    return replace(table, crops=crops)


def test_a_picture_under_two_people_is_listed_with_what_is_odd_about_it() -> None:
    people = real_people(90, 0)
    splits, labels = people.table.splits.copy(), people.table.labels.copy()
    splits[[3, 70]], labels[[3, 70]] = ["train", "test"], [1, 2]
    table = with_copy(replace(people.table, splits=splits, labels=labels), of=3, at=70)
    found = doubts_of(table, people.slices, 0)
    (row,) = (one for one in found.review if one.other_sample_id)
    assert (row.sample_id, row.other_sample_id) == (str(table.sample_ids[3]), str(table.sample_ids[70]))
    assert row.why == "the picture of another person, in another part, under another label" and row.figure >= 0.9
    assert found.in_another_split == found.of_another_person == {str(name): 1 for name in table.persons[[3, 70]]}
    assert found.contradicting == {str(name): 1 for name in table.sample_ids[[3, 70]]}
    assert found.sentences[0].startswith("1 pair of samples shows one picture under two people")


def test_copies_of_one_s_own_picture_and_of_drawn_people_are_no_doubts() -> None:
    people = real_people(90, 1)
    table = with_copy(people.table, of=3, at=70)
    persons = table.persons.copy()
    persons[70] = persons[3]
    own = doubts_of(replace(table, persons=persons), people.slices, 0)
    drawn = doubts_of(replace(table, persons=made_up_set(90, 1).table.persons), {}, 0)
    assert not own.of_another_person and not drawn.of_another_person


def test_the_list_holds_sample_ids_and_no_person(tmp_path) -> None:
    people = real_people(120, 2)
    labels = people.table.labels.copy()
    labels[:5] = (labels[:5] + 1) % 7
    table = with_copy(replace(people.table, labels=labels), of=3, at=70)
    path = doubts_of(table, people.slices, 0).write(tmp_path)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert path.name == "review.csv" and {"sample_id", "why", "other_sample_id", "figure"} == set(rows[0])
    listed = {row["sample_id"] for row in rows if row["why"] == "the face contradicts the label"}
    assert len(listed & set(table.sample_ids[:5])) >= 3 and len(listed) < 20
    assert not any(str(person) in path.read_text(encoding="utf-8") for person in table.persons)


def test_a_set_in_which_nothing_can_be_held_against_faces_says_so() -> None:
    people = real_people(30, 3)
    table = replace(people.table, labels=np.zeros(30, np.int64))
    assert doubts_of(table, people.slices, 0).sentences[0].startswith("labels were not held against faces")


def test_a_slice_of_odd_labels_is_raised_and_others_are_not() -> None:
    people = made_up_set(400, 4)
    odd = np.array([people.slices[str(name)]["gender"] == "female" for name in people.table.persons])
    odds = np.random.default_rng(4).uniform(0, 0.05, size=400)
    odds[np.flatnonzero(odd)[:20]] = 0.9
    (sentence,) = slices_with_odd_labels(odds, people.table.persons, people.slices, 0)
    assert sentence.startswith("labels of gender:female fit their faces less often")
    assert slices_with_odd_labels(np.sort(odds) * 0, people.table.persons, people.slices, 0) == ()


@pytest.mark.parametrize("few", [0, 19])
def test_slices_of_few_people_are_not_looked_at(few) -> None:
    persons = np.array([f"p{row:03d}" for row in range(100)])
    slices = {str(name): {"gender": "female" if row < few else "male"} for row, name in enumerate(persons)}
    odds = np.where(np.arange(100) < few, 0.99, 0.0)
    assert slices_with_odd_labels(odds, persons, slices, 0) == ()
