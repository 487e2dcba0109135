"""Aligned grey faces as a training domain: stills and sub-clips of crops, seen as other cameras might have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import ClipTable, FaceValues
from bitface.models.clip_net import ClipNet, Precision
from bitface.models.face.face_net import FaceNet, FaceSpec
from bitface.models.random_net import RandomFaceNet, RandomFaceSpec
from bitface.params import TrainingParams
from bitface.training.batches import Batch, epoch_draws
from bitface.training.face_augmentation import augmented_crops


@dataclass(frozen=True, kw_only=True)
class FaceDomain:
    """What face nets learn from: the crops of the training people."""

    train: ClipTable
    params: TrainingParams

    @classmethod
    def of(cls, train: ClipTable, params: TrainingParams, seed: int) -> Self:  # noqa: ARG003 - nothing is drawn
        """The domain of these training rows."""
        return cls(train=train, params=params.recipe())

    def network(self, precision: Precision, outputs: int, seed: int) -> FaceNet | RandomFaceNet:
        """A new net of the sizes in the parameters; `seed` draws the kernels of R-EMO."""
        params = self.params
        if params.variant == "R-EMO":
            return RandomFaceNet(self._random_spec(precision, outputs, seed))
        return FaceNet(
            FaceSpec(
                precision=precision,
                channels=params.face_net.channels,
                stages=params.face_net.stages,
                blocks=params.face_net.blocks,
                features=params.face_net.features,
                lstm_units=params.lstm_units,
                outputs=outputs,
                latent_clip=params.latent_clip,
                dropout=params.dropout,
            )
        )

    def _random_spec(self, precision: Precision, outputs: int, seed: int) -> RandomFaceSpec:
        params = self.params
        return RandomFaceSpec(
            precision=precision,
            seed=seed,
            kernels=params.r_emo.face_kernels,
            cells=params.r_emo.face_cells,
            lstm_units=0 if params.is_closed_form else params.lstm_units,
            outputs=outputs,
            dropout=params.dropout,
        )

    def begin(self, network: ClipNet, rng: np.random.Generator) -> None:
        """Nothing: codes of a crop come from the crop alone."""

    def batches(self, targets: NDArray[np.float32], rng: np.random.Generator) -> Iterator[Batch]:
        """Stills and sub-clips, each changed in its own way."""
        changes = self.params.face_net.augmentation
        for draw in epoch_draws(self.train, self.params, changes.still_share, changes.frame_dropout, rng):
            clips = self.train.crops[draw.rows[:, None], draw.frames]
            yield Batch(inputs=augmented_crops(clips, changes, rng), lengths=draw.lengths, targets=targets[draw.rows])

    def changed_alone(self, stills: FaceValues, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Copies of stills uint8 (n, 1, 64, 64), as `batches` changes them."""
        return augmented_crops(stills.astype(np.uint8, copy=False), self.params.face_net.augmentation, rng)

    def end(self, network: ClipNet) -> None:
        """Nothing: all of a face net answers."""
