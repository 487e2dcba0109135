"""The architectures that params.yaml can name: what each learns from, which networks it makes, and what a reader is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from bitface.errors import InputError
from bitface.faces.features import ClipTable
from bitface.models.clip_net import ClipNet
from bitface.models.face.face_net import FaceNet, FaceSpec
from bitface.models.landmark.landmark_codes import CodeScale, coordinates_of
from bitface.models.landmark.landmark_net import LandmarkNet, NetSpec
from bitface.models.random_net import RandomFaceNet, RandomFaceSpec, RandomLandmarkNet, RandomLandmarkSpec
from bitface.params import TrainingParams
from bitface.training.domain import Domain
from bitface.training.face_domain import FaceDomain
from bitface.training.landmarks.landmark_domain import LandmarkDomain

Sizes = dict[str, Any]
"""A network's spec as JSON holds it."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """`caption`: one sentence for the model card. `domain`: what it learns from, fitted to training rows by parameters and a seed.
    `empty`: by the name of each of its networks, one of given sizes for weights to be loaded into. `variants`: those of
    `training.variant` that it has; `is_separable`: whether there is an exported form of one network per emotion.
    """

    caption: str
    domain: Callable[[ClipTable, TrainingParams, int], Domain]
    empty: Mapping[str, Callable[[Sizes], ClipNet]]
    variants: tuple[Literal["T-EMO", "R-EMO"], ...] = ("T-EMO",)
    is_separable: bool = False


def domain_of(train: ClipTable, params: TrainingParams, seed: int) -> Domain:
    """What the architecture in the parameters learns from.

    Raises:
        InputError: it has not that variant, or no separate heads.
    """
    name, architecture = params.architecture, ARCHITECTURES[params.architecture]
    if params.variant not in architecture.variants:
        raise InputError(f"{name} has no variant {params.variant}; set training.variant: {architecture.variants[0]}")
    if params.heads == "separate" and not architecture.is_separable:
        raise InputError(f"{name} has no separate heads; set training.heads: shared")
    return architecture.domain(train, params, seed)


def empty_network(name: str, sizes: Sizes) -> ClipNet:
    """A network by its name, for weights to be loaded into. Raises KeyError for one that no architecture has."""
    return {own: make for one in ARCHITECTURES.values() for own, make in one.empty.items()}[name](sizes)


def blank_scale(landmarks: tuple[int, ...] | None = None) -> CodeScale:
    """A scale whose numbers come with the weights."""
    ones = np.ones(coordinates_of(landmarks), np.float32)
    return CodeScale(centre=ones, inverse_step=ones, landmarks=landmarks)


def _face_spec(sizes: Sizes) -> FaceSpec:
    """JSON has no tuples; a net from before there was pruning has no sources."""
    sources = sizes.get("sources")
    return FaceSpec(**{**sizes, "sources": None if sources is None else tuple(map(tuple, sources))})


def _landmark_net(sizes: Sizes) -> LandmarkNet:
    """JSON has no tuples; a net from before there was a choice reads all landmarks."""
    landmarks = sizes.get("landmarks")
    spec = NetSpec(**{**sizes, "landmarks": None if landmarks is None else tuple(landmarks)})
    return LandmarkNet(spec, blank_scale(spec.landmarks))


ARCHITECTURES: Final[dict[str, Architecture]] = {
    "landmark_net": Architecture(
        caption="One-vs-rest expressions from face landmarks: binarized temporal convolutions, an LSTM, one head each.",
        domain=LandmarkDomain.of,
        empty={
            LandmarkNet.name: _landmark_net,
            RandomLandmarkNet.name: lambda sizes: RandomLandmarkNet(RandomLandmarkSpec(**sizes), blank_scale()),
        },
        variants=("T-EMO", "R-EMO"),
        is_separable=True,
    ),
    "face_net": Architecture(
        caption="One-vs-rest expressions from aligned 64x64 grey faces: binarized 3x3 convolutions, an LSTM, one head each.",
        domain=FaceDomain.of,
        empty={
            FaceNet.name: lambda sizes: FaceNet(_face_spec(sizes)),
            RandomFaceNet.name: lambda sizes: RandomFaceNet(RandomFaceSpec(**sizes)),
        },
        variants=("T-EMO", "R-EMO"),
        is_separable=True,
    ),
}
