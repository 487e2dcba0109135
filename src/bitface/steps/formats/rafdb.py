"""RAF-DB (Li, Deng and Du 2017): basic emotions of single pictures from the web, by its list or in the folders 1 to 7 of copies.

Children are in it. A picture is taken where the set's own attributes say that the person is grown up, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from bitface.consent.public_sets import RAFDB_LICENCE
from bitface.counted_words import counted
from bitface.dataset.incoming.gathered_rows import GatheredRows
from bitface.dataset.incoming.label_folders import is_picture, place_of
from bitface.dataset.incoming.oddities import Finding, OddRowError, off_the_rows
from bitface.dataset.incoming.source_paths import files_below
from bitface.dataset.incoming.text_files import MOST_BYTES, SMALL_BYTES, read_text_file
from bitface.errors import InputError
from bitface.steps.people.sources import Brought, FolderFiles, FormatReader, brought_from, source_of

EMOTIONS_BY_NUMBER: Final = {
    "1": "surprise",
    "2": "fear",
    "3": "disgust",
    "4": "happiness",
    "5": "sadness",
    "6": "anger",
    "7": "neutral",
}
LISTS: Final = ("list_patition_label.txt", "list_partition_label.txt")
"""As the set spells it, and as copies mend it."""
_NAME: Final = re.compile(r"(?P<stem>(?P<part>train|test)_\d{4,5})(_aligned)?\.[A-Za-z]+")
_ATTRIBUTES: Final = "_manu_attri.txt"
_POINTS: Final = 5
_GENDERS: Final = {"0": "male", "1": "female", "2": ""}
_RACES: Final = {"0": "caucasian", "1": "african-american", "2": "asian"}
_AGES: Final = {"0": "0 to 3", "1": "4 to 19", "2": "20 to 39", "3": "40 to 69", "4": "70 and more"}
_CHILDREN: Final = (_AGES["0"], _AGES["1"])
"""Groups that hold children; who is 18 or 19 cannot be told from them."""
_OLD: Final = "70"
"""Years: all of the last group are in one of our bands with these."""
_LOOKED_FOR: Final = (
    f"EmoLabel/{LISTS[0]} and Image/aligned, or the folders train/1 to train/7, and the set's Annotation/manual"
)


@dataclass(frozen=True, kw_only=True)
class _Attributes:
    """What the set says of a person; a gender that its makers were unsure of is empty."""

    gender: str
    race: str
    ages: str


@dataclass(frozen=True, kw_only=True)
class _Set:
    """Where the set's files lie, by their names, and what was read so far."""

    folder: Path
    pictures: Mapping[str, str]
    attributes: Mapping[str, str]
    rows: GatheredRows = field(default_factory=GatheredRows)
    minors: set[str] = field(default_factory=set)

    def take(self, number: int, path: str, stem: str, label: str, line: int | None = None) -> None:
        """A picture of somebody who is grown up; raises OddRowError where nobody says so, or where the picture is not there."""
        person, said = f"rafdb-{stem}", self._attributes_of(stem)
        if said.ages in _CHILDREN:
            self.minors.add(person)
            raise OddRowError("child", f"the source gives the ages {said.ages}; adults only")
        if not path:
            raise OddRowError("missing_picture")
        values = {"path": path, "subject_id": person, "label": label, "split": stem.partition("_")[0]}
        facts = {"gender": said.gender, "ethnicity": said.race, "age": _OLD if said.ages == _AGES["4"] else ""}
        remarks = [*(() if facts["age"] else ("wide_age_group",)), *(() if said.gender else ("unsure_gender",))]
        self.rows.take(number, {**values, **facts}, remarks, line)

    def _attributes_of(self, stem: str) -> _Attributes:
        if stem not in self.attributes:
            raise OddRowError("age_not_told")
        try:
            words = read_text_file(self.folder / self.attributes[stem], SMALL_BYTES, self.folder).text.split()
            gender, race, ages = words[2 * _POINTS :]
            return _Attributes(gender=_GENDERS[gender], race=_RACES[race], ages=_AGES[ages])
        except (InputError, ValueError, KeyError) as error:
            raise OddRowError("damaged_attributes") from error


