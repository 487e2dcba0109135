"""Says which rows were not taken and why, every reason once: a slip that is in every row is one thing to correct."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bitface.counted_words import counted_people
from bitface.dataset.incoming.import_rows import QuarantinedRow


def refused_lines(rows: Iterable[QuarantinedRow]) -> list[str]:
    """One line for each reason: the first row that has it, with the person and the file, and how many more there are."""
    kinds: dict[str, list[QuarantinedRow]] = {}
    for row in rows:
        kinds.setdefault(_kind(row.reason), []).append(row)
    return [f"{alike[0].where}: {alike[0].reason}{_more(alike)}" for alike in kinds.values()]


def _kind(reason: str) -> str:
    """The reason without the numbers of lines and rows in it."""
    return re.sub(r"\d+", "0", reason)


def _more(alike: list[QuarantinedRow]) -> str:
    if len(alike) == 1:
        return ""
    people = len({row.subject_id for row in alike if row.subject_id})
    of_people = f" ({counted_people(people)} in all)" if people > 1 else ""
    return f"; the same in {len(alike) - 1} more row{'s' * (len(alike) > 2)}{of_people}"
