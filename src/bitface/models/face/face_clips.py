"""What networks of aligned faces share before their first layer: int8 codes without the picture's own light."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitface.binarize.codes import CODE_MAX, PIXEL_DEVIATION
from bitface.binarize.sign import straight_round
from bitface.faces.features import CROP_PX, ClipTable, Reads
from bitface.models.clip_net import ClipNet
from bitface.models.face.face_codes import CONTRAST_FLOOR
from bitface.models.landmark.landmark_codes import without_repeats


class FaceClipNet(ClipNet):
    """Base of networks that read crops; a subclass counts codes of single frames in `counts`."""

    @property
    def reads(self) -> Reads:
        """Aligned crops."""
        return "crops"

    def forward(self, crops: Tensor, lengths: Tensor) -> Tensor:
        """Logits, float32 (N, outputs).

        Args:
            crops: uint8 or float32 (N, T, 64, 64), grey levels 0 to 255, see `faces.alignment.aligned_crop`.
            lengths: int64 (N,), true frames, 1 to T; frames beyond them are never read.
        """
        is_frame = torch.arange(crops.shape[1])[None] < lengths[:, None]
        return self.logits_of_counts(self.counts_of(crops, is_frame, lengths), is_frame, lengths)

    def frames_of(self, table: ClipTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Frames with a pixel that differs from the frame before."""
        return without_repeats(table.crops.reshape(*table.crops.shape[:2], -1), table.lengths)

    def counts_of(self, inputs: Tensor, is_frame: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002 - frames stand alone
        """Counts, float32 (M, features), of crops (N, T, 64, 64)."""
        return self.counts(self.codes(inputs[is_frame]))

    def still_counts(self, inputs: Tensor) -> Tensor:
        """Counts, float32 (N, features), of crops (N, 1, 64, 64)."""
        return self.counts(self.codes(inputs[:, 0]))

    def codes(self, frames: Tensor) -> Tensor:
        """Codes float32 (M, 64, 64) of pixels: whole numbers in -127..127 when one-bit, real for the twin."""
        pixels, n = frames.double(), CROP_PX * CROP_PX
        total, squares = pixels.sum((1, 2), keepdim=True), pixels.square().sum((1, 2), keepdim=True)
        # A flat crop has no slope to its deviation; the square root's would be infinite.
        deviation = (n * squares - total * total).clamp_min(1.0).sqrt() / n
        real = (pixels - total / n) * PIXEL_DEVIATION / (deviation + CONTRAST_FLOOR)
        codes = real.clamp(-CODE_MAX, CODE_MAX)
        return (straight_round(codes) if self.spec.precision == "one-bit" else codes).float()

    def counts(self, codes: Tensor) -> Tensor:
        """What is counted, float32 (M, features), of codes (M, 64, 64); whole when one-bit."""
        raise NotImplementedError
