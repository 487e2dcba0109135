"""How much the loss of the training people would change without a channel, so that a smaller net keeps the right ones."""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitface.models.face.face_net import BinaryBlock, FaceNet, SignReadout
from bitface.training.objectives import one_vs_rest_loss

_FACES_AT_ONCE: Final = 128


def channel_importance(
    network: FaceNet, crops: NDArray[np.uint8], targets: NDArray[np.float32]
) -> tuple[NDArray[np.float64], ...]:
    """The importance of each channel of the stream, float64 (C,) of each stage.

        I_c = sum over faces and over what reads the stage of |sum over places of dL/dx_c * x_c|

    First-order Taylor (Molchanov et al., arXiv 1906.10771) at the stream x that a block or the readout is given: what the
    loss of each face would change by, were the channel 0 from there on. A channel that is always 0 has importance 0.

    Args:
        network: one-bit; it is left in evaluation mode.
        crops: stills of training people, uint8 (N, 1, 64, 64).
        targets: float32 (N, E) of 0 and 1.
    """
    stages = [*(layer.input_stage for layer in network.spec.layers()), network.spec.stages - 1]
    importance = tuple(np.zeros(width) for width in network.spec.widths)
    network.eval()
    for rows in np.array_split(np.arange(len(crops)), -(-len(crops) // _FACES_AT_ONCE)):
        lost = _lost(network, torch.from_numpy(crops[rows]), torch.from_numpy(targets[rows]))
        for stage, own in zip(stages, lost, strict=True):
            importance[stage][:] += own.double().abs().sum(0).numpy()
    return importance


def _lost(network: FaceNet, crops: Tensor, targets: Tensor) -> list[Tensor]:
    """Of each reader in order, float32 (N, C): what each face's loss would change by, to first order."""
    streams: list[Tensor] = []
    readers = [cast(BinaryBlock | SignReadout, reader) for reader in (*network.blocks, network.readout)]
    hooks = [reader.activation.register_forward_pre_hook(_keep(streams)) for reader in readers]
    try:
        logits = network(crops, torch.ones(len(crops), dtype=torch.int64))
    finally:
        for hook in hooks:
            hook.remove()
    gradients = torch.autograd.grad(one_vs_rest_loss(logits, targets) * len(crops), streams)
    return [(g * x).sum((2, 3)).detach() for x, g in zip(streams, gradients, strict=True)]


def _keep(streams: list[Tensor]) -> Any:
    return lambda _module, inputs: streams.append(inputs[0])
