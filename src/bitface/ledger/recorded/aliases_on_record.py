"""Which version is champion, challenger or demo, and every move of an alias: promotion is one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from bitface.ledger import promotion, questions, tables, use
from bitface.ledger.engine import reading
from bitface.ledger.entries import MODEL_NAME, Alias, ModelEntry, Promotion
from bitface.ledger.moments import explained_by, moments_at
from bitface.ledger.recorded.versions_on_record import VersionsOnRecord
from bitface.ledger.rows import values_of


class AliasesOnRecord(VersionsOnRecord):
    """Moves an alias to a version, and knows where each pointed and when."""

    def promote(self, move: promotion.Move) -> Promotion:
        """Moves an alias from `expected_previous` (None: it points nowhere) to `to_version`, in one transaction.

        A repeated call returns the record of the first. Raises what `promotion.move_alias` raises.
        """
        kept = self.kept_ends()
        with self._appending() as connection:
            self._check(connection, self._state(), kept)
            self._check_people(connection, move.to_version, move.name)
            return promotion.move_alias(connection, move, self._clock())

    def champion(self, alias: Alias = "champion", name: str = MODEL_NAME) -> ModelEntry | None:
        """The version that an alias (champion by default) points to, if any."""
        with reading(self._to_read) as connection:
            version = promotion.current_version(connection, name, alias)
        return None if version is None else self.model(version, name)

    def promotions(self, alias: Alias = "champion", name: str = MODEL_NAME) -> tuple[Promotion, ...]:
        """Every move of an alias, oldest first: its actor, time, origin and decision."""
        with reading(self._to_read) as connection:
            return promotion.promotions(connection, name, alias)

    def alias_periods(self, until: datetime | None = None) -> tuple[questions.AliasPeriod, ...]:
        """Every period in which an alias pointed to a version; as known at `until`."""
        with reading(self._to_read) as connection:
            return questions.alias_periods(connection, until)

    def _check_people(self, connection: Connection, version: int, name: str) -> None:
        """Raises RefusedError if people in a version do not allow an alias to point to it."""
        own = (tables.models.c.name == name) & (tables.models.c.version == version)
        row = connection.execute(select(tables.models).where(own)).mappings().first()
        if row is None:
            return
        model, moments = ModelEntry(**values_of(row, ModelEntry)), moments_at(connection, self._clock())
        with explained_by(*moments):
            for at in moments:
                use.check_standing(connection, model, at, self._erased)
