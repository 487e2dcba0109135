"""Pictures that are all face: published sets of 48 or 100 pixels a side are crops, and have no more pixels to give."""

from __future__ import annotations

from typing import Final

CROP_PX: Final = 100
"""The longer side up to which lengths are judged as in a picture of this size: FER2013 and CK+ have 48, RAF-DB 100."""


def enlargement(height: int, width: int) -> float:
    """By how much a crop is enlarged before lengths in it are judged, so that limits in pixels follow the source; 1 of any other."""
    return max(1.0, CROP_PX / max(height, width))
