"""AffectNet (Mollahosseini, Hasani and Mahoor 2017): pictures from the web by its tables, or by a `.npy` file for each label.

Its test part was never published, so its validation part is the one that everybody tests by, and serves so here.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.lib import format as npy

from bitface.consent.public_sets import AFFECTNET_LICENCE
from bitface.dataset.incoming.gathered_rows import GatheredRows
from bitface.dataset.incoming.label_folders import is_picture
from bitface.dataset.incoming.oddities import Finding, OddRowError
from bitface.dataset.incoming.packed_tables import PackedRow, known_column, packed_rows
from bitface.dataset.incoming.source_paths import SourceFolder, files_below
from bitface.dataset.plain_files import read_plain
from bitface.errors import InputError
from bitface.ports import Frames
from bitface.steps.people.sources import BESIDE, Brought, FolderFiles, FormatReader, brought_from, source_of

EMOTIONS_BY_NUMBER: Final = (*("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),)
_NO_EMOTION: Final = {8: "no_emotion", 9: "uncertain_label", 10: "no_face"}
TABLES: Final = {"training.csv": "train", "validation.csv": "test"}
_PLACES: Final = ("", "Manually_Annotated_file_lists/", "Manually_Annotated/Manually_Annotated_file_lists/")
_PICTURES: Final = (
    *("Manually_Annotated_Images", "Manually_Annotated_compressed/Manually_Annotated_Images"),
    *("Manually_Annotated/Manually_Annotated_Images", "images", ""),
)
_PATH: Final = "subdirectory_filepath"
_BOX: Final = ("face_x", "face_y", "face_width", "face_height")
_VALUES: Final = ("valence", "arousal")
_KNOWN: Final = (_PATH, *_BOX, "facial_landmarks", "expression", *_VALUES)
_NEEDED: Final = (_PATH, *_BOX, "expression")
_PARTS: Final = {"train_set": "train", "val_set": "test"}
_NPY_PICTURE: Final = re.compile(r"(?P<set>(?:.*/)?(?P<part>train_set|val_set)/)images/(?P<id>\d{1,9})\.[A-Za-z]+")
_NPY_BYTES: Final = 4096
"""Of a file that holds one number; its header alone has 128."""
_NPY_CHARACTERS: Final = 64
_LOOKED_FOR: Final = "training.csv and validation.csv, or train_set/ and val_set/ with images/ and annotations/ in them"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A face in a picture, in pixels from its upper left corner."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, picture: Frames) -> Frames:
        """The face. Raises OddRowError where the box leaves the picture, which is not repaired."""
        height, width = picture.shape[:2]
        if self.left + self.width > width or self.top + self.height > height:
            raise OddRowError(
                "box_beyond_picture",
                f"the face box ends at {self.left + self.width} x {self.top + self.height} and the picture at {width} x {height}",
            )
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, kw_only=True)
class _Tables:
    """What was read of the set's tables so far: rows, and the face box of each picture."""

    find: SourceFolder
    pictures: str
    rows: GatheredRows = field(default_factory=GatheredRows)
    boxes: dict[Path, Box] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def take(self, number: int, row: PackedRow, part: str) -> None:
        """Takes a row over, or refuses it with the name of what is wrong."""
        try:
            if row.values is None:
                raise OddRowError("damaged_row")
            path = f"{self.pictures}{row.values[_PATH]}"
            self.named.add(path)
            label, box = emotion_of_number(row.values["expression"]), _box_of(row.values)
            self._keep(self.find.file(path), box)
        except InputError as error:
            finding = error.finding if isinstance(error, OddRowError) else "bad_path"
            self.rows.refuse(number, finding, str(error), row.line)
            return
        person = "affectnet-" + hashlib.sha256(row.values[_PATH].encode()).hexdigest()[:16]
        values = {"path": path, "subject_id": person, "label": label, "split": part}
        self.rows.take(number, values, (*_served_as(part), *_unrated(row.values)), row.line)

    def _keep(self, file: Path, box: Box) -> None:
        """Remembers a picture's box; raises OddRowError for a second one."""
        if self.boxes.setdefault(file, box) is not box:
            raise OddRowError("listed_twice")

    def unlisted(self, paths: Iterable[str]) -> tuple[Finding, ...]:
        """The pictures among these files that no row names."""
        pictures = (path for path in paths if path.startswith(self.pictures) and is_picture(path.rpartition("/")[2]))
        rest = sum(path not in self.named for path in pictures)
        return (Finding(name="unlisted_picture", count=rest, rows=()),) if rest else ()

    def cut(self, file: Path) -> Callable[[Frames], Frames]:
        """What takes the face out of a picture."""
        return self.boxes[file].cut


