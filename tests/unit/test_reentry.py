"""Whoever may be somebody that was erased is asked about before anything is judged or written."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bitface.dataset.incoming.subject_ids import folded_id
from bitface.dataset.keys import KeyStore
from bitface.dataset.suppression import Suppression
from bitface.faces.media.same_picture import Marks
from bitface.steps.people.erasure_journal import BEGUN, journal_of
from bitface.steps.people.reentry import ALIKE, LEAVING, LOOKS_ALIKE, SEEN, Reentry, reentry

LOOK = np.random.default_rng(0).bytes(64)


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
    keys.destroy(person, "e1", keys.remains_of(person, "e1", pictures=[Marks(sha256="a" * 64, looks=(LOOK,))]))
    return reentry(keys, tmp_path)


def test_who_was_erased_is_refused_under_every_spelling_also_after_a_look(asked) -> None:
    spellings = ["p0", "P0", "p-0", "p_0", "pO"]
    assert asked.refused([*spellings, "p0x", "Anna_1"]).keys() == set(spellings)
    keys = asked.keys
    after = Reentry(keys=keys, erased=keys.suppression(), leaving=frozenset(), reviewed=frozenset(spellings))
    assert after.refused(spellings).keys() == set(spellings)


def test_a_new_id_that_is_another_person_s_in_another_spelling_is_asked_about(asked) -> None:
    assert asked.alike(["anna-1", "Anna_1", "ben", "B-en", "cleo"]) == dict.fromkeys(["anna-1", "ben", "B-en"], ALIKE)
    looked = Reentry(
        keys=asked.keys, erased=asked.erased, leaving=frozenset(), reviewed=frozenset({"anna-1", "ben", "B-en"})
    )
    assert looked.alike(["anna-1", "Anna_1", "ben", "B-en"]) == {}


def test_a_picture_of_somebody_who_was_erased_is_asked_about_under_any_id(asked) -> None:
    known, other = Marks(sha256="a" * 64), Marks(sha256="b" * 64)
    brought = [("p0x", other), ("p0x", known), ("ben", other)]
    assert asked.seen(brought) == {"p0x": SEEN}
    assert replace(asked, reviewed=frozenset({"p0x"})).seen(brought) == {}


def test_a_picture_that_looks_like_one_of_theirs_is_asked_about_and_the_book_holds_no_look(asked, tmp_path) -> None:
    """Of 32 bands 12 must be equal: 20 others and it is alike, 21 and it is not."""

    def changed(bands: int) -> Marks:
        return Marks(sha256="b" * 64, looks=(bytes(255 - byte for byte in LOOK[: 2 * bands]) + LOOK[2 * bands :],))

    assert asked.seen([("p0x", changed(20)), ("ben", changed(21))]) == {"p0x": LOOKS_ALIKE}
    assert asked.seen([("p0x", changed(0)), ("p0x", Marks(sha256="a" * 64))]) == {"p0x": SEEN}
    assert replace(asked, reviewed=frozenset({"p0x"})).seen([("p0x", changed(0))]) == {}
    book = (tmp_path / "keys" / "erased.json").read_text()
    assert not any(LOOK[at : at + 2].hex() * 2 in book or LOOK[at : at + 4].hex() in book for at in range(0, 60, 2))
    other = Suppression(b"another installation's", asked.erased.people)
    assert not other.holds_alike([LOOK]), "without the key nobody knows it again"


def test_who_is_being_erased_is_known_by_pictures_before_the_book_has_them(asked, tmp_path) -> None:
    """They leave the dataset first and the key is destroyed later: in between the journal alone knows."""
    person = asked.keys.pseudonym_of("Anna_1")
    remains = asked.keys.remains_of(person, "e2", pictures=[Marks(sha256="c" * 64, looks=(LOOK[::-1],))])
    begun = {"subjects": [person], "remains": {person: asdict(remains)}}
    journal_of(tmp_path, "e2", lambda: datetime(2026, 6, 1, tzinfo=UTC)).write(BEGUN, "done", begun)
    now = reentry(asked.keys, tmp_path)
    assert now.refused(["Anna_1"]) == {"Anna_1": LEAVING}
    assert now.seen([("new", Marks(sha256="c" * 64))]) == {"new": SEEN}
    assert now.seen([("new", Marks(sha256="d" * 64, looks=(LOOK[::-1],)))]) == {"new": LOOKS_ALIKE}


def test_who_is_being_erased_is_refused(asked) -> None:
    leaving = frozenset({asked.keys.pseudonym_of("Anna_1")})
    assert Reentry(keys=asked.keys, erased=asked.erased, leaving=leaving).refused(["Anna_1", "ben"]).keys() == {
        "Anna_1"
    }
