"""CK+ (Lucey et al. 2010), in either layout: sequences from neutral to apex with their labels, or folders of 48x48 apex frames.

A sequence shows one face change: its first frame is neutral and its last ones show the emotion. Frames of one apex are near copies of
each other, so they make one clip and are never judged as if they were several pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bitface.consent.public_sets import CKPLUS_LICENCE
from bitface.counted_words import counted
from bitface.dataset.incoming.gathered_rows import GatheredRows
from bitface.dataset.incoming.label_folders import Place, is_picture, place_of
from bitface.dataset.incoming.oddities import Finding, OddRowError, off_the_rows
from bitface.dataset.incoming.source_paths import files_below
from bitface.dataset.incoming.text_files import SMALL_BYTES, read_text_file
from bitface.errors import InputError
from bitface.steps.people.sources import Brought, FolderFiles, FormatReader, brought_from, source_of

EMOTIONS_BY_NUMBER: Final = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
APEX_FRAMES: Final = 3
_NEUTRAL: Final = EMOTIONS_BY_NUMBER[0]
_LABEL: Final = "_emotion.txt"
_OWN_TABLES: Final = (_LABEL, "_facs.txt", "_landmarks.txt")
"""Ends of the set's own files that are no pictures; only the labels are read."""
_NAME: Final = re.compile(r"(?P<sequence>(?P<who>S\d{3})_\d{3})_(?P<frame>\d{8})\.[A-Za-z]+")
_LABEL_NAME: Final = re.compile(r"(?P<sequence>S\d{3}_\d{3})_(?P<frame>\d{8})_emotion\.txt")
_FOLDERS: Final = re.compile(r"(^|/)S\d{3}/\d{3}/[^/]+$")
_NOWHERE: Final = Place()
_LOOKED_FOR: Final = (
    "cohn-kanade-images/ and Emotion/, or the label folders of 48x48 pictures such as happy/S010_004_00000017.png"
)


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """A picture of a sequence, by its number in the report, and the label and part of its folders where these say one."""

    number: int
    path: str
    sequence: str
    who: str
    frame: int
    place: Place

    def values(self, label: str) -> dict[str, str]:
        """The row; a neutral frame is another sample than the apex of its sequence."""
        clip = f"{self.sequence}-neutral" if label == _NEUTRAL else self.sequence
        own = {"path": self.path, "subject_id": f"ckplus-{self.who}", "label": label, "split": self.place.part}
        return {**own, "clip": clip, "frame": str(self.frame)}


def table_of_ckplus(files: FolderFiles) -> Brought:
    """The pictures of either layout, sorted by path and numbered so.

    Raises:
        InputError: none can be taken.
    """
    paths = sorted(files_below(files.folder))
    pictures = [path for path in paths if not path.endswith(_OWN_TABLES)]
    rows, findings = GatheredRows(), tuple[Finding, ...]()
    if any(_FOLDERS.search(path) for path in pictures if is_picture(_name_of(path))):
        labels = _labels(files.folder, paths)
        findings = _gather_sequences(rows, pictures, labels)
    else:
        _gather_folders(rows, pictures)
    brought = brought_from(rows, files.name, _LOOKED_FOR)
    return Brought(table=brought.table, refused=brought.refused, findings=(*brought.findings, *findings))


def _name_of(path: str) -> str:
    return path.rpartition("/")[2]


def _frames(rows: GatheredRows, paths: Iterable[str], place: Mapping[str, Place]) -> dict[str, list[_Frame]]:
    """Sequence -> its frames in their order; files that are none are refused."""
    found: dict[str, list[_Frame]] = {}
    seen: set[tuple[str, str, str]] = set()
    for number, path in enumerate(paths, start=1):
        name, own = _NAME.fullmatch(_name_of(path)), place.get(path, _NOWHERE)
        if not is_picture(_name_of(path)):
            rows.refuse(number, "not_a_picture", file=_name_of(path))
        elif own.wrong:
            rows.refuse(number, own.wrong, own.why, file=_name_of(path))
        elif name is None:
            rows.refuse(number, "unknown_name", file=_name_of(path))
        elif (key := (name["sequence"], name["frame"], own.label)) in seen:
            rows.refuse(number, "frame_twice", file=_name_of(path))
        else:
            seen.add(key)
            frame = _Frame(
                number=number,
                path=path,
                sequence=name["sequence"],
                who=name["who"],
                frame=int(name["frame"]),
                place=own,
            )
            found.setdefault(frame.sequence, []).append(frame)
    return {sequence: sorted(frames, key=lambda one: (one.frame, one.path)) for sequence, frames in found.items()}


