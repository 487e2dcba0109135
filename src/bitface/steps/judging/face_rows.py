"""One row for each still of a face, with a name for each number, in which drift can be looked for: of a dataset, and of predictions.

Columns are `family/what`: blendshape, geometry, quality (`faces.measures`); prediction and embedding, where a model was asked;
label, and mix, the slices that a person belongs to, where they are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitface.evaluation.projection import sparse_projection
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import ClipTable, FaceValues
from bitface.faces.measures import MEASURE_NAMES, measures_of
from bitface.faces.records import SLICE_ATTRIBUTES
from bitface.faces.seen import SeenFace
from bitface.ports import Runtime
from bitface.training.batches import apex_stills

ANSWERS: Final = ("prediction", "embedding")
"""Families of which a model is the source: comparable only where it is the same model."""
_EMBEDDING_COLUMNS: Final = 16
_SEED_DIGITS: Final = 15


def rows_of_samples(
    table: ClipTable, slices: Mapping[str, Mapping[str, str]], runtime: Runtime | None = None
) -> pd.DataFrame:
    """A row per sample, of its most expressive frame, indexed by person; with what a model says of it where one is given.

    What is not measured of every row, as blendshapes of points without pictures, is no column.
    """
    stills = apex_stills(table)
    values = pd.DataFrame(
        measures_of(stills.blendshapes[:, 0], stills.landmarks[:, 0], stills.quality), columns=list(MEASURE_NAMES)
    ).dropna(axis=1)
    labels = pd.DataFrame({f"label/{EMOTIONS[label]}": stills.labels == label for label in np.unique(stills.labels)})
    answers = [] if runtime is None else [answers_of(runtime, stills.column(runtime.reads))]
    found = pd.concat([values, labels, _mix(stills.persons, slices), *answers], axis=1).astype(np.float64)
    return found.set_index(pd.Index(stills.persons, name="person"))


def row_of_face(face: SeenFace, runtime: Runtime) -> dict[str, float]:
    """The same columns of a face in a picture, as far as they are known of it: neither label nor slice."""
    measured = measures_of(face.blendshapes[None], face.normalised[None], face.quality[None])[0]
    answers = answers_of(runtime, face.column(runtime.reads)[None, None])
    return {**dict(zip(MEASURE_NAMES, measured.tolist(), strict=True)), **answers.iloc[0].to_dict()}


def answers_of(runtime: Runtime, stills: FaceValues) -> pd.DataFrame:
    """Probabilities, and a projection of the counts that belongs to the model, of stills (N, 1, ...)."""
    lengths = np.ones(len(stills), np.int64)
    counts = runtime.counts(stills, lengths).reshape(len(stills), -1)
    embedded = sparse_projection(counts, _EMBEDDING_COLUMNS, int(runtime.digest[:_SEED_DIGITS], 16))
    scores = runtime.scores(stills, lengths)
    named = {f"prediction/{emotion}": scores[:, column] for column, emotion in enumerate(runtime.emotions)}
    return pd.DataFrame(named | {f"embedding/{column:02d}": embedded[:, column] for column in range(embedded.shape[1])})


def person_means(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per person, the mean of theirs: samples of one person are not independent draws, people are."""
    return rows.groupby(level=0).mean()


def one_of_each_person(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row of each person, drawn: comparable with pictures of whom nobody knows who they are."""
    return rows.groupby(level=0).sample(n=1, random_state=seed % 2**32)


def slices_in(rows: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Slice as `attribute:value` -> which rows belong to it, of the columns of family mix."""
    return {name.partition("/")[2]: rows[name].to_numpy() > 0 for name in rows if name.startswith("mix/")}


def _mix(persons: NDArray[np.str_], slices: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    own = [slices.get(str(person), {}) for person in persons]
    columns = {
        f"mix/{attribute}:{value}": [of.get(attribute) == value for of in own]
        for attribute in SLICE_ATTRIBUTES
        for value in sorted({of[attribute] for of in own if attribute in of})
    }
    return pd.DataFrame(columns, index=range(len(persons)))
