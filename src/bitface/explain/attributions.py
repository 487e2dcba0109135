"""Attributes a score to landmarks by Integrated Gradients, and measures how much of the score the map leaves unexplained.

    IG_i(x) = (x_i - b_i) * integral over a in 0..1 of df(b + a (x - b)) / dx_i     (Sundararajan et al., arXiv 1703.01365)

A differentiable f gives sum_i IG_i = f(x) - f(b). A one-bit network has no gradient to integrate: its straight-through
stand-in gives a map that nothing forces to add up, so such a map says so. What a net of pixels rests on is counted to the
landmark nearest to each pixel: sums stay what they are, and no map shows anybody's face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bitface.errors import InputError
from bitface.faces.features import CROP_PX, LANDMARKS
from bitface.faces.regions import REGIONS, region_of_landmark, regions_of_emotion, share_of_landmarks
from bitface.models.clip_net import ClipNet

Gradient = Literal["exact", "straight-through"]
LABELS: Final = {"exact": "additive up to its gap", "straight-through": "approximate, not additive"}
"""What a reader must know of a map, by the gradient it was made with."""
DIFFERENCE_FLOOR: Final = 1e-3
"""Logits. Where score and baseline differ by less, the gap is measured against this, not against nearly nothing."""
_VALUES_AT_ONCE: Final = 2**20
_SHAPES: Final = ((LANDMARKS, 3), (CROP_PX, CROP_PX))


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The face that explanations compare with: `face` float32, normalised landmarks (478, 3) or a crop (64, 64)."""

    name: str
    face: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.face.shape not in _SHAPES or not np.isfinite(self.face).all():
            raise InputError(
                f"baseline '{self.name}' is not {LANDMARKS} finite points, nor {CROP_PX} x {CROP_PX} pixels"
            )


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """Maps of N samples for E emotions.

    `values` float64 (N, E, 478), in logits, summed over coordinates and frames; `differences` float64 (N, E),
    f(x) - f(baseline); `gaps` float64 (N, E), |sum of values - difference| / max(|difference|, 0.001); `steps` int64 (N,),
    points of each sample's integrals.
    """

    method: str
    gradient: Gradient
    steps: NDArray[np.int64]
    baseline: str
    emotions: tuple[str, ...]
    values: NDArray[np.float64]
    differences: NDArray[np.float64]
    gaps: NDArray[np.float64]

    @property
    def label(self) -> str:
        """What a reader must know of the maps: whether they add up."""
        return LABELS[self.gradient]

    def sample_gaps(self) -> NDArray[np.float64]:
        """Per sample, float64 (N,): what the maps of all emotions leave unexplained, over what they had to explain."""
        left = np.abs(self.values.sum(axis=2) - self.differences).sum(axis=1)
        to_explain = np.abs(self.differences).sum(axis=1)
        return np.asarray(left / np.maximum(to_explain, DIFFERENCE_FLOOR))


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


def mean_face(faces: NDArray[np.float32] | NDArray[np.uint8], lengths: NDArray[np.int64]) -> Baseline:
    """The mean landmarks or the mean crop of training people, each sample weighing the same.

    Args:
        faces: float32 (N, T, 478, 3), normalised, or uint8 (N, T, 64, 64), of training people only.
        lengths: int64 (N,), true frames, 1 to T; frames beyond them do not count.

    Raises:
        InputError: there is no sample.
    """
    if not len(faces):
        raise InputError("0 training samples; the mean face needs at least 1")
    is_frame = (np.arange(faces.shape[1]) < lengths[:, None])[..., None, None]
    of_sample = np.where(is_frame, faces, 0).sum(axis=1, dtype=np.float64) / lengths[:, None, None]
    what = "landmarks" if faces.shape[2:] == (LANDMARKS, 3) else "crop"
    return Baseline(name=f"mean {what} of training people", face=of_sample.mean(axis=0).astype(np.float32))


def gradient_of(network: ClipNet) -> Gradient:
    """How the network's gradient comes about: `straight-through` for one-bit, `exact` for its float twin."""
    return "straight-through" if network.spec.precision == "one-bit" else "exact"


def integrated_gradients(
    network: nn.Module,
    faces: NDArray[np.float32] | NDArray[np.uint8],
    lengths: NDArray[np.int64],
    *,
    emotions: Sequence[str],
    baseline: Baseline,
    steps: int,
    gradient: Gradient,
    owners: NDArray[np.int64] | None = None,
) -> Attribution:
    """Integrated Gradients of every sample and emotion (Captum, Gauss-Legendre points between baseline and sample).

    Args:
        network: `forward(float32 of faces' shape, int64 (N,))` gives logits (N, E). It is run in evaluation mode and left
            in the mode that it came in; its parameters stay as they are.
        faces: normalised landmarks float32 (N, T, 478, 3), or crops uint8 (N, T, 64, 64).
        lengths: int64 (N,), true frames, 1 to T.
        emotions: names of the E outputs.
        baseline: shown in every frame.
        steps: points of the integral, 8 or more.
        gradient: `straight-through` where the network has sign() in it, see `gradient_of`.
        owners: for crops, the landmark that each pixel is counted to, int64 (N, T, 64, 64), see
            `alignment.nearest_landmarks`.

    Raises:
        InputError: no sample, shapes that do not agree, or outputs other than the emotions.
    """
    _check(faces, lengths, owners)
    was_training = network.training
    needed_gradients = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        network.eval()
        for parameter in needed_gradients:
            parameter.requires_grad_(False)
        values, differences = _in_chunks(network, faces, lengths, owners, len(emotions), baseline, steps)
    finally:
        network.train(was_training)
        for parameter in needed_gradients:
            parameter.requires_grad_(True)
    return Attribution(
        method="integrated gradients",
        gradient=gradient,
        steps=np.full(len(faces), steps, dtype=np.int64),
        baseline=baseline.name,
        emotions=tuple(emotions),
        values=values,
        differences=differences,
        gaps=completeness_gaps(values, differences),
    )


