"""The only way into the ledger: every write appends to the chain in its own transaction, and none is ever done twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bitface.ledger import leases
from bitface.ledger.doors import Doors
from bitface.ledger.recorded.aliases_on_record import AliasesOnRecord
from bitface.ledger.recorded.people_on_record import PeopleOnRecord
from bitface.ledger.recorded.permissions_on_record import PermissionsOnRecord


class Ledger(PeopleOnRecord, AliasesOnRecord, PermissionsOnRecord, Doors):
    """A ledger behind an SQLAlchemy URL; opened at first use, closed by `close()` or at the end of a `with` block.

    `clock` gives the time of each entry. Every `record_...` returns whether it wrote anything: recording the same value
    again is allowed and has no effect; recording a different one under the same key is an IntegrityError. What it records and
    answers is in its bases, one for each kind; here is only the right to a task.
    """

    def take_lease(self, name: str, holder: str, lasts: timedelta, is_gone: Callable[[str], bool]) -> leases.Lease:
        """Takes a lease, the exclusive right to a task. Raises what `leases.take` raises."""
        with self._appending() as connection:
            return leases.take(connection, name, holder, lasts, self._clock(), is_gone)

    def is_leased(self, name: str, is_gone: Callable[[str], bool]) -> bool:
        """Whether anyone has the right to a task now."""
        with self._trusting() as connection:
            return leases.is_held(connection, name, self._clock(), is_gone)

    def renew_lease(self, lease: leases.Lease, lasts: timedelta) -> leases.Lease:
        """Renews a lease. Raises what `leases.renew` raises."""
        with self._appending() as connection:
            return leases.renew(connection, lease, lasts, self._clock())

    def give_back_lease(self, lease: leases.Lease) -> None:
        """Ends a lease."""
        with self._appending() as connection:
            leases.give_back(connection, lease)
