"""What the exact values of many faces say together: how much rests where anatomy expects it, and how much beside the face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.explain.attributions import Attribution
from bitface.explain.region_shapley import RegionShapley
from bitface.faces.regions import OUTSIDE, REGIONS, region_of_landmark, regions_of_emotion

_FLOOR: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class RegionTable:
    """Exact Shapley values of N faces against one baseline: `values` float64 (N, E, k), in log odds.

    `areas` float64 (N, k): the share of each region in what the model reads of a face; `gap` the largest of all faces;
    `differences` float64 (N, E), f(face) - f(baseline).
    """

    baseline: str
    regions: tuple[str, ...]
    emotions: tuple[str, ...]
    values: NDArray[np.float64]
    areas: NDArray[np.float64]
    differences: NDArray[np.float64]
    gap: float

    @classmethod
    def of(
        cls, made: Sequence[RegionShapley], region_of: Sequence[NDArray[np.int64]], emotions: Sequence[str]
    ) -> RegionTable:
        """One table of the values of at least one face; `region_of` as they were made with."""
        first = made[0]
        return cls(
            baseline=first.baseline,
            regions=first.regions,
            emotions=tuple(emotions),
            values=np.stack([one.values for one in made]),
            areas=np.stack([np.bincount(own.ravel(), minlength=len(first.regions)) / own.size for own in region_of]),
            differences=np.stack([one.at_face - one.at_baseline for one in made]),
            gap=max(one.gap for one in made),
        )

    def sample_gaps(self) -> NDArray[np.float64]:
        """Per sample, float64 (N,): what the values of all emotions leave unexplained, over what they had to explain."""
        left = np.abs(self.values.sum(axis=2) - self.differences).sum(axis=1)
        return np.asarray(left / np.maximum(np.abs(self.differences).sum(axis=1), _FLOOR))

    def mass(self) -> NDArray[np.float64]:
        """Shares of the absolute values, float64 (N, E, k); as the areas where all values are 0."""
        size = np.abs(self.values)
        total = size.sum(axis=2, keepdims=True)
        return np.asarray(np.where(total > _FLOOR, size / np.maximum(total, _FLOOR), self.areas[:, None]))

    def outside(self) -> NDArray[np.float64]:
        """The share of a face's values that lies beside the face, over all emotions, float64 (N,); 0 for landmarks."""
        if OUTSIDE not in self.regions:
            return np.zeros(len(self.values))
        size = np.abs(self.values).sum(axis=1)
        return np.asarray(size[:, self.regions.index(OUTSIDE)] / np.maximum(size.sum(axis=1), _FLOOR))

    def expected(self, labels: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """For each face's true emotion: the share of mass on the regions of its action units, and their share of area.

        float64 (N,) both; NaN for neutral, which moves nothing, and for an emotion that the model was not taught.
        """
        mass, shares = self.mass(), np.full((2, len(labels)), np.nan)
        for row, label in enumerate(labels):
            is_expected = np.isin(self.regions, regions_of_emotion(label))
            if label in self.emotions and is_expected.any():
                shares[0, row] = mass[row, self.emotions.index(label), is_expected].sum()
                shares[1, row] = self.areas[row, is_expected].sum()
        return shares[0], shares[1]

    def shown(self, labels: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """The emotions that faces show, and the mean values (E', k) of each over the faces that show it."""
        own = np.array(labels)
        shown = tuple(emotion for emotion in self.emotions if (own == emotion).any())
        means = [self.values[own == emotion, self.emotions.index(emotion)].mean(axis=0) for emotion in shown]
        return shown, np.array(means).reshape(len(shown), len(self.regions))


def landmark_values(values: NDArray[np.float64], regions: Sequence[str]) -> NDArray[np.float64]:
    """Each landmark with its region's value, float64 (E, 478), of values (E, k); what lies outside the face is left out."""
    on_face = values[:, [regions.index(name) for name in REGIONS]]
    return np.asarray(on_face[:, region_of_landmark()])


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How a kind of map agrees with exact values, over N faces and E emotions: `correlations` float64 (N, E), Pearson's
    over the regions' signed sums; `same_top` bool (N, E), whether the region of the largest absolute sum is the same.
    """

    correlations: NDArray[np.float64]
    same_top: NDArray[np.bool_]

    @property
    def median(self) -> float:
        """The median correlation."""
        return float(np.median(self.correlations))

    @property
    def top_share(self) -> float:
        """How often the top region is the same."""
        return float(self.same_top.mean())


def agreement(maps: Attribution, exact: RegionTable) -> Agreement:
    """Maps against exact values of the same faces, emotions and baseline; a map that is equal everywhere correlates 0."""
    summed = maps.by_region()[..., : len(exact.regions)]
    one, other = (values - values.mean(axis=2, keepdims=True) for values in (summed, exact.values))
    size = np.sqrt((one**2).sum(axis=2) * (other**2).sum(axis=2))
    return Agreement(
        correlations=np.asarray((one * other).sum(axis=2) / np.maximum(size, _FLOOR)),
        same_top=np.abs(summed).argmax(axis=2) == np.abs(exact.values).argmax(axis=2),
    )
