"""What is left of a one-bit network when it only has to answer: integer arrays and a small float head, in numpy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bitface.documents import Arrays, Document
from bitface.errors import InputError


@dataclass(frozen=True, kw_only=True)
class IntegerTrunk:
    """The integer part. Every comparison reads `count > threshold`; filters whose comparison was turned are negated.

    `stem` int8 (C, coordinates that are read); `thresholds` float32 (C,) per binary layer, halves between integers; `filters`
    int8 +-1 (C, C, K) per binary layer.
    """

    stem: NDArray[np.int8]
    thresholds: tuple[NDArray[np.float32], ...]
    filters: tuple[NDArray[np.int8], ...]

    def __post_init__(self) -> None:
        channels = len(self.stem)
        if len(self.thresholds) != len(self.filters) or not self.filters:
            raise InputError(f"{len(self.filters)} binary layers have {len(self.thresholds)} thresholds; export again")
        for limits, signs in zip(self.thresholds, self.filters, strict=True):
            if limits.shape != (channels,) or signs.shape[:2] != (channels, channels):
                raise InputError(f"a binary layer does not have {channels} channels; export again")
            if (limits == np.rint(limits)).any():
                raise InputError("a threshold is a whole number, so a tie could fall either way; export again")


@dataclass(frozen=True, kw_only=True)
class FloatHead:
    """The float part: affine and hard tanh of counts, linear heads on the frames' mean, an LSTM that corrects clips.

    float32: `multiply`, `add` (F,); `heads` (F, E), `head_bias` (E,); `from_input` (F, 4H), `from_state` (H, 4H), `bias`
    (4H,) with gates in the order input, forget, cell, output; `clip_heads` (H, E); H is 0 without an LSTM.
    `orientation` int8 (F,): -1 where the exported count is the negative of the trained one (`multiply` has it included).
    """

    multiply: NDArray[np.float32]
    add: NDArray[np.float32]
    heads: NDArray[np.float32]
    head_bias: NDArray[np.float32]
    from_input: NDArray[np.float32]
    from_state: NDArray[np.float32]
    bias: NDArray[np.float32]
    clip_heads: NDArray[np.float32]
    orientation: NDArray[np.int8]

    def arrays(self) -> Arrays:
        """Its arrays by name, for a file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def logits(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits float32 (N, E) of counts (N, T, F), all of T true frames. A still skips the LSTM."""
        features = counts * self.multiply
        features += self.add
        np.minimum(features, 1, out=features)
        np.maximum(features, -1, out=features)
        if counts.shape[1] == 1:
            return np.asarray(features[:, 0] @ self.heads + self.head_bias, dtype=np.float32)
        still = features.mean(axis=1) @ self.heads + self.head_bias
        if not len(self.from_state):
            return np.asarray(still, dtype=np.float32)
        return np.asarray(still + self._last_state(features) @ self.clip_heads, dtype=np.float32)

    def _last_state(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The LSTM's hidden state after the last frame, (N, H)."""
        units = len(self.from_state)
        state = cell = np.zeros((len(features), units), np.float32)
        for frame in range(features.shape[1]):
            gates = features[:, frame] @ self.from_input + state @ self.from_state + self.bias
            opened = _sigmoid(gates)
            cell = opened[:, units : 2 * units] * cell + opened[:, :units] * np.tanh(gates[:, 2 * units : 3 * units])
            state = opened[:, 3 * units :] * np.tanh(cell)
        return state


@dataclass(frozen=True, kw_only=True)
class SeparateHeads:
    """Heads of one output each, whose counts stand side by side."""

    heads: tuple[FloatHead, ...]

    @property
    def orientation(self) -> NDArray[np.int8]:
        """int8 (E * F,), see FloatHead."""
        return np.concatenate([head.orientation for head in self.heads])

    def arrays(self) -> Arrays:
        """Its arrays by number and name, for a file."""
        return {
            f"{number}.{name}": array for number, head in enumerate(self.heads) for name, array in head.arrays().items()
        }

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """The heads that `arrays` were of; raises KeyError, ValueError or TypeError for other ones."""
        parts: dict[int, Document] = {}
        for name, array in arrays.items():
            number, _, own = name.partition(".")
            parts.setdefault(int(number), {})[own] = array
        return cls(heads=tuple(FloatHead(**parts[number]) for number in range(len(parts))))

    def logits(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits float32 (N, E) of counts (N, T, E * F)."""
        parts = np.split(counts, len(self.heads), axis=2)
        return np.concatenate([head.logits(part) for head, part in zip(self.heads, parts, strict=True)], axis=1)


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    # By tanh, which cannot overflow.
    return np.asarray(np.tanh(x * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5), dtype=np.float32)
