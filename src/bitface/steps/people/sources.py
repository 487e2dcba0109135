"""What an import brings: rows, licence, notices and consents, as the reader of its format (`steps.formats`) finds them in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import Notice
from bitface.consent.policy import LicenceRecord, parse_licences
from bitface.consent.unfilled import LICENCE_EXAMPLE, MARK, PUBLIC_LICENCE_EXAMPLE, see
from bitface.counted_words import counted
from bitface.dataset.incoming.gathered_rows import GatheredRows
from bitface.dataset.incoming.import_rows import QuarantinedRow, minors_of, rows_of
from bitface.dataset.incoming.oddities import Finding, findings_of, found
from bitface.dataset.incoming.refused_rows import refused_lines
from bitface.dataset.incoming.source_paths import files_below
from bitface.dataset.incoming.text_files import SMALL_BYTES, Table, TableRow, read_text_file
from bitface.dataset.keys import KeyStore
from bitface.dataset.plain_files import check_is_file
from bitface.dataset.points.point_pictures import ReadPoints
from bitface.errors import InputError
from bitface.ledger.ledger import Ledger
from bitface.ports import ReadImage
from bitface.steps.people.brought_consents import NO_CONSENTS, BroughtConsents, new_notices, read_consents
from bitface.steps.people.common_terms import (
    NOTICES,
    CommonTerms,
    forms_by_id,
    misnamed_forms,
    missing_terms,
    open_in_notices,
    terms_in,
)
from bitface.steps.people.intake_decision import CutOut, Intake
from bitface.terminal_text import printable

CONSENT_FIELDS: Final = (
    '{"event_id": "e1", "record_id": "r1", "subject": "p1", "state": "given", "purposes": ["train"], ...}'
)
PAGE: Final = "docs/datasets.md"
_REASONS: Final = 5
BESIDE: Final = frozenset({"consents", "licence"})
"""Options that name a file which else lies beside the pictures."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An intake and the notices that its people were shown, to be recorded before their consents are judged."""

    intake: Intake
    notices: tuple[Notice, ...]
    minors: frozenset[str] = frozenset()
    """Ids of people who are under 18 by the source."""

    def check_no_child_is_here(self, keys: KeyStore) -> None:
        """Raises InputError where a person who was taken in earlier, under no age or another one, is under 18 by this source."""
        here = sum(keys.pseudonym_of(subject) is not None for subject in self.minors)
        if here:
            raise InputError(
                f"{counted(here, 'person in the dataset is', 'people in the dataset are')} under 18 by this manifest; "
                "erase them with `bitface erase`, or correct their age and import again"
            )


@dataclass(frozen=True, kw_only=True)
class FolderFiles:
    """A folder of pictures and the files that say what they are; those that are None lie in it under their usual names.

    `table`: the file that is the source, where its pictures lie in a table; `folder` is the one that it lies in.
    """

    folder: Path
    table: Path | None = None
    manifest: Path | None = None
    consents: Path | None = None
    licence: Path | None = None
    votes: Path | None = None
    ignored_columns: tuple[str, ...] = ()
    subject_pattern: str | None = None
    frame_size: str | None = None
    """`1280x720`: of the frames whose points are shares of width and height."""

    @property
    def name(self) -> str:
        """What the source is called in the dataset: its folder or file, without what could be read as a formula."""
        named = self.table.name.partition(".")[0] if self.table else self.folder.resolve().name
        return printable(named).lstrip("'")[:40]


@dataclass(frozen=True, kw_only=True)
class Here:
    """Who and what is on record when a source is imported, and the time of it."""

    keys: KeyStore
    ledger: Ledger
    at: datetime


def consents_beside(files: FolderFiles, here: Here) -> BroughtConsents:
    """The consent events in `consents.jsonl` or the file that was named; none where there is no such file.

    Raises:
        InputError: the file that was named is missing, or they cannot be read.
    """
    path = files.consents or files.folder / "consents.jsonl"
    if files.consents is None and not path.is_file():
        return NO_CONSENTS
    _check_there(path, "--consents", f"one consent event a line, such as {CONSENT_FIELDS}", "Consents")
    return read_consents(path, here.keys, here.ledger, here.at, common_terms(files))


