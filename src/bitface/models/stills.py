"""Networks as other runtimes want them: one face of a fixed shape in, and operations that any of them has."""

from __future__ import annotations

from torch import Tensor, nn

from bitface.models.clip_net import ClipNet
from bitface.models.face.face_clips import FaceClipNet


class StillNet(nn.Module):
    """Logits (N, E) of stills float32 (N, 1, ...), of the column that the network reads."""

    def __init__(self, network: ClipNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, stills: Tensor) -> Tensor:
        """See the class."""
        return self.network.still_logits(stills)


class StillBackbone(nn.Module):
    """Counts (N, F) of codes (N, 64, 64): a face net's convolutions and readout alone."""

    def __init__(self, network: FaceClipNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, codes: Tensor) -> Tensor:
        """See the class."""
        return self.network.counts(codes)
