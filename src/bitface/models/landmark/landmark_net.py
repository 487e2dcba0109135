"""The network from landmarks to one-vs-rest logits, one-bit or as its float twin: one topology, so only bits differ.

    landmarks -> int8 codes -> int8 stem -> sign -> binary temporal convolution -> sign -> ... -> integer counts of
    every binary layer, concatenated -> float affine, hard tanh -> one linear head per emotion, an LSTM for clips beside it

The trunk is shared and the heads are one-vs-rest: seven nets would cost seven times as much. First and last layers keep
higher precision (XNOR-Net, arXiv 1603.05279). The twin has real weights and PReLU in place of sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from bitface.binarize.codes import CODE_MAX
from bitface.binarize.layers import BinaryActivation, BinaryTemporalConv, Int8Linear, TemporalWindow
from bitface.errors import InputError
from bitface.models.clip_net import Precision
from bitface.models.landmark.landmark_clips import LandmarkClipNet
from bitface.models.landmark.landmark_codes import SPAN_DEVIATIONS, CodeScale, check_landmarks

CODE_UNIT: Final = SPAN_DEVIATIONS / CODE_MAX
"""Standard deviations of a coordinate in one unit of its code."""


@dataclass(frozen=True, kw_only=True)
class NetSpec:
    """Sizes of a landmark net. `channels` in multiples of 32 pack into whole words; `landmarks` are those it reads, ascending,
    None for all 478.
    """

    precision: Precision
    channels: int
    temporal_kernel: int
    binary_layers: int
    lstm_units: int
    outputs: int
    latent_clip: float
    dropout: float
    landmarks: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_landmarks(self.landmarks)

    @property
    def features(self) -> int:
        """Width of the concatenated counts."""
        return self.channels * self.binary_layers


class RealActivation(nn.Module):
    """The twin's BatchNorm and PReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.rectify = nn.PReLU(channels)

    def forward(self, real: Tensor, count_scale: Tensor) -> Tensor:
        """Real activations (M, C)."""
        result: Tensor = self.rectify(self.norm(real * count_scale))
        return result


class LandmarkNet(LandmarkClipNet):
    """One-vs-rest logits of clips, one-bit or float by `spec.precision`; differentiable with respect to landmarks."""

    name = "landmark_net"
    spec: NetSpec

    def __init__(self, spec: NetSpec, scale: CodeScale) -> None:
        super().__init__(scale)
        if spec.landmarks != scale.landmarks:
            raise InputError("the codes do not match the landmarks that the network reads; retrain")
        self.spec = spec
        one_bit = spec.precision == "one-bit"
        C, K, read = spec.channels, spec.temporal_kernel, scale.coordinates
        self.stem = Int8Linear(read, C) if one_bit else nn.Linear(read, C, bias=False)
        layers = range(spec.binary_layers)
        self.activations = nn.ModuleList(BinaryActivation(C) if one_bit else RealActivation(C) for _ in layers)
        self.convolutions = nn.ModuleList(
            BinaryTemporalConv(C, C, K, spec.latent_clip) if one_bit else TemporalWindow(C, C, K) for _ in layers
        )
        self._add_readout(spec)

    def neighbours(self, lengths: Tensor) -> Tensor:
        """The rows of each frame's window, see `window_rows`."""
        return window_rows(lengths, self.spec.temporal_kernel)

    def own_neighbours(self, frames: int) -> Tensor:
        """A window, int64 (M, kernel), of one frame repeated."""
        return super().own_neighbours(frames).expand(-1, self.spec.temporal_kernel)

    def counts(self, frames: Tensor, neighbours: Tensor) -> Tensor:
        """What the convolutions count, float32 (M, features), of packed code frames (M, 3 K) of K landmarks.

        Integers when one-bit, for each layer at most channels * kernel.
        """
        values, layers = self.stem(frames), []
        scale = self.stem.count_scale() if isinstance(self.stem, Int8Linear) else torch.tensor(CODE_UNIT)
        for activation, convolution in zip(self.activations, self.convolutions, strict=True):
            values = convolution(activation(values, scale), neighbours)
            layers.append(values)
            scale = convolution.count_scale() if isinstance(convolution, BinaryTemporalConv) else torch.tensor(1.0)
        return torch.cat(layers, dim=1)


def window_rows(lengths: Tensor, kernel: int) -> Tensor:
    """Rows of each frame's window among packed frames, int64 (M, kernel): the edge frame is repeated at both ends."""
    starts = torch.cumsum(lengths, 0) - lengths
    of_clip = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    position = torch.arange(int(lengths.sum())) - starts[of_clip]
    wanted = position[:, None] + torch.arange(kernel) - kernel // 2
    return starts[of_clip, None] + torch.minimum(wanted.clamp_min(0), (lengths - 1)[of_clip, None])
