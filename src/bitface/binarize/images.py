"""Layers on pictures whose forward pass is integer arithmetic in float32: an int8 stem, one-bit convolutions, exact pooling."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitface.binarize.layers import CODE_MAX, LatentSigns
from bitface.binarize.sign import clipped_sign, straight_round

KERNEL: Final = 3
PAD_SIGN: Final = -1.0
"""What lies beyond the border of a +-1 map: there is no 0, and OpenVINO's own padding is -1."""
GAIN_MAX: Final = 1.5
PIXEL_UNIT: Final = 64.0
"""Grey levels that count as 1: about the standard deviation of a face's pixels."""
PIXEL_CENTRE: Final = 128.0


class Int8Stem(nn.Module):
    """A 3x3 convolution of stride 2 with int8 weights on centred 8-bit pixels (N, 1, H, W); beyond the border is mid-grey.

    A count of `unit` is 1 of the twin's stem. A filter's sum of |weights| stays at or below `weight_sum_max(unit)`, so
    that every count stays within 128 times that.
    """

    def __init__(self, outputs: int, unit: int) -> None:
        super().__init__()
        self.unit = unit
        self.weight = nn.Parameter(torch.empty(outputs, 1, KERNEL, KERNEL))
        nn.init.normal_(self.weight, std=1 / KERNEL)

    def integer_weights(self) -> Tensor:
        """Whole numbers in -127..127, float32 (outputs, 1, 3, 3), straight-through to the real weights."""
        real = self.weight * (self.unit / PIXEL_UNIT)
        # Rounding may add half a unit to each of the nine weights.
        budget = weight_sum_max(self.unit) - KERNEL * KERNEL / 2
        sums = real.detach().abs().sum((1, 2, 3), keepdim=True)
        return straight_round((real * (budget / sums.clamp_min(budget))).clamp(-CODE_MAX, CODE_MAX))

    def forward(self, centred: Tensor) -> Tensor:
        """Integer counts, float32 (N, outputs, H / 2, W / 2)."""
        return functional.conv2d(centred, self.integer_weights(), stride=2, padding=1)


class BinaryConv(LatentSigns):
    """A 3x3 convolution with weights +-1 on activations +-1, times a learned whole number per channel.

    The factor is what BatchNorm's scale does in Bi-Real Net; whole, so that the residual stream stays integer.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, unit: int, latent_clip: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, KERNEL, KERNEL))
        nn.init.uniform_(self.weight, -1, 1)
        self.gain = nn.Parameter(torch.ones(outputs))
        self.stride, self.latent_clip = stride, latent_clip
        self.base_factor = base_factor(inputs, unit)

    def effective_weight(self) -> Tensor:
        """Signs of the latent weights."""
        return clipped_sign(self.weight, self.latent_clip)

    def factors(self) -> Tensor:
        """Whole numbers, 0 to 1.5 times the base factor, float32 (outputs,)."""
        return straight_round(self.gain.clamp(0, GAIN_MAX) * self.base_factor)

    def forward(self, signs: Tensor) -> Tensor:
        """What is added to the residual stream, integers in float32 (N, outputs, H / stride, W / stride)."""
        padded = functional.pad(signs, (1, 1, 1, 1), value=PAD_SIGN)
        counts = functional.conv2d(padded, self.effective_weight(), stride=self.stride)
        return counts * self.factors()[:, None, None]


def base_factor(inputs: int, unit: int) -> int:
    """What a binary count is multiplied by, so that random signs of this fan-in add about `unit` to the stream."""
    return max(1, round(unit / math.sqrt(inputs * KERNEL * KERNEL)))


def weight_sum_max(unit: int) -> float:
    """Limit of a stem filter's sum of |weights|: a face's pixels then span up to 32 units."""
    return unit / 2


def pooled_twice(stream: Tensor) -> Tensor:
    """The shortcut of a block of stride 2: each 2x2 square summed, channels duplicated, (N, 2C, H / 2, W / 2).

    Average-pool-and-duplicate of ReActNet (arXiv 2003.03488), which needs no fp 1x1 convolution; a sum stays whole.
    """
    # Dividing by 4 and multiplying by it are exact in float32.
    summed = functional.avg_pool2d(stream, 2) * 4
    return torch.cat([summed, summed], dim=1)
