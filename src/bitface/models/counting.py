"""Counts what a network stores and multiplies, by watching it read one still."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from bitface.binarize.cost import Cost, Kind, Product, total
from bitface.binarize.images import Int8Stem
from bitface.binarize.layers import Int8Linear, LatentSigns, TemporalWindow
from bitface.faces.features import CROP_PX, LANDMARKS
from bitface.models.clip_net import ClipNet
from bitface.models.random_net import MAP_SIDE, RandomFaceNet, RandomLandmarkNet
from bitface.models.separate import SeparateNets

_MULTIPLIERS = (Int8Stem, Int8Linear, LatentSigns, TemporalWindow, nn.Linear, nn.Conv2d)


@torch.no_grad()
def cost_of(network: ClipNet) -> Cost:
    """Weights and multiply-accumulates of a network in evaluation mode, see `Cost`.

    What serves clips alone is stored and multiplies nothing for a still. Random kernels are stored nowhere: a seed makes
    them, and theirs are multiplications by +-1 of codes of 8 bits.
    """
    products: list[Product] = _of_random_kernels(network)
    used: set[int] = set()

    def watch(layer: nn.Module, _: object, output: Tensor) -> None:
        weight = cast(Tensor, layer.weight)
        positions = output[0].numel() // output.shape[1]
        products.append(Product(kind=_kind(layer), weights=weight.numel(), positions=positions))
        used.add(id(weight))

    hooks = [layer.register_forward_hook(watch) for layer in network.modules() if isinstance(layer, _MULTIPLIERS)]
    try:
        network.still_logits(_still(network))
    finally:
        for hook in hooks:
            hook.remove()
    return total(products, sum(own.numel() for own in network.parameters() if id(own) not in used))


def _kind(layer: nn.Module) -> Kind:
    if isinstance(layer, LatentSigns):
        return "one-bit"
    return "int8" if isinstance(layer, Int8Stem | Int8Linear) else "float"


def _of_random_kernels(network: ClipNet) -> list[Product]:
    """Sums of codes: each tap of a kernel at each of its places."""
    if isinstance(network, SeparateNets):
        return [product for member in network.members for product in _of_random_kernels(member)]
    kind: Kind = "int8" if network.spec.precision == "one-bit" else "float"
    if isinstance(network, RandomLandmarkNet):
        return [_sums(kind, network.spec.kernels * network.spec.taps)]
    if isinstance(network, RandomFaceNet):
        return [_sums(kind, network.kernels.numel() * MAP_SIDE * MAP_SIDE)]
    return []


def _sums(kind: Kind, macs: int) -> Product:
    return Product(kind=kind, weights=0, positions=0, unstored_macs=macs)


def _still(network: ClipNet) -> Tensor:
    shape = (1, 1, CROP_PX, CROP_PX) if network.reads == "crops" else (1, 1, LANDMARKS, 3)
    return torch.zeros(shape)
