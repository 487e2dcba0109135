"""Layers on pictures whose forward pass is integer arithmetic in float32: an int8 stem, one-bit convolutions, exact pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitface.binarize.codes import CODE_MAX, PIXEL_DEVIATION
from bitface.binarize.layers import LatentSigns
from bitface.binarize.sign import straight_round

KERNEL: Final = 3
PAD_SIGN: Final = -1.0
"""What lies beyond the border of a +-1 map: there is no 0, and OpenVINO's own padding is -1."""
GAIN_MAX: Final = 1.5
RECTIFIED_SHARE: Final = 0.6
"""What a filter's mean |weight| is multiplied by where a sign of size 1 takes the place of a rectified value, of size 0.6."""
READOUT_SIDE: Final = 4
"""Rows and columns of the map that the readout weighs place by place."""


class Int8Stem(nn.Module):
    """A 3x3 convolution of stride 2 with int8 weights on int8 codes of pixels (N, 1, H, W); beyond the border is the mean.

    A count of `unit` is 1 of the twin's stem. A filter's sum of |weights| stays at or below `weight_sum_max(unit)`, so
    that every count stays within 127 times that.
    """

    def __init__(self, outputs: int, unit: int) -> None:
        super().__init__()
        self.unit = unit
        self.weight = nn.Parameter(torch.empty(outputs, 1, KERNEL, KERNEL))
        nn.init.normal_(self.weight, std=1 / KERNEL)

    def integer_weights(self) -> Tensor:
        """Whole numbers in -127..127, float32 (outputs, 1, 3, 3), straight-through to the real weights."""
        real = self.weight * (self.unit / PIXEL_DEVIATION)
        # Rounding may add half a unit to each of the nine weights.
        budget = weight_sum_max(self.unit) - KERNEL * KERNEL / 2
        sums = real.detach().abs().sum((1, 2, 3), keepdim=True)
        return straight_round((real * (budget / sums.clamp_min(budget))).clamp(-CODE_MAX, CODE_MAX))

    def forward(self, codes: Tensor) -> Tensor:
        """Integer counts, float32 (N, outputs, H / 2, W / 2)."""
        return functional.conv2d(codes, self.integer_weights(), stride=2, padding=1)


class BinaryConv(LatentSigns):
    """A 3x3 convolution with weights +-1 on activations +-1, times a learned whole number per channel.

    The factor is what BatchNorm's scale does in Bi-Real Net; whole, so that the residual stream stays integer.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, unit: int, latent_clip: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, KERNEL, KERNEL))
        self._start()
        self.gain = nn.Parameter(torch.ones(outputs))
        self.stride, self.latent_clip = stride, latent_clip
        self.base_factor = base_factor(inputs, unit)

    @torch.no_grad()
    def start_from(self, weight: Tensor) -> None:
        """Beside the signs, gives each channel the mean |weight| of its filter, as XNOR-Net does (arXiv 1603.05279)."""
        super().start_from(weight)
        sizes = weight.abs().mean((1, 2, 3)) * math.sqrt(weight[0].numel())
        self.gain.copy_((sizes * RECTIFIED_SHARE).clamp_max(GAIN_MAX))

    def factors(self) -> Tensor:
        """Whole numbers, 0 to 1.5 times the base factor, float32 (outputs,)."""
        return straight_round(self.gain.clamp(0, GAIN_MAX) * self.base_factor)

    def forward(self, signs: Tensor) -> Tensor:
        """What is added to the residual stream, integers in float32 (N, outputs, H / stride, W / stride)."""
        weight = self.effective_weight() * self.factors()[:, None, None, None]
        beyond = PAD_SIGN * weight.sum((1, 2, 3))
        return functional.conv2d(signs - PAD_SIGN, weight, beyond, stride=self.stride, padding=1)


class BinaryReadout(LatentSigns):
    """Weights +-1 for every place of a 4x4 map of signs: an aligned face smiles at a place, not on average."""

    def __init__(self, inputs: int, outputs: int, latent_clip: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, READOUT_SIDE, READOUT_SIDE))
        self._start()
        self.latent_clip = latent_clip

    def forward(self, signs: Tensor) -> Tensor:
        """Counts, integers in float32 (N, outputs), of signs (N, inputs, 4, 4)."""
        return functional.conv2d(signs, self.effective_weight())[..., 0, 0]


def base_factor(inputs: int, unit: int) -> int:
    """What a binary count is multiplied by, so that random signs of this fan-in add about `unit` to the stream."""
    return max(1, round(unit / math.sqrt(inputs * KERNEL * KERNEL)))


def weight_sum_max(unit: int) -> float:
    """Limit of a stem filter's sum of |weights|: a face's pixels then span up to 32 units."""
    return unit / 2


def sum_pooled(stream: Tensor, side: int) -> Tensor:
    """Squares of `side` x `side` summed, (N, C, H / side, W / side); a power of two, so that float32 stays exact."""
    return stream if side == 1 else functional.avg_pool2d(stream, side) * (side * side)


def doubled(channels: int) -> tuple[int, ...]:
    """The channels that twice as many continue when each is duplicated, as in ReActNet (arXiv 2003.03488)."""
    return tuple(range(channels)) * 2


class Continuation(nn.Module):
    """The shortcut of a block of stride 2 behind its pooling: output o is channel `sources[o]`, without a 1x1 convolution."""

    sources: Tensor

    def __init__(self, channels: int, sources: Sequence[int]) -> None:
        super().__init__()
        self.is_doubling = tuple(sources) == doubled(channels)
        self.register_buffer("sources", torch.tensor(sources), persistent=False)

    def forward(self, pooled: Tensor) -> Tensor:
        """(N, len(sources), H, W) of (N, channels, H, W)."""
        if self.is_doubling:
            return torch.cat([pooled, pooled], dim=1)
        return pooled.index_select(1, self.sources)
