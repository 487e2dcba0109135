"""Changes landmarks as heads, cameras and other people would, so that few people teach a model about many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import ClipTable
from bitface.params import LandmarkAugmentation
from bitface.training.landmarks.mirror import mirrored


@dataclass(frozen=True, kw_only=True)
class People:
    """Mean shapes of the training people, float32 (P, 478, 3), and the row of each sample's person, int64 (N,)."""

    shapes: NDArray[np.float32]
    of_sample: NDArray[np.int64]


def people_of(table: ClipTable) -> People:
    """Each person's mean shape, relative to the mean of the same expressions.

    A person of whom only smiles are known must not carry a smile in the mean shape: so what is averaged is the
    difference of each sample from the mean of its label.
    """
    is_frame = (np.arange(table.landmarks.shape[1]) < table.lengths[:, None]).astype(np.float32)
    weights = is_frame / table.lengths[:, None].astype(np.float32)
    means = np.einsum("nt,ntpc->npc", weights, table.landmarks)
    for label in np.unique(table.labels):
        means[table.labels == label] -= means[table.labels == label].mean(axis=0)
    names, of_sample = np.unique(table.persons, return_inverse=True)
    shapes = np.stack([means[of_sample == person].mean(axis=0) for person in range(len(names))])
    return People(shapes=shapes.astype(np.float32), of_sample=of_sample.astype(np.int64))


def augmented(
    clips: NDArray[np.float32],
    of_person: NDArray[np.int64],
    people: People,
    params: LandmarkAugmentation,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Changed copies of clips float32 (N, T, 478, 3): one change per clip, the same in all its frames, but for jitter.

    In this order: another person's mean shape in part, mirror, turn of the head, scale, jitter of each point.
    """
    samples = len(clips)
    others = rng.integers(0, len(people.shapes), samples)
    share = rng.uniform(0, 1, samples) * (rng.uniform(0, 1, samples) < params.identity_share)
    change = (people.shapes[others] - people.shapes[of_person]) * share[:, None, None].astype(np.float32)
    changed = clips + change[:, None]
    is_mirrored = rng.uniform(0, 1, samples) < params.mirror_share
    changed[is_mirrored] = mirrored(changed[is_mirrored])
    turns = _turns(params, samples, rng) * rng.uniform(1 - params.scale, 1 + params.scale, (samples, 1, 1))
    changed = np.asarray(changed @ turns.transpose(0, 2, 1)[:, None].astype(np.float32), dtype=np.float32)
    changed += rng.standard_normal(changed.shape, dtype=np.float32) * np.float32(params.jitter)
    return changed


def _turns(params: LandmarkAugmentation, samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Rotation matrices (N, 3, 3): yaw about y, then pitch about x, then roll about z, uniform within the limits."""
    limits = np.radians([params.yaw_deg, params.pitch_deg, params.roll_deg])
    yaw, pitch, roll = (rng.uniform(-1, 1, (samples, 3)) * limits).T
    return np.asarray(_about(2, roll) @ _about(0, pitch) @ _about(1, yaw), dtype=np.float64)


def _about(axis: int, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, axis, axis] = 1
    matrix[:, first, first] = matrix[:, second, second] = np.cos(angle)
    matrix[:, second, first] = np.sin(angle)
    matrix[:, first, second] = -np.sin(angle)
    return matrix
