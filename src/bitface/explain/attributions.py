"""What a map of a face says, as a value that knows how it was made and how much of a score it leaves unexplained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bitface.faces.regions import REGIONS, region_of_landmark, regions_of_emotion, share_of_landmarks

Gradient = Literal["exact", "straight-through", "completed"]
LABELS: Final = {
    "exact": "additive up to its gap",
    "straight-through": "approximate, not additive",
    "completed": "additive; spread by a stand-in gradient",
}
"""What a reader must know of a map, by the gradient it was made with."""
DIFFERENCE_FLOOR: Final = 1e-3
"""Logits. Where score and baseline differ by less, the gap is measured against this, not against nearly nothing."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Maps of N samples for E emotions.

    `values` float64 (N, E, 478), in logits, summed over coordinates and frames; `outside` float64 (N, E): what pixels beside
    the face got, 0 for landmarks; `differences` float64 (N, E), f(x) - f(baseline); `steps` int64 (N,), points of each
    sample's integrals.
    """

    method: str
    gradient: Gradient
    steps: NDArray[np.int64]
    baseline: str
    emotions: tuple[str, ...]
    values: NDArray[np.float64]
    outside: NDArray[np.float64]
    differences: NDArray[np.float64]

    @property
    def label(self) -> str:
        """What a reader must know of the maps: whether they add up."""
        return LABELS[self.gradient]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """Completeness gaps, float64 (N, E): |sum of a map - difference| / max(|difference|, 0.001)."""
        return np.asarray(np.abs(self._left()) / np.maximum(np.abs(self.differences), DIFFERENCE_FLOOR))

    def sample_gaps(self) -> NDArray[np.float64]:
        """Per sample, float64 (N,): what the maps of all emotions leave unexplained, over what they had to explain."""
        to_explain = np.abs(self.differences).sum(axis=1)
        return np.asarray(np.abs(self._left()).sum(axis=1) / np.maximum(to_explain, DIFFERENCE_FLOOR))

    def by_region(self) -> NDArray[np.float64]:
        """Signed sums of each region, float64 (N, E, 10): those of REGIONS in order, then what lies outside the face."""
        summed = np.zeros((len(REGIONS) + 1, *self.outside.shape))
        np.add.at(summed, region_of_landmark(), np.moveaxis(self.values, 2, 0))
        summed[-1] = self.outside
        return np.moveaxis(summed, 0, 2)

    def _left(self) -> NDArray[np.float64]:
        return np.asarray(self.values.sum(axis=2) + self.outside - self.differences)


@dataclass(frozen=True, kw_only=True)
class AttributionSummary:
    """Maps of many samples, one row an emotion in the order of `emotions`, one column a region in that of REGIONS.

    `steps` the fewest and the most of a sample; `gap_median`, `gap_max` over samples, see `sample_gaps`; `mean_absolute`
    float64 (E, 478), in logits; `ranking` int64 (E, 478), landmarks from the most to the least important; `region_share`
    float64 (E, 9), shares of an emotion's mass; `expected_mass`: the share that lies on the regions of the emotion's
    action units, and `expected_area`: the share of landmarks there, which a map without preference would reach. Both are
    None for neutral, which moves nothing.
    """

    method: str
    label: str
    steps: tuple[int, int]
    baseline: str
    samples: int
    emotions: tuple[str, ...]
    gap_median: float
    gap_max: float
    mean_absolute: NDArray[np.float64]
    ranking: NDArray[np.int64]
    region_share: NDArray[np.float64]
    expected_mass: tuple[float | None, ...]
    expected_area: tuple[float | None, ...]

    @property
    def steps_in_words(self) -> str:
        """For a caption."""
        fewest, most = self.steps
        return f"{fewest} steps" if fewest == most else f"{fewest} to {most} steps"


def summarise(attribution: Attribution) -> AttributionSummary:
    """The ranking of landmarks per emotion over all samples, the mass of each region, and the gap of the maps.

    Aggregating absolute values over a dataset follows Di Luzio et al. (arXiv 2407.14865). An emotion whose maps are all
    zero prefers no landmark, and its mass lies as the landmarks do.
    """
    mean_absolute = np.abs(attribution.values).mean(axis=0)
    region_mass = np.zeros((len(attribution.emotions), len(REGIONS)))
    np.add.at(region_mass.T, region_of_landmark(), mean_absolute.T)
    total = region_mass.sum(axis=1, keepdims=True)
    region_share = np.where(total > 0, region_mass / np.where(total > 0, total, 1), share_of_landmarks())
    expected = [expected_regions(emotion) for emotion in attribution.emotions]
    return AttributionSummary(
        method=attribution.method,
        label=attribution.label,
        steps=(int(attribution.steps.min()), int(attribution.steps.max())),
        baseline=attribution.baseline,
        samples=len(attribution.values),
        emotions=attribution.emotions,
        gap_median=float(np.median(attribution.sample_gaps())),
        gap_max=float(attribution.sample_gaps().max()),
        mean_absolute=mean_absolute,
        ranking=np.argsort(-mean_absolute, axis=1, kind="stable"),
        region_share=region_share,
        expected_mass=tuple(
            float(s[is_in].sum()) if is_in.any() else None for s, is_in in zip(region_share, expected, strict=True)
        ),
        expected_area=tuple(float(share_of_landmarks()[is_in].sum()) if is_in.any() else None for is_in in expected),
    )


def expected_regions(emotion: str) -> NDArray[np.bool_]:
    """Which of REGIONS the action units of an emotion move, bool (9,); none for neutral."""
    return np.isin(list(REGIONS), regions_of_emotion(emotion))
