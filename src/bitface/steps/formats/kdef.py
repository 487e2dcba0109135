"""KDEF (Lundqvist et al. 1998): 70 actors, pictures named `AF01ANS.JPG`: session, sex, person, expression, view."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from bitface.consent.public_sets import KDEF_LICENCE
from bitface.dataset.incoming.gathered_rows import GatheredRows
from bitface.dataset.incoming.label_folders import is_picture
from bitface.steps.people.sources import Brought, FolderFiles, FormatReader, brought_by_name, source_of

EMOTIONS_BY_CODE: Final = {
    "AF": "fear",
    "AN": "anger",
    "DI": "disgust",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
_GENDERS: Final = {"F": "female", "M": "male"}
_TURNED: Final = {"HL": "half left", "HR": "half right", "FL": "full left", "FR": "full right"}
_NAME: Final = re.compile(
    r"(?P<session>[AB])(?P<sex>[FM])(?P<who>\d{2})(?P<code>[A-Z]{2})(?P<view>S|[HF][LR])\.[A-Z]+", re.IGNORECASE
)


def table_of_kdef(files: FolderFiles) -> Brought:
    """The pictures of a folder, sorted by path and numbered so; of the five views the straight one is taken.

    Raises:
        InputError: none is named as the set names them.
    """
    return brought_by_name(files, _gather, "AF01ANS.JPG")


def _gather(rows: GatheredRows, number: int, path: str) -> None:
    name = path.rpartition("/")[2]
    found = _NAME.fullmatch(name.upper())
    if not is_picture(name):
        rows.refuse(number, "not_a_picture", file=name)
    elif found is None:
        rows.refuse(number, "unknown_name", file=name)
    elif found["code"] not in EMOTIONS_BY_CODE:
        rows.refuse(
            number, "unknown_label", f"code '{found['code']}' is none of {', '.join(EMOTIONS_BY_CODE)}", file=name
        )
    elif found["view"] in _TURNED:
        rows.refuse(
            number,
            "other_view",
            f"the view is {_TURNED[found['view']]}; only the straight view (S) is taken",
            file=name,
        )
    else:
        # The session is no part of the id: people of A are those of B.
        person, label = f"kdef-{found['sex']}{found['who']}", EMOTIONS_BY_CODE[found["code"]]
        values = {"path": path, "subject_id": person, "label": label, "split": "", "gender": _GENDERS[found["sex"]]}
        rows.take(number, values, ("second_session",) if found["session"] == "B" else ())


READER = FormatReader(source=partial(source_of, table_of_kdef, published=KDEF_LICENCE))
