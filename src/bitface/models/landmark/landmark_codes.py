"""Landmarks as int8 codes, made in one place and in numpy, so that training and runtime see the same integers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.features import LANDMARKS

COORDINATES: Final = LANDMARKS * 3
SPAN_DEVIATIONS: Final = 4.0
"""The codes -127..127 span four standard deviations of a coordinate to each side; what lies beyond is clipped."""
DEVIATION_FLOOR: Final = 0.02
"""Eye distances. Points that hardly move (the eye corners define the frame) must not have their noise blown up."""
_CODE_MAX: Final = np.float32(127)


@dataclass(frozen=True, kw_only=True)
class CodeScale:
    """code = clip(round((x - centre) * inverse_step), -127, 127), per coordinate; round is half to even.

    `landmarks`: the K that are read, ascending, None for all 478; C = 3 K. `centre` float32 (C,): mean shape of the training
    people, in eye distances; `inverse_step` float32 (C,), 0 for a coordinate that is not known of them: its code is 0 for everybody.
    """

    centre: NDArray[np.float32]
    inverse_step: NDArray[np.float32]
    landmarks: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_landmarks(self.landmarks)
        for name in ("centre", "inverse_step"):
            values = getattr(self, name)
            if values.shape != (self.coordinates,) or values.dtype != np.float32 or not np.isfinite(values).all():
                raise InputError(
                    f"{name} of the landmark codes is not {self.coordinates} finite float32 values; retrain"
                )

    @property
    def is_flat(self) -> bool:
        """Whether no depth is read."""
        return not self.inverse_step[2::3].any()

    @property
    def coordinates(self) -> int:
        """C, the codes of a frame."""
        return coordinates_of(self.landmarks)


def coordinates_of(landmarks: tuple[int, ...] | None) -> int:
    """How many coordinates these landmarks have, all 478 where None."""
    return COORDINATES if landmarks is None else 3 * len(landmarks)


def check_landmarks(landmarks: tuple[int, ...] | None) -> None:
    """Raises InputError unless they are some of the 478, each once and in ascending order."""
    if landmarks is None:
        return
    in_order = all(one < other for one, other in pairwise(landmarks))
    if not landmarks or not in_order or landmarks[0] < 0 or landmarks[-1] >= LANDMARKS:
        raise InputError(
            f"{counted(len(landmarks), 'landmark is', 'landmarks are')} read, and not by ascending numbers from 0 to {LANDMARKS - 1}"
        )


def picked(landmarks: NDArray[np.float32], read: tuple[int, ...] | None) -> NDArray[np.float32]:
    """Coordinates float32 (..., C) of landmarks float32 (..., 478, 3)."""
    chosen = landmarks if read is None else landmarks[..., read, :]
    return chosen.reshape(*landmarks.shape[:-2], coordinates_of(read))


def scale_of(frames: NDArray[np.float32], landmarks: tuple[int, ...] | None = None) -> CodeScale:
    """The scale fitted to frames (M, 478, 3) of training people: their mean shape and four standard deviations.

    Raises:
        InputError: no frame, or a coordinate that is not finite.
    """
    if not len(frames) or not np.isfinite(frames).all():
        raise InputError(f"{counted(len(frames), 'training frame')} with finite landmarks; the codes need at least 1")
    flat = picked(frames, landmarks).astype(np.float64)
    deviation = np.maximum(flat.std(axis=0), DEVIATION_FLOOR)
    # What stays 0 in every frame is a point, or a depth, that these people's points do not have: it must never be read elsewhere.
    inverse = np.where(flat.any(axis=0), float(_CODE_MAX) / (SPAN_DEVIATIONS * deviation), 0.0)
    return CodeScale(
        centre=flat.mean(axis=0).astype(np.float32), inverse_step=inverse.astype(np.float32), landmarks=landmarks
    )


def encode(landmarks: NDArray[np.float32], scale: CodeScale) -> NDArray[np.int8]:
    """Codes int8 (N, T, C) of landmarks float32 (N, T, 478, 3). Raises InputError where one is not a number."""
    real = (picked(landmarks, scale.landmarks) - scale.centre) * scale.inverse_step
    np.rint(real, out=real)
    np.minimum(real, _CODE_MAX, out=real)
    np.maximum(real, -_CODE_MAX, out=real)
    # One product instead of isfinite over the array: any NaN among the clipped values survives a sum.
    if np.isnan(real.sum()):
        raise InputError("a landmark is not a number; the frame must be quarantined, not scored")
    return real.astype(np.int8)


def without_repeats(
    codes: NDArray[np.int8] | NDArray[np.uint8], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which frames are left when a frame that repeats the one before it is dropped.

    A repeated frame (a still turned into a clip, a low frame rate stored as a high one, padding) says nothing new, and
    would otherwise be one more step of the LSTM.

    Returns:
        int64 (N, T) indices of the frames kept, the last one repeated as padding, and int64 (N,) the true lengths.

    Raises:
        InputError: lengths are not N whole numbers in 1..T.
    """
    samples, frames = codes.shape[:2]
    if lengths.shape != (samples,) or (samples and (lengths.min() < 1 or lengths.max() > frames)):
        raise InputError(f"lengths must be {samples} numbers between 1 and {frames}")
    if frames == 1:
        return np.zeros((samples, 1), np.int64), np.ones(samples, np.int64)
    is_new = np.ones((samples, frames), bool)
    is_new[:, 1:] = (codes[:, 1:] != codes[:, :-1]).any(axis=2)
    is_new &= np.arange(frames) < lengths[:, None]
    kept = is_new.sum(axis=1)
    # A stable sort puts the kept frames first and in order.
    order = np.argsort(~is_new, axis=1, kind="stable")
    picks = np.take_along_axis(order, np.minimum(np.arange(frames), kept[:, None] - 1), axis=1)
    return picks[:, : kept.max(initial=1)], kept
