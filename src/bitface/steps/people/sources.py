"""What an import brings: rows, licence, notices and consents, as the reader of its format (`steps.formats`) finds them in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import Notice
from bitface.consent.policy import LicenceRecord, parse_licences
from bitface.consent.unfilled import LICENCE_EXAMPLE, MARK, see
from bitface.dataset.incoming.import_rows import minors_of, rows_of
from bitface.dataset.incoming.text_files import SMALL_BYTES, Table, TableRow, read_text_file
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError
from bitface.ledger.ledger import Ledger
from bitface.steps.people.brought_consents import BroughtConsents, new_notices, read_consents
from bitface.steps.people.intake_decision import Intake
from bitface.terminal_text import printable


@dataclass(frozen=True, kw_only=True)
class Source:
    """An intake and the notices that its people were shown, to be recorded before their consents are judged."""

    intake: Intake
    notices: tuple[Notice, ...]
    minors: frozenset[str] = frozenset()
    """Ids of people whom the source calls under 18."""

    def check_no_child_is_here(self, keys: KeyStore) -> None:
        """Raises InputError where a person who was taken in earlier, under no age or another one, is under 18 by this source."""
        here = sum(keys.pseudonym_of(subject) is not None for subject in self.minors)
        if here:
            raise InputError(
                f"{here} people in the dataset are under 18 by this manifest; erase them with `bitface erase`, or correct "
                "their age and import again"
            )


@dataclass(frozen=True, kw_only=True)
class FolderFiles:
    """A folder of pictures and the files that say what they are; those that are None lie in it under their usual names."""

    folder: Path
    manifest: Path | None = None
    consents: Path | None = None
    licence: Path | None = None
    ignored_columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Here:
    """Who and what is on record where somebody brings a source, and when that is."""

    keys: KeyStore
    ledger: Ledger
    at: datetime


def consents_beside(files: FolderFiles, here: Here) -> BroughtConsents:
    """The consent events in `consents.jsonl` or the file that was named.

    Raises:
        InputError: they are missing or cannot be read.
    """
    path = files.consents or files.folder / "consents.jsonl"
    _check_there(path, "--consents", "one consent event a line", "Consents")
    return read_consents(path, here.keys, here.ledger, here.at)


def notices_beside(files: FolderFiles) -> tuple[Notice, ...]:
    """The notices in `notices/`. Raises what `read_notices` raises."""
    return read_notices(files.folder / "notices")


@dataclass(frozen=True, kw_only=True)
class FormatReader:
    """How a format is read.

    Consents and notices come first: they are recorded whatever becomes of the pictures. Left out, they lie beside the pictures under
    their usual names, as the licence does for `source_of_table`; a source whose terms are known has its own.
    """

    source: Callable[[FolderFiles, BroughtConsents, Here], Source]
    consents: Callable[[FolderFiles, Here], BroughtConsents] = consents_beside
    notices: Callable[[FolderFiles], tuple[Notice, ...]] = notices_beside


def source_of_table(
    read: Callable[[FolderFiles], Table], files: FolderFiles, consents: BroughtConsents, here: Here
) -> Source:
    """A folder of pictures whose rows `read` finds, in the columns of a manifest, with `licence.json`, `notices/` and the consents.

    Raises:
        InputError: a part is missing or cannot be read; the message names it and the option that names another.
    """
    licence = _licence(files.licence or files.folder / "licence.json")
    table = read(files)
    rows, rejected = rows_of(table, files.folder)
    notices, known_notices = notices_beside(files), here.ledger.notice_ids()

    def events(pseudonyms: Mapping[str, str], bands: Mapping[str, str]) -> tuple[ConsentEvent, ...]:
        return consents.events_of({subject: person for subject, person in pseudonyms.items() if person in bands})

    intake = Intake(
        rows=rows,
        rejected=rejected,
        licence=licence,
        source=printable(files.folder.name).lstrip("'")[:40],
        consents=events,
        known_notices={**{notice.sha256: notice.notice_id for notice in notices}, **known_notices},
        faults=consents.faults,
    )
    return Source(intake=intake, notices=new_notices(notices, known_notices), minors=minors_of(table))


def table_of(name: str, entries: Iterable[Mapping[str, str]]) -> Table:
    """Rows that stand in no CSV file, each with the columns of a manifest: path, subject_id, label, and more where it has them.

    Raises:
        InputError: there is none.
    """
    rows = tuple(
        TableRow(number=number, line=number, values=dict(entry), fault=None)
        for number, entry in enumerate(entries, start=1)
    )
    if not rows:
        raise InputError(f"{name}: nothing to import; is this folder of the format that --format names?")
    return Table(name=name, columns=tuple(rows[0].values), separator=",", rows=rows)


def read_notices(folder: Path) -> tuple[Notice, ...]:
    """The notices in a folder, `.md` or `.txt` files named by their ids; none where there is no folder. A draft was shown to no one.

    A notice is known by the digest of its bytes and, where line ends, a byte order mark or the encoding make them other bytes, by
    that of the same words as UTF-8 with plain line ends: git and editors rewrite those on the way from one machine to another.

    Raises:
        InputError: one of them is not readable text, is over 1 MiB, a link, or lies behind one; the message names it.
    """
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [path for path in entries if path.suffix.lower() in (".md", ".txt") and not path.name.startswith(".")]
    return tuple(notice for path in files for notice in _spellings(path) if MARK not in notice.text)


def _spellings(path: Path) -> Iterator[Notice]:
    file = read_text_file(path, SMALL_BYTES, path.parent.parent)
    brought = Notice(notice_id=path.stem, language="en", text=file.verbatim, file_sha256=file.sha256)
    plain = Notice(notice_id=path.stem, language="en", text=file.text)
    yield brought
    if plain.sha256 != brought.sha256:
        yield plain


def _licence(path: Path) -> LicenceRecord:
    _check_there(path, "--licence", f"a licence record such as {json.dumps(LICENCE_EXAMPLE)}", "Licence")
    text = read_text_file(path, SMALL_BYTES).text
    records = parse_licences(text if text.lstrip().startswith("[") else f"[{text}]", path.name)
    if len(records) != 1:
        raise InputError(f"{path.name} holds {len(records)} licence records; an import takes one")
    return next(iter(records.values()))


def _check_there(path: Path, option: str, content: str, section: str) -> None:
    if not path.is_file():
        raise InputError(
            f"'{path.name}' does not exist: an import needs {content}; write a draft with `bitface data init`, or name the file with "
            f"{option} {see(section)}"
        )
