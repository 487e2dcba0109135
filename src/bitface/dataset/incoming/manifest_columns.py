"""The columns of a manifest, matched exactly: an unread column could be the age that keeps a child out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from bitface.consent.unfilled import see
from bitface.errors import InputError

REQUIRED_COLUMNS: Final = ("path", "subject_id", "label")
OPTIONAL_COLUMNS: Final = ("age", "gender", "skin_tone", "ethnicity", "clip", "frame", "split", "captured_at")
COLUMNS: Final = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
EXAMPLE: Final = (
    f"path,subject_id,label,age,gender,skin_tone and faces/anna_1.jpg,anna,happiness,34,female,5 {see('Manifest')}"
)
"""A header and a row, for messages."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns that a manifest may have, and a header with a row, for messages."""

    names: tuple[str, ...]
    example: str


OF_PICTURES: Final = Columns(names=COLUMNS, example=EXAMPLE)
OF_CLIPS: Final = Columns(
    names=(*(name for name in COLUMNS if name not in ("clip", "frame")), "start_s", "end_s"),
    example=f"path,subject_id,label,age,start_s,end_s and clips/anna.mp4,anna,happiness,34,0,2.5 {see('Manifest')}",
)
"""A row of a manifest of videos is a whole clip: a file, or some seconds of one."""
_OTHER_WORDS: Final = {
    "path": ("file", "filename", "image", "picture", "photo", "pth"),
    "subject_id": ("subject", "person", "person_id", "participant", "participant_id", "id", "user_id"),
    "label": ("emotion", "expression", "class", "target"),
    "age": (
        *("age_years", "years", "dob", "date_of_birth", "birth_date", "birthday", "year_of_birth"),
        *(
            "alter",
            "alder",
            "edad",
            "idade",
            "et\u00e0",
            "\u00e2ge",
            "\u00e5lder",
            "leeftijd",
            "wiek",
            "\u5e74\u9f62",
            "\u5e74\u9f84",
        ),
    ),
    "gender": ("sex", "geschlecht", "sexe", "genre", "sexo", "g\u00e9nero", "\u6027\u5225", "\u6027\u522b"),
    "skin_tone": ("monk", "monk_tone", "skin", "skintone"),
    "ethnicity": ("race", "ancestry", "ethnic_group"),
    "start_s": ("start", "begin", "from", "onset", "start_time"),
    "end_s": ("end", "stop", "to", "offset", "end_time"),
    "captured_at": ("date", "taken_at", "timestamp"),
    "input": (
        "image_name",
        "image_path",
        "image",
        "img",
        "filename",
        "file_name",
        "file",
        "frame_name",
        "video",
        "picture",
    ),
    "frame": ("frame_number", "frame_index", "frame_idx", "frame_no", "frame_num"),
    "timestamp": ("time", "time_s", "seconds"),
    "frame_width": ("width", "image_width", "video_width"),
    "frame_height": ("height", "image_height", "video_height"),
}
"""What people call a column elsewhere, for the advice only: no name but the exact one is read."""


def check_columns(name: str, columns: Sequence[str], ignored: Collection[str], known: Columns = OF_PICTURES) -> None:
    """Every column must be one that is read, or be named as one to leave aside.

    Raises:
        InputError: an unknown column, a missing one, or one to ignore that is not there or is read; one line names it.
    """
    for column in ignored:
        meant = nearest(column, known.names)
        if meant is not None and _plain(column) == meant:
            raise InputError(f"column '{meant}' is a known column and cannot be ignored; delete it from {name} instead")
        if column not in columns:
            raise InputError(f"{name} has no column '{column[:40]}' to ignore; it has {', '.join(columns)[:200]}")
    unknown = [column for column in columns if column not in known.names and column not in ignored]
    if unknown and not any(nearest(column) in REQUIRED_COLUMNS for column in columns):
        raise InputError(
            f"{name}: its first line has none of {', '.join(REQUIRED_COLUMNS)}; start the manifest with a header line, such as "
            f"{known.example}"
        )
    if unknown:
        raise InputError(_unknown(name, unknown, known))
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    if missing:
        raise InputError(
            f"{name}: column '{missing[0]}' is missing; needed: {', '.join(REQUIRED_COLUMNS)}, as in {known.example}"
        )


def check_filled(values: Mapping[str, str]) -> None:
    """Raises InputError for a row that leaves a required column empty."""
    empty = [column for column in REQUIRED_COLUMNS if not values[column].strip()]
    if empty:
        raise InputError(f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty; fill in this row")


def nearest(column: str, columns: Sequence[str] = COLUMNS) -> str | None:
    """The column that was probably meant, or None."""
    plain = _plain(column)
    for known in columns:
        if plain == known or plain in _OTHER_WORDS.get(known, ()) or re.match(rf"{known}[\W_]", plain):
            return known
    return next(iter(get_close_matches(plain, columns, n=1, cutoff=0.8)), None)


def _unknown(name: str, unknown: Sequence[str], known: Columns) -> str:
    first, meant = unknown[0][:40], nearest(unknown[0], known.names)
    more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
    advice = f"did you mean '{meant}'? " if meant else ""
    leave = "" if meant and _plain(unknown[0]) == meant else f", or ignore it with --ignore-column '{first}'"
    return f"{name}: unknown column '{first}'{more}; {advice}the columns are {', '.join(known.names)}; rename it{leave} {see('Manifest')}"


def _plain(column: str) -> str:
    return "_".join(unicodedata.normalize("NFKC", column).lower().replace("-", " ").replace("_", " ").split())
