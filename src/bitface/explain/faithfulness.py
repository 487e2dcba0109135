"""Asks the model itself whether a map is right: what it calls important must matter when taken away, and suffice when given.

Deletion and insertion after RISE (Petsiuk et al., arXiv 1806.07421): the parts of a face go over to the baseline, or come
back from it, in the order of the map; the score's mean over the path is the area under that curve. A map is worth something
where deletion lies below and insertion above those of random orders of the same parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bitface.explain.baselines import Faces
from bitface.explain.region_shapley import Score
from bitface.faces.features import LANDMARKS
from bitface.faces.regions import REGIONS, region_of_landmark, regions_of_emotion


@dataclass(frozen=True, kw_only=True)
class Faithfulness:
    """Areas under the curves of N faces, float64 (N,), of probabilities: by the map, and by the mean of random orders."""

    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]
    deletion_random: NDArray[np.float64]
    insertion_random: NDArray[np.float64]

    def gain(self) -> NDArray[np.float64]:
        """How much better than random orders a map is, float64 (N,): insertion above plus deletion below."""
        return self.insertion - self.insertion_random + self.deletion_random - self.deletion


def faithfulness(
    score: Score,
    faces: Faces,
    values: NDArray[np.float64],
    outputs: NDArray[np.int64],
    *,
    steps: int,
    random_orders: int,
    seed: int,
) -> Faithfulness:
    """Deletion and insertion of stills, landmark by landmark; a crop's pixels go with the landmark that owns them.

    Args:
        score: of the deployed model, in log odds.
        faces: stills, of one frame each.
        values: a map of each face for its output, float64 (N, 478), signed.
        outputs: which score of each face is followed, int64 (N,).
        steps: into which the order is cut.
        random_orders: to compare with, 1 or more.
        seed: of the random orders.
    """
    rng = np.random.default_rng(seed)
    found = np.empty((4, len(faces.inputs)))
    for row in range(len(faces.inputs)):
        still = faces.where(np.array([row]))
        by_map = np.argsort(-values[row], kind="stable")
        orders = [by_map, *(rng.permutation(LANDMARKS) for _ in range(random_orders))]
        areas = np.array([_areas(score, still, order, int(outputs[row]), steps) for order in orders])
        found[:, row] = (*areas[0], *areas[1:].mean(axis=0))
    return Faithfulness(deletion=found[0], insertion=found[1], deletion_random=found[2], insertion_random=found[3])


def _areas(
    score: Score,
    still: Faces,
    order: NDArray[np.int64],
    output: int,
    steps: int,
) -> tuple[float, float]:
    """Areas of deletion and insertion of one order."""
    rank = np.empty(LANDMARKS + 1, dtype=np.int64)
    rank[order] = np.arange(LANDMARKS)
    rank[LANDMARKS] = LANDMARKS  # what is no face goes last
    cuts = np.linspace(0, LANDMARKS + 1, steps + 1)[:, None]
    is_first = rank[None] < cuts
    is_first = is_first[:, :LANDMARKS][:, None, :, None] if still.owners is None else is_first[:, still.owners[0]]
    face, baseline = still.inputs[0], still.baseline.face
    stills = np.concatenate([np.where(is_first, baseline, face), np.where(is_first, face, baseline)])
    curve = expit(np.asarray(score(stills, np.ones(len(stills), dtype=np.int64)), dtype=np.float64)[:, output])
    deletion, insertion = np.split(curve, 2)
    return float(np.trapezoid(deletion) / steps), float(np.trapezoid(insertion) / steps)


def unit_overlap(mean_absolute: NDArray[np.float64], emotions: Sequence[str]) -> dict[str, float]:
    """Intersection over union of each emotion's most important landmarks and those where its action units move the skin.

    As many landmarks are taken as the mask has, so that no threshold is chosen. Neutral has no mask. `mean_absolute` float64
    (E, 478).
    """
    region = np.array(list(REGIONS))[region_of_landmark()]
    found = {}
    for emotion, importance in zip(emotions, mean_absolute, strict=True):
        mask = np.isin(region, regions_of_emotion(emotion))
        if mask.any():
            top = np.zeros(LANDMARKS, dtype=np.bool_)
            top[np.argsort(-importance, kind="stable")[: mask.sum()]] = True
            found[emotion] = float((top & mask).sum() / (top | mask).sum())
    return found
