"""What later faces are compared with: people that a model never learned from, as it saw them, one encrypted file per person."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from bitface.dataset.files import write_atomically
from bitface.dataset.keys import KeyStore
from bitface.dataset.shards import seal, unseal
from bitface.errors import InputError, RefusedError
from bitface.faces.measures import family_of
from bitface.ports import LoadRuntime
from bitface.steps.judging.face_rows import ANSWERS, rows_of_samples
from bitface.steps.retrain.export import Model
from bitface.steps.retrain.plan import Run
from bitface.steps.retrain.run_data import Data

REFERENCE = "reference"


def keep_reference(run: Run, model: Model, data: Data, load: LoadRuntime) -> Path:
    """Writes a row per sample of the test and gate people; where a small set has none, of everyone, without answers.

    What a model says of people that it learned from is not what it says of others.
    """
    table = data.originals
    held_out = table.of_split("test", "gate")
    rows = (
        rows_of_samples(held_out, run.slices(), load(model.bundle.folder))
        if len(held_out)
        else rows_of_samples(table, run.slices())
    )
    return seal_rows(rows, run.folder, data.seen.keys)


def seal_rows(rows: pd.DataFrame, run_folder: Path, keys: KeyStore) -> Path:
    """Writes a table with a row per sample, indexed by person; returns the folder of the files."""
    folder = run_folder / REFERENCE
    names = np.array(rows.columns, dtype=np.str_)
    for person, own in rows.groupby(level=0):
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, names=names, values=own.to_numpy(np.float64))
        sealed = seal(packed.getvalue(), keys.key_of(str(person)), str(person), REFERENCE)
        write_atomically(folder / f"{person}.sealed", sealed)
    return folder


def read_reference(run_folder: Path, without: Collection[str], answers: bool, keys: KeyStore) -> pd.DataFrame:
    """A row per sample, indexed by person; people in `without`, and those whose key is gone, are left out. With `answers` what the
    model said of them belongs to it.

    Raises:
        InputError: nobody is left. IntegrityError: a file was altered.
    """
    tables = []
    for path in sorted((run_folder / REFERENCE).glob("*.sealed")):
        person = path.stem
        if person in without:
            continue
        try:
            key = keys.key_of(person)
        except RefusedError:
            continue
        with np.load(io.BytesIO(unseal(path.read_bytes(), key, person, REFERENCE)), allow_pickle=False) as arrays:
            index = pd.Index([person] * len(arrays["values"]), name="person")
            tables.append(pd.DataFrame(arrays["values"], columns=arrays["names"].tolist(), index=index))
    if not tables:
        raise InputError(
            "this model has no reference people to compare with; run `bitface retrain`, which keeps them, and compare again"
        )
    rows = pd.concat(tables).fillna(0.0)
    return rows if answers else rows[[name for name in rows if family_of(name) not in ANSWERS]]
