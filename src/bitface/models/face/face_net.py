"""The network from aligned grey faces to one-vs-rest logits, one-bit or as its float twin: one topology, only bits differ.

    8-bit pixels -> int8 codes, the face's own mean and contrast removed -> int8 3x3 stem of stride 2 -> blocks of
    (BatchNorm, sign, binary 3x3 convolution, times a whole number) added to a residual stream of integers -> pooled to
    4x4, sign, binary weights for every place -> integer counts -> float affine, hard tanh -> one linear head per emotion,
    an LSTM for clips beside it

Identity shortcuts follow Bi-Real Net (arXiv 1808.00278), downsampling ReActNet (arXiv 2003.03488): sum-pool and
duplicate, no fp 1x1 convolution; a pruned net lacks some of the copies. Aligned faces are read place by place, as
MobileFaceNets do (arXiv 1804.07573): a mean over places forgets where a face smiles. Everything up to the counts is whole
numbers below 2^23, which float32 adds exactly in any order, so that training graph and runtime agree bit for bit. The twin
has real weights and PReLU in place of sign.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from bitface.binarize.codes import CODE_MAX, PIXEL_DEVIATION
from bitface.binarize.folding import COUNT_LIMIT
from bitface.binarize.images import (
    GAIN_MAX,
    KERNEL,
    READOUT_SIDE,
    BinaryConv,
    BinaryReadout,
    Continuation,
    Int8Stem,
    base_factor,
    doubled,
    sum_pooled,
    weight_sum_max,
)
from bitface.binarize.layers import BinaryActivation
from bitface.errors import InputError
from bitface.faces.features import CROP_PX
from bitface.models.clip_net import Precision
from bitface.models.face.face_clips import FaceClipNet

UNIT_MAX: Final = 1024


@dataclass(frozen=True, kw_only=True)
class FaceSpec:
    """Sizes of a face net: `stages` of `blocks` each, the first with `channels`; every later stage halves the side and
    doubles the channels. 64 channels, 3 stages of 2 blocks are 64-64, 64-64, 64-128/2, 128-128, 128-256/2, 256-256.
    `features`: counts that are read off the last stage. `sources`: of a pruned net, for each later stage the channel of the
    stage before that each of its channels continues; None where all of them are duplicated.
    """

    precision: Precision
    channels: int
    stages: int
    blocks: int
    features: int
    lstm_units: int
    outputs: int
    latent_clip: float
    dropout: float
    sources: tuple[tuple[int, ...], ...] | None = None

    def __post_init__(self) -> None:
        if self.channels < 32 or self.channels % 32:
            raise InputError(f"{self.channels} channels of a face net; use a multiple of 32, which packs into words")
        if not 1 <= self.stages <= 4 or self.blocks < 1:
            raise InputError(f"{self.stages} stages of {self.blocks} blocks; use 1 to 4 stages of at least 1 block")
        if self.sources is not None:
            _check_sources(self.channels, self.stages, self.sources)

    @property
    def stage_sources(self) -> tuple[tuple[int, ...], ...]:
        """For each later stage the channel of the stage before that each of its channels continues."""
        if self.sources is not None:
            return self.sources
        return tuple(doubled(self.channels << stage) for stage in range(self.stages - 1))

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return (self.channels, *map(len, self.stage_sources))

    @property
    def last_channels(self) -> int:
        """Channels of the last stage."""
        return self.widths[-1]

    @property
    def pooled_side(self) -> int:
        """Rows and columns of the last stream that become one of the readout's."""
        return (CROP_PX >> self.stages) // READOUT_SIDE

    def layers(self) -> tuple[Layer, ...]:
        """The binary convolutions in order."""
        widths, sources = self.widths, self.stage_sources
        return tuple(
            Layer(
                inputs=widths[stage - is_first],
                outputs=widths[stage],
                stride=1 + is_first,
                stage=stage,
                sources=sources[stage - 1] if is_first else tuple(range(widths[stage])),
            )
            for stage in range(self.stages)
            for is_first in (block == 0 and stage > 0 for block in range(self.blocks))
        )

    def unit(self) -> int:
        """How many counts of the first stage are 1 of the twin: the largest power of two with which no sum can round.

        A sum-pool counts fourfold, so the unit of stage s is 4^s as large.

        Raises:
            InputError: the net is too large for exact sums in float32.
        """
        for unit in (UNIT_MAX >> shift for shift in range(8)):
            if _stream_max(self.layers(), unit) * self.pooled_side**2 < COUNT_LIMIT:
                return unit
        raise InputError(f"a face net of {self.channels} channels and {self.stages} stages cannot count exactly")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One binary 3x3 convolution of a face net; output o is added to channel `sources[o]` of the stream."""

    inputs: int
    outputs: int
    stride: int
    stage: int
    sources: tuple[int, ...]

    @property
    def input_stage(self) -> int:
        """The stage whose channels it reads."""
        return self.stage - (self.stride == 2)


def _check_sources(channels: int, stages: int, sources: tuple[tuple[int, ...], ...]) -> None:
    if len(sources) != stages - 1:
        raise InputError(
            f"sources of {len(sources)} stages for a face net of {stages}; give one list to each but the first"
        )
    for before, own in zip((channels, *map(len, sources)), sources, strict=False):
        if not own or len(own) % 32:
            raise InputError(f"{len(own)} channels of a pruned stage; use a multiple of 32, which packs into words")
        if not all(0 <= source < before for source in own):
            raise InputError(f"a channel continues one beyond the {before} of the stage before; prune the net again")


def _stream_max(layers: tuple[Layer, ...], unit: int) -> float:
    """No |integer| of the residual stream exceeds it, whatever the picture and the weights."""
    bound = weight_sum_max(unit) * CODE_MAX
    for layer in layers:
        factor = math.ceil(GAIN_MAX * base_factor(layer.inputs, unit << (2 * layer.stage)))
        bound = bound * layer.stride**2 + factor * layer.inputs * KERNEL * KERNEL
    return bound


class RealBlock(nn.Module):
    """The twin's block: BatchNorm, PReLU, real 3x3 convolution, added to the averaged and continued stream."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(layer.inputs)
        self.rectify = nn.PReLU(layer.inputs)
        self.convolution = nn.Conv2d(layer.inputs, layer.outputs, KERNEL, layer.stride, padding=1, bias=False)
        nn.init.normal_(self.convolution.weight, std=1 / (KERNEL * math.sqrt(layer.inputs)))
        self.continuation = Continuation(layer.inputs, layer.sources)

    def forward(self, stream: Tensor) -> Tensor:
        """The stream after the block, (N, outputs, H / stride, W / stride)."""
        added: Tensor = self.convolution(self.rectify(self.norm(stream)))
        if self.convolution.stride == (1, 1):
            return stream + added
        continued: Tensor = self.continuation(functional.avg_pool2d(stream, 2))
        return continued + added


