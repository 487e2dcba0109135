"""Gathers what a set says into rows of a manifest: each picture is taken, or refused under the name of what is odd about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bitface.counted_words import counted
from bitface.dataset.incoming.import_rows import QuarantinedRow
from bitface.dataset.incoming.manifest_columns import COLUMNS
from bitface.dataset.incoming.oddities import SAYS
from bitface.dataset.incoming.text_files import Table, TableRow
from bitface.errors import InputError


@dataclass(frozen=True, kw_only=True)
class GatheredRows:
    """What was read so far: rows in the columns of a manifest, rows that were refused, and findings on those that were taken."""

    usable: list[TableRow] = field(default_factory=list)
    refused: list[QuarantinedRow] = field(default_factory=list)
    found: list[tuple[str, int]] = field(default_factory=list)

    def take(
        self, number: int, values: Mapping[str, str], remarks: Iterable[str] = (), line: int | None = None
    ) -> None:
        """A row, with the findings that do not keep it out."""
        self.usable.append(TableRow(number=number, line=line or number, values=dict(values), fault=None))
        self.found.extend((name, number) for name in remarks)

    def refuse(self, number: int, finding: str, why: str = "", line: int | None = None) -> None:
        """A row that is not taken; `why` where the finding alone does not say it."""
        self.refused.append(QuarantinedRow(row=number, reason=why or SAYS[finding], line=line, finding=finding))

    def table(self, name: str, looked_for: str) -> Table:
        """The rows that were taken.

        Raises:
            InputError: there is none; the message says how many were refused, the first reason, and what was looked for.
        """
        if not self.usable:
            why = f"row {self.refused[0].row}: {self.refused[0].reason}" if self.refused else "it is empty"
            raise InputError(
                f"no picture of this source can be imported ({counted(len(self.refused), 'row')}; {why}); name the folder that "
                f"holds {looked_for} "
                "(docs/datasets.md)"
            )
        return Table(
            name=name, columns=COLUMNS, separator=",", rows=tuple(sorted(self.usable, key=lambda row: row.number))
        )
