"""What a path says is filled in where it is clear, and left to a person where two readings are possible."""

from __future__ import annotations

import pytest

from bitface.dataset.incoming.folder_names import alike_ids, guesses_of, subject_pattern_of
from bitface.errors import InputError


def one(path: str, pattern: str | None = None) -> tuple[str, str, str]:
    (found,) = guesses_of([path], subject_pattern_of(pattern))
    return found.subject_id, found.label, found.split


@pytest.mark.parametrize(
    ("path", "subject", "label", "split"),
    [
        ("anna_happy_1.jpg", "anna", "happiness", ""),
        ("P01-sad-003.png", "P01", "sadness", ""),
        ("happy/anna_1.jpg", "anna", "happiness", ""),
        ("anna/happy/1.jpg", "anna", "happiness", ""),
        ("happy/anna/1.jpg", "anna", "happiness", ""),
        ("photos/anna/fear/IMG_0042.jpg", "anna", "fear", ""),
        ("train/anna/surprised/DSC01.jpg", "anna", "surprise", "train"),
        ("Testing/neutral/b2_7.webp", "b2", "neutral", "test"),
        ("anna/anna_happy_1.jpg", "anna", "happiness", ""),
        ("anna/happy/happy (3).jpg", "anna", "happiness", ""),
    ],
)
def test_what_is_clear_is_read(path: str, subject: str, label: str, split: str) -> None:
    assert one(path) == (subject, label, split)


@pytest.mark.parametrize(
    ("path", "subject", "label", "why"),
    [
        ("happy/1.jpg", "", "happiness", "neither folder nor file name"),
        ("IMG_0042.jpg", "", "", "neither folder nor file name"),
        ("studio/anna_happy_1.jpg", "", "happiness", "anna or studio"),
        ("anna_maria_happy.jpg", "", "happiness", "anna or maria"),
        ("anna/happy_sad.jpg", "anna", "", "happiness or sadness"),
        ("anna/1.jpg", "anna", "", "no emotion"),
        ("x1/-1+1/happy/1.jpg", "", "happiness", "-1+1 or x1"),
        ("happy/-anna/1.jpg", "", "happiness", "begins as a formula"),
        ("di/1.jpg", "di", "", "no emotion"),
    ],
)
def test_what_is_not_clear_is_left_to_a_person(path: str, subject: str, label: str, why: str) -> None:
    (found,) = guesses_of([path])
    assert (found.subject_id, found.label) == (subject, label)
    assert any(why in doubt for doubt in found.doubts)


def test_a_person_in_two_parts_is_in_none() -> None:
    found = guesses_of(["train/anna/fear/1.jpg", "test/anna/fear/2.jpg", "test/bo/fear/1.jpg"])
    assert [guess.split for guess in found] == ["", "", "test"]
    assert "several parts" in found[0].doubts[-1]


def test_a_word_in_every_name_is_nobodys_id() -> None:
    found = guesses_of(["anna/front_happy.jpg", "bo/front_sad.jpg"])
    assert [guess.subject_id for guess in found] == ["anna", "bo"]
    assert [guess.subject_id for guess in guesses_of(["happy/anna_1.jpg", "happy/anna_2.jpg"])] == ["anna", "anna"]


def test_a_pattern_finds_the_person_in_the_file_name_and_else_in_the_path() -> None:
    assert one("happy/S12_x_y.jpg", "^(S[0-9]+)_") == ("S12", "happiness", "")
    assert one("site7/S12/happy/x.jpg", "/(S[0-9]+)/") == ("S12", "happiness", "")
    assert one("happy/other.jpg", "^(S[0-9]+)_") == ("", "happiness", "")


@pytest.mark.parametrize("pattern", ["(", "(a)(b)"])
def test_a_pattern_that_finds_no_one_person_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="--subject-pattern"):
        subject_pattern_of(pattern)


def test_ids_that_may_be_one_person_are_named() -> None:
    assert alike_ids(["anna", "Anna", "bo", "P-0", "pO"]) == (("Anna", "anna"), ("P-0", "pO"))
