"""Sets of people as large as real ones, drawn as numbers: of the shapes that the stages read, correlated like faces, and of nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bitface.evaluation.predictions import Predictions
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import BLENDSHAPES, CROP_PX, LANDMARKS, ClipTable

AGES, GENDERS, TONES = ("18_29", "30_44", "45_59", "60_plus"), ("female", "male"), ("monk_1_4", "monk_5_7", "monk_8_10")
TAUGHT = EMOTIONS[:7]
_PARTS = 20  # of which a face is made: its landmarks and blendshapes move together


@dataclass(frozen=True, kw_only=True)
class MadeUpSet:
    """A still of each person, split as the project splits, and the slices that each person belongs to."""

    table: ClipTable
    slices: Mapping[str, Mapping[str, str]]

    def of_splits(self, *splits: str) -> ClipTable:
        """The stills of some splits."""
        return self.table.of_split(*splits)


def made_up_set(people: int, seed: int, overlap: float = 1.0) -> MadeUpSet:
    """People who show one emotion each; `overlap` is the spread within an emotion, in distances between emotions."""
    rng = np.random.default_rng([seed, people])
    labels = rng.permutation(np.arange(people) % len(TAUGHT))
    meaning = rng.normal(size=(len(TAUGHT), _PARTS))[labels] + overlap * rng.normal(size=(people, _PARTS))
    points = rng.normal(size=(_PARTS, LANDMARKS * 3)).astype(np.float32) / 40
    shapes = rng.normal(size=(_PARTS, BLENDSHAPES)).astype(np.float32) / 4
    own = (rng.normal(size=(people, 6)) @ rng.normal(size=(6, LANDMARKS * 3)) / 60).astype(np.float32)
    mean_face = rng.uniform(-1, 1, size=LANDMARKS * 3).astype(np.float32)
    persons = np.char.add("s", np.char.zfill(np.arange(people).astype(str), 15))
    table = ClipTable(
        landmarks=(mean_face + meaning.astype(np.float32) @ points + own).reshape(people, 1, LANDMARKS, 3),
        blendshapes=(1 / (1 + np.exp(1.5 - meaning.astype(np.float32) @ shapes)))[:, None].astype(np.float32),
        crops=np.zeros((people, 1, CROP_PX, CROP_PX), np.uint8),
        lengths=np.ones(people, np.int64),
        labels=labels.astype(np.int64),
        persons=persons,
        sample_ids=np.char.add("sample", np.char.zfill(np.arange(people).astype(str), 9)),
        splits=rng.choice(["train", "validation", "test"], p=[0.7, 0.15, 0.15], size=people),
        quality=np.stack(
            [
                np.ones(people),
                *(low + high * rng.random(people) for low, high in ((30, 60), (0.2, 0.5), (60, 120), (-20, 40))),
            ],
            axis=1,
        ).astype(np.float32),
    )
    drawn = zip(*(rng.choice(values, size=people) for values in (AGES, GENDERS, TONES)), strict=True)
    slices = {
        str(person): {"age_band": str(age), "gender": str(gender), "skin_tone": str(tone), "ancestry": "unknown"}
        for person, (age, gender, tone) in zip(persons, drawn, strict=True)
    }
    return MadeUpSet(table=table, slices=slices)


def made_up_answers(table: ClipTable, skill: float, seed: int) -> Predictions:
    """What a model that is right so often says of these stills."""
    rng, n = np.random.default_rng(seed), len(table)
    wrong = (table.labels + rng.integers(1, len(TAUGHT), n)) % len(TAUGHT)
    said = np.where(rng.random(n) < skill, table.labels, wrong)
    scores = 0.45 * rng.random((n, len(TAUGHT)))
    scores[np.arange(n), said] += 0.5
    return Predictions(
        sample_ids=table.sample_ids,
        persons=table.persons,
        labels=np.array(EMOTIONS)[table.labels],
        emotions=TAUGHT,
        scores=scores,
        thresholds=np.full(len(TAUGHT), 0.5),
        folds=np.zeros(n, np.int64),
    )
