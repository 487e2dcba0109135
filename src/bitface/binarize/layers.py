"""Layers whose forward pass is integer arithmetic in float32, so that what is trained is what is shipped."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn

from bitface.binarize.codes import CODE_MAX
from bitface.binarize.folding import COUNT_LIMIT, FoldedNorm, fold_norm
from bitface.binarize.sign import approx_sign, clipped_sign, straight_round


class Int8Linear(nn.Module):
    """A linear layer with int8 weights on int8 codes: a first layer of higher precision (XNOR-Net, arXiv 1603.05279).

    Weights are quantised per output channel; the step is widened where 127 * sum|w| would reach `COUNT_LIMIT`, so that
    float32 adds the products exactly in any order.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        nn.init.normal_(self.weight, std=1 / math.sqrt(inputs))

    def steps(self) -> Tensor:
        """The weight of one unit, float32 (outputs, 1), above 0."""
        inputs = self.weight.shape[1]
        magnitude = self.weight.detach().abs()
        # Rounding may add half a unit to every weight, hence `inputs / 2` off the budget.
        budget = COUNT_LIMIT / CODE_MAX - inputs / 2
        steps = torch.maximum(magnitude.amax(1) / CODE_MAX, magnitude.sum(1) / budget)
        return steps.clamp_min(1e-12)[:, None]

    def integer_weights(self) -> Tensor:
        """Whole numbers in -127..127, float32 (outputs, inputs), straight-through to the real weights."""
        return straight_round(self.weight / self.steps())

    def count_scale(self) -> Tensor:
        """float32 (outputs,): multiplies counts so that codes that span -127..127 count as -4..4."""
        return self.steps()[:, 0] * (4 / CODE_MAX)

    def forward(self, codes: Tensor) -> Tensor:
        """Integer counts, float32 (M, outputs), of codes (M, inputs)."""
        return codes @ self.integer_weights().T


class TemporalWindow(nn.Module):
    """Base of temporal convolutions over packed frames: gathers each frame's neighbours, the edge frame repeated."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel))
        nn.init.normal_(self.weight, std=1 / math.sqrt(inputs * kernel))

    def effective_weight(self) -> Tensor:
        """What multiplies, (outputs, inputs, kernel)."""
        return self.weight

    def forward(self, frames: Tensor, neighbours: Tensor) -> Tensor:
        """(M, outputs) of packed frames (M, inputs); `neighbours` int64 (M, kernel) are the rows of their windows."""
        windows = frames[neighbours].flatten(1)
        return windows @ self.effective_weight().transpose(1, 2).flatten(1).T


_LATENT_FLOOR: Final = 1e-6
LATENT_START: Final = 0.1
"""Latent weights start within -0.1..0.1: Adam moves a weight by its learning rate a step, and one that starts at 1 would not
turn its sign in hundreds of steps."""


class LatentSigns(nn.Module):
    """Base of layers whose weights are the signs of latent real ones.

    While `is_real`, the latent weights themselves multiply, scaled to the mean size of a sign: the first of two stages of
    training (Martinez et al., arXiv 2003.11535), in which activations are binary already. No such layer is exported.
    """

    weight: nn.Parameter
    latent_clip: float
    is_real: bool = False

    def effective_weight(self) -> Tensor:
        """Signs of the latent weights."""
        if self.is_real:
            return self.weight / self.weight.detach().abs().mean().clamp_min(_LATENT_FLOOR)
        return clipped_sign(self.weight, self.latent_clip)

    def _start(self) -> None:
        nn.init.uniform_(self.weight, -LATENT_START, LATENT_START)

    @torch.no_grad()
    def start_from(self, weight: Tensor) -> None:
        """Takes over the signs and the relative sizes of a real layer's weights, at the mean size of a random start."""
        mean = weight.abs().mean().clamp_min(_LATENT_FLOOR)
        self.weight.copy_(weight * (LATENT_START / 2 / mean))
        self.clip_latents()

    @torch.no_grad()
    def clip_latents(self) -> None:
        """Keeps latent weights in -clip..clip, where the pseudo-gradient can still reach them."""
        self.weight.clamp_(-self.latent_clip, self.latent_clip)


class BinaryTemporalConv(LatentSigns, TemporalWindow):
    """A temporal convolution with weights +-1 on activations +-1: its counts are integers, at most inputs * kernel."""

    def __init__(self, inputs: int, outputs: int, kernel: int, latent_clip: float) -> None:
        super().__init__(inputs, outputs, kernel)
        self._start()
        self.latent_clip = latent_clip

    def count_scale(self) -> Tensor:
        """float32 (outputs,): 1 / sqrt(fan-in), so that counts of random signs have variance 1."""
        outputs, inputs, kernel = self.weight.shape
        return torch.full((outputs,), 1 / math.sqrt(inputs * kernel))


class BinaryActivation(nn.Module):
    """BatchNorm and sign of integer counts; evaluated as the folded integer comparison, trained with ApproxSign.

    BatchNorm's shift is the learned activation shift (RSign of ReActNet, arXiv 2003.03488).
    """

    def __init__(self, channels: int, *, is_spatial: bool = False) -> None:
        super().__init__()
        self.norm: nn.BatchNorm1d | nn.BatchNorm2d = (nn.BatchNorm2d if is_spatial else nn.BatchNorm1d)(channels)

    def folded(self, count_scale: Tensor) -> FoldedNorm:
        """The integer form for counts of this scale, (C,)."""
        gamma, beta, mean, variance, scale = (
            values.detach().double().cpu().numpy()
            for values in (
                self.norm.weight,
                self.norm.bias,
                self.norm.running_mean,
                self.norm.running_var,
                count_scale,
            )
            if values is not None
        )
        return fold_norm(gamma=gamma, beta=beta, mean=mean, variance=variance, epsilon=self.norm.eps, count_scale=scale)

    def forward(self, counts: Tensor, count_scale: Tensor) -> Tensor:
        """+-1, float32 of the shape of counts (M, C) or (M, C, H, W); `count_scale` is (C,)."""
        over_channels = (-1, *(1,) * (counts.ndim - 2))
        if self.training:
            return approx_sign(self.norm(counts * count_scale.view(over_channels)))
        folded = self.folded(count_scale)
        thresholds = torch.from_numpy(folded.thresholds).to(counts).view(over_channels)
        # A slope of 0 keeps its direction: the comparison alone decides, as in the exported model.
        tiny = 1e-30
        slopes = torch.from_numpy(folded.slopes).to(counts)
        slopes = torch.where(slopes.abs() < tiny, torch.where(slopes < 0, -tiny, tiny), slopes)
        return approx_sign((counts - thresholds) * slopes.view(over_channels))
