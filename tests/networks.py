"""Small networks of random weights that tests of several folders export, count and explain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from bitface.models.face.face_net import FaceSpec
from bitface.models.landmark.landmark_net import NetSpec
from bitface.training.trained import TrainedModel


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
