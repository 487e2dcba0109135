"""An import that contradicts itself is quarantined by row, and what it says of somebody on record changes only what it states."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from bitface.dataset.incoming.import_rows import ImportRow
from bitface.dataset.incoming.import_rules import (
    Picture,
    agreeing_files,
    agreeing_pictures,
    contradicted_people,
    corrected_sample,
    corrections_of_person,
    record_from,
)
from bitface.faces.records import Sample, SubjectRecord

PERSON = "r" + "0" * 15


def row(number: int = 1, **changes: Any) -> ImportRow:
    said = {"path": Path(f"{number}.png"), "subject_id": "p1", "label": "fear", "age_band": "unknown"}
    rest = {"gender": "unknown", "skin_tone": None, "ancestry": "unknown", "clip": "", "frame": 0, "split": ""}
    return ImportRow(**{"row": number, **said, **rest, **changes})


def picture(*rows: ImportRow, media: bytes = b"pixels") -> Picture:
    return Picture(rows=rows, sha256=hashlib.sha256(media).hexdigest(), media=lambda: media)


def numbers(rows: Any) -> list[int]:
    return sorted(one.row for one in rows)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"age_band": "18_29"}, {"age_band": "30_44"}, "two values of age (18_29, 30_44)"),
        ({"gender": "female"}, {"gender": "male"}, "two values of gender"),
        ({"skin_tone": 2}, {"skin_tone": 9}, "two values of skin_tone (2, 9)"),
        ({"ancestry": "white"}, {"ancestry": "mixed"}, "two values of ethnicity"),
        ({"gender": "female"}, {"cleared": frozenset({"gender"})}, "two values of gender (female, unknown)"),
    ],
)
def test_two_rows_that_say_two_things_of_one_person_leave_none_of_that_person(one, other, words) -> None:
    rows = [row(1, **one), row(2), row(3, **other), row(4, subject_id="p2", **other)]
    ((subject, why),) = contradicted_people(rows).items()
    assert subject == "p1" and words in why and "rows 1 and 3" in why


def test_a_row_that_says_nothing_contradicts_nothing() -> None:
    assert contradicted_people([row(1, age_band="18_29", gender="male"), row(2, skin_tone=3)]) == {}


def test_one_file_with_two_labels_or_people_is_nobody_s_and_a_repeated_one_counts_once() -> None:
    same = Path("a.png")
    kept, refused = agreeing_files([row(1, path=same), row(2, path=same, label="anger"), row(3)])
    assert (numbers(kept), numbers(refused)) == ([3], [1, 2]) and "rows 1 and 2" in refused[0].reason
    kept, refused = agreeing_files([row(1, path=same), row(2, path=same, subject_id="p2"), row(3)])
    assert (numbers(kept), numbers(refused)) == ([3], [1, 2])
    kept, refused = agreeing_files([row(1, path=same), row(2, path=same), row(3, path=same, clip="c", frame=1)])
    assert (numbers(kept), numbers(refused)) == ([1, 3], [2]) and "are in row 1" in refused[0].reason


def test_the_same_pixels_in_another_file_are_the_same_picture() -> None:
    kept, refused = agreeing_pictures([picture(row(1)), picture(row(2)), picture(row(3), media=b"other")])
    assert [numbers(one.rows) for one in kept] == [[1], [3]] and numbers(refused) == [2]
    for changes, words in (({"label": "anger"}, "two labels (anger, fear)"), ({"subject_id": "p2"}, "two people")):
        kept, refused = agreeing_pictures([picture(row(1)), picture(row(2, **changes), row(3, **changes))])
        assert kept == () and numbers(refused) == [1, 2, 3] and words in refused[0].reason


def known(**changes: Any) -> SubjectRecord:
    facts = {"age_band": "18_29", "gender": "female", "skin_tone": 4, "ancestry": "white"}
    return SubjectRecord(**{"person": PERSON, "self_reported": True, "evidence": "real", **facts, **changes})


def test_an_empty_field_keeps_what_is_known_and_the_word_unknown_takes_it_back() -> None:
    rows = [row(1), row(2, age_band="30_44"), row(3, cleared=frozenset({"skin_tone"}))]
    after = record_from(rows, PERSON, known())
    assert after == known(age_band="30_44", skin_tone=None)
    told = [(one.row, one.change) for one in corrections_of_person(rows, known(), after)]
    assert told == [(2, "age 18_29 is now 30_44"), (3, "skin_tone 4 is now unknown")]
    assert corrections_of_person(rows, None, after) == ()
    assert record_from([row(1, gender="other")], PERSON, None).gender == "other"


def test_a_sample_on_record_takes_the_last_label_split_and_licence_and_tells_it() -> None:
    sample = Sample(
        sample_id="x", person=PERSON, shard="s", kind="image", frames=1, fps=0.0, label="fear", split="gate",
        source="first", licence_id="own", sha256="0" * 64,
    )  # fmt: skip
    assert corrected_sample(picture(row(1)), sample, "own") == (sample, ())
    after, told = corrected_sample(picture(row(1, label="anger", split="train"), row(2, label="anger")), sample, "new")
    assert (after.label, after.split, after.licence_id, after.source) == ("anger", "train", "new", "first")
    assert told[0].change == "label fear is now anger; split gate is now train; licence own is now new"
    assert numbers(told) == [1, 2]
