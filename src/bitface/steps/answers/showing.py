"""Decides whose face may be put on a page: recorded people's only as they currently allow, erased people's never."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bitface.consent.admission import Use
from bitface.errors import RefusedError
from bitface.ledger.ledger import Ledger
from bitface.ports import EncodeFrames
from bitface.steps.people.on_record import OnRecord, Pictures, marks_asked
from bitface.steps.people.reentry import Reentry

PURPOSE: Final = "publish_image"
REMEDY: Final = "run it without --show-face"


@dataclass(frozen=True, kw_only=True)
class Album:
    """Everyone whose pictures are or were here, and what they allow."""

    record: OnRecord
    erased: Reentry
    ledger: Ledger
    encode: EncodeFrames


def check_shown(pictures: Pictures, context: str, album: Album) -> None:
    """Raises RefusedError, without names, if a picture shows a person who does not currently allow that in this context: a person
    who was erased, withdrew, never allowed `publish_image`, or whose consent or licence has ended.
    """
    asked = marks_asked(pictures, album.encode)
    if album.erased.seen(("", marks) for marks in asked):
        raise RefusedError(f"this picture matches, or resembles, a picture of a person who was erased; {REMEDY}")
    try:
        for sample in album.record.samples_like(asked):
            use = Use(purpose=PURPOSE, context=context, kind=sample.kind)
            album.ledger.check_picture(sample.person, sample.licence_id, use)
    except RefusedError as error:
        raise RefusedError(f"{error}; {REMEDY}") from error