class BinaryBlock(nn.Module):
    """BatchNorm and sign, binary 3x3 convolution times whole numbers, added to the summed and continued stream."""

    count_scale: Tensor

    def __init__(self, layer: Layer, unit: int, latent_clip: float) -> None:
        super().__init__()
        of_input, of_output = (unit << (2 * stage) for stage in (layer.input_stage, layer.stage))
        self.activation = BinaryActivation(layer.inputs, is_spatial=True)
        self.convolution = BinaryConv(layer.inputs, layer.outputs, layer.stride, of_output, latent_clip)
        self.continuation = Continuation(layer.inputs, layer.sources)
        self.register_buffer("count_scale", torch.full((layer.inputs,), 1 / of_input), persistent=False)

    def start_from(self, real: RealBlock) -> None:
        """Begins where the twin's block ended."""
        self.activation.norm.load_state_dict(real.norm.state_dict())
        self.convolution.start_from(real.convolution.weight)

    def forward(self, stream: Tensor) -> Tensor:
        """The integers of the stream after the block, float32 (N, outputs, H / stride, W / stride)."""
        added: Tensor = self.convolution(self.activation(stream, self.count_scale))
        if self.convolution.stride == 1:
            return stream + added
        continued: Tensor = self.continuation(sum_pooled(stream, 2))
        return continued + added


