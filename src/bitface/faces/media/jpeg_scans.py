"""Counts the scans of a JPEG before it is decoded: each is a pass over all of its pixels, and takes no more than forty bytes.

A progressive picture has ten of them or so. One of 25 megapixels with as many as fit into a file would be decoded for hours.
"""

from __future__ import annotations

import re
from typing import Final

SCANS_MAX: Final = 100
_MARKER: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""ITU-T T.81, table B.1; FF 00 and the restart markers FF D0 to FF D7 are part of a scan."""
_BEGIN, _END, _SCAN, _ALONE = 0xD8, 0xD9, 0xDA, 0x01


def scans_of(data: bytes) -> int:
    """How many scans there are up to the end of the picture, or one more than `SCANS_MAX`."""
    at = count = 0
    while count <= SCANS_MAX and (found := _MARKER.search(data, at)) is not None and found[1][0] != _END:
        at = found.end()
        if found[1][0] not in (_BEGIN, _ALONE):  # all others begin with their length
            count += found[1][0] == _SCAN
            at += int.from_bytes(data[at : at + 2], "big")
    return count
