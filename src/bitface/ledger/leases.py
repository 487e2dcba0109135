"""One retrain at a time: a lease that expires by itself, with a number that only grows, so that a former holder can change nothing.

The number is a fencing token (Kleppmann, 2016, "How to do distributed locking"): a promotion names the one that it
started under, and is refused once another holder has taken the lease, however long the first one was asleep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, insert, select, update

from bitface.consent.events import utc_text, utc_time
from bitface.errors import GateError, InputError
from bitface.ledger import tables


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The exclusive right to a named task until `expires_at`. `token` is larger than that of every earlier lease of the name."""

    name: str
    holder: str
    token: int
    expires_at: datetime


class LeaseHeldError(InputError):
    """Another holder has the lease."""


class LeaseLostError(GateError):
    """The lease expired and another holder took it: work begun under it must not take effect."""


def take(
    connection: Connection, name: str, holder: str, lasts: timedelta, at: datetime, is_gone: Callable[[str], bool]
) -> Lease:
    """Takes a lease that is free or expired, or whose holder is known to have ended.

    Raises:
        LeaseHeldError: another holder has it.
    """
    table = tables.leases
    held = connection.execute(select(table).where(table.c.name == name)).mappings().first()
    if held is None:
        lease = Lease(name=name, holder=holder, token=1, expires_at=at + lasts)
        connection.execute(insert(table), _row(lease))
        return lease
    if not _is_free(held, at, is_gone):
        raise LeaseHeldError(f"a {name} is already running ({held['holder']}); wait for it to finish, then run again")
    lease = Lease(name=name, holder=holder, token=held["token"] + 1, expires_at=at + lasts)
    connection.execute(update(table).where(table.c.name == name).values(**_row(lease)))
    return lease


def is_held(connection: Connection, name: str, at: datetime, is_gone: Callable[[str], bool]) -> bool:
    """Whether anyone has the lease now."""
    held = connection.execute(select(tables.leases).where(tables.leases.c.name == name)).mappings().first()
    return held is not None and not _is_free(held, at, is_gone)


def renew(connection: Connection, lease: Lease, lasts: timedelta, at: datetime) -> Lease:
    """Renews a lease that is still held. Raises LeaseLostError if another holder took it."""
    check(connection, lease)
    prolonged = Lease(name=lease.name, holder=lease.holder, token=lease.token, expires_at=at + lasts)
    connection.execute(update(tables.leases).where(tables.leases.c.name == lease.name).values(**_row(prolonged)))
    return prolonged


def give_back(connection: Connection, lease: Lease) -> None:
    """Ends a lease; does nothing if another holder has it by now. The number is kept, so that it only grows."""
    table = tables.leases
    own = (table.c.name == lease.name) & (table.c.token == lease.token)
    connection.execute(update(table).where(own).values(holder=""))


def check(connection: Connection, lease: Lease) -> None:
    """Raises LeaseLostError unless the lease is the latest of that name."""
    token = connection.execute(select(tables.leases.c.token).where(tables.leases.c.name == lease.name)).scalar()
    if token != lease.token:
        raise LeaseLostError(
            f"this {lease.name} was overtaken by a later one (its number is {lease.token}, the latest is {token}); "
            "its results are on record but not used, run again"
        )


def _is_free(held: RowMapping, at: datetime, is_gone: Callable[[str], bool]) -> bool:
    return bool(held["holder"] == "" or utc_time(held["expires_at"]) <= at or is_gone(held["holder"]))


def _row(lease: Lease) -> Mapping[str, object]:
    return {
        "name": lease.name,
        "holder": lease.holder,
        "token": lease.token,
        "expires_at": utc_text(lease.expires_at),
    }
