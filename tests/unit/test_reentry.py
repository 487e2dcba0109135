"""Whoever may be somebody that was erased is asked about before anything is judged or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitface.dataset.keys import KeyStore
from bitface.dataset.subject_ids import folded_id
from bitface.steps.reentry import ALIKE, SEEN, Reentry, reentry


@pytest.mark.parametrize(
    ("one", "other", "are_alike"),
    [
        ("p0", "P0", True),
        ("p0", "p-0", True),
        ("p0", "p_0", True),
        ("p0", "pO", True),
        ("p0", "\uff50\uff10", True),
        ("l-1", "I1", True),
        ("p0", "p0x", False),
        ("p1", "p11", False),
        ("-", "_", False),
        ("p1", "p2", False),
    ],
)
def test_spellings_of_one_id_fold_to_one(one: str, other: str, are_alike: bool) -> None:
    assert (folded_id(one) == folded_id(other)) is are_alike


@pytest.fixture
def asked(tmp_path: Path) -> Reentry:
    """Somebody was erased as `p0`, with one picture; `Anna_1` is here."""
    keys = KeyStore(tmp_path / "keys")
    keys.enrol("Anna_1")
    person = keys.enrol("p0")
    keys.destroy(person, "e1", keys.remains_of(person, "e1", pictures=["a" * 64]))
    return reentry(keys, tmp_path)


def test_who_was_erased_is_refused_under_every_spelling_also_after_a_look(asked) -> None:
    spellings = ["p0", "P0", "p-0", "p_0", "pO"]
    assert asked.refused([*spellings, "p0x", "Anna_1"]).keys() == set(spellings)
    keys = asked.keys
    after = Reentry(keys=keys, gone=keys.suppression(), leaving=frozenset(), reviewed=frozenset(spellings))
    assert after.refused(spellings).keys() == set(spellings)


def test_a_new_id_that_is_another_person_s_in_another_spelling_is_asked_about(asked) -> None:
    assert asked.alike(["anna-1", "Anna_1", "ben", "B-en", "cleo"]) == dict.fromkeys(["anna-1", "ben", "B-en"], ALIKE)
    looked = Reentry(
        keys=asked.keys, gone=asked.gone, leaving=frozenset(), reviewed=frozenset({"anna-1", "ben", "B-en"})
    )
    assert looked.alike(["anna-1", "Anna_1", "ben", "B-en"]) == {}


def test_a_picture_of_somebody_who_was_erased_is_asked_about_under_any_id(asked) -> None:
    brought = [("p0x", "b" * 64), ("p0x", "a" * 64), ("ben", "b" * 64)]
    assert asked.seen(brought) == {"p0x": SEEN}
    assert (
        Reentry(keys=asked.keys, gone=asked.gone, leaving=frozenset(), reviewed=frozenset({"p0x"})).seen(brought) == {}
    )


def test_who_is_being_erased_is_refused(asked) -> None:
    leaving = frozenset({asked.keys.pseudonym_of("Anna_1")})
    assert Reentry(keys=asked.keys, gone=asked.gone, leaving=leaving).refused(["Anna_1", "ben"]).keys() == {"Anna_1"}