class RealReadout(nn.Module):
    """The twin's readout: BatchNorm, PReLU, real weights for every place of a 4x4 map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.rectify = nn.PReLU(inputs)
        self.convolution = nn.Conv2d(inputs, outputs, READOUT_SIDE, bias=False)
        nn.init.normal_(self.convolution.weight, std=1 / (READOUT_SIDE * math.sqrt(inputs)))

    def forward(self, pooled: Tensor) -> Tensor:
        """(N, outputs) of a map (N, inputs, 4, 4)."""
        read: Tensor = self.convolution(self.rectify(self.norm(pooled)))
        return read[..., 0, 0]


class SignReadout(nn.Module):
    """BatchNorm and sign, then binary weights for every place of a 4x4 map."""

    count_scale: Tensor

    def __init__(self, inputs: int, outputs: int, unit: int, latent_clip: float) -> None:
        super().__init__()
        self.activation = BinaryActivation(inputs, is_spatial=True)
        self.convolution = BinaryReadout(inputs, outputs, latent_clip)
        self.register_buffer("count_scale", torch.full((inputs,), 1 / unit), persistent=False)

    def start_from(self, real: RealReadout) -> None:
        """Begins where the twin's readout ended."""
        self.activation.norm.load_state_dict(real.norm.state_dict())
        self.convolution.start_from(real.convolution.weight)

    def forward(self, pooled: Tensor) -> Tensor:
        """Integer counts, float32 (N, outputs), of a map of integers (N, inputs, 4, 4)."""
        counts: Tensor = self.convolution(self.activation(pooled, self.count_scale))
        return counts


class FaceNet(FaceClipNet):
    """One-vs-rest logits of clips of aligned faces, one-bit or float by `spec.precision`; differentiable in the pixels."""

    name = "face_net"
    spec: FaceSpec

    def __init__(self, spec: FaceSpec) -> None:
        super().__init__()
        self.spec = spec
        one_bit, unit, last = spec.precision == "one-bit", spec.unit(), spec.last_channels
        self.stem: nn.Module = Int8Stem(spec.channels, unit) if one_bit else RealStem(spec.channels)
        self.blocks = nn.ModuleList(
            BinaryBlock(layer, unit, spec.latent_clip) if one_bit else RealBlock(layer) for layer in spec.layers()
        )
        last_unit = (unit << (2 * (spec.stages - 1))) * spec.pooled_side**2
        self.readout = (
            SignReadout(last, spec.features, last_unit, spec.latent_clip)
            if one_bit
            else RealReadout(last, spec.features)
        )
        self._add_readout(spec)

    @torch.no_grad()
    def start_from(self, twin: FaceNet) -> None:
        """Begins where the float twin ended, as Bi-Real Net begins with a trained real net (arXiv 1808.00278).

        A count of `unit` is 1 of the twin's in stem and stream, so that its statistics hold for the one-bit net as well;
        those of the last counts do not, and are left to training.
        """
        cast(Int8Stem, self.stem).weight.copy_(cast(RealStem, twin.stem).weight)
        for block, real in zip(self.blocks, twin.blocks, strict=True):
            cast(BinaryBlock, block).start_from(cast(RealBlock, real))
        cast(SignReadout, self.readout).start_from(cast(RealReadout, twin.readout))
        self._read_as(twin)

    def counts(self, codes: Tensor) -> Tensor:
        """What the readout counts, float32 (M, features), of codes (M, 64, 64); whole when one-bit."""
        stream: Tensor = self.stem(codes[:, None]).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            stream = block(stream)
        side = self.spec.pooled_side
        if self.spec.precision == "one-bit":
            counts: Tensor = self.readout(sum_pooled(stream, side))
            return counts
        real: Tensor = self.readout(functional.avg_pool2d(stream, side))
        return real


class RealStem(nn.Conv2d):
    """The twin's stem: codes in units of a standard deviation."""

    def __init__(self, outputs: int) -> None:
        super().__init__(1, outputs, KERNEL, stride=2, padding=1, bias=False)
        nn.init.normal_(self.weight, std=1 / KERNEL)

    def forward(self, codes: Tensor) -> Tensor:
        """(N, outputs, H / 2, W / 2) of codes (N, 1, H, W)."""
        return super().forward(codes / PIXEL_DEVIATION)
