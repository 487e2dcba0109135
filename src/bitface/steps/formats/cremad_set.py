"""CREMA-D as it is published: clips in `VideoFlash/`, and the tables that say who acts and what people saw."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from bitface.consent.public_sets import CREMAD_LICENCE
from bitface.counted_words import counted
from bitface.dataset.incoming.cremad import CremaTables, read_crema_tables
from bitface.dataset.incoming.oddities import Finding, found
from bitface.errors import InputError
from bitface.faces.emotions import emotion_of
from bitface.faces.media.file_kinds import kind_by_name
from bitface.steps.formats.named_clips import NamedClips, few_clips
from bitface.steps.people.sources import BESIDE, Brought, FolderFiles, FormatReader, source_of

CLIPS: Final = "VideoFlash"
_NAME: Final = re.compile(
    r"(?P<actor>\d{4})_(?P<sentence>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<level>LO|MD|HI|XX?)"
)
_BAD: Final = frozenset({"1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD"})
"""Too short, an error picture, without a duration, a minute of all emotions: the makers' page says so."""


def clips_of_set(files: FolderFiles) -> Brought:
    """The clips of the summary table, a row each in its order, then the files that it does not list, sorted by name.

    Raises:
        InputError: a table is missing or cannot be read, or there is no clip.
    """
    tables = read_crema_tables(files.folder)
    there = _files(files.folder / CLIPS)
    numbers = {name: row for row, name in enumerate((*tables.face_votes, *sorted(there.keys() - tables.face_votes)), 1)}
    clips = NamedClips()
    for name, number in numbers.items():
        _take(clips, number, name, there.get(name, []), tables)
    if not clips.usable:
        raise InputError(
            f"no clip of this folder can be imported ({counted(len(there), 'file')} in {CLIPS}/); name the folder with "
            f"{CLIPS}/1001_DFA_ANG_XX.flv "
            "and others in it (docs/datasets.md)"
        )
    listed = [(name.partition("_")[0], numbers[name]) for name in tables.face_votes]
    return clips.brought(files.name, (*_levels(clips), *_agreement(clips, tables), *few_clips(listed)))


def _files(folder: Path) -> dict[str, list[str]]:
    """Name of a clip -> its files, the one that comes first by name taken; what is no video goes by its whole name."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        kind = kind_by_name(path.suffix)
        is_clip = kind is not None and kind.medium == "video" and _NAME.fullmatch(path.stem)
        found.setdefault(path.stem if is_clip else path.name, []).append(path.name)
    return found


def _take(clips: NamedClips, number: int, name: str, files: list[str], tables: CremaTables) -> None:
    said = _NAME.fullmatch(name)
    actor = tables.actors.get(said["actor"]) if said else None
    wrong = "" if files else "missing_clip"
    wrong = wrong or ("" if said else "unknown_name") or ("" if actor else "unknown_person")
    wrong = wrong or ("bad_clip" if name in _BAD else "")
    if wrong or said is None or actor is None:
        clips.refuse(number, wrong)
        return
    values = {
        "path": f"{CLIPS}/{files[0]}",
        "subject_id": f"cremad-{said['actor']}",
        "label": emotion_of(said["emotion"]),
    }
    remarks = [*_by_votes(values["label"], tables.face_votes.get(name)), *(["second_file"] if files[1:] else [])]
    clips.take(number, {**values, **actor}, remarks)


def _by_votes(label: str, votes: tuple[str, ...] | None) -> Iterator[str]:
    if votes is None:
        yield "unlisted_clip"
    elif len(votes) > 1:
        yield "tied_face_votes"
    elif votes != (label,):
        yield "other_face_vote"


def _stem(path: str) -> str:
    return Path(path).stem


def _levels(clips: NamedClips) -> tuple[Finding, ...]:
    """The clips of which the set says how strongly they were to be acted: one sentence alone has it."""
    said = [(row.number, _NAME.fullmatch(_stem(row.values["path"]))) for row in clips.usable]
    levels = [
        (number, one["level"], one["sentence"]) for number, one in said if one and not one["level"].startswith("X")
    ]
    return found(
        "stated_level", (number for number, *_ in levels), _counted(f"{level} {said}" for _, level, said in levels)
    )


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{word}: {count}" for word, count in sorted(Counter(words).items()))


def _agreement(clips: NamedClips, tables: CremaTables) -> tuple[Finding, ...]:
    """How far people saw what was to be acted, label by label: the mean share of the votes that the label has."""
    shares: dict[str, list[float]] = {}
    seen: list[int] = []
    for row in clips.usable:
        votes: Mapping[str, float] | None = tables.face_shares.get(_stem(row.values["path"]))
        if votes is not None:
            shares.setdefault(row.values["label"], []).append(votes[row.values["label"]])
            seen.append(row.number)
    means = ", ".join(f"{label} {sum(own) / len(own):.2f} of {len(own)}" for label, own in sorted(shares.items()))
    return found("label_as_acted", seen, means)


READER = FormatReader(source=partial(source_of, clips_of_set, published=CREMAD_LICENCE), reads=BESIDE)
