"""What steps ask of the outside world, in our own types: adapters satisfy these, tests may fake them, the core is free of tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bitface.faces.records import SubjectRecord
from bitface.faces.seen import SeenFace, SeenFaces
from bitface.params import FeatureParams, QualityParams, SyntheticParams

if TYPE_CHECKING:
    import pandas as pd

Frames = NDArray[np.uint8]
"""uint8 (T, H, W, 3), RGB."""
DecodeFrames = Callable[[bytes], Frames]
ReadImage = Callable[[Path, str], Frames]
Augment = Callable[[Frames, int], Frames]
"""The frames of one clip, changed alike, by a seed."""
Report = Callable[[str, int, int], None]
"""Progress: what, done, of how many."""


class EncodeFrames(Protocol):
    """Packs frames into bytes, the same each time."""

    def __call__(self, frames: Frames, *, lossless: bool) -> bytes: ...


class Landmarker(Protocol):
    """Sees faces; opened once per thread and closed explicitly."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: Any) -> None: ...

    def see(self, frames: Frames, params: FeatureParams) -> SeenFaces: ...

    def see_all(self, image: NDArray[np.uint8], params: FeatureParams) -> tuple[SeenFace, ...]: ...


class DatasetStore(Protocol):
    """Versions the dataset folder. A version is a content digest."""

    def pinned(self) -> str | None: ...

    def version(self) -> str: ...

    def pin(self) -> str: ...

    def keep(self) -> str: ...

    def pull(self) -> bool: ...


class PlannedPerson(Protocol):
    """A synthetic person before rendering."""

    @property
    def record(self) -> SubjectRecord: ...

    @property
    def role(self) -> str: ...


class RenderedSample(Protocol):
    """One rendered image or clip with the true facial actions, float32 (T, 52), of every frame."""

    @property
    def label(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def frames(self) -> Frames: ...

    @property
    def facial_actions(self) -> NDArray[np.float32]: ...


class RenderPeople(Protocol):
    """Renders synthetic adults in a fixed order, whatever the number of workers."""

    def __call__(
        self, params: SyntheticParams, seed: int, workers: int
    ) -> Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]: ...


class ChecksReport(Protocol):
    """The outcome of the suites: what failed, in words; how many expectations ran; where their report lies."""

    @property
    def failures(self) -> tuple[str, ...]: ...

    @property
    def expectations(self) -> int: ...

    @property
    def docs_index(self) -> Path: ...


class TableChecks(Protocol):
    """Runs the suites over the tables index, subjects, consents, quality, and keeps their report under `docs_folder`."""

    def __call__(
        self, tables: Mapping[str, pd.DataFrame], params: QualityParams, docs_folder: Path
    ) -> ChecksReport: ...
