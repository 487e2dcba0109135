"""Draws training batches of stills and sub-clips, each around the frame in which the face says most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import ClipTable
from bitface.params import TrainingParams


@dataclass(frozen=True, kw_only=True)
class Batch:
    """`inputs` what the network reads, (N, T, ...); `lengths` int64 (N,), `targets` float32 (N, E) of 0 and 1."""

    inputs: NDArray[np.float32] | NDArray[np.uint8]
    lengths: NDArray[np.int64]
    targets: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Rows of a table int64 (N,), frames of each int64 (N, T), the last repeated as padding, and true lengths (N,)."""

    rows: NDArray[np.int64]
    frames: NDArray[np.int64]
    lengths: NDArray[np.int64]


def expressiveness(table: ClipTable) -> NDArray[np.float64]:
    """How far each frame's shape is from the mean of its clip's first and last frame, float64 (N, T); -1 for padding.

    An expression grows from rest and returns to it, so the farthest frame is near the apex. In a clip that starts at
    the apex it is the other end: a label of the whole clip then still holds for it.
    """
    landmarks, rows = table.landmarks, np.arange(len(table))
    ends = (landmarks[:, 0] + landmarks[rows, table.lengths - 1]) / 2
    distance = np.sqrt(((landmarks - ends[:, None]) ** 2).mean(axis=(2, 3), dtype=np.float64))
    distance[np.arange(landmarks.shape[1]) >= table.lengths[:, None]] = -1
    return np.asarray(distance, dtype=np.float64)


def expressive_frames(table: ClipTable) -> list[NDArray[np.int64]]:
    """Of each clip the frames at least two thirds as expressive as its apex: a label holds for them."""
    return _near_apex(expressiveness(table), table.lengths)


def apex_stills(table: ClipTable) -> ClipTable:
    """Each clip's most expressive frame as a still."""
    apex = expressiveness(table).argmax(axis=1)[:, None]
    return _of_frames(table, apex, np.ones(len(table), np.int64))


def epoch_draws(
    table: ClipTable, params: TrainingParams, still_share: float, frame_dropout: float, rng: np.random.Generator
) -> Iterator[Draw]:
    """The draws of one epoch: each sample `augment_copies` times, or more often until there are enough steps."""
    rows = np.concatenate([rng.permutation(len(table)) for _ in range(_draws(len(table), params))])
    weights = expressiveness(table)
    apexes = weights.argmax(axis=1)
    # Of each clip once: an epoch draws it several times.
    near_apex = _near_apex(weights, table.lengths)
    for start in range(0, len(rows) - params.batch + 1, params.batch) if len(rows) >= params.batch else (0,):
        chosen = rows[start : start + params.batch]
        is_still = rng.uniform(0, 1, len(chosen)) < still_share
        picks = [
            _still(near_apex[row], rng)
            if still
            else _sub_clip(int(apexes[row]), int(table.lengths[row]), frame_dropout, rng)
            for row, still in zip(chosen.tolist(), is_still.tolist(), strict=True)
        ]
        frames, lengths = _padded(picks)
        yield Draw(rows=chosen, frames=frames, lengths=lengths)


def steps_per_epoch(samples: int, params: TrainingParams) -> int:
    """How many batches `epoch_draws` yields; a last one that is not full is dropped, unless it is the only one."""
    return max(1, samples * _draws(samples, params) // params.batch)


def _draws(samples: int, params: TrainingParams) -> int:
    return max(params.augment_copies, -(-params.steps_per_epoch_min * params.batch // samples))


def _padded(picks: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frame indices int64 (N, T), the last one repeated as padding, and how many of them are meant."""
    lengths = np.array([len(pick) for pick in picks], np.int64)
    frames = np.empty((len(picks), lengths.max()), np.int64)
    for row, pick in zip(frames, picks, strict=True):
        row[: len(pick)], row[len(pick) :] = pick, pick[-1]
    return frames, lengths


def _still(near_apex: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One of the frames for which the label holds; `rng.choice` draws the same one, and takes three times as long."""
    return near_apex[rng.integers(0, len(near_apex), 1)]


def _near_apex(weights: NDArray[np.float64], lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    parts = [own[:length] for own, length in zip(weights, lengths, strict=True)]
    return [np.flatnonzero(part >= part.max() * 2 / 3) for part in parts]


def _sub_clip(apex: int, length: int, dropout: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A run of frames that holds the apex, some of its other frames dropped."""
    first, last = rng.integers(0, apex + 1), rng.integers(apex, length)
    kept = np.arange(first, last + 1)
    stays = (rng.uniform(0, 1, len(kept)) >= dropout) | (kept == apex)
    return np.asarray(kept[stays], dtype=np.int64)


def _of_frames(table: ClipTable, picks: NDArray[np.int64], lengths: NDArray[np.int64]) -> ClipTable:
    rows = np.arange(len(table))[:, None]
    return replace(
        table,
        landmarks=table.landmarks[rows, picks],
        blendshapes=table.blendshapes[rows, picks],
        crops=table.crops[rows, picks],
        lengths=lengths,
    )
