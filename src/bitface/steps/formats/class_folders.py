"""Pictures in a folder for each label, and around these, where there are any, a folder for each part: the most common layout of all."""

from __future__ import annotations

import hashlib
import re
from functools import partial

from bitface.dataset.incoming.folder_names import subject_pattern_of
from bitface.dataset.incoming.gathered_rows import GatheredRows
from bitface.dataset.incoming.label_folders import place_of
from bitface.dataset.incoming.source_paths import files_below
from bitface.steps.people.sources import BESIDE, Brought, FolderFiles, FormatReader, brought_from, source_of


def table_of_folders(files: FolderFiles) -> Brought:
    """The pictures of a folder, sorted by path and numbered so.

    Raises:
        InputError: the pattern is none, or there is no picture in a folder for a label.
    """
    pattern, rows = subject_pattern_of(files.subject_pattern), GatheredRows()
    for number, path in enumerate(sorted(files_below(files.folder)), start=1):
        _gather(rows, number, path, pattern)
    return brought_from(
        rows, files.name, "label folders such as happy/, or train/ and test/ with these in them", pattern is not None
    )


def _gather(rows: GatheredRows, number: int, path: str, pattern: re.Pattern[str] | None) -> None:
    place, name = place_of(path), path.rpartition("/")[2]
    if place.wrong:
        rows.refuse(number, place.wrong, place.why, file=name)
    elif pattern and not pattern.search(name):
        rows.refuse(number, "no_person_in_name", file=name)
    else:
        person = _person_of(path, name, pattern)
        values = {"path": path, "subject_id": person, "label": place.label, "split": place.part}
        rows.take(number, values, () if place.part else ("no_part",))


def _person_of(path: str, name: str, pattern: re.Pattern[str] | None) -> str:
    """The person by the name of the file; without a pattern one that nobody else is, the same wherever the source lies."""
    match = pattern.search(name) if pattern else None
    if match is None:
        return "picture-" + hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:16]
    return match[match.re.groups] or ""


READER = FormatReader(source=partial(source_of, table_of_folders), reads=BESIDE | {"subject-pattern"})
