"""JAFFE (Lyons et al. 1998): ten Japanese women, pictures named `KA.AN1.39.tiff`, person and expression in the name."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from bitface.consent.public_sets import JAFFE_LICENCE
from bitface.dataset.incoming.gathered_rows import GatheredRows
from bitface.dataset.incoming.label_folders import is_picture
from bitface.steps.people.sources import Brought, FolderFiles, FormatReader, brought_by_name, source_of

EMOTIONS_BY_CODE: Final = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
_NAME: Final = re.compile(r"(?P<who>[A-Z]{2})\.(?P<code>[A-Z]{2})\d\.\d{1,4}\.[A-Z]+", re.IGNORECASE)
_WOMEN: Final = {"gender": "female", "ethnicity": "japanese", "split": ""}
"""What the set says of everybody in it; it states no ages."""


def table_of_jaffe(files: FolderFiles) -> Brought:
    """The pictures of a folder, sorted by path and numbered so. Raises InputError where none is named as the set names them."""
    return brought_by_name(files, _gather, "KA.AN1.39.tiff")


def _gather(rows: GatheredRows, number: int, path: str) -> None:
    name = path.rpartition("/")[2]
    found = _NAME.fullmatch(name)
    if not is_picture(name):
        rows.refuse(number, "not_a_picture", file=name)
    elif found is None:
        rows.refuse(number, "unknown_name", file=name)
    elif found["code"].upper() not in EMOTIONS_BY_CODE:
        rows.refuse(
            number, "unknown_label", f"code '{found['code']}' is none of {', '.join(EMOTIONS_BY_CODE)}", file=name
        )
    else:
        label = EMOTIONS_BY_CODE[found["code"].upper()]
        rows.take(number, {"path": path, "subject_id": f"jaffe-{found['who'].upper()}", "label": label, **_WOMEN})


READER = FormatReader(source=partial(source_of, table_of_jaffe, published=JAFFE_LICENCE))
