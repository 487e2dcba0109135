"""What the training loop asks of a kind of input: networks for it, and changed batches of training people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import FaceValues
from bitface.models.clip_net import ClipNet, Precision
from bitface.training.batches import Batch


class Domain(Protocol):
    """One kind of input, fitted to the training people. The loop owns recipe, teacher, choice and seeds."""

    def network(self, precision: Precision, outputs: int, seed: int) -> ClipNet:
        """A new network; torch's generator is seeded, and `seed` draws what is never trained."""
        ...

    def begin(self, network: ClipNet, rng: np.random.Generator) -> None:
        """Prepares a new network for training."""
        ...

    def batches(self, targets: NDArray[np.float32], rng: np.random.Generator) -> Iterator[Batch]:
        """The batches of one epoch, `batches.steps_per_epoch` many; `targets` float32 (N, E) of the training rows."""
        ...

    def changed_alone(self, stills: FaceValues, rng: np.random.Generator) -> FaceValues:
        """Changed copies of one person's stills (n, 1, ...), in which nobody else has a part."""
        ...

    def end(self, network: ClipNet) -> None:
        """Leaves of a trained network only what answers."""
        ...
