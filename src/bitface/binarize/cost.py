"""What one bit saves and what it does not: weights and multiply-accumulates by kind, for one still."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["one-bit", "int8", "float"]
KINDS: Final[tuple[Kind, ...]] = ("one-bit", "int8", "float")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Weights, and multiply-accumulates of one still, that are one-bit, int8 and float32.

    `float_weights` includes thresholds, affines and biases, which no one-bit net can do without.
    """

    one_bit_weights: int
    int8_weights: int
    float_weights: int
    one_bit_macs: int
    int8_macs: int
    float_macs: int

    @property
    def macs(self) -> int:
        """All multiply-accumulates of one still."""
        return self.one_bit_macs + self.int8_macs + self.float_macs


@dataclass(frozen=True, kw_only=True)
class Product:
    """One layer that multiplies: `weights` stored numbers of a kind, each used `positions` times for a still.

    `unstored_macs` are by numbers that are made from a seed.
    """

    kind: Kind
    weights: int
    positions: int
    unstored_macs: int = 0


def total(products: Iterable[Product], small_weights: int) -> Cost:
    """The cost of a network of these layers; `small_weights` are its other float32 numbers, which multiply next to nothing."""
    weights, macs = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for one in products:
        weights[one.kind] += one.weights
        macs[one.kind] += one.weights * one.positions + one.unstored_macs
    return Cost(
        one_bit_weights=weights["one-bit"],
        int8_weights=weights["int8"],
        float_weights=weights["float"] + small_weights,
        one_bit_macs=macs["one-bit"],
        int8_macs=macs["int8"],
        float_macs=macs["float"],
    )