def table_of_affectnet(files: FolderFiles) -> Brought:
    """The rows of training.csv and then of validation.csv, counted through; or the pictures of train_set/ and val_set/, sorted by path.

    Raises:
        InputError: there is neither, a table has other columns, or nothing can be taken; the message names it.
    """
    tables = [
        (files.folder / place / name, part)
        for name, part in TABLES.items()
        for place in _PLACES
        if (files.folder / place / name).is_file()
    ]
    return _by_tables(files, tables) if tables else _by_npy(files)


def _by_tables(files: FolderFiles, tables: Iterable[tuple[Path, str]]) -> Brought:
    root = next(name for name in _PICTURES if (files.folder / name).is_dir())
    read = _Tables(find=SourceFolder(files.folder), pictures=f"{root}/" if root else "")
    number = 0
    for table, part in tables:
        for row in packed_rows(table, partial(known_column, _KNOWN, files.ignored_columns), _NEEDED):
            number += 1
            read.take(number, row, part)
    brought = brought_from(read.rows, files.name, _LOOKED_FOR, are_people_known=False)
    unlisted = read.unlisted(files_below(files.folder))
    return replace(brought, cut=read.cut, findings=(*brought.findings, *unlisted))


def _box_of(values: Mapping[str, str]) -> Box:
    try:
        left, top, width, height = (int(values[name]) for name in _BOX)
    except ValueError as error:
        raise OddRowError("damaged_box") from error
    if min(left, top) < 0 or min(width, height) < 1:
        raise OddRowError(
            "damaged_box", f"the face box is {width} x {height} at {left}, {top}; none of it may be negative"
        )
    return Box(left=left, top=top, width=width, height=height)


def _unrated(values: Mapping[str, str]) -> tuple[str, ...]:
    """Under an emotion, valence and arousal are given; -2 says that they are not."""
    return ("unrated_affect",) if any(values.get(name, "").partition(".")[0] == "-2" for name in _VALUES) else ()


def _served_as(part: str) -> tuple[str, ...]:
    return ("validation_as_test",) if part == "test" else ()


def emotion_of_number(text: str) -> str:
    """The emotion of 0 to 7; raises OddRowError for 8 none, 9 uncertain, 10 no face, and for anything else."""
    number = int(text) if text.isdecimal() and len(text) < _NPY_CHARACTERS else -1
    if number in _NO_EMOTION:
        raise OddRowError(_NO_EMOTION[number])
    if number not in range(len(EMOTIONS_BY_NUMBER)):
        raise OddRowError("unknown_label", f"expression '{text[:20]}' is none of 0 to 10")
    return EMOTIONS_BY_NUMBER[number]


def _by_npy(files: FolderFiles) -> Brought:
    paths = sorted(files_below(files.folder))
    there, rows = frozenset(paths), GatheredRows()
    for number, path in enumerate((path for path in paths if not path.endswith(".npy")), start=1):
        try:
            _take_picture(rows, number, path, files.folder, there)
        except OddRowError as odd:
            rows.refuse(number, odd.finding, str(odd))
    return brought_from(rows, files.name, _LOOKED_FOR, are_people_known=False)


def _take_picture(rows: GatheredRows, number: int, path: str, folder: Path, there: Collection[str]) -> None:
    found = _NPY_PICTURE.fullmatch(path)
    if not is_picture(path.rpartition("/")[2]):
        raise OddRowError("not_a_picture")
    if found is None:
        raise OddRowError("unknown_name")
    label = f"{found['set']}annotations/{found['id']}_exp.npy"
    if label not in there:
        raise OddRowError("not_labelled")
    part, emotion = _PARTS[found["part"]], emotion_of_number(_text_in(folder, label))
    person = f"affectnet-{found['part']}-{found['id']}"
    rows.take(number, {"path": path, "subject_id": person, "label": emotion, "split": part}, _served_as(part))


def _text_in(folder: Path, label: str) -> str:
    """The one number or word of a `.npy` file, as text. Objects, which would be unpickled, are refused before they are read."""
    try:
        file = io.BytesIO(read_plain(folder / label, "label", _NPY_BYTES, folder))
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
        shape, _, kind = read_header(file)
        if shape not in ((), (1,)) or kind.kind not in "SUif" or kind.itemsize > 4 * _NPY_CHARACTERS:
            raise OddRowError("damaged_label")
        value = np.frombuffer(file.read(), kind, count=1)[0]
    except (InputError, ValueError, KeyError) as error:
        raise OddRowError("damaged_label") from error
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip().removesuffix(".0")


READER = FormatReader(
    source=partial(source_of, table_of_affectnet, published=AFFECTNET_LICENCE), reads=BESIDE | {"ignore-column"}
)
