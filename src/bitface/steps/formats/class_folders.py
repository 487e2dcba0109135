"""Pictures in a folder for each label, and around these, where there are any, a folder for each part: the most common layout of all."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from bitface.dataset.incoming.import_rows import QuarantinedRow
from bitface.dataset.incoming.oddities import SAYS, findings_of
from bitface.dataset.incoming.source_paths import files_below
from bitface.dataset.incoming.text_files import Table, TableRow
from bitface.errors import InputError
from bitface.faces.emotions import emotion_of
from bitface.faces.media.file_kinds import READ, kind_by_name
from bitface.steps.people.sources import BESIDE, Brought, FolderFiles, FormatReader, source_of

PARTS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "publictest", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "privatetest"), "test"),
}
_COLUMNS: Final = ("path", "subject_id", "label", "split")


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What was read so far: rows in the columns of a manifest, files that were refused, and findings."""

    pattern: re.Pattern[str] | None
    usable: list[TableRow] = field(default_factory=list)
    refused: list[QuarantinedRow] = field(default_factory=list)
    found: list[tuple[str, int]] = field(default_factory=list)

    def take(self, number: int, path: str) -> None:
        """Takes a file over, or refuses it with the name of what is wrong; `path` is from the source on."""
        *folders, name = path.split("/")
        wrong, why = self._fault(folders, name)
        if wrong:
            self.refused.append(QuarantinedRow(row=number, reason=why or SAYS[wrong], finding=wrong))
            return
        part = PARTS[folders[0].lower()] if len(folders) > 1 else ""
        if not part:
            self.found.append(("no_part", number))
        cells = (path, _person_of(path, name, self.pattern), emotion_of(folders[-1]), part)
        values = dict(zip(_COLUMNS, cells, strict=True))
        self.usable.append(TableRow(number=number, line=number, values=values, fault=None))

    def _fault(self, folders: list[str], name: str) -> tuple[str, str]:
        """The finding that keeps a file out, and its reason where the finding alone does not say it; empty where there is none."""
        kind = kind_by_name(Path(name).suffix)
        if name.startswith(".") or kind is None or kind.name not in READ:
            return "not_a_picture", ""
        if len(folders) not in (1, 2):
            return "outside_the_layout", ""
        if len(folders) > 1 and folders[0].lower() not in PARTS:
            return "unknown_part", f"folder '{folders[0][:40]}' is none of {', '.join(PARTS)}"
        try:
            emotion_of(folders[-1])
        except InputError as error:
            return "unknown_label", str(error)
        if self.pattern and not self.pattern.search(name):
            return "no_person_in_name", ""
        return "", ""


def table_of_folders(files: FolderFiles) -> Brought:
    """The pictures of a folder, sorted by path and numbered so.

    Raises:
        InputError: the pattern is none, or there is no picture in a folder for a label.
    """
    rows = _Rows(pattern=_compiled(files.subject_pattern))
    for number, path in enumerate(sorted(files_below(files.folder)), start=1):
        rows.take(number, path)
    if not rows.usable:
        raise InputError(_nothing(rows))
    return Brought(
        table=Table(name=files.name, columns=_COLUMNS, separator="/", rows=tuple(rows.usable)),
        refused=tuple(rows.refused),
        findings=findings_of(rows.found),
        are_people_known=rows.pattern is not None,
    )


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"--subject-pattern is not a regular expression ({error}); write one such as '^(S[0-9]+)_'"
        ) from error
    if found.groups > 1:
        raise InputError(
            f"--subject-pattern has {found.groups} groups; put one pair of parentheses around the person, as in '^(S[0-9]+)_'"
        )
    return found


def _person_of(path: str, name: str, pattern: re.Pattern[str] | None) -> str:
    """The person by the name of the file; without a pattern one that nobody else is, the same wherever the source lies."""
    match = pattern.search(name) if pattern else None
    if match is None:
        return "picture-" + hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:16]
    return match[match.re.groups] or ""


def _nothing(rows: _Rows) -> str:
    first = f"row {rows.refused[0].row}: {rows.refused[0].reason}" if rows.refused else "it is empty"
    return (
        f"no picture of this folder can be imported ({len(rows.refused)} files; {first}); name the folder that holds label folders such as "
        "happy/, or train/ and test/ with these in them (docs/datasets.md)"
    )


READER = FormatReader(source=partial(source_of, table_of_folders), reads=BESIDE | {"subject-pattern"})
