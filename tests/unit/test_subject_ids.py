"""Under whichever spelling an id is typed, it is the same person's, in every question."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitface.dataset.incoming.subject_ids import id_or_none, normal_id
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError, RefusedError
from tests.builders import read_manifest

SPELLINGS = ("P-7", "\uff30-\uff17", " P-7\t", "P-7\r", "\ufeffP-7", "P-7\u200b", "\u00a0P\uff0d7\u3000", "P\u00ad-7")


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings_of_one_id_are_one_person_to_the_key_store(tmp_path: Path, text: str) -> None:
    keys = KeyStore(tmp_path / "keys")
    person = keys.enrol("P-7")
    assert keys.enrol(text) == keys.pseudonym_of(text) == person
    assert keys.people() == 1
    keys.destroy(person, "e1")
    assert keys.erasure_of(text) == "e1" and keys.pseudonym_of(text) is None
    with pytest.raises(RefusedError, match="erased"):
        keys.enrol(text)


def test_case_tells_people_apart() -> None:
    assert normal_id("p1") != normal_id("P1")


@pytest.mark.parametrize("text", ["", " ", "p 1", "p.1", "../p1", "Zoë", "p1\0", "x" * 65, "p\u20131", "\ud800"])
def test_what_cannot_be_an_id_is_refused_without_being_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="1 to 64 of") as refused:
        normal_id(text)
    assert not text.strip() or text not in str(refused.value)
    keys = KeyStore(tmp_path / "keys")
    keys.enrol("somebody")
    assert id_or_none(text) is keys.pseudonym_of(text) is keys.erasure_of(text) is None


@given(st.text(max_size=80))
def test_the_normal_form_is_its_own_and_does_not_depend_on_composition(text: str) -> None:
    normal = id_or_none(text)
    if normal is not None:
        assert normal_id(normal) == normal
        assert normal_id(unicodedata.normalize("NFD", text)) == normal_id(unicodedata.normalize("NFC", text)) == normal


@pytest.mark.parametrize(
    "cell", ["1,23E+11", "1.5e10", "1E+05", "####", "#NAME?", "#REF!", "#N/A", "#WERT!", "#NV", "#DIV/0!"]
)
def test_an_id_that_a_spreadsheet_broke_is_asked_for_again_and_not_for_what_is_left_of_it(
    cell: str, tmp_path: Path
) -> None:
    """All rows would get one id, and one person's withdrawal would be everybody's."""
    (tmp_path / "a.jpg").touch()
    (tmp_path / "manifest.csv").write_text(f'path,subject_id,label\na.jpg,"{cell}",fear\n')
    _, (refused,) = read_manifest(tmp_path / "manifest.csv", tmp_path)
    assert "a spreadsheet has put this in place of the id; format the column as text" in refused.reason


@pytest.mark.parametrize("cell", ["17.0", "17,00"])
def test_an_id_with_the_decimals_of_a_table_of_numbers_is_asked_for_without(cell: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "manifest.csv").write_text(f'path,subject_id,label\na.jpg,"{cell}",fear\n')
    _, (refused,) = read_manifest(tmp_path / "manifest.csv", tmp_path)
    assert "write '17', without decimals" in refused.reason
