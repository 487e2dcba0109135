"""What one bit saves and what it does not: weights and multiply-accumulates by kind, of a net and of its twin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Weights and multiply-accumulates (one per frame and LSTM step) that are one-bit, int8 and float32.

    `float_weights` includes thresholds, affines and biases, which no one-bit net can do without.
    """

    one_bit_weights: int
    int8_weights: int
    float_weights: int
    one_bit_macs: int
    int8_macs: int
    float_macs: int

    @property
    def weight_bits(self) -> int:
        """Bits of all weights."""
        return self.one_bit_weights + 8 * self.int8_weights + 32 * self.float_weights

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights, one-bit ones packed by eight."""
        return -(-self.one_bit_weights // 8) + self.int8_weights + 4 * self.float_weights

    @property
    def macs(self) -> int:
        """All multiply-accumulates of one frame."""
        return self.one_bit_macs + self.int8_macs + self.float_macs


def landmark_net_cost(
    *, inputs: int, channels: int, temporal_kernel: int, binary_layers: int, lstm_units: int, outputs: int
) -> tuple[Cost, Cost]:
    """The cost of a one-bit landmark net, and of its float twin of the same sizes, for one frame of one clip.

    A still has no recurrence, so its LSTM costs `lstm_units * 4 * lstm_units` less than counted here.
    """
    stem = inputs * channels
    binary = binary_layers * channels * channels * temporal_kernel
    features = binary_layers * channels
    recurrent = (features + lstm_units) * 4 * lstm_units
    heads = lstm_units * outputs
    # Per feature an affine (2); the LSTM's gates and the heads have biases; codes have a centre and a step.
    small = 2 * features + 4 * lstm_units + outputs + 2 * inputs
    one_bit = Cost(
        one_bit_weights=binary,
        int8_weights=stem,
        # One threshold per channel before each binary layer.
        float_weights=recurrent + heads + small + features,
        one_bit_macs=binary,
        int8_macs=stem,
        float_macs=recurrent + heads,
    )
    twin = Cost(
        one_bit_weights=0,
        int8_weights=0,
        # An affine and a PReLU per channel before each convolution.
        float_weights=stem + binary + recurrent + heads + small + 3 * features,
        one_bit_macs=0,
        int8_macs=0,
        float_macs=stem + binary + recurrent + heads,
    )
    return one_bit, twin
