"""The layouts that `bitface data import --format` reads: a line here and a module that reads it, and nothing else knows their names."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from bitface.errors import InputError
from bitface.known_words import did_you_mean

if TYPE_CHECKING:
    from bitface.steps.people.sources import FormatReader


@dataclass(frozen=True, kw_only=True)
class Format:
    """A layout by the name that people type, what it looks like in one phrase, and the module whose `READER` reads it.

    The module is imported when its format is asked for: the help names every format and loads none.
    """

    name: str
    layout: str
    module: str

    def reader(self) -> FormatReader:
        """What reads the format."""
        found: FormatReader = import_module(self.module).READER
        return found


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format(name="folder", layout="pictures beside a manifest.csv", module="bitface.steps.formats.with_manifest"),
        Format(name="video", layout="videos beside a manifest.csv", module="bitface.steps.formats.video_manifest"),
        Format(name="classes", layout="[part/]label/picture folders", module="bitface.steps.formats.class_folders"),
        Format(
            name="fer2013",
            layout="one table emotion,pixels,Usage, .csv or .csv.gz",
            module="bitface.steps.formats.fer2013_table",
        ),
        Format(name="ckplus", layout="CK+, sequences or label folders", module="bitface.steps.formats.ckplus"),
        Format(name="rafdb", layout="RAF-DB, its list or folders 1 to 7", module="bitface.steps.formats.rafdb"),
        Format(
            name="affectnet", layout="AffectNet, its tables or .npy labels", module="bitface.steps.formats.affectnet"
        ),
        Format(name="jaffe", layout="JAFFE, KA.AN1.39.tiff", module="bitface.steps.formats.jaffe"),
        Format(name="kdef", layout="KDEF, AF01ANS.JPG", module="bitface.steps.formats.kdef"),
        Format(
            name="cremad",
            layout="CREMA-D: VideoFlash/ and the published tables",
            module="bitface.steps.formats.cremad_set",
        ),
        Format(
            name="ravdess",
            layout="RAVDESS: Actor_12/02-01-06-01-02-01-12.mp4",
            module="bitface.steps.formats.ravdess_set",
        ),
        Format(
            name="landmarks",
            layout="a table of points without pictures (MediaPipe, OpenFace, Py-Feat)",
            module="bitface.steps.formats.landmark_tables",
        ),
        Format(name="london", layout="the Face Research Lab London Set", module="bitface.steps.formats.london_set"),
    )
}


def format_of(name: str) -> Format:
    """The format of a name. Raises InputError for an unknown one."""
    if name not in FORMATS:
        raise InputError(
            f"unknown --format '{name}'; {did_you_mean(name, tuple(FORMATS))}use one of {', '.join(FORMATS)}"
        )
    return FORMATS[name]


def formats_help() -> str:
    """Every format with its layout, for `--help`."""
    return "; ".join(f"{one.name}: {one.layout}" for one in FORMATS.values())
