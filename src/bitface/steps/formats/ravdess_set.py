"""RAVDESS as it is published: `Actor_12/02-01-06-01-02-01-12.mp4`, at any depth, where seven numbers say everything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from bitface.consent.public_sets import RAVDESS_LICENCE
from bitface.counted_words import counted
from bitface.dataset.incoming.source_paths import files_below
from bitface.errors import InputError
from bitface.faces.media.file_kinds import kind_by_name
from bitface.steps.formats.named_clips import NamedClips, few_clips
from bitface.steps.people.sources import BESIDE, Brought, FolderFiles, FormatReader, source_of

_NAME: Final = re.compile(
    r"0(?P<modality>[1-3])-0(?P<channel>[12])-0(?P<emotion>[1-8])-0(?P<intensity>[12])-0[12]-0[12]-(?P<actor>0[1-9]|1\d|2[0-4])"
)
_FOLDER: Final = re.compile(r"Actor_(\d\d)")
_EMOTIONS: Final = {
    "1": "neutral",
    "3": "happiness",
    "4": "sadness",
    "5": "anger",
    "6": "fear",
    "7": "disgust",
    "8": "surprise",
}
"""2 is calm, which is none of ours."""


@dataclass(frozen=True, kw_only=True)
class _Take:
    """A file by its number, path and name."""

    number: int
    path: str
    said: re.Match[str] | None

    @property
    def take(self) -> str:
        """Which take it shows: with sound and without it are the same one."""
        return self.said[0][3:] if self.said else self.path

    @property
    def wrong(self) -> str:
        """The finding that keeps it out, whatever else there is; empty where there is none."""
        said, path = self.said, PurePosixPath(self.path)
        folders = [match[1] for folder in path.parts[:-1] if (match := _FOLDER.fullmatch(folder))]
        kind = kind_by_name(path.suffix)
        if said is None:
            return "unknown_name"
        if said["modality"] == "3":
            return "sound_only"
        if kind is None or kind.medium != "video":
            return "unknown_name"
        if folders and folders[-1] != said["actor"]:
            return "other_person_in_path"
        if said["emotion"] == "2":
            return "calm"
        return "strong_neutral" if (said["emotion"], said["intensity"]) == ("1", "2") else ""


def clips_of_set(files: FolderFiles) -> Brought:
    """The files of a folder, sorted by path and numbered so. Raises InputError where there is no clip."""
    takes = [
        _Take(number=number, path=path, said=_NAME.fullmatch(PurePosixPath(path).stem))
        for number, path in enumerate(sorted(files_below(files.folder)), start=1)
    ]
    clips = NamedClips()
    seen: set[str] = set()
    for one in takes:
        wrong = one.wrong or ("same_take" if one.take in seen else "")
        if wrong or one.said is None:
            clips.refuse(one.number, wrong)
            continue
        seen.add(one.take)
        clips.take(one.number, _values(one.path, one.said), ["sung"] if one.said["channel"] == "2" else [])
    if not clips.usable:
        raise InputError(
            f"no clip of this folder can be imported ({counted(len(takes), 'file')}); name the folder with "
            "Actor_01/01-01-01-01-01-01-01.mp4 and "
            "others in it (docs/datasets.md)"
        )
    return clips.brought(files.name, few_clips([(row.values["subject_id"], row.number) for row in clips.usable]))


def _values(path: str, said: re.Match[str]) -> dict[str, str]:
    return {
        "path": path,
        "subject_id": f"ravdess-{said['actor']}",
        "label": _EMOTIONS[said["emotion"]],
        "gender": "male" if int(said["actor"]) % 2 else "female",
    }


READER = FormatReader(source=partial(source_of, clips_of_set, published=RAVDESS_LICENCE), reads=BESIDE)
