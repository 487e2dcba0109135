"""Inputs that every load of a bundle is checked with: shapes that nobody has, so that a bundle holds nobody's face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bitface.errors import InputError
from bitface.faces.features import BLENDSHAPES, CROP_PX, LANDMARKS, ClipTable
from bitface.models.landmark.landmark_codes import CodeScale

SPLIT = "selftest"


def selftest_table(scale: CodeScale, seed: int, samples: int = 12, frames: int = 4) -> ClipTable:
    """Clips of 1 to `frames` frames: the training people's mean shape, each point moved at random.

    Points that are not read stay at 0. The moves are normal, up to twice the deviation of the codes' scale, so that codes reach
    their limits too.
    """
    rng = np.random.default_rng(seed)
    unit = np.divide(127 / 4, scale.inverse_step, out=np.zeros_like(scale.inverse_step), where=scale.inverse_step > 0)
    strength = rng.uniform(0.2, 2.0, (samples, frames, 1))
    moved = scale.centre + unit * strength * rng.standard_normal((samples, frames, scale.coordinates))
    read = slice(None) if scale.landmarks is None else list(scale.landmarks)
    landmarks = np.zeros((samples, frames, LANDMARKS, 3), np.float32)
    landmarks[:, :, read] = moved.reshape(samples, frames, -1, 3)
    return replace(
        _synthetic_clips(samples, frames),
        landmarks=landmarks,
        lengths=np.arange(samples, dtype=np.int64) % frames + 1,
    )


def selftest_crops(seed: int, samples: int = 3, frames: int = 2) -> ClipTable:
    """Clips of 1 to `frames` pictures of smooth random shades with noise on them, black and white included."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-100, 355, (samples, frames, 8, 8)).repeat(CROP_PX // 8, axis=2).repeat(CROP_PX // 8, axis=3)
    pictures = coarse + rng.normal(0, 20, coarse.shape)
    return replace(
        _synthetic_clips(samples, frames),
        crops=np.clip(np.rint(pictures), 0, 255).astype(np.uint8),
        lengths=np.arange(samples, dtype=np.int64) % frames + 1,
    )


def _synthetic_clips(samples: int, frames: int) -> ClipTable:
    return ClipTable(
        landmarks=np.zeros((samples, frames, LANDMARKS, 3), np.float32),
        blendshapes=np.zeros((samples, frames, BLENDSHAPES), np.float32),
        crops=np.zeros((samples, frames, CROP_PX, CROP_PX), np.uint8),
        lengths=np.full(samples, frames, np.int64),
        labels=np.zeros(samples, np.int64),
        persons=np.full(samples, ""),
        sample_ids=np.array([f"{SPLIT}-{row}" for row in range(samples)]),
        splits=np.full(samples, SPLIT),
        quality=np.zeros((samples, 5), np.float32),
    )


def check_no_real_faces(table: ClipTable) -> None:
    """Raises InputError when a row belongs to a person or was not made for the self-test."""
    if not len(table) or (table.persons != "").any() or (table.splits != SPLIT).any():
        raise InputError("a bundle's self-test must not contain a real face; make its inputs with selftest_of()")
