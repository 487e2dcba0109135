"""Labels by ten people's votes instead of one: FERPlus (Barsoum et al. 2016), whose rows are those of FER2013 in its order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.dataset.incoming.packed_tables import PackedRow, packed_rows
from bitface.errors import InputError

VOTES: Final = 10
EMOTION_COLUMNS: Final = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
_UNKNOWN, _NO_FACE = "unknown", "nf"
COLUMNS: Final = ("usage", "image name", *EMOTION_COLUMNS, _UNKNOWN, _NO_FACE)


@dataclass(frozen=True, kw_only=True)
class Votes:
    """What people said of one row. `label` is empty where no emotion has most votes alone, and `finding` says why."""

    usage: str
    label: str
    share: float
    finding: str
    remarks: tuple[str, ...]


def read_votes(path: Path) -> Iterator[Votes]:
    """The votes of a FERPlus file, row by row.

    Raises:
        InputError: it cannot be read, or a row of it; the message names file and line.
    """
    for row in packed_rows(path, str.lower, COLUMNS):
        yield votes_of(_counts(row, path.name), row.values or {})


def votes_of(counts: Mapping[str, int], values: Mapping[str, str]) -> Votes:
    """The label by most votes, and what is odd about them: most for no face, most for unknown, a tie, no name, other than ten."""
    total, most = sum(counts.values()), max(counts.values())
    ahead = [name for name, count in counts.items() if count == most]
    finding = _finding(ahead, total, values.get("image name", ""))
    label = "" if finding else ahead[0]
    other_count = ("other_vote_count",) if total != VOTES else ()
    half = ("no_majority",) if label and 2 * most <= total else ()
    share = most / total if total else 0.0
    return Votes(
        usage=values.get("usage", ""), label=label, share=share, finding=finding, remarks=(*other_count, *half)
    )


def _finding(ahead: list[str], total: int, name: str) -> str:
    if total and ahead == [_NO_FACE]:
        return "not_a_face"
    if total and ahead == [_UNKNOWN]:
        return "unknown_majority"
    if not name:
        return "unnamed_by_votes"
    return "tied_votes" if len(ahead) > 1 else ""


def _counts(row: PackedRow, name: str) -> dict[str, int]:
    columns = (*EMOTION_COLUMNS, _UNKNOWN, _NO_FACE)
    try:
        counts = {column: int((row.values or {})[column]) for column in columns}
    except (KeyError, ValueError) as error:
        raise InputError(f"{name} line {row.line}: its votes are not whole numbers; download the file again") from error
    if min(counts.values()) < 0:
        raise InputError(f"{name} line {row.line}: a negative number of votes; download the file again")
    return counts
