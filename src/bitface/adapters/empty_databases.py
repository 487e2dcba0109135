"""A tool's database as its migrations leave it, without a row of anybody's: they take seconds, and are done once for all homes."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bitface.dataset.files import write_once


@dataclass(frozen=True, kw_only=True)
class EmptyDatabase:
    """An SQLite database that a version of a tool begins with, kept in the cache.

    `own_tables` are those that the tool fills by itself. Where any other one has a row, the database is neither kept nor used.
    """

    cache: Path
    tool: str
    own_tables: Collection[str]

    @property
    def kept(self) -> Path:
        """The copy: of this version of the tool, since another one migrates differently."""
        return self.cache / "databases" / f"{self.tool}-{version(self.tool)}.db"

    def begin(self, database: Path) -> bool:
        """Puts the copy where there is no database yet; True where there still is none then: `keep` the one that the tool makes."""
        if database.exists():
            return False
        if not self.kept.is_file() or not self._is_empty(self.kept):
            return True
        write_once(database, self.kept.read_bytes())
        return False

    def keep(self, database: Path) -> None:
        """Copies a database that the tool has just made. Where that cannot be, the next home waits for the migrations again."""
        with contextlib.suppress(OSError, sqlite3.Error), tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "empty.db"
            with closing(sqlite3.connect(database)) as made:
                made.execute("VACUUM INTO ?", (str(copy),))
            if self._is_empty(copy):
                self.kept.unlink(missing_ok=True)
                write_once(self.kept, copy.read_bytes())

    def _is_empty(self, database: Path) -> bool:
        """False, too, for what SQLite cannot read: a copy that rotted is made again."""
        try:
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
                tables = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                others = [name for name in tables if name not in self.own_tables and not name.startswith("sqlite_")]
                filled = [name for name in others if opened.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()]  # noqa: S608 - its own names
                sound = opened.execute("PRAGMA quick_check").fetchone() == ("ok",)
        except sqlite3.Error:
            return False
        return bool(tables) and sound and not filled
