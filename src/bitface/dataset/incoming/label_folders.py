"""Reads part and label off the folders around a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.errors import InputError
from bitface.faces.emotions import emotion_of
from bitface.faces.media.file_kinds import READ, kind_by_name

PARTS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "publictest", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "privatetest"), "test"),
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the folders around a picture say of it, `part` empty where none is named; or the finding that keeps it out.

    `why` is the reason where the finding alone does not say it.
    """

    label: str = ""
    part: str = ""
    wrong: str = ""
    why: str = ""


def is_picture(name: str) -> bool:
    """Whether a file is a picture that can be read, by its name; hidden ones are the system's own."""
    kind = kind_by_name(Path(name).suffix)
    return not name.startswith(".") and kind is not None and kind.name in READ


def place_of(path: str, label_of: Callable[[str], str] = emotion_of) -> Place:
    """What `[part/]label/file` says; `label_of` reads a label off its folder's name and raises InputError where that is none."""
    *folders, name = path.split("/")
    if not is_picture(name):
        return Place(wrong="not_a_picture")
    if len(folders) not in (1, 2):
        return Place(wrong="outside_the_layout")
    if len(folders) > 1 and folders[0].lower() not in PARTS:
        return Place(wrong="unknown_part", why=f"folder '{folders[0][:40]}' is none of {', '.join(PARTS)}")
    try:
        label = label_of(folders[-1])
    except InputError as error:
        return Place(wrong="unknown_label", why=str(error))
    return Place(label=label, part=PARTS[folders[0].lower()] if len(folders) > 1 else "")
