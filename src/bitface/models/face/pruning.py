"""Makes a trained one-bit face net narrower: whole channels of the stream go, with all that reads or writes them.

A channel of a stage is the sum of what its blocks add and of the channel of the stage before that it continues, so it can
stay only where that one stays. What is left is an ordinary face net whose `FaceSpec.sources` say which copies are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitface.binarize.images import GAIN_MAX
from bitface.errors import InputError
from bitface.models.face.face_net import BinaryBlock, FaceNet, FaceSpec

_NORM = ("weight", "bias", "running_mean", "running_var")


def kept_channels(
    importance: Sequence[NDArray[np.float64]], sources: Sequence[Sequence[int]], widths: Sequence[int]
) -> tuple[NDArray[np.int64], ...]:
    """The channels of each stage to keep, ascending, int64 (widths[s],).

    From the last stage back, a channel is worth its own importance and that of its copies that are among the best of
    theirs. From the first stage on, the best are kept of those whose source is; of equal ones the first.

    Args:
        importance: of each stage, float64 (C,), 0 or more.
        sources: of each later stage, the channel of the stage before that each of its channels continues.
        widths: how many to keep of each stage.

    Raises:
        InputError: there are not as many stages, or not as many channels to choose from.
    """
    if len(widths) != len(importance):
        raise InputError(f"{len(widths)} widths for a net of {len(importance)} stages; give one to each stage")
    worth = [np.array(own, dtype=np.float64) for own in importance]
    for stage in reversed(range(1, len(worth))):
        best = _best(worth[stage], np.arange(len(worth[stage])), widths[stage])
        np.add.at(worth[stage - 1], np.asarray(sources[stage - 1])[best], worth[stage][best])
    kept: list[NDArray[np.int64]] = []
    for stage, own in enumerate(worth):
        possible = np.arange(len(own)) if not kept else np.flatnonzero(np.isin(sources[stage - 1], kept[-1]))
        if not 0 < widths[stage] <= len(possible):
            raise InputError(
                f"{widths[stage]} channels of stage {stage + 1} to keep, and {len(possible)} continue one that is kept; "
                "keep fewer of this stage or more of the one before"
            )
        kept.append(_best(own, possible, widths[stage]))
    return tuple(kept)


@torch.no_grad()
def pruned(network: FaceNet, importance: Sequence[NDArray[np.float64]], widths: Sequence[int]) -> FaceNet:
    """A net of `widths` channels a stage with the weights and statistics of the most important channels, to be tuned.

    A count of a narrower net has another size, and gains make up for it: with all channels kept, it answers the same.

    Raises:
        InputError: the net is a float twin, or `widths` do not fit it or do not pack into words.
    """
    spec = network.spec
    if spec.precision != "one-bit":
        raise InputError("only a one-bit net is pruned; its float twin teaches it and stays whole")
    kept = kept_channels(importance, spec.stage_sources, widths)
    small = FaceNet(_spec(spec, kept))
    state = network.state_dict()
    state["stem.weight"] = state["stem.weight"][torch.from_numpy(kept[0])]
    for number, layer in enumerate(spec.layers()):
        _take(state, f"blocks.{number}", kept[layer.input_stage], kept[layer.stage])
        gain = state[f"blocks.{number}.convolution.gain"][torch.from_numpy(kept[layer.stage])]
        state[f"blocks.{number}.convolution.gain"] = gain.clamp_max(GAIN_MAX) * (
            _factor(network, number) / _factor(small, number)
        )
    _take(state, "readout", kept[-1], np.arange(spec.features))
    small.load_state_dict(state)
    return small.train(network.training)


def _best(worth: NDArray[np.float64], possible: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The `count` of the possible channels that are worth most, ascending."""
    order = np.argsort(-worth[possible], kind="stable")
    return np.sort(possible[order[:count]])


def _spec(spec: FaceSpec, kept: Sequence[NDArray[np.int64]]) -> FaceSpec:
    """Sources in numbers of the kept channels."""
    continued = [np.asarray(own)[kept[stage]] for stage, own in enumerate(spec.stage_sources, start=1)]
    sources = (np.searchsorted(before, own).tolist() for before, own in zip(kept, continued, strict=False))
    return replace(spec, channels=len(kept[0]), sources=tuple(map(tuple, sources)))


def _take(state: dict[str, Tensor], name: str, inputs: NDArray[np.int64], outputs: NDArray[np.int64]) -> None:
    """Slices BatchNorm and convolution of a block or of the readout."""
    reads, writes = torch.from_numpy(inputs), torch.from_numpy(outputs)
    for part in _NORM:
        state[f"{name}.activation.norm.{part}"] = state[f"{name}.activation.norm.{part}"][reads]
    state[f"{name}.convolution.weight"] = state[f"{name}.convolution.weight"][writes][:, reads]


def _factor(network: FaceNet, number: int) -> float:
    """What a count of a block adds to the stream at a gain of 1, in units of the net's first stage."""
    return cast(BinaryBlock, network.blocks[number]).convolution.base_factor / network.spec.unit()