def table_of_rafdb(files: FolderFiles) -> Brought:
    """The lines of the set's list, in their order, or the pictures of label folders 1 to 7, sorted by path.

    Raises:
        InputError: there is neither, the list cannot be read, or no row of it can be taken.
    """
    paths = sorted(files_below(files.folder))
    found = _set_of(files.folder, paths)
    lists = [path for path in paths if path.rpartition("/")[2] in LISTS]
    if len(lists) > 1:
        raise InputError(
            f"this source has {counted(len(lists), 'list of labels', 'lists of labels')}, {lists[0]} and {lists[1]}; keep one"
        )
    unlisted = _by_list(found, lists[0]) if lists else _by_folders(found, paths)
    brought = brought_from(found.rows, files.name, _LOOKED_FOR, are_people_known=False)
    return replace(brought, findings=(*brought.findings, *unlisted), minors=frozenset(found.minors))


def _set_of(folder: Path, paths: list[str]) -> _Set:
    """Of a picture that lies there twice the aligned one is read."""
    named = [(path, _NAME.fullmatch(path.rpartition("/")[2])) for path in paths if is_picture(path.rpartition("/")[2])]
    pictures = {name["stem"]: path for path, name in sorted(named, key=_aligned_last) if name}
    attributes = {
        name.removesuffix(_ATTRIBUTES): path
        for path in paths
        if (name := path.rpartition("/")[2]).endswith(_ATTRIBUTES)
    }
    return _Set(folder=folder, pictures=pictures, attributes=attributes)


def _aligned_last(one: tuple[str, re.Match[str] | None]) -> tuple[bool, str]:
    return "_aligned." in one[0], one[0]


def _by_list(found: _Set, path: str) -> tuple[Finding, ...]:
    """Reads `train_00001.jpg 5` line by line; gives the pictures that no line names."""
    listed: set[str] = set()
    text = read_text_file(found.folder / path, MOST_BYTES, found.folder).text
    lines = [(line, words) for line, words in enumerate(text.split("\n"), start=1) if words.strip()]
    for number, (line, words) in enumerate(lines, start=1):
        try:
            stem, label = _entry(words.split())
            listed.add(stem)
            found.take(number, found.pictures.get(stem, ""), stem, label, line)
        except OddRowError as odd:
            found.rows.refuse(number, odd.finding, str(odd), line)
    return off_the_rows("unlisted_picture", found.pictures.keys() - listed)


def _entry(words: list[str]) -> tuple[str, str]:
    """Stem and label of a line; raises OddRowError where it has not both."""
    if len(words) != 2:
        raise OddRowError("damaged_row", "the line is not a name and a number, as in train_00001.jpg 5")
    name = _NAME.fullmatch(words[0])
    if name is None:
        raise OddRowError("unknown_name")
    return name["stem"], _label(words[1])


def _by_folders(found: _Set, paths: list[str]) -> tuple[Finding, ...]:
    rows = [path for path in paths if not path.endswith(_ATTRIBUTES)]
    for number, path in enumerate(rows, start=1):
        place, name = place_of(path, _label), _NAME.fullmatch(path.rpartition("/")[2])
        if place.wrong or name is None:
            found.rows.refuse(number, place.wrong or "unknown_name", place.why)
            continue
        if place.part and place.part != name["part"]:
            found.rows.refuse(number, "two_parts")
            continue
        try:
            found.take(number, path, name["stem"], place.label)
        except OddRowError as odd:
            found.rows.refuse(number, odd.finding, str(odd))
    return ()


def _label(number: str) -> str:
    if number not in EMOTIONS_BY_NUMBER:
        raise OddRowError("unknown_label", f"label '{number[:20]}' is none of 1 to {len(EMOTIONS_BY_NUMBER)}")
    return EMOTIONS_BY_NUMBER[number]


READER = FormatReader(source=partial(source_of, table_of_rafdb, published=RAFDB_LICENCE))
