"""What networks of landmarks share before their first layer: int8 codes around the training people's mean shape."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitface.binarize.codes import CODE_MAX
from bitface.binarize.sign import straight_round
from bitface.faces.features import ClipTable, Reads
from bitface.models.clip_net import ClipNet
from bitface.models.landmark.landmark_codes import CodeScale, encode, without_repeats


class LandmarkClipNet(ClipNet):
    """Base of networks that read landmarks; a subclass counts packed frames of codes in `counts`, each with its `neighbours`."""

    centre: Tensor
    inverse_step: Tensor

    def __init__(self, scale: CodeScale) -> None:
        super().__init__()
        self.landmarks = scale.landmarks
        self.register_buffer("centre", torch.from_numpy(scale.centre.copy()))
        self.register_buffer("inverse_step", torch.from_numpy(scale.inverse_step.copy()))

    @property
    def reads(self) -> Reads:
        """Landmarks, without depth where the training people's points have none."""
        return "landmarks" if self.inverse_step[2::3].any() else "flat_landmarks"

    def forward(self, landmarks: Tensor, lengths: Tensor) -> Tensor:
        """Logits, float32 (N, outputs).

        Args:
            landmarks: float32 (N, T, 478, 3), normalised.
            lengths: int64 (N,), true frames, 1 to T; frames beyond them are never read.
        """
        is_frame = torch.arange(landmarks.shape[1])[None] < lengths[:, None]
        return self.logits_of_counts(self.counts_of(landmarks, is_frame, lengths), is_frame, lengths)

    def frames_of(self, table: ClipTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Frames whose codes differ from those of the frame before."""
        return without_repeats(encode(table.landmarks, self.scale()), table.lengths)

    def scale(self) -> CodeScale:
        """The scale of the landmark codes."""
        return CodeScale(
            centre=self.centre.numpy().copy(),
            inverse_step=self.inverse_step.numpy().copy(),
            landmarks=self.landmarks,
        )

    def counts_of(self, inputs: Tensor, is_frame: Tensor, lengths: Tensor) -> Tensor:
        """Counts, float32 (M, features), of landmarks (N, T, 478, 3)."""
        return self.counts(self.codes(inputs)[is_frame], self.neighbours(lengths))

    def still_counts(self, inputs: Tensor) -> Tensor:
        """Counts, float32 (N, features), of landmarks (N, 1, 478, 3)."""
        return self.counts(self.codes(inputs)[:, 0], self.own_neighbours(len(inputs)))

    def codes(self, landmarks: Tensor) -> Tensor:
        """Codes float32 (N, T, C) of landmarks (N, T, 478, 3): whole numbers in -127..127 when one-bit, real for the twin."""
        chosen = landmarks if self.landmarks is None else landmarks[:, :, list(self.landmarks)]
        real = (chosen.flatten(2) - self.centre) * self.inverse_step
        if self.spec.precision == "one-bit":
            return straight_round(real).clamp(-CODE_MAX, CODE_MAX)
        return real

    def neighbours(self, lengths: Tensor) -> Tensor:
        """Rows of the packed frames that each frame is counted with, int64 (M, kernel); M is the sum of lengths."""
        return self.own_neighbours(int(lengths.sum()))

    def own_neighbours(self, frames: int) -> Tensor:
        """The same, int64 (M, kernel), where each frame is its own neighbour."""
        return torch.arange(frames)[:, None]

    def counts(self, frames: Tensor, neighbours: Tensor) -> Tensor:
        """What is counted, float32 (M, features), of packed code frames (M, C) with their neighbours (M, kernel)."""
        raise NotImplementedError
