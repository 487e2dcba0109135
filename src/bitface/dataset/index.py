"""Reads and writes `index.csv`: one row per sample, under pseudonyms, in an order that does not depend on the writer."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final, get_args

from bitface.dataset.files import write_atomically
from bitface.dataset.incoming.spreadsheets import read_cell, write_rows
from bitface.errors import InputError
from bitface.faces.records import Kind, Sample

INDEX_NAME: Final = "index.csv"
_KINDS: Final[dict[str, Kind]] = {kind: kind for kind in get_args(Kind)}
INDEX_COLUMNS: Final = tuple(field.name for field in fields(Sample))


def write_index(data: Path, samples: Iterable[Sample]) -> None:
    """Writes `index.csv`, sorted by sample id, in one rename."""
    text = io.StringIO(newline="")
    ordered = sorted(samples, key=lambda sample: sample.sample_id)
    write_rows(text, [INDEX_COLUMNS, *(tuple(asdict(sample).values()) for sample in ordered)])
    write_atomically(data / INDEX_NAME, text.getvalue().encode())


def has_dataset(data: Path) -> bool:
    """Whether the folder contains a dataset."""
    return (data / INDEX_NAME).is_file()


def read_index(data: Path) -> tuple[Sample, ...]:
    """All samples of the dataset.

    Raises:
        InputError: the file is missing, a column is missing or unknown, or a row is not a valid sample.
    """
    path = data / INDEX_NAME
    if not path.is_file():
        raise InputError(
            f"the dataset folder has no {INDEX_NAME}; run `bitface data synthesize` or `bitface data import`"
        )
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        if tuple(reader.fieldnames or ()) != INDEX_COLUMNS:
            raise InputError(f"{INDEX_NAME}: columns are {reader.fieldnames}; they must be {', '.join(INDEX_COLUMNS)}")
        return tuple(
            _sample({name: read_cell(cell or "") for name, cell in row.items()}, number)
            for number, row in enumerate(reader, start=2)
        )


def _sample(cells: dict[str, str], line: int) -> Sample:
    row = {name: read_cell(cells[name] or "") for name in INDEX_COLUMNS}
    try:
        return Sample(
            sample_id=row["sample_id"],
            person=row["person"],
            shard=row["shard"],
            kind=_KINDS.get(row["kind"], "image"),
            frames=int(row["frames"]),
            fps=float(row["fps"]),
            label=row["label"],
            split=row["split"],
            source=row["source"],
            licence_id=row["licence_id"],
            sha256=row["sha256"],
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{INDEX_NAME} line {line}: a numeric field does not hold a number; rebuild it with `bitface data`"
        ) from error
