"""Landmarks as a training domain: codes fitted to the training people, a whitened stem, other people's shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitface.faces.features import ClipTable, FaceValues
from bitface.models.clip_net import ClipNet, Precision
from bitface.models.landmark.landmark_codes import CodeScale, scale_of
from bitface.models.landmark.landmark_net import LandmarkNet, NetSpec
from bitface.models.random_net import RandomLandmarkNet, RandomLandmarkSpec
from bitface.params import TrainingParams
from bitface.training.batches import Batch, apex_stills, epoch_draws
from bitface.training.landmarks.landmark_augmentation import People, augmented, people_of
from bitface.training.landmarks.landmark_choice import choose_landmarks, known_landmarks
from bitface.training.landmarks.whitening import bake_stem, whiten_stem
from bitface.training.seeds import seed_of

MakeLandmarkNet = Callable[[TrainingParams, CodeScale, Precision, int, int], ClipNet]
"""Makes a new network of parameters, of the scale of codes, precision and number of outputs; the seed draws what is never trained."""


def landmark_net_of(
    params: TrainingParams, scale: CodeScale, precision: Precision, outputs: int, seed: int
) -> LandmarkNet | RandomLandmarkNet:
    """A landmark net, or one of random kernels for R-EMO."""
    if params.variant == "R-EMO":
        return RandomLandmarkNet(_random_spec(params, precision, outputs, seed), scale)
    spec = NetSpec(
        precision=precision,
        channels=params.channels,
        temporal_kernel=params.temporal_kernel,
        binary_layers=params.binary_layers,
        lstm_units=params.lstm_units,
        outputs=outputs,
        latent_clip=params.latent_clip,
        dropout=params.dropout,
        landmarks=scale.landmarks,
    )
    return LandmarkNet(spec, scale)


def _random_spec(params: TrainingParams, precision: Precision, outputs: int, seed: int) -> RandomLandmarkSpec:
    return RandomLandmarkSpec(
        precision=precision,
        seed=seed,
        kernels=params.r_emo.landmark_kernels,
        taps=params.r_emo.landmark_taps,
        threshold_codes=params.r_emo.threshold_codes,
        lstm_units=0 if params.is_closed_form else params.lstm_units,
        outputs=outputs,
        dropout=params.dropout,
    )


@dataclass(frozen=True, kw_only=True)
class LandmarkDomain:
    """What landmark nets learn from. `people` and `scale` are those of the training people."""

    train: ClipTable
    params: TrainingParams
    people: People
    scale: CodeScale
    make: MakeLandmarkNet

    @classmethod
    def of(cls, train: ClipTable, params: TrainingParams, seed: int, make: MakeLandmarkNet = landmark_net_of) -> Self:
        """The domain of these training rows, their landmarks chosen by them."""
        is_frame = np.arange(train.landmarks.shape[1]) < train.lengths[:, None]
        landmarks = _chosen(train, params, seed)
        return cls(
            train=train,
            params=params.recipe(),
            people=people_of(train),
            scale=scale_of(train.landmarks[is_frame], landmarks),
            make=make,
        )

    def network(self, precision: Precision, outputs: int, seed: int) -> ClipNet:
        """A new net of the sizes in the parameters; `seed` draws the kernels of R-EMO."""
        return self.make(self.params, self.scale, precision, outputs, seed)

    def begin(self, network: ClipNet, rng: np.random.Generator) -> None:
        """Lets a trained stem learn in whitened coordinates."""
        if isinstance(network, LandmarkNet):
            whiten_stem(network, self._augmented_codes(network, rng), self._components())

    def batches(self, targets: NDArray[np.float32], rng: np.random.Generator) -> Iterator[Batch]:
        """Stills and sub-clips, each changed in its own way."""
        changes = self.params.augmentation
        for draw in epoch_draws(self.train, self.params, changes.still_share, changes.frame_dropout, rng):
            clips = self.train.landmarks[draw.rows[:, None], draw.frames]
            changed = augmented(clips, self.people.of_sample[draw.rows], self.people, changes, rng)
            yield Batch(inputs=changed, lengths=draw.lengths, targets=targets[draw.rows])

    def changed_alone(self, stills: FaceValues, rng: np.random.Generator) -> NDArray[np.float32]:
        """Copies of stills float32 (n, 1, 478, 3), as `batches` changes them, but on nobody else's shape."""
        alone = People(shapes=np.zeros((1, *stills.shape[2:]), np.float32), of_sample=np.zeros(len(stills), np.int64))
        return augmented(stills.astype(np.float32, copy=False), alone.of_sample, alone, self.params.augmentation, rng)

    def end(self, network: ClipNet) -> None:
        """Makes the stem's weight an ordinary one again."""
        if isinstance(network, LandmarkNet):
            bake_stem(network)

    @torch.no_grad()
    def _augmented_codes(self, network: LandmarkNet, rng: np.random.Generator) -> Tensor:
        """Codes of every training frame once, changed as in training, float32 (M, C)."""
        train = self.train
        changed = augmented(train.landmarks, self.people.of_sample, self.people, self.params.augmentation, rng)
        is_frame = np.arange(changed.shape[1]) < train.lengths[:, None]
        return network.codes(torch.from_numpy(changed))[torch.from_numpy(is_frame)]

    def _components(self) -> int:
        """How many components the examples can bear: copies and frames of one person's one expression are one example.

        Four more are for what augmentation adds to any set: three turns of the head, and scale.
        """
        examples = len(set(zip(self.train.persons.tolist(), self.train.labels.tolist(), strict=True)))
        return min(self.params.stem_components, 4 + int(examples / self.params.examples_per_component))


def _chosen(train: ClipTable, params: TrainingParams, seed: int) -> tuple[int, ...] | None:
    wanted = params.chosen_landmarks
    if wanted is None:
        return None
    stills = apex_stills(train).landmarks[:, 0]
    known = known_landmarks(stills)
    if len(known) <= wanted.count:
        return tuple(known.tolist())
    targets = (train.labels[:, None] == np.unique(train.labels)).astype(np.float32)
    return choose_landmarks(wanted.choice, wanted.count, stills, targets, train.persons, seed_of(seed, "landmarks"))
