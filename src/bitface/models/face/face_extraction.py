"""Takes the integer trunk and the float head out of a trained one-bit face net."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch

from bitface.binarize.images import Int8Stem
from bitface.errors import InputError
from bitface.models.exported import FloatHead
from bitface.models.extraction import readout
from bitface.models.face.exported_face import BinaryLayer, FaceTrunk, Readout
from bitface.models.face.face_net import BinaryBlock, FaceNet, SignReadout


@torch.no_grad()
def extract_face(network: FaceNet) -> tuple[FaceTrunk, FloatHead]:
    """The exported form of a one-bit face net.

    Raises:
        InputError: the network is a float twin.
    """
    if network.spec.precision != "one-bit":
        raise InputError("only a one-bit network has an integer form; export the one-bit model of the pair")
    trunk = FaceTrunk(
        stem=cast(Int8Stem, network.stem).integer_weights().numpy().astype(np.int8),
        layers=tuple(_layer(cast(BinaryBlock, block)) for block in network.blocks),
        readout=_readout(cast(SignReadout, network.readout), network.spec.pooled_side),
    )
    return trunk, readout(network, np.ones(network.spec.features, np.int8))


def _readout(layer: SignReadout, pooled_side: int) -> Readout:
    folded = layer.activation.folded(layer.count_scale)
    return Readout(
        thresholds=folded.thresholds.astype(np.float32),
        is_flipped=folded.is_flipped,
        filters=layer.convolution.effective_weight().numpy().astype(np.int8),
        pooled_side=pooled_side,
    )


def _layer(block: BinaryBlock) -> BinaryLayer:
    folded = block.activation.folded(block.count_scale)
    return BinaryLayer(
        thresholds=folded.thresholds.astype(np.float32),
        is_flipped=folded.is_flipped,
        filters=block.convolution.effective_weight().numpy().astype(np.int8),
        factors=block.convolution.factors().numpy().astype(np.int32),
        stride=block.convolution.stride,
        sources=block.continuation.sources.numpy(),
    )
