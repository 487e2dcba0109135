"""What a tool's migrations make is kept for the next home, and nothing else ever is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bitface.adapters.empty_databases import EmptyDatabase


def migrated(database: Path, *more: str) -> Path:
    """A database as a tool leaves it: the table of its revision with a row, and one for everybody's data."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database)) as made:
        made.executescript("CREATE TABLE revision (name); INSERT INTO revision VALUES ('r1'); CREATE TABLE runs (name)")
        made.executescript(";".join(more))
    return database


@pytest.fixture
def empty(tmp_path: Path) -> EmptyDatabase:
    """pytest stands for the tool: its version is in the copy's name."""
    return EmptyDatabase(cache=tmp_path / "cache", tool="pytest", own_tables=("revision",))


def tables(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as opened:
        return [name for (name,) in opened.execute("SELECT name FROM sqlite_master ORDER BY name")]


def test_the_second_home_begins_with_what_the_first_one_s_migrations_made(empty, tmp_path: Path) -> None:
    first, second = tmp_path / "first" / "tool.db", tmp_path / "second" / "tool.db"
    assert empty.begin(first) and not first.exists(), "nothing is kept yet: the tool makes it"
    empty.keep(migrated(first))
    assert not empty.begin(second)
    assert tables(second) == ["revision", "runs"]
    assert pytest.__version__ in empty.kept.name, "another version migrates differently"


def test_a_database_that_is_there_stays(empty, tmp_path: Path) -> None:
    empty.keep(migrated(tmp_path / "first.db"))
    theirs = migrated(tmp_path / "theirs.db", "INSERT INTO runs VALUES ('mine')")
    before = theirs.read_bytes()
    assert not empty.begin(theirs)
    assert theirs.read_bytes() == before


def test_one_that_holds_somebody_s_row_is_not_kept(empty, tmp_path: Path) -> None:
    """Another command on the same new home may have begun to work meanwhile."""
    empty.keep(migrated(tmp_path / "first.db", "INSERT INTO runs VALUES ('mine')"))
    assert not empty.kept.exists()


@pytest.mark.parametrize("damage", ["rows", "cut", "no database", "nothing in it"])
def test_a_copy_that_is_not_an_empty_database_is_not_used_and_made_again(empty, tmp_path: Path, damage: str) -> None:
    made = migrated(tmp_path / "first.db")
    empty.keep(made)
    whole = empty.kept.read_bytes()
    if damage == "rows":
        with closing(sqlite3.connect(empty.kept)) as opened:
            opened.executescript("INSERT INTO runs VALUES ('mine')")
    else:
        empty.kept.write_bytes(
            {"cut": whole[: len(whole) // 2], "no database": b"x" * 5000, "nothing in it": b""}[damage]
        )
    second = tmp_path / "second.db"
    assert empty.begin(second) and not second.exists()
    empty.keep(made)
    assert not empty.begin(second) and tables(second) == ["revision", "runs"]


def test_where_the_cache_cannot_be_written_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    empty = EmptyDatabase(cache=tmp_path / "file", tool="pytest", own_tables=("revision",))
    assert empty.begin(tmp_path / "tool.db")
    empty.keep(migrated(tmp_path / "tool.db"))
