"""Small networks of random weights that tests of several folders export, count and explain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from bitface.models.face.face_net import FaceNet, FaceSpec
from bitface.models.face.pruning import pruned
from bitface.models.landmark.landmark_codes import CodeScale
from bitface.models.landmark.landmark_net import LandmarkNet, NetSpec
from bitface.models.random_net import RandomFaceNet, RandomFaceSpec, RandomLandmarkNet, RandomLandmarkSpec
from bitface.models.selftest import selftest_crops, selftest_table
from bitface.models.separate import SeparateNets
from bitface.training.trained import TrainedModel

SEED = 2**62 + 7
"""Of random kernels: it does not fit 32 bits, nor a float."""


def landmark_spec(precision: str = "one-bit", **changes: object) -> NetSpec:
    """Of a landmark network with two one-bit layers of 32 channels."""
    spec = NetSpec(
        precision=precision,
        channels=32,
        temporal_kernel=3,
        binary_layers=2,
        lstm_units=8,
        outputs=2,
        latent_clip=1.5,
        dropout=0.0,
    )
    return replace(spec, **changes)


def face_spec(precision: str = "one-bit", **changes: object) -> FaceSpec:
    """Of a face network with two stages of a block each."""
    spec = FaceSpec(
        precision=precision,
        channels=32,
        stages=2,
        blocks=1,
        features=32,
        lstm_units=8,
        outputs=2,
        latent_clip=1.5,
        dropout=0.0,
    )
    return replace(spec, **changes)


def with_gammas_of_both_signs(network: nn.Module) -> nn.Module:
    """The network itself, with random norms and affines: fresh ones are all 1, which hides a wrong sign."""
    for name, parameter in network.named_parameters():
        if "norm" in name or "affine" in name:
            torch.nn.init.normal_(parameter)
    return network


def trained(network: Any, precision: str = "one-bit", **changes: object) -> TrainedModel:
    """What training says of a network that tells happiness from neutral."""
    model = TrainedModel(
        network=network.eval(),
        variant="T-EMO",
        precision=precision,
        emotions=("happiness", "neutral"),
        thresholds=np.array([0.4, 0.6]),
        untrained=(),
        history=(),
        best_epoch=0,
        train_s=0.0,
    )
    return replace(model, **changes)


def scale_on(landmarks: tuple[int, ...] | None = None) -> CodeScale:
    """A scale of codes as training would draw one, of all landmarks or of those."""
    rng = np.random.default_rng(5)
    centre, step = rng.normal(0, 1, (478, 3)).astype(np.float32), rng.uniform(300, 1500, (478, 3)).astype(np.float32)
    read = slice(None) if landmarks is None else list(landmarks)
    return CodeScale(centre=centre[read].ravel(), inverse_step=step[read].ravel(), landmarks=landmarks)


def landmark_net(precision: str = "one-bit", seed: int = 1, **sizes: Any) -> LandmarkNet:
    """Its BatchNorms have run on noise and have gammas of both signs."""
    torch.manual_seed(seed)
    spec, scale = landmark_spec(precision, **sizes), scale_on(sizes.get("landmarks"))
    network = with_gammas_of_both_signs(LandmarkNet(spec, scale))
    table = selftest_table(scale, seed, samples=60)
    network.train()(torch.from_numpy(table.landmarks), torch.from_numpy(table.lengths))
    return network


def face_net(precision: str = "one-bit", seed: int = 1, **sizes: Any) -> FaceNet:
    """As `landmark_net`, on crops."""
    torch.manual_seed(seed)
    network = with_gammas_of_both_signs(FaceNet(face_spec(precision, **sizes)))
    table = selftest_crops(seed, samples=6)
    network.train()(torch.from_numpy(table.crops), torch.from_numpy(table.lengths))
    return network


def pruned_net(precision: str = "one-bit") -> FaceNet:
    """Random channels of a net are kept, none of whose integers is tuned again; of the second stage twice as many as of the first."""
    whole, rng = face_net(precision, channels=64), np.random.default_rng(1)
    return pruned(whole, [rng.random(width) for width in whole.spec.widths], (32, 64))


def random_landmarks(precision: str = "one-bit", **sizes: Any) -> RandomLandmarkNet:
    """A network of 96 random kernels of landmarks."""
    return _with_heads(
        RandomLandmarkNet(
            RandomLandmarkSpec(kernels=96, taps=8, threshold_codes=60, **_of_a_seed(precision, **sizes)), scale_on()
        )
    )


def random_faces(precision: str = "one-bit", **sizes: Any) -> RandomFaceNet:
    """A network of 16 random kernels of crops."""
    return _with_heads(RandomFaceNet(RandomFaceSpec(kernels=16, cells=8, **_of_a_seed(precision, **sizes))))


def _of_a_seed(precision: str, lstm_units: int = 0) -> dict[str, Any]:
    return {"precision": precision, "seed": SEED, "lstm_units": lstm_units, "outputs": 2, "dropout": 0.0}


def _with_heads(network: Any) -> Any:
    torch.manual_seed(1)
    torch.nn.init.normal_(network.heads.weight, std=0.05)
    return network


def separate(one: Callable[..., Any], precision: str = "one-bit") -> SeparateNets:
    """Two networks of one emotion each, made by `one`."""
    return SeparateNets([one(precision, seed=seed, outputs=1, lstm_units=4) for seed in (1, 2)])
