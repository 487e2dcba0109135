"""Sentences that count are right for none, one, some and all."""

from __future__ import annotations

import pytest

from bitface.counted_words import counted, counted_people, not_read, some_of


@pytest.mark.parametrize(
    ("lost", "read", "of", "said"),
    [
        (1, 0, 1, "the input could not be read"),
        (2, 0, 2, "none of the 2 inputs could be read"),
        (1, 1, 2, "1 of 2 inputs could not be read, 1 could"),
        (2, 3, 5, "2 of 5 inputs could not be read, 3 could"),
        (1, 0, 2, "1 of 2 inputs could not be read"),
    ],
)
def test_what_could_not_be_read_is_counted_and_what_could_is_not_made_up(
    lost: int, read: int, of: int, said: str
) -> None:
    """`all others were` stood where there were no others, and where the others were notes that nobody reads."""
    assert not_read(lost, read, of) == said


def test_a_count_has_its_own_noun_and_verb() -> None:
    assert [counted(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [counted_people(n) for n in (0, 1, 2)] == ["0 people", "1 person", "2 people"]
    assert counted(1, "person is", "people are") == "1 person is"
    verbs = ("is", "are")
    assert some_of(1, 12, verbs, " in it") == "1 of 12 people in it is" and some_of(1, 1, verbs) == "1 of 1 person is"
    assert some_of(2, 12, verbs) == "2 of 12 people are"