def refined(
    attribute: Callable[[NDArray[np.int64], int], Attribution], samples: int, *, steps: int, steps_max: int, gap: float
) -> Attribution:
    """Maps of each sample at as many steps as its gap asks for: four times as many until it is at most `gap`.

    A kink of the logit on the way from the baseline costs precision, and few samples have a bad one.

    Args:
        attribute: maps of the samples of these numbers, int64 (n,), at this many steps.
        samples: how many there are.
        steps: of the first try, for all.
        steps_max: never more; a gap that is still too wide then stays, and is told. Nothing is tried again with a
            straight-through gradient, which no number of steps makes additive.
        gap: share of a sample's differences that may stay unexplained.
    """
    made = attribute(np.arange(samples), steps)
    while made.gradient == "exact" and (steps := steps * 4) <= steps_max:
        wide = np.flatnonzero(made.sample_gaps() > gap)
        if not len(wide):
            break
        made = _with_rows(made, wide, attribute(wide, steps))
    return made


def _with_rows(made: Attribution, rows: NDArray[np.int64], again: Attribution) -> Attribution:
    fields = {name: getattr(made, name).copy() for name in ("values", "differences", "gaps", "steps")}
    for name, array in fields.items():
        array[rows] = getattr(again, name)
    return replace(made, **fields)


def completeness_gaps(values: NDArray[np.float64], differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """|sum of values - difference| / max(|difference|, 0.001), float64 (...): 0 is a map that explains all of a score.

    Args:
        values: float64 (..., 478).
        differences: float64 (...), f(x) - f(baseline).
    """
    unexplained = np.abs(values.sum(axis=-1) - differences)
    return np.asarray(unexplained / np.maximum(np.abs(differences), DIFFERENCE_FLOOR))


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
    expected = [_of_expected_regions(emotion) for emotion in attribution.emotions]
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


def _of_expected_regions(emotion: str) -> NDArray[np.bool_]:
    return np.isin(list(REGIONS), regions_of_emotion(emotion))


def _check(faces: NDArray[np.generic], lengths: NDArray[np.int64], owners: NDArray[np.int64] | None) -> None:
    if faces.ndim != 4 or faces.shape[2:] not in _SHAPES or not len(faces):
        raise InputError(
            f"faces of shape {faces.shape} are not (N, T, {LANDMARKS}, 3) or (N, T, {CROP_PX}, {CROP_PX}), N of 1 or more"
        )
    if lengths.shape != faces.shape[:1] or lengths.min() < 1 or lengths.max() > faces.shape[1]:
        raise InputError(f"lengths must be {len(faces)} whole numbers between 1 and {faces.shape[1]}")
    if (faces.shape[2:] == (CROP_PX, CROP_PX)) != (owners is not None and owners.shape == faces.shape):
        raise InputError(
            "crops need the landmark that each pixel is counted to, and landmarks are counted to themselves"
        )


def _in_chunks(
    network: nn.Module,
    faces: NDArray[np.float32] | NDArray[np.uint8],
    lengths: NDArray[np.int64],
    owners: NDArray[np.int64] | None,
    outputs: int,
    baseline: Baseline,
    steps: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values (N, E, 478) and differences (N, E). Samples of one length go together, so that no padding is computed."""
    values = np.zeros((len(faces), outputs, LANDMARKS))
    differences = np.zeros((len(faces), outputs))
    for frames in np.unique(lengths):
        rows = np.flatnonzero(lengths == frames)
        at_once = max(1, _VALUES_AT_ONCE // (steps * int(frames) * baseline.face.size))
        for start in range(0, len(rows), at_once):
            chunk = rows[start : start + at_once]
            inputs = torch.from_numpy(np.ascontiguousarray(faces[chunk, :frames], dtype=np.float32))
            maps, differences[chunk] = _attribute(
                network, inputs, torch.from_numpy(lengths[chunk]), outputs, baseline, steps
            )
            values[chunk] = maps.sum(axis=(2, 4)) if owners is None else _counted(maps, owners[chunk, :frames])
    return values, differences


def _counted(maps: NDArray[np.float64], owners: NDArray[np.int64]) -> NDArray[np.float64]:
    """Maps (N, E, T, 64, 64) summed per landmark, (N, E, 478)."""
    counted = np.zeros((*maps.shape[:2], LANDMARKS))
    for row, output in np.ndindex(maps.shape[:2]):
        counted[row, output] = np.bincount(owners[row].ravel(), maps[row, output].ravel(), LANDMARKS)
    return counted


def _attribute(
    network: nn.Module, inputs: Tensor, lengths: Tensor, outputs: int, baseline: Baseline, steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maps (N, E, T, ...) and differences (N, E)."""
    # Captum takes seconds to import: only who explains pays for it.
    from captum.attr import IntegratedGradients

    base = torch.from_numpy(baseline.face).expand(inputs.shape)
    with torch.no_grad():
        difference = network(inputs, lengths).double() - network(base, lengths).double()
    if difference.shape[1] != outputs:
        raise InputError(f"the network has {difference.shape[1]} outputs for {outputs} emotions; name each output once")
    explainer = IntegratedGradients(network)
    maps = [
        explainer.attribute(inputs, base, target=output, additional_forward_args=lengths, n_steps=steps).double()
        for output in range(outputs)
    ]
    return torch.stack(maps, dim=1).numpy(), difference.numpy()
