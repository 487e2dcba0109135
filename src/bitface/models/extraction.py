"""Takes the integer trunk and the float head out of a trained one-bit landmark net, and says what any net must answer."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitface.binarize.layers import BinaryActivation, BinaryTemporalConv, Int8Linear
from bitface.errors import InputError
from bitface.faces.features import ClipTable
from bitface.models.clip_net import ClipNet
from bitface.models.exported import FloatHead, IntegerTrunk
from bitface.models.landmark.landmark_clips import LandmarkClipNet
from bitface.models.landmark.landmark_net import LandmarkNet
from bitface.models.selftest import selftest_crops, selftest_table
from bitface.models.separate import SeparateNets


@torch.no_grad()
def extract(network: LandmarkNet) -> tuple[IntegerTrunk, FloatHead]:
    """The exported form of a one-bit network.

    Raises:
        InputError: the network is a float twin.
    """
    if network.spec.precision != "one-bit":
        raise InputError("only a one-bit network has an integer form; export the one-bit model of the pair")
    stem, binary = cast(Int8Linear, network.stem), [cast(BinaryTemporalConv, layer) for layer in network.convolutions]
    activations = [cast(BinaryActivation, layer) for layer in network.activations]
    scales = [stem.count_scale(), *(layer.count_scale() for layer in binary[:-1])]
    folded = [activation.folded(scale) for activation, scale in zip(activations, scales, strict=True)]
    # The filter that makes a count is negated where the comparison of that count is turned; the last one never is.
    signs = [np.where(norm.is_flipped, -1, 1).astype(np.int8) for norm in folded]
    after = [*signs[1:], np.ones(network.spec.channels, np.int8)]
    filters = [layer.effective_weight().numpy().astype(np.int8) for layer in binary]
    trunk = IntegerTrunk(
        stem=stem.integer_weights().numpy().astype(np.int8) * signs[0][:, None],
        thresholds=tuple((n.thresholds * s).astype(np.float32) for n, s in zip(folded, signs, strict=True)),
        filters=tuple(f * s[:, None, None] for f, s in zip(filters, after, strict=True)),
    )
    return trunk, readout(network, np.concatenate(after))


def readout(network: ClipNet, orientation: NDArray[np.int8]) -> FloatHead:
    """What follows the counts; `orientation` int8 (F,) is -1 where an exported count is the negative of the trained one."""
    norm, lstm = network.affine, _lstm_arrays(network)
    gamma, beta, mean, variance = (
        _double(values) for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    multiply = gamma / np.sqrt(variance + norm.eps)
    return FloatHead(
        multiply=(multiply * orientation).astype(np.float32),
        add=(beta - multiply * mean).astype(np.float32),
        heads=_single(network.heads.weight.T),
        head_bias=_single(network.heads.bias),
        orientation=orientation,
        **lstm,
    )


def _lstm_arrays(network: ClipNet) -> dict[str, NDArray[np.float32]]:
    """The LSTM's part of a head, of no units where there is none."""
    if not network.spec.lstm_units:
        shapes = {
            "from_input": (network.spec.features, 0),
            "from_state": (0, 0),
            "bias": (0,),
            "clip_heads": (0, network.spec.outputs),
        }
        return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    gates = dict(network.lstm.named_parameters())
    return {
        "from_input": _single(gates["weight_ih_l0"].T),
        "from_state": _single(gates["weight_hh_l0"].T),
        "bias": _single(gates["bias_ih_l0"] + gates["bias_hh_l0"]),
        "clip_heads": _single(network.clip_heads.weight.T),
    }


@torch.no_grad()
def graph_outputs(
    network: ClipNet, table: ClipTable
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
    """What the training graph answers: counts int32 (N, T, ...), 0 beyond the lengths; lengths (N,); logits (N, E).

    Frames that repeat the one before are dropped first, as everywhere.
    """
    graph = network.eval()
    inputs, lengths = graph.inputs_of(table)
    is_frame = torch.arange(inputs.shape[1])[None] < lengths[:, None]
    packed = graph.counts_of(inputs, is_frame, lengths)
    counts = torch.zeros((*is_frame.shape, *packed.shape[1:]), dtype=torch.int32)
    counts[is_frame] = packed.to(torch.int32)
    return counts.numpy(), lengths.numpy(), graph(inputs, lengths).numpy()


def _double(values: Tensor | None) -> NDArray[np.float64]:
    if values is None:
        raise InputError("the network keeps no running statistics; train it before exporting")
    return np.asarray(values.detach().double().numpy(), dtype=np.float64)


def _single(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.detach().numpy(), dtype=np.float32)


def selftest_of(network: ClipNet, seed: int) -> ClipTable:
    """Inputs of a bundle's self-test that are nobody's, for what the network reads."""
    one = network.members[0] if isinstance(network, SeparateNets) else network
    return selftest_table(one.scale(), seed) if isinstance(one, LandmarkClipNet) else selftest_crops(seed)
