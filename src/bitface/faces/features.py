"""What the landmarker saw of each sample, as plain arrays: the only thing that training, gates and explanations read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError

LANDMARKS: Final = 478
"""Points of MediaPipe's face mesh, the ten iris points included."""
BLENDSHAPES: Final = 52
CROP_PX: Final = 64
# Corners and not irises: an eye's centre must not move with the gaze.
EYE_CORNERS: Final = ((33, 133), (263, 362))
Reads = Literal["landmarks", "flat_landmarks", "crops"]
"""The columns that a network may read; landmarks are flat where the training people's points have no depth (`flattened`)."""


FaceValues = NDArray[np.float32] | NDArray[np.uint8]
"""What a network reads of faces: normalised landmarks float32 (..., 478, 3), or crops uint8 (..., 64, 64)."""


@dataclass(frozen=True, kw_only=True)
class ClipTable:
    """N samples, padded to T frames by repeating the last one.

    `landmarks` float32 (N, T, 478, 3), normalised (see `alignment`); `blendshapes` float32 (N, T, 52) in 0..1;
    `crops` uint8 (N, T, 64, 64); `lengths` int64 (N,) true frames, 1 to T; `labels` int64 (N,), index into EMOTIONS;
    `persons`, `sample_ids`, `splits` str (N,); `quality` float32 (N, 5), worst frame: see `quality.QUALITY_COLUMNS`.
    Of points that came without their picture blendshapes, sharpness and brightness are NaN: not measured.
    """

    landmarks: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    crops: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]
    persons: NDArray[np.str_]
    sample_ids: NDArray[np.str_]
    splits: NDArray[np.str_]
    quality: NDArray[np.float32]

    def __post_init__(self) -> None:
        rows = {len(getattr(self, field.name)) for field in fields(self)}
        if len(rows) != 1:
            raise InputError(f"columns of a clip table have {sorted(rows)} rows; they must agree")

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> ClipTable:
        """The rows that a mask or an index picks."""
        return replace(self, **{field.name: getattr(self, field.name)[mask] for field in fields(self)})

    @property
    def are_points(self) -> NDArray[np.bool_]:
        """Which rows, bool (N,), are points that came without their picture: no blendshape of them is known, and their crops are black."""
        return np.asarray(np.isnan(self.blendshapes).all(axis=(1, 2)))

    def column(self, reads: Reads) -> FaceValues:
        """What a network reads: landmarks float32 (N, T, 478, 3), or crops uint8 (N, T, 64, 64)."""
        if reads == "crops":
            return self.crops
        return self.landmarks if reads == "landmarks" else flattened(self.landmarks)

    def of_split(self, *splits: str) -> ClipTable:
        """The rows of the named splits."""
        return self.where(np.isin(self.splits, splits))


def flattened(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised landmarks float32 (..., 478, 3) as if depth were not known: z is 0, and the eyes lie 1 apart in the image plane."""
    right, left = (landmarks[..., list(corners), :2].mean(axis=-2) for corners in EYE_CORNERS)
    distance = np.linalg.norm(left - right, axis=-1)[..., None, None]
    flat = landmarks * np.array([1, 1, 0], np.float32) / np.where(distance > 0, distance, 1)
    return np.asarray(flat, dtype=np.float32)


def concatenate(tables: Sequence[ClipTable]) -> ClipTable:
    """One table of all rows, padded to the longest T. Raises InputError when there is no row at all."""
    if not sum(map(len, tables)):
        raise InputError("validation left no samples; see the quarantine report")
    frames = max(table.landmarks.shape[1] for table in tables if len(table))
    padded = [_padded(table, frames) for table in tables if len(table)]
    return ClipTable(**{f.name: np.concatenate([getattr(t, f.name) for t in padded]) for f in fields(ClipTable)})


def _padded(table: ClipTable, frames: int) -> ClipTable:
    picks = np.minimum(np.arange(frames), table.landmarks.shape[1] - 1)
    return replace(
        table, landmarks=table.landmarks[:, picks], blendshapes=table.blendshapes[:, picks], crops=table.crops[:, picks]
    )
