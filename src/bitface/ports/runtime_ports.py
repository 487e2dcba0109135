"""Models as files that answer: what is asked of ours, and of other runtimes to time it against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import FaceValues, Reads
from bitface.models.calibrator import Calibrator
from bitface.models.face.training_faces import TrainingFaces

if TYPE_CHECKING:
    from torch import nn

    from bitface.training.trained import TrainedModel


class Runtime(Protocol):
    """A verified bundle, loaded: takes what it reads of a face, returns calibrated one-vs-rest probabilities, and conformal sets.

    `landmarks`: how many landmarks it uses, 0 if it reads crops; `thresholds` are for the calibrated scores; `logits` are
    uncalibrated; `faces` is the reference for explanations.
    """

    @property
    def reads(self) -> Reads: ...

    @property
    def landmarks(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def emotions(self) -> tuple[str, ...]: ...

    @property
    def thresholds(self) -> NDArray[np.float64]: ...

    @property
    def calibrator(self) -> Calibrator: ...

    @property
    def faces(self) -> TrainingFaces | None: ...

    def counts_of_codes(self, codes: NDArray[np.int8]) -> NDArray[np.float32]: ...

    def counts(self, inputs: FaceValues, lengths: NDArray[np.int64]) -> NDArray[np.int32]: ...

    def logits(self, inputs: FaceValues, lengths: NDArray[np.int64]) -> NDArray[np.float32]: ...

    def scores(self, inputs: FaceValues, lengths: NDArray[np.int64]) -> NDArray[np.float64]: ...

    def sets(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]: ...


LoadRuntime = Callable[[Path], Runtime]
"""Loads a bundle if its digests, header and self-test are valid; IntegrityError otherwise."""


class ExportBundle(Protocol):
    """Writes a one-bit model as a bundle of plain files."""

    def __call__(self, model: TrainedModel, folder: Path) -> object: ...


class Rivals(Protocol):
    """Other runtimes, to time ours against: each call of a runner reads one face on one thread and returns the answer.

    There is no runner if a runtime does not support the network. `quantise` returns how far int8 answers are off, as a share
    of the float answers' deviation.
    """

    def export(self, module: nn.Module, example: FaceValues, path: Path) -> None: ...

    def quantise(self, path: Path, faces: Sequence[FaceValues], out: Path) -> float: ...

    def runner(
        self, runtime: str, precision: str, path: Path, face: FaceValues
    ) -> Callable[[], NDArray[np.float32]] | None: ...
