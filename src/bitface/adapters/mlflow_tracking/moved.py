"""Updates MLflow's absolute file addresses after the home was moved or copied, so that they point into it again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

_ADDRESSES: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow 3 stores them; it has no call to change one."""


def move_addresses(database: Path, before: str, after: str) -> None:
    """Rewrites every address that is `before` or below it, in one transaction; others stay. Addresses have no trailing slash."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in _ADDRESSES:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # noqa: S608 - constant names
                (after, len(before) + 1, before, len(before) + 1, f"{before}/"),
            )
