"""The times that count: that of the clock and, if later, that of the log, so that a clock set back revives nothing that had ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bitface.errors import RefusedError
from bitface.ledger import chain

CLOCKS_APART: Final = timedelta(minutes=1)
"""Clocks that differ by less than this count as equal."""


def utc_now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def moments_at(connection: Connection, at: datetime) -> tuple[datetime, ...]:
    """`at` and, if the log has a later time, then that one as well."""
    latest = chain.latest_at(connection)
    return (at,) if latest is None or latest <= at else (at, latest)


@contextmanager
def explained_by(*moments: datetime) -> Iterator[None]:
    """Adds to a refusal that the log is ahead of the clock, if it is."""
    try:
        yield
    except RefusedError as error:
        behind = clock_behind(moments[0], moments[-1])
        if not behind:
            raise
        raise RefusedError(f"{error}; {behind}") from error


def clock_behind(clock: datetime, latest: datetime | None) -> str:
    """A warning that a clock is more than a minute behind the latest time in the log, and its effect; empty if it is not."""
    if latest is None or latest - clock <= CLOCKS_APART:
        return ""
    behind = timedelta(seconds=round((latest - clock).total_seconds()))
    return (
        f"the clock of this machine is {behind} behind the log: one of the two is or was wrong. What had ended by the log's time counts as "
        "over until a consent that ends later; set the clock where it is this one"
    )
