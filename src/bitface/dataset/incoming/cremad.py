"""The published tables of CREMA-D (Cao et al. 2014): who acts, which clips there are, and what people saw in the faces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.dataset.incoming.packed_tables import packed_rows
from bitface.errors import InputError

DEMOGRAPHICS: Final = "VideoDemographics.csv"
SUMMARY: Final = "processedResults/summaryTable.csv"
TABULATED: Final = "processedResults/tabulatedVotes.csv"
LETTERS: Final = {
    "A": "anger",
    "D": "disgust",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
}
_FACE: Final = re.compile(r"2\d{5}")
"""The id of a row of votes begins with 1 for sound alone, 2 for the face alone, 3 for both."""


@dataclass(frozen=True, kw_only=True)
class CremaTables:
    """Actor -> age, gender and ethnicity; clip -> the emotions with most votes of people who saw the face without sound; clip and
    letter -> the share of these votes that an emotion has. The clips are in the order of the table.
    """

    actors: Mapping[str, Mapping[str, str]]
    face_votes: Mapping[str, tuple[str, ...]]
    face_shares: Mapping[str, Mapping[str, float]]


def read_crema_tables(folder: Path) -> CremaTables:
    """The three tables, as they lie in the published repository.

    Raises:
        InputError: one is missing, or a row of it cannot be read; the message names file and line.
    """
    return CremaTables(
        actors=dict(_actors(_there(folder, DEMOGRAPHICS))),
        face_votes=dict(_face_votes(_there(folder, SUMMARY))),
        face_shares=dict(_face_shares(_there(folder, TABULATED))),
    )


def _there(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise InputError(
            f"'{name}' does not exist; copy it beside VideoFlash/ from the published repository: it says who acts, and how old they are "
            "(docs/datasets.md)"
        )
    return path


def _rows(path: Path, *needed: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    for row in packed_rows(path, lambda name: name.lower() or "row", needed):
        if row.values is None:
            raise InputError(
                f"{path.name} line {row.line}: it has not the fields of the header; download the file again"
            )
        yield row.line, row.values


def _actors(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    for line, cells in _rows(path, "actorid", "age", "sex", "race", "ethnicity"):
        if not cells["age"].isdigit():
            raise InputError(f"{path.name} line {line}: the age is not a whole number; download the file again")
        ethnicity = "Hispanic" if cells["ethnicity"].lower() == "hispanic" else cells["race"]
        yield (
            cells["actorid"],
            {
                "age": cells["age"],
                "gender": cells["sex"].lower(),
                "ethnicity": "" if ethnicity == "Unknown" else ethnicity,
            },
        )


def _face_votes(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line, cells in _rows(path, "filename", "facevote"):
        letters = cells["facevote"].split(":")
        if not set(letters) <= LETTERS.keys():
            raise InputError(
                f"{path.name} line {line}: FaceVote is none of {', '.join(LETTERS)}; download the file again"
            )
        yield cells["filename"], tuple(LETTERS[letter] for letter in letters)


def _face_shares(path: Path) -> Iterator[tuple[str, Mapping[str, float]]]:
    for line, cells in _rows(path, "row", "filename", *map(str.lower, LETTERS)):
        if not _FACE.fullmatch(cells["row"]):
            continue
        try:
            counts = {emotion: int(cells[letter.lower()]) for letter, emotion in LETTERS.items()}
        except ValueError as error:
            raise InputError(
                f"{path.name} line {line}: its votes are not whole numbers; download the file again"
            ) from error
        total = max(1, sum(counts.values()))
        yield cells["filename"], {emotion: count / total for emotion, count in counts.items()}
