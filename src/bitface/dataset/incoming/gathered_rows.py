"""Gathers what a set says into rows of a manifest: each picture is taken, or refused under the name of what is odd about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from bitface.counted_words import counted
from bitface.dataset.incoming.import_rows import QuarantinedRow
from bitface.dataset.incoming.manifest_columns import COLUMNS
from bitface.dataset.incoming.oddities import SAYS
from bitface.dataset.incoming.text_files import Table, TableRow
from bitface.errors import InputError
from bitface.faces.media.file_kinds import READ, kind_by_name


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

    def refuse(self, number: int, finding: str, why: str = "", line: int | None = None, file: str = "") -> None:
        """A row that is not taken; `why` where the finding alone does not say it, `file` where the row is a file."""
        reason = why or _other_format(finding, file) or SAYS[finding]
        self.refused.append(QuarantinedRow(row=number, reason=reason, line=line, finding=finding, file=file))

    def table(self, name: str, looked_for: str) -> Table:
        """The rows that were taken.

        Raises:
            InputError: there is none; the message says how many were refused, the first reason, and what was looked for.
        """
        if not self.usable:
            why = f"{self.refused[0].where}: {self.refused[0].reason}" if self.refused else "it is empty"
            raise InputError(
                f"no picture of this source can be imported ({counted(len(self.refused), 'row')}; {why}); name the folder that "
                f"holds {looked_for} "
                "(docs/datasets.md)"
            )
        return Table(
            name=name, columns=COLUMNS, separator=",", rows=tuple(sorted(self.usable, key=lambda row: row.number))
        )


def _other_format(finding: str, file: str) -> str:
    """What to do with a picture or a video that only has to be saved otherwise; empty for notes and files of the system."""
    kind = kind_by_name(PurePath(file).suffix) if finding == "not_a_picture" else None
    if kind is None or kind.name in READ:  # a file of the system, such as ._a.png
        return ""
    remedy = "export it as" if kind.medium == "picture" else "save its frames as"
    return f"the {kind.medium} is in the format {kind.name} by its name; {remedy} {', '.join(READ)}"
