"""A manifest of a million rows is read in memory and work that grow with its rows, and no faster: the files may be there or not."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitface.dataset.incoming.import_rows import grouped
from bitface.dataset.incoming.import_rules import agreeing_files, contradicted_people
from bitface.dataset.keyring import erased_book
from bitface.dataset.keys import KeyStore
from bitface.dataset.suppression import Suppression
from tests.builders import read_manifest

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
BYTES_A_ROW = 2 << 10
"""A million rows then take 2 GiB."""


def manifest_of(folder: Path, rows: int, named: str) -> Path:
    """Ten rows a person, each with a file in one folder, where `named` is how they are called there."""
    (folder / "faces").mkdir(parents=True)
    lines = []
    for row in range(rows):
        person = row % (rows // 10)
        name = f"faces/{row:07d}.jpg"
        (folder / name.replace(".jpg", named)).touch()
        lines.append(f"{name},p{person:06d},{LABELS[row % 7]},{18 + person % 60},{'female' if person % 2 else 'male'}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(["path,subject_id,label,age,gender", *lines]) + "\n")
    return path


def validated(manifest: Path) -> int:
    """Reads and judges a manifest up to the first picture; how many rows are left."""
    usable, rejected = read_manifest(manifest, manifest.parent)
    assert not contradicted_people(usable)
    agreeing, doubled = agreeing_files(usable)
    assert len(agreeing) + len(doubled) + len(rejected) == manifest.read_text().count("\n") - 1
    return sum(len(samples) for samples in grouped(agreeing).values())


@pytest.fixture
def calls() -> Iterator[list[int]]:
    """How many functions, of Python and of C, were called since the fixture was made."""
    count, before = [0], sys.getprofile()

    def counted(_frame: object, event: str, _said: object) -> None:
        count[0] += event in ("call", "c_call")

    sys.setprofile(counted)
    yield count
    sys.setprofile(before)


@pytest.mark.parametrize("named", [".jpg", ".JPG", ".png"], ids=["there", "in another case", "not there"])
def test_the_work_of_a_manifest_grows_as_its_rows(tmp_path: Path, calls: list[int], named: str) -> None:
    """Also where none of the files is there, beside as many others: each was once compared with all of these."""
    work = []
    for rows in (200, 800):
        manifest = manifest_of(tmp_path / str(rows), rows, named)
        before = calls[0]
        assert validated(manifest) == (0 if named == ".png" else rows)
        work.append(calls[0] - before)
    assert work[1] < 5 * work[0]


@pytest.mark.parametrize("named", [".jpg", ".png"], ids=["there", "not there"])
def test_a_million_rows_take_less_than_two_gigabytes(tmp_path: Path, named: str) -> None:
    """By the row: what is the same in every row is there once, and no second copy of the table is made."""
    rows = 1000
    manifest = manifest_of(tmp_path, rows, named)
    # What is imported, and the interpreter's table of names, which may be about to double by what other tests left in it: none is of rows.
    validated(manifest)
    tracemalloc.start()
    try:
        validated(manifest)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / rows < BYTES_A_ROW


def test_a_word_of_every_row_is_in_memory_once(tmp_path: Path) -> None:
    usable, _ = read_manifest(manifest_of(tmp_path, 200, ".jpg"), tmp_path)
    assert len({id(row.subject_id) for row in usable}) == 20
    assert len({id(row.span) for row in usable}) == 1


def test_the_erased_are_looked_through_once_for_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ids are asked for; and again where another person is erased meanwhile, also by another process."""
    store = KeyStore(tmp_path / "keys")
    for subject in ("p1", "p2", "p3"):
        store.destroy(store.enrol(subject), f"erasure of {subject}")
    made: list[object] = []
    monkeypatch.setattr(erased_book, "Suppression", lambda *said: made.append(said) or Suppression(*said))
    asked = KeyStore(tmp_path / "keys")
    for number in range(100):
        assert asked.erasure_of(f"q{number}") is None
    assert asked.erasure_of("p2") == "erasure of p2"
    assert len(made) == 1
    person = asked.enrol("q5")
    KeyStore(tmp_path / "keys").destroy(person, "later")
    assert asked.erasure_of("q5") == "later" and asked.erasure_of("p1") == "erasure of p1"
