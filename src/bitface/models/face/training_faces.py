"""What ships of the training people so that a model can be explained: means over many of them, nobody's face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bitface.documents import Arrays
from bitface.errors import InputError
from bitface.faces.emotions import EMOTIONS
from bitface.faces.features import CROP_PX, LANDMARKS, ClipTable, FaceValues, Reads

PEOPLE_MIN: Final = 10
"""A mean face of fewer people is too much like each of them to leave the place where they are kept."""


@dataclass(frozen=True, kw_only=True)
class TrainingFaces:
    """`mean` and `neutral`: the mean face of all rows, and of those labelled neutral, None where too few people have one;
    `deviation` float32: the standard deviation of each value over rows. Landmarks float32 (478, 3), or crops uint8 (64, 64).
    """

    mean: FaceValues
    neutral: FaceValues | None
    deviation: NDArray[np.float32]

    @classmethod
    def of(cls, train: ClipTable, reads: Reads) -> Self:
        """Of the rows of training people, each weighing the same; raises InputError where there is none."""
        if not len(train):
            raise InputError("0 training samples; the mean face needs at least 1")
        faces = _mean_frames(train, reads)
        is_neutral = train.labels == EMOTIONS.index("neutral")
        has_neutral = _people(train.where(is_neutral)) >= PEOPLE_MIN
        return cls(
            mean=_as_read(faces.mean(axis=0), reads),
            neutral=_as_read(faces[is_neutral].mean(axis=0), reads) if has_neutral else None,
            deviation=faces.std(axis=0).astype(np.float32),
        )

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Self:
        """The inverse of `arrays`. Raises InputError for other names or shapes."""
        try:
            faces = cls(mean=arrays["mean"], neutral=arrays.get("neutral"), deviation=arrays["deviation"])
        except KeyError as error:
            raise InputError(f"the training people's faces lack {error}; train the model again") from error
        if {array.shape for array in arrays.values()} not in ({(LANDMARKS, 3)}, {(CROP_PX, CROP_PX)}):
            raise InputError("the training people's mean faces have an unexpected shape; train the model again")
        return faces

    def arrays(self) -> Arrays:
        """By name, for a file."""
        neutral = {} if self.neutral is None else {"neutral": self.neutral}
        return {"mean": self.mean, "deviation": self.deviation, **neutral}


def shippable(train: ClipTable, reads: Reads) -> TrainingFaces | None:
    """What leaves with a model, None where the mean of so few people would be their face."""
    return TrainingFaces.of(train, reads) if _people(train) >= PEOPLE_MIN else None


def _people(table: ClipTable) -> int:
    return len(np.unique(table.persons))


def _mean_frames(table: ClipTable, reads: Reads) -> NDArray[np.float64]:
    """The mean of each row's true frames, float64 (N, ...)."""
    faces = table.column(reads)
    return np.stack(
        [face[:frames].mean(axis=0, dtype=np.float64) for face, frames in zip(faces, table.lengths, strict=True)]
    )


def _as_read(mean: NDArray[np.float64], reads: Reads) -> FaceValues:
    return np.rint(mean).astype(np.uint8) if reads == "crops" else mean.astype(np.float32)