def _gather_sequences(
    rows: GatheredRows, paths: Iterable[str], labels: Mapping[str, list[_Label]]
) -> tuple[Finding, ...]:
    """Takes the first frame and the last ones of every sequence that has a label; gives the labels that have no sequence."""
    sequences = _frames(rows, paths, {})
    for sequence, frames in sequences.items():
        try:
            label = _label_of(labels.get(sequence, []), frames)
        except OddRowError as odd:
            _refuse(rows, frames, odd.finding, str(odd))
            continue
        _take_sequence(rows, frames, label)
    return off_the_rows("label_without_pictures", labels.keys() - sequences.keys())


def _take_sequence(rows: GatheredRows, frames: list[_Frame], label: str) -> None:
    first, between, apex = frames[0], frames[1:-APEX_FRAMES], frames[-APEX_FRAMES:]
    if first.frame == 1:
        rows.take(first.number, first.values(_NEUTRAL))
    else:
        rows.refuse(first.number, "onset_missing")
    _refuse(rows, between, "between_first_and_apex")
    for frame in apex:
        rows.take(frame.number, frame.values(label), ("near_copies_in_sequence",))


def _gather_folders(rows: GatheredRows, paths: list[str]) -> None:
    """Takes the frames of label folders; those of one sequence and label are one clip."""
    for frames in _frames(rows, paths, {path: place_of(path) for path in paths}).values():
        labels = sorted({frame.place.label for frame in frames} - {_NEUTRAL})
        if len(labels) > 1:
            _refuse(rows, frames, "two_labels_in_sequence", f"folders give the sequence {' and '.join(labels)}")
            continue
        for frame in frames:
            is_alone = sum(other.place.label == frame.place.label for other in frames) == 1
            remarks = [*(() if is_alone else ("near_copies_in_sequence",)), *(() if frame.place.part else ("no_part",))]
            rows.take(frame.number, frame.values(frame.place.label), remarks)


def _refuse(rows: GatheredRows, frames: Iterable[_Frame], finding: str, why: str = "") -> None:
    for frame in frames:
        rows.refuse(frame.number, finding, why)


@dataclass(frozen=True, kw_only=True)
class _Label:
    """A label file: the frame that it is named after, and the emotion, empty where the file does not hold one."""

    frame: int
    emotion: str


def _labels(folder: Path, paths: Iterable[str]) -> dict[str, list[_Label]]:
    """Sequence -> the labels that lie there for it."""
    found: dict[str, list[_Label]] = {}
    for path in paths:
        name = _LABEL_NAME.fullmatch(_name_of(path))
        if name is not None:
            label = _Label(frame=int(name["frame"]), emotion=_emotion_in(folder, path))
            found.setdefault(name["sequence"], []).append(label)
    return found


def _emotion_in(folder: Path, path: str) -> str:
    """The emotion of a file such as `   3.0000000e+00`; empty where it holds no number of one."""
    try:
        number = float(read_text_file(folder / path, SMALL_BYTES, folder).text)
    except (InputError, ValueError):
        return ""
    numbers = {float(one): emotion for one, emotion in enumerate(EMOTIONS_BY_NUMBER)}
    return numbers.get(number, "")


def _label_of(labels: list[_Label], frames: list[_Frame]) -> str:
    """The emotion of a sequence; raises OddRowError where it has none, or where its frames are not those of the label."""
    if not labels:
        raise OddRowError("not_labelled")
    if len(labels) > 1:
        raise OddRowError(
            "two_labels_in_sequence", f"{counted(len(labels), 'label file')} are there for the sequence; keep one"
        )
    if not labels[0].emotion:
        raise OddRowError("damaged_label")
    if len(frames) <= APEX_FRAMES:
        raise OddRowError("short_sequence")
    if frames[-1].frame != labels[0].frame:
        raise OddRowError("apex_missing")
    return labels[0].emotion


READER = FormatReader(source=partial(source_of, table_of_ckplus, published=CKPLUS_LICENCE))
