"""The network from landmarks to one-vs-rest logits, one-bit or as its float twin: one topology, so only bits differ.

    landmarks -> int8 codes -> int8 stem -> sign -> binary temporal convolution -> sign -> ... -> integer counts of
    every binary layer, concatenated -> float affine, hard tanh -> LSTM over the frames -> one linear head per emotion

The trunk is shared and the heads are one-vs-rest: seven nets would cost seven times as much. First and last layers keep
higher precision (XNOR-Net, arXiv 1603.05279). The twin has real weights and PReLU in place of sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitface.binarize.layers import CODE_MAX, BinaryActivation, BinaryTemporalConv, Int8Linear, TemporalWindow
from bitface.binarize.sign import straight_round
from bitface.models.landmark_codes import COORDINATES, SPAN_DEVIATIONS, CodeScale

Precision = Literal["one-bit", "float"]
CODE_UNIT: Final = SPAN_DEVIATIONS / CODE_MAX
"""Standard deviations of a coordinate in one unit of its code."""


@dataclass(frozen=True, kw_only=True)
class NetSpec:
    """Sizes of a landmark net. `channels` in multiples of 32 pack into whole words."""

    precision: Precision
    channels: int
    temporal_kernel: int
    binary_layers: int
    lstm_units: int
    outputs: int
    latent_clip: float
    dropout: float

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


class LandmarkNet(nn.Module):
    """One-vs-rest logits of clips, one-bit or float by `spec.precision`; differentiable with respect to landmarks."""

    centre: Tensor
    inverse_step: Tensor

    def __init__(self, spec: NetSpec, scale: CodeScale) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("centre", torch.from_numpy(scale.centre.copy()))
        self.register_buffer("inverse_step", torch.from_numpy(scale.inverse_step.copy()))
        one_bit = spec.precision == "one-bit"
        C, K = spec.channels, spec.temporal_kernel
        self.stem = Int8Linear(COORDINATES, C) if one_bit else nn.Linear(COORDINATES, C, bias=False)
        layers = range(spec.binary_layers)
        self.activations = nn.ModuleList(BinaryActivation(C) if one_bit else RealActivation(C) for _ in layers)
        self.convolutions = nn.ModuleList(
            BinaryTemporalConv(C, C, K, spec.latent_clip) if one_bit else TemporalWindow(C, C, K) for _ in layers
        )
        self.affine = nn.BatchNorm1d(spec.features)
        self.lstm = nn.LSTM(spec.features, spec.lstm_units, batch_first=True)
        self.heads = nn.Linear(spec.lstm_units, spec.outputs)

    def forward(self, landmarks: Tensor, lengths: Tensor) -> Tensor:
        """Logits, float32 (N, outputs).

        Args:
            landmarks: float32 (N, T, 478, 3), normalised.
            lengths: int64 (N,), true frames, 1 to T; frames beyond them are never read.
        """
        is_frame = torch.arange(landmarks.shape[1])[None] < lengths[:, None]
        return self.logits_of_counts(self.counts(self.codes(landmarks)[is_frame], lengths), is_frame, lengths)

    def codes(self, landmarks: Tensor) -> Tensor:
        """Codes float32 (N, T, 1434): whole numbers in -127..127 when one-bit, real for the twin."""
        real = (landmarks.flatten(2) - self.centre) * self.inverse_step
        if self.spec.precision == "one-bit":
            return straight_round(real).clamp(-CODE_MAX, CODE_MAX)
        return real

    def counts(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """What the convolutions count, float32 (M, features), of packed code frames (M, 1434); M is the sum of lengths.

        Integers when one-bit, for each layer at most channels * kernel.
        """
        neighbours = window_rows(lengths, self.spec.temporal_kernel)
        values, layers = self.stem(frames), []
        scale = self.stem.count_scale() if isinstance(self.stem, Int8Linear) else torch.tensor(CODE_UNIT)
        for activation, convolution in zip(self.activations, self.convolutions, strict=True):
            values = convolution(activation(values, scale), neighbours)
            layers.append(values)
            scale = convolution.count_scale() if isinstance(convolution, BinaryTemporalConv) else torch.tensor(1.0)
        return torch.cat(layers, dim=1)

    def logits_of_counts(self, counts: Tensor, is_frame: Tensor, lengths: Tensor) -> Tensor:
        """Logits (N, outputs): affine and hard tanh of packed counts (M, features), LSTM, heads."""
        features = functional.dropout(functional.hardtanh(self.affine(counts)), self.spec.dropout, self.training)
        if is_frame.shape[1] > 1:
            padded = features.new_zeros((*is_frame.shape, features.shape[1]))
            padded[is_frame] = features
        else:
            padded = features[:, None]
        states, _ = self.lstm(padded)
        logits: Tensor = self.heads(states[torch.arange(len(lengths)), lengths - 1])
        return logits

    def clip_latents(self) -> None:
        """Clips the latent weights of the binary layers; to be called after each step of the optimiser."""
        for convolution in self.convolutions:
            if isinstance(convolution, BinaryTemporalConv):
                convolution.clip_latents()


def window_rows(lengths: Tensor, kernel: int) -> Tensor:
    """Rows of each frame's window among packed frames, int64 (M, kernel): the edge frame is repeated at both ends."""
    starts = torch.cumsum(lengths, 0) - lengths
    of_clip = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    position = torch.arange(int(lengths.sum())) - starts[of_clip]
    wanted = position[:, None] + torch.arange(kernel) - kernel // 2
    return starts[of_clip, None] + torch.minimum(wanted.clamp_min(0), (lengths - 1)[of_clip, None])
