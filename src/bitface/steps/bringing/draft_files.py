"""Writes the files that an import reads, as far as a folder of pictures says what is in them; what is there is never overwritten."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from bitface.consent.events import ConsentEvent
from bitface.consent.policy import LicenceRecord
from bitface.consent.unfilled import MARK, open_fields
from bitface.dataset.files import write_atomically, write_once
from bitface.dataset.incoming.folder_names import Guess
from bitface.dataset.incoming.import_rows import manifest_table
from bitface.dataset.incoming.spreadsheets import write_rows
from bitface.dataset.incoming.subject_ids import id_or_none
from bitface.dataset.incoming.text_files import Table, read_text_file
from bitface.documents import Document
from bitface.errors import InputError
from bitface.steps.bringing.draft_consents import NOTICE_ID, Papers, draft_of_terms
from bitface.steps.bringing.first_look import CONSENTS, LICENCE, MANIFEST
from bitface.steps.people.common_terms import NOTICES, TERMS, terms_in

_COLUMNS: Final = ("path", "subject_id", "label", "age", "gender", "skin_tone")
_FACTS: Final = ("age", "gender", "skin_tone")
_MODE: Final = 0o600  # ids of people
_LICENCES: Final[Mapping[str, Document]] = {
    "train": {
        "id": "own-pictures",
        "name": f"{MARK} a name, such as: Our own photographs, 2026",
        "text": f"{MARK} what they may be used for, such as: Taken by us for research, with the consent of everyone shown.",
        "purposes": f"{MARK} at most what people agreed to, such as: train, evaluate, fairness_test, demo",
        "contexts": "research",
    },
    "benchmark": {
        "id": f"{MARK} a short id, such as faces-2020",
        "name": f"{MARK} set and licence, such as: Faces 2020, CC BY 4.0",
        "address": f"{MARK} where its terms are, such as https://example.org/terms",
        "purposes": ["benchmark"],
        "contexts": ["research"],
    },
}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The rows of a manifest as it is on disk; `open`: column -> the lines in which it is empty, of the columns that a person fills in."""

    columns: tuple[str, ...]
    separator: str
    rows: tuple[Mapping[str, str], ...]
    lines: tuple[int, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """The people that it names, each once, in the order of the rows."""
        found = (id_or_none(row.get("subject_id", "")) for row in self.rows)
        return tuple(dict.fromkeys(subject for subject in found if subject))

    def open(self, column: str) -> tuple[int, ...]:
        """The lines of rows that leave a column empty."""
        return tuple(line for row, line in zip(self.rows, self.lines, strict=True) if not row.get(column, ""))

    def people_without(self, column: str) -> int:
        """Of how many people no row says it."""
        said = {id_or_none(row.get("subject_id", "")) for row in self.rows if row.get(column, "")}
        return len(set(self.subjects) - said)


def manifest_in(folder: Path) -> Manifest | None:
    """The manifest of a folder, None where there is none. Raises what `manifest_table` raises."""
    if not os.path.lexists(folder / MANIFEST):
        return None
    return _manifest_of(manifest_table(folder / MANIFEST))


def add_rows(folder: Path, found: Sequence[Guess], before: Manifest | None) -> None:
    """Adds a row for each picture, behind those that are there, or begins the manifest; nothing is written where there is none."""
    if not found:
        return
    split = ("split",) if before is None and any(one.split for one in found) else ()
    columns = before.columns if before else (*_COLUMNS, *split)
    text = io.StringIO(newline="")
    rows = [[_cell(one, name) for name in columns] for one in found]
    write_rows(text, rows if before else [columns, *rows], before.separator if before else ",")
    if before is None:
        write_once(folder / MANIFEST, text.getvalue().encode(), _MODE)
    else:
        _append(folder / MANIFEST, text.getvalue())


def consent_lines(folder: Path) -> tuple[str, ...]:
    """The lines of `consents.jsonl`, none where it is not there. Raises what `read_text_file` raises."""
    path = folder / CONSENTS
    return tuple(read_text_file(path).text.removesuffix("\n").split("\n")) if os.path.lexists(path) else ()


def write_consents(folder: Path, lines: Iterable[str]) -> None:
    """Writes the lines over those that were read, all at once."""
    path = folder / CONSENTS
    write_atomically(path, ("\n".join(lines) + "\n").encode(), mode_of(path))


def write_licence(folder: Path, purpose: str) -> bool:
    """Writes a draft of a licence where there is none; whether it did."""
    return _write_new(folder / LICENCE, (json.dumps(_LICENCES[purpose], indent=2, ensure_ascii=False) + "\n").encode())


def write_notice(folder: Path) -> bool:
    """Writes a template of a notice where there is no notice at all; whether it did."""
    place = folder / NOTICES
    if place.is_dir() and any(path.suffix.lower() in (".md", ".txt") for path in place.iterdir()):
        return False
    text = files("bitface.consent").joinpath("notices", "template.md").read_bytes()
    return _write_new(place / f"{NOTICE_ID}.md", text)


def write_terms(folder: Path, papers: Papers) -> bool:
    """Writes a draft of what everyone agreed to where there is none; whether it did."""
    text = json.dumps(draft_of_terms(papers), indent=2, ensure_ascii=False) + "\n"
    return _write_new(folder / TERMS, text.encode())


def open_in_terms(folder: Path) -> tuple[str, ...]:
    """The common terms that a person has to fill in; none where they cannot be read, which the import says."""
    try:
        found = terms_in(folder)
    except InputError:
        return ()
    return open_fields(found or {}, ConsentEvent.model_fields)


def open_in_licence(folder: Path) -> tuple[str, ...]:
    """The fields of the licence that a person has to fill in; none where it cannot be read, which the import says."""
    try:
        found = json.loads(read_text_file(folder / LICENCE).text)
    except ValueError:
        return ()
    return open_fields(found, LicenceRecord.model_fields) if isinstance(found, dict) else ()


def facts_open(manifest: Manifest) -> dict[str, int]:
    """Column of a fact -> of how many people no row says it, where there are any."""
    counts = {column: manifest.people_without(column) for column in _FACTS if column in manifest.columns}
    return {column: count for column, count in counts.items() if count}


def _cell(one: Guess, column: str) -> str:
    said = {"path": one.path, "subject_id": one.subject_id, "label": one.label, "split": one.split}
    return said.get(column, "")


def _manifest_of(table: Table) -> Manifest:
    return Manifest(
        columns=table.columns,
        separator=table.separator,
        rows=tuple(row.values for row in table.rows),
        lines=tuple(row.line for row in table.rows),
    )


def bytes_of_utf8(path: Path) -> bytes:
    """The bytes of a table that something is to be written into. Raises InputError for UTF-16."""
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path.name} is UTF-16, to which no row can be added; save it as UTF-8 (in Excel: CSV UTF-8)")
    return data


def mode_of(path: Path) -> int:
    """The permissions that a file has, or gets."""
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else _MODE


def _append(path: Path, text: str) -> None:
    data = bytes_of_utf8(path)
    end = "\r\n" if b"\r\n" in data else "\n"
    behind = b"" if data.endswith((b"\n", b"\r")) else end.encode()
    write_atomically(path, data + behind + text.replace("\n", end).encode(), mode_of(path))


def _write_new(path: Path, data: bytes) -> bool:
    if os.path.lexists(path):
        return False
    write_once(path, data, _MODE)
    return True
