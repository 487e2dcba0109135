"""Synthetic people: what is asked of a renderer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bitface.faces.records import SubjectRecord
from bitface.faces.synthetic.synthetic_people import SyntheticPerson, Variation
from bitface.params import SyntheticParams
from bitface.ports.media_ports import Frames


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
    """Renders synthetic adults in a fixed order, with any number of workers; only the people in `only`, if given."""

    def __call__(
        self, params: SyntheticParams, seed: int, workers: int, only: Collection[str] | None = None
    ) -> Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]: ...


class RenderVariations(Protocol):
    """Renders synthetic adults unchanged or with one change, in the order of the jobs, with any number of workers."""

    def __call__(
        self, jobs: Sequence[tuple[SyntheticPerson, Variation]], params: SyntheticParams, workers: int
    ) -> Iterator[tuple[PlannedPerson, Sequence[RenderedSample]]]: ...
