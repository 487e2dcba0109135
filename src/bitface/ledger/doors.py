"""The doors through which every use of a version or a picture goes: each reads a ledger whose integrity was checked, and `use` decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from bitface.consent.admission import Use
from bitface.ledger import status, use
from bitface.ledger.crowd import Refusals, crowd_of
from bitface.ledger.engine import reading
from bitface.ledger.entries import ModelEntry
from bitface.ledger.moments import explained_by, moments_at
from bitface.ledger.status import ModelStatus
from bitface.ledger.trusted_log import TrustedLog


class Doors(TrustedLog):
    """Answers whether a version or a picture may be used now, and what its status is."""

    def check_use(self, model: ModelEntry, purpose: str, context: str) -> None:
        """Checks that a version may be used now. Raises what `use.check_use` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_use(connection, model, purpose, context, at, self._erased)

    def check_any_use(self, purpose: str, context: str) -> None:
        """Checks that some version may be used now. Raises what `use.check_any` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_any(connection, purpose, context, at)

    def check_picture(self, person: str, licence_id: str | None, asked: Use) -> None:
        """Checks that a picture of a person may be used now. Raises what `use.check_picture` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_picture(connection, person, licence_id, asked, at)

    def check_lawful(self, model: ModelEntry) -> None:
        """Raises what `use.check_lawful` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_lawful(connection, model, at, self._erased)

    def check_judged(self, model: ModelEntry) -> None:
        """Raises what `use.check_judged` raises."""
        with self._asking() as (connection, moments):
            for at in moments:
                use.check_judged(connection, model, at, self._erased)

    def refusing_judgement(self, dataset_version: str) -> frozenset[str]:
        """The people in a dataset version who currently do not allow that it is judged."""
        with self._asking() as (connection, moments):
            return frozenset().union(*(use.refusing_judgement(connection, dataset_version, at) for at in moments))

    def is_lawful(self, model: ModelEntry) -> bool:
        """Whether a version may be used at all."""
        with self._asking() as (connection, moments):
            return all(use.is_lawful(connection, model, at, self._erased) for at in moments)

    def status(self, model: ModelEntry) -> ModelStatus:
        """The current status of a registered version: the gate's decision, its alias, and what it may be used for."""
        with reading(self._to_read) as connection:
            back, moments = use.returned(connection, model, self._erased), moments_at(connection, self._clock())
            found = status.status_of(connection, model, moments[-1], is_back=back > 0)
        return replace(found, at=moments[0].isoformat(timespec="seconds"))

    def standing(self, model: ModelEntry, at: datetime) -> Refusals | None:
        """The people in a version who no longer allow what it was made for, at `at` or the latest time in the log; None if all do."""
        with reading(self._to_read) as connection:
            return crowd_of(connection, model).standing(moments_at(connection, at)[-1])

    @contextmanager
    def _asking(self) -> Iterator[tuple[Connection, tuple[datetime, ...]]]:
        """A trusted transaction, and the moments at which a use must be allowed."""
        with self._trusting() as connection:
            moments = moments_at(connection, self._clock())
            with explained_by(*moments):
                yield connection, moments
