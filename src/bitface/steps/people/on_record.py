"""Finds the recorded people a picture belongs to: by its exact pixels, or by its look if it was re-encoded or trimmed.

Faces are not compared: a person in a different picture is not found. For 1,000 people it takes 0.8 s, once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitface.counted_words import counted
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.errors import RefusedError
from bitface.faces.media.same_picture import Marks, alike_among, looks_asked
from bitface.faces.records import Sample, is_synthetic
from bitface.ports import EncodeFrames
from bitface.steps.people.contents import marks_of

Pictures = Sequence[NDArray[np.uint8]]


class OnRecord:
    """The pictures of real people in a dataset folder, opened at the first query with the people's keys."""

    def __init__(self, data: Path, keys: KeyStore) -> None:
        self._data, self._keys = data, keys

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The samples of real people; compare with their marks by `samples_like`."""
        rows = read_index(self._data) if has_dataset(self._data) else ()
        return tuple(sample for sample in rows if not is_synthetic(sample.person))

    def samples_like(self, asked: Sequence[Marks]) -> tuple[Sample, ...]:
        """The samples that these pictures are identical to or look like.

        Raises:
            RefusedError: a person's key is not here, so it cannot be decided.
        """
        digests = {marks.sha256 for marks in asked}
        found = {number for number, marks in enumerate(self._marks) if marks.sha256 in digests}
        owners, looks = self._looks
        found |= {owners[row] for row in alike_among((look for marks in asked for look in marks.looks), looks)}
        return tuple(self.samples[number] for number in sorted(found))

    @cached_property
    def _marks(self) -> list[Marks]:
        unknown = {sample.person for sample in self.samples} - set(self._keys.pseudonyms())
        if unknown:
            raise RefusedError(
                f"{counted(len(unknown), 'person in the dataset has', 'people in the dataset have')} no key on this installation, so this "
                "picture cannot be compared with theirs"
            )
        marks = marks_of(self.samples, self._data, self._keys)
        return [marks[sample.sample_id] for sample in self.samples]

    @cached_property
    def _looks(self) -> tuple[list[int], list[bytes]]:
        """Every look, with its sample."""
        pairs = [(number, look) for number, marks in enumerate(self._marks) for look in marks.looks]
        return [number for number, _ in pairs], [look for _, look in pairs]


def marks_asked(pictures: Pictures, encode: EncodeFrames) -> list[Marks]:
    """The marks by which each picture, and all of them as a clip, are looked up."""
    wholes = [[one] for one in pictures]
    if len(pictures) > 1 and len({one.shape for one in pictures}) == 1:
        wholes.append(list(pictures))
    return [
        Marks(sha256=hashlib.sha256(encode(whole, lossless=True)).hexdigest(), looks=looks_asked(whole))
        for whole in wholes
    ]
