"""An autoencoder of aligned faces whose code is read as action units, and whose action units are read as emotions.

    64x64 grey crop -> encoder (ResNet-50) -> code -> decoder -> the crop again
                                              code -> MLP -> each action unit, in deviations from its mean -> MLP -> logit of each emotion

Reconstruction keeps the code from forgetting what the units do not ask for (autoencoder: Hinton & Salakhutdinov, 2006;
ResNet-50: He et al., arXiv 1512.03385). The encoder comes in from outside: this file knows no torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from bitface.faces.features import CROP_PX

_DEVIATION_MIN: Final = 8.0
"""Grey levels added to a crop's deviation, so that an empty crop is not blown up to noise."""
_FIRST_SIDE: Final = 4
_DECODER_CHANNELS: Final = (128, 64, 32, 16)


@dataclass(frozen=True, kw_only=True)
class UnitSpec:
    """Sizes of a unit net: `units` are numbers of FACS, `emotions` the names of the logits, both in order.

    `means` and `deviations` are the intensities of each unit among training frames, 0..1: the net learns all units on one scale.
    """

    units: tuple[int, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    emotions: tuple[str, ...]
    encoded: int
    code: int
    hidden: int


@dataclass(frozen=True, kw_only=True)
class UnitOutput:
    """Of N frames: `rebuilt` (N, 64, 64) as `standardised`, `units` (N, U) in deviations, `emotion_logits` (N, E)."""

    rebuilt: Tensor
    units: Tensor
    emotion_logits: Tensor


class UnitNet(nn.Module):
    """The autoencoder with its two heads. `encoder` maps (N, 1, 64, 64) to anything that flattens to (N, spec.encoded)."""

    means: Tensor
    deviations: Tensor

    def __init__(self, encoder: nn.Module, spec: UnitSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = encoder
        self.code = nn.Sequential(nn.Flatten(), nn.Linear(spec.encoded, spec.code), nn.ReLU())
        self.decoder = _decoder(spec.code)
        self.units = _mlp(spec.code, spec.hidden, len(spec.units))
        self.emotions = _mlp(len(spec.units), spec.hidden, len(spec.emotions))
        self.register_buffer("means", torch.tensor(spec.means))
        self.register_buffer("deviations", torch.tensor(spec.deviations))

    def forward(self, crops: Tensor) -> UnitOutput:
        """All outputs for crops uint8 (N, 64, 64)."""
        code = self.code(self.encoder(standardised(crops)[:, None]))
        units: Tensor = self.units(code)
        return UnitOutput(
            rebuilt=self.decoder(code)[:, 0],
            units=units,
            # Detached: an emotion's label must not bend what a unit means.
            emotion_logits=self.emotions(units.detach()),
        )

    def targets(self, intensities: Tensor) -> Tensor:
        """Intensities 0..1 (N, U) as the net learns them, in deviations from their means."""
        return (intensities - self.means) / self.deviations

    def intensities(self, units: Tensor) -> Tensor:
        """What `forward` says of the units as intensities 0..1 (N, U)."""
        return (units * self.deviations + self.means).clamp(0, 1)


def standardised(crops: Tensor) -> Tensor:
    """Grey levels (N, 64, 64) as float32 in deviations from their own crop's mean: skin and light are not what moves."""
    grey = crops.float()
    mean, deviation = grey.mean((1, 2), keepdim=True), grey.std((1, 2), keepdim=True)
    return (grey - mean) / (deviation + _DEVIATION_MIN)


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def _decoder(code: int) -> nn.Sequential:
    """From a code to (N, 1, 64, 64): a 4x4 picture, doubled four times."""
    first = _DECODER_CHANNELS[0]
    layers: list[nn.Module] = [
        nn.Linear(code, first * _FIRST_SIDE**2),
        nn.Unflatten(1, (first, _FIRST_SIDE, _FIRST_SIDE)),
    ]
    for before, after in zip(_DECODER_CHANNELS, (*_DECODER_CHANNELS[1:], 1), strict=True):
        layers += [nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(before, after, kernel_size=3, padding=1)]
    assert _FIRST_SIDE << len(_DECODER_CHANNELS) == CROP_PX  # noqa: S101
    return nn.Sequential(*layers)