def common_terms(files: FolderFiles) -> CommonTerms:
    """What lies beside the consents of a folder and completes them. Raises what `terms_in` and `read_notices` raise."""
    notices = read_notices(files.folder / NOTICES)
    drafts = {
        Path(name).stem: f"{name} line {', '.join(map(str, lines))}"
        for name, lines in open_in_notices(files.folder).items()
    }
    return CommonTerms(
        terms=terms_in(files.folder),
        notices={notice.notice_id: notice.sha256 for notice in reversed(notices)},
        drafts=drafts,
        forms=forms_by_id(files.folder),
        misnamed=misnamed_forms(files.folder),
        manifest=files.manifest or files.folder / "manifest.csv",
        missing=missing_terms(files.folder),
    )


def notices_beside(files: FolderFiles) -> tuple[Notice, ...]:
    """The notices in `notices/`. Raises what `read_notices` raises."""
    return read_notices(files.folder / NOTICES)


@dataclass(frozen=True, kw_only=True)
class FormatReader:
    """How a format is read.

    Consents and notices come first: they are recorded whatever becomes of the pictures. Left out, they lie beside the pictures under
    their usual names, as the licence does for `source_of_table`; a source whose terms are known has its own.
    """

    source: Callable[[FolderFiles, BroughtConsents, Here], Source]
    consents: Callable[[FolderFiles, Here], BroughtConsents] = consents_beside
    notices: Callable[[FolderFiles], tuple[Notice, ...]] = notices_beside
    takes: frozenset[Literal["file", "folder"]] = frozenset({"folder"})
    """What the source may be: a folder, or a file, a table that pictures or points lie in."""

    reads: frozenset[str] = BESIDE
    """Which of the options `consents`, `licence`, `manifest`, `votes`, `subject-pattern`, `ignore-column` and `frame-size` mean something
    to it.
    """

    def check_read(self, given: Mapping[str, object], name: str) -> None:
        """Raises InputError for an option of `reads` that was given, option -> value, and this format does not read."""
        for option, value in given.items():
            if value and option not in self.reads:
                raise InputError(f"--{option} has no meaning for --format {name}; leave it out ({PAGE})")

    def folder_of(self, source: Path) -> Path:
        """The folder of a source. Raises InputError where it is not what this format reads, a file or a folder."""
        if source.is_file() and "file" in self.takes:
            return source.parent
        if source.is_dir() and "folder" in self.takes:
            return source
        if self.takes == {"file", "folder"}:
            raise InputError(f"'{source.name}' does not exist; name a table, or a folder with tables ({PAGE})")
        if "file" in self.takes:
            raise InputError(f"file '{source.name}' does not exist or is a folder; name the table itself ({PAGE})")
        raise InputError(f"folder '{source.name}' does not exist; name the folder with the pictures ({PAGE})")


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What the reader of a format found: rows in the columns of a manifest, rows that it refused, and what is odd about the source.

    `read` gives the pixels of pictures that lie in no file of their own, and `find` leads to them; None: they are files of the folder.
    `cut` takes the face out of a picture that was read, where the source has a box of it; it raises InputError where that cannot be.
    `are_people_known`: whether the source says who is on a picture. `minors`: ids of people under 18 whose rows are refused already.
    `are_clips`: whether each row is a clip of a video. `points` gives the points of a row where the source has no pictures.
    """

    table: Table
    refused: tuple[QuarantinedRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    read: ReadImage | None = None
    find: Callable[[str], Path] | None = None
    cut: CutOut | None = None
    are_people_known: bool = True
    minors: frozenset[str] = frozenset()
    are_clips: bool = False
    points: ReadPoints | None = None


def brought_from(rows: GatheredRows, name: str, looked_for: str, are_people_known: bool = True) -> Brought:
    """What was gathered. Raises InputError where no row can be taken; `looked_for` says what the folder should hold."""
    return Brought(
        table=rows.table(name, looked_for),
        refused=tuple(rows.refused),
        findings=findings_of(rows.found),
        are_people_known=are_people_known,
    )


def brought_by_name(files: FolderFiles, gather: Callable[[GatheredRows, int, str], None], example: str) -> Brought:
    """What `gather` takes of the files of a folder, sorted by path and numbered so.

    Raises:
        InputError: none is named as `example` is.
    """
    rows = GatheredRows()
    for number, path in enumerate(sorted(files_below(files.folder)), start=1):
        gather(rows, number, path)
    return brought_from(rows, files.name, f"pictures such as {example}")


def source_of_table(
    read: Callable[[FolderFiles], Table], files: FolderFiles, consents: BroughtConsents, here: Here
) -> Source:
    """A folder of pictures whose rows `read` finds, in the columns of a manifest. Raises what `source_of` raises."""
    return source_of(lambda own: Brought(table=read(own)), files, consents, here)


def source_of(
    read: Callable[[FolderFiles], Brought],
    files: FolderFiles,
    consents: BroughtConsents,
    here: Here,
    published: LicenceRecord | None = None,
) -> Source:
    """What `read` finds, with the notices and consents that lie beside it, under `licence.json`; without one under the `published`
    licence, where the set is known.

    Raises:
        InputError: a part is missing or cannot be read; the message names it, an example, and the option that names another.
    """
    beside = files.licence or files.folder / "licence.json"
    is_published = published is not None and not (files.licence or beside.is_file())
    with _beside(lambda: _check_rows(read(files), files)):
        licence = published if published and is_published else licence_in(beside)
    if consents is NO_CONSENTS and "benchmark" not in licence.purposes:
        _check_there(
            files.folder / "consents.jsonl",
            "--consents",
            f"one consent event a line, such as {CONSENT_FIELDS}, or a licence that allows purpose benchmark without "
            f"personal consent ({PAGE})",
            "Consents",
        )
    brought = read(files)
    rows, rejected = rows_of(brought.table, files.folder, brought.find)
    notices, known_notices = notices_beside(files), here.ledger.notice_ids()
    unnamed = () if brought.are_people_known else found("person_per_picture", (row.row for row in rows))

    def events(pseudonyms: Mapping[str, str], bands: Mapping[str, str]) -> tuple[ConsentEvent, ...]:
        return consents.events_of({subject: person for subject, person in pseudonyms.items() if person in bands})

    intake = Intake(
        rows=rows,
        rejected=(*brought.refused, *rejected),
        licence=licence,
        source=files.name,
        consents=events,
        known_notices={**{notice.sha256: notice.notice_id for notice in notices}, **known_notices},
        faults=consents.faults,
        findings=(*brought.findings, *unnamed),
        read=brought.read,
        cut=brought.cut,
        are_people_known=brought.are_people_known,
        are_clips=brought.are_clips,
        points=brought.points,
    )
    return Source(
        intake=intake, notices=new_notices(notices, known_notices), minors=minors_of(brought.table) | brought.minors
    )


def _check_rows(brought: Brought, files: FolderFiles) -> None:
    """Raises InputError with the first reasons why rows are refused before any picture is read."""
    _, rejected = rows_of(brought.table, files.folder, brought.find)
    if rejected:
        raise InputError("; ".join(refused_lines(rejected)[:_REASONS]))


@contextmanager
def _beside(other: Callable[[], object]) -> Iterator[None]:
    """An error inside also says what is wrong with another file, so that both can be corrected at once."""
    try:
        yield
    except InputError as error:
        try:
            other()
        except InputError as also:
            raise InputError(f"{error}; {also}") from error
        raise


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


def licence_in(path: Path) -> LicenceRecord:
    """The one licence record of a file. Raises InputError where there is none, or more."""
    own = f"{json.dumps(LICENCE_EXAMPLE)} for pictures of your own"
    public = f"{json.dumps(PUBLIC_LICENCE_EXAMPLE)} for a public set ({PAGE})"
    _check_there(path, "--licence", f"a licence record such as {own}, or {public}", "Licence")
    text = read_text_file(path, SMALL_BYTES).text
    records = parse_licences(text if text.lstrip().startswith("[") else f"[{text}]", path.name)
    if len(records) != 1:
        raise InputError(f"{path.name} holds {counted(len(records), 'licence record')}; an import takes one")
    return next(iter(records.values()))


def _check_there(path: Path, option: str, content: str, section: str) -> None:
    remedy = (
        f": an import needs {content}; write a draft with `bitface data init` (of a public set: with --purpose benchmark), or name "
        f"the file with {option} {see(section)}"
    )
    check_is_file(path, remedy)
