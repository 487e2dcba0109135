"""What networks share behind their counts: affine, one-vs-rest heads on the frames, and for clips an LSTM that corrects them.

    features = hard tanh(affine(counts));  logits = mean over frames of (W features + b)  [+ V LSTM(features), clips only]

A still is one frame and skips the LSTM: its gates would squash what a linear head reads directly, at a cost. With 0 units
there is no LSTM, and a clip is the mean of its frames.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bitface.binarize.layers import LatentSigns
from bitface.faces.features import ClipTable, Reads

Precision = Literal["one-bit", "float"]


class ClipSpec(Protocol):
    """A dataclass with the sizes of what lies behind the counts."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def precision(self) -> Precision: ...

    @property
    def features(self) -> int: ...

    @property
    def lstm_units(self) -> int: ...

    @property
    def outputs(self) -> int: ...

    @property
    def dropout(self) -> float: ...


class ClipNet(nn.Module):
    """Base of networks that count per frame and then read a clip. A subclass calls `_add_readout` once.

    `name` is the architecture in params.yaml.
    """

    name: ClassVar[str]
    spec: ClipSpec
    affine: nn.BatchNorm1d
    heads: nn.Linear
    lstm: nn.LSTM
    clip_heads: nn.Linear

    @property
    def reads(self) -> Reads:
        """The column of a clip table that goes in."""
        raise NotImplementedError

    def _add_readout(self, spec: ClipSpec) -> None:
        self.affine = nn.BatchNorm1d(spec.features)
        self.heads = nn.Linear(spec.features, spec.outputs)
        if spec.lstm_units:
            self.lstm = nn.LSTM(spec.features, spec.lstm_units, batch_first=True)
            self.clip_heads = nn.Linear(spec.lstm_units, spec.outputs, bias=False)
        self._dropout = spec.dropout

    @torch.no_grad()
    def _read_as(self, other: ClipNet) -> None:
        """Takes over what another net of the same sizes does with its counts, but for their statistics."""
        self.affine.weight.copy_(other.affine.weight)
        self.affine.bias.copy_(other.affine.bias)
        for name in ("heads", "lstm", "clip_heads")[: 3 if self.spec.lstm_units else 1]:
            getattr(self, name).load_state_dict(getattr(other, name).state_dict())

    def sizes(self) -> dict[str, int]:
        """The whole-numbered sizes of the spec by name."""
        return {
            field.name: value for field in fields(self.spec) if type(value := getattr(self.spec, field.name)) is int
        }

    def frames_of(self, table: ClipTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which frames count, int64 (N, T'), and the true lengths (N,): one that repeats the one before is dropped."""
        raise NotImplementedError

    def counts_of(self, inputs: Tensor, is_frame: Tensor, lengths: Tensor) -> Tensor:
        """What the convolutions count, packed, (M, ...): whole numbers when one-bit."""
        raise NotImplementedError

    def inputs_of(self, table: ClipTable) -> tuple[Tensor, Tensor]:
        """What `forward` reads of a table's rows: its column of the frames that count, and the true lengths."""
        picks, lengths = self.frames_of(table)
        kept = table.column(self.reads)[np.arange(len(table))[:, None], picks]
        return torch.from_numpy(kept), torch.from_numpy(lengths)

    def logits_of_counts(self, counts: Tensor, is_frame: Tensor, lengths: Tensor) -> Tensor:
        """Logits (N, outputs) of packed counts (M, features)."""
        features = functional.dropout(functional.hardtanh(self.affine(counts)), self._dropout, self.training)
        if is_frame.shape[1] == 1:
            still: Tensor = self.heads(features)
            return still
        padded = features.new_zeros((*is_frame.shape, features.shape[1]))
        padded[is_frame] = features
        logits: Tensor = self.heads(padded.sum(1) / lengths[:, None])
        if not self.spec.lstm_units:
            return logits
        states, _ = self.lstm(padded)
        last = states[torch.arange(len(lengths)), lengths - 1] * (lengths > 1)[:, None]
        corrected: Tensor = logits + self.clip_heads(last)
        return corrected

    def still_counts(self, inputs: Tensor) -> Tensor:
        """Counts, float32 (N, features), of stills (N, 1, ...), by operations of fixed shapes that other runtimes take."""
        raise NotImplementedError

    def still_logits(self, inputs: Tensor) -> Tensor:
        """Logits (N, outputs) of stills (N, 1, ...), as `forward` gives them."""
        logits: Tensor = self.heads(functional.hardtanh(self.affine(self.still_counts(inputs))))
        return logits

    def keep_weights_real(self, is_real: bool) -> None:
        """Whether binary layers multiply by their latent weights, as in the first of two stages of training."""
        for layer in self.modules():
            if isinstance(layer, LatentSigns):
                layer.is_real = is_real

    def clip_latents(self) -> None:
        """Clips the latent weights of the binary layers; to be called after each step of the optimiser."""
        for layer in self.modules():
            if isinstance(layer, LatentSigns):
                layer.clip_latents()
