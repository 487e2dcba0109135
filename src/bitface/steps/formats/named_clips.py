"""What sets of acted clips have in common: a file's name says who acts what, and each file is a row that is taken or refused by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from bitface.counted_words import counted
from bitface.dataset.incoming.import_rows import QuarantinedRow
from bitface.dataset.incoming.oddities import SAYS, Finding, findings_of, found
from bitface.dataset.incoming.text_files import Table, TableRow
from bitface.faces.emotions import EMOTIONS
from bitface.steps.people.sources import Brought

COLUMNS: Final = ("path", "subject_id", "label", "age", "gender", "ethnicity")
_EVERY_SET_HAS: Final = frozenset(EMOTIONS) - {"contempt"}


@dataclass(frozen=True, kw_only=True)
class NamedClips:
    """What was read so far: rows in the columns of a manifest, files that were refused, and findings."""

    usable: list[TableRow] = field(default_factory=list)
    refused: list[QuarantinedRow] = field(default_factory=list)
    remarks: list[tuple[str, int]] = field(default_factory=list)

    def take(self, number: int, values: dict[str, str], remarks: Iterable[str]) -> None:
        """Takes a clip over, with what is odd about it."""
        self.usable.append(TableRow(number=number, line=number, values=values, fault=None))
        self.remarks.extend((name, number) for name in remarks)

    def refuse(self, number: int, finding: str) -> None:
        """Refuses a clip by the name of what is wrong."""
        self.refused.append(QuarantinedRow(row=number, reason=SAYS[finding], finding=finding))

    def brought(self, name: str, more: Iterable[Finding] = ()) -> Brought:
        """All of it, with the findings that are of the whole set."""
        rows = tuple(self.usable)
        return Brought(
            table=Table(name=name, columns=COLUMNS, separator="/", rows=rows),
            refused=tuple(self.refused),
            findings=(
                *found("no_part", (row.number for row in rows)),
                *findings_of(self.remarks),
                *_absent({row.values["label"] for row in rows}),
                *more,
            ),
            are_clips=True,
        )


def few_clips(of: Collection[tuple[str, int]]) -> tuple[Finding, ...]:
    """The rows of people who have fewer clips than others of the set; `of`: whose each row is."""
    counts = Counter(who for who, _ in of)
    most = max(counts.values(), default=0)
    few = {who: count for who, count in counts.items() if count < most}
    told = (
        f"{counted(len(few), 'person has', 'people have')} {min(few.values())} to {max(few.values())} of {most}"
        if few
        else ""
    )
    return found("fewer_clips", (row for who, row in of if who in few), told)


def _absent(labels: Collection[str]) -> tuple[Finding, ...]:
    absent = sorted(_EVERY_SET_HAS - set(labels)) if labels else []
    return (Finding(name="absent_emotion", count=len(absent), rows=(), detail=", ".join(absent)),) if absent else ()
