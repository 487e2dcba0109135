"""Whose face may be put on a page: somebody on record only as that person allows now, and somebody who was erased not at all.

Somebody is known again by pictures alone: by the very pixels, and by how a picture looks that was stored anew or trimmed. No face is
measured, so whoever stands on another picture is shown as somebody who is not on record. Of 1,000 people it takes 0.8 s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.consent.admission import Use
from bitface.dataset.index import has_dataset, read_index
from bitface.errors import RefusedError
from bitface.faces.looks import Marks, has_alike, looks_asked
from bitface.faces.records import Sample, is_synthetic
from bitface.ledger.ledger import Ledger
from bitface.ports import EncodeFrames
from bitface.steps.contents import marks_of
from bitface.steps.reentry import Reentry

Pictures = Sequence[NDArray[np.uint8]]
PURPOSE: Final = "publish_image"
REMEDY: Final = "leave --show-face out"


@dataclass(frozen=True, kw_only=True)
class OnRecord:
    """Everybody whose pictures are here or were, in the dataset folder `data`."""

    data: Path
    gone: Reentry
    ledger: Ledger
    encode: EncodeFrames


def check_shown(pictures: Pictures, context: str, record: OnRecord) -> None:
    """Raises RefusedError, which names nobody, where a picture is of somebody who does not allow it to be shown in this context now: who
    was erased, withdrew, never allowed `publish_image`, or whose consent or licence has ended.
    """
    asked = _marks(pictures, record)
    if record.gone.seen(("", marks) for marks in asked):
        raise RefusedError(f"this is a picture of somebody who was erased, or looks like one; {REMEDY}")
    for sample in _known(asked, record):
        use = Use(purpose=PURPOSE, context=context, kind=sample.kind)
        try:
            record.ledger.check_picture(sample.person, sample.licence_id, use)
        except RefusedError as error:
            raise RefusedError(f"{str(error).rpartition(';')[0]}; {REMEDY}") from error


def _marks(pictures: Pictures, record: OnRecord) -> list[Marks]:
    """By what each picture is looked for, and all of them as a clip."""
    wholes = [[one] for one in pictures]
    if len(pictures) > 1 and len({one.shape for one in pictures}) == 1:
        wholes.append(list(pictures))
    return [
        Marks(sha256=hashlib.sha256(record.encode(whole, lossless=True)).hexdigest(), looks=looks_asked(whole))
        for whole in wholes
    ]


def _known(asked: Sequence[Marks], record: OnRecord) -> Iterator[Sample]:
    """The samples of real people that a picture is one of, or looks like."""
    rows = read_index(record.data) if has_dataset(record.data) else ()
    real = [sample for sample in rows if not is_synthetic(sample.person)]
    unknown = {sample.person for sample in real} - set(record.gone.keys.pseudonyms())
    if unknown:
        raise RefusedError(
            f"{len(unknown)} people in the dataset have no key here, so that nobody can tell whether this is one of them; {REMEDY}"
        )
    there = marks_of(real, record.data, record.gone.keys)
    digests, looks = {marks.sha256 for marks in asked}, [look for marks in asked for look in marks.looks]
    for sample in real:
        marks = there[sample.sample_id]
        if marks.sha256 in digests or has_alike(looks, marks.looks):
            yield sample
