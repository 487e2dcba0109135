"""What each import format brings: rows, licence and consents, read from the layout that its owners use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import LONDON_LICENCE, Notice, london_consents, packaged_notice
from bitface.consent.policy import LicenceRecord, parse_licences
from bitface.dataset.import_rows import manifest_table, minors_of, rows_of
from bitface.dataset.keys import KeyStore
from bitface.dataset.london import read_london
from bitface.dataset.text_files import SMALL_BYTES, read_text_file
from bitface.errors import InputError
from bitface.ledger.ledger import Ledger
from bitface.steps.brought_consents import NO_CONSENTS, BroughtConsents, new_notices, read_consents
from bitface.steps.intake_decision import Intake
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


def london_source(folder: Path, at: datetime) -> Source:
    """The London Set: consents and licence come from the terms that its makers state (see `consent.known_sources`)."""
    rows, rejected = read_london(folder)
    notice = packaged_notice("london-1")
    statements = [
        folder / name for name in ("SOURCE_README.md", "LICENSE.md", "README.md") if (folder / name).is_file()
    ]
    evidence = read_text_file(statements[0], SMALL_BYTES, folder).sha256 if statements else notice.sha256

    def consents(_: Mapping[str, str], bands: Mapping[str, str]) -> tuple[ConsentEvent, ...]:
        return london_consents(bands, evidence_sha256=evidence, recorded_at=at)  # type: ignore[arg-type]  # checked words

    intake = Intake(
        rows=rows,
        rejected=rejected,
        licence=LONDON_LICENCE,
        source="london",
        consents=consents,
        known_notices={notice.sha256: notice.notice_id},
    )
    return Source(intake=intake, notices=(notice,))


@dataclass(frozen=True, kw_only=True)
class FolderFiles:
    """A folder of pictures and the files that say what they are; those that are None lie in it under their usual names."""

    folder: Path
    manifest: Path | None = None
    consents: Path | None = None
    licence: Path | None = None
    ignored_columns: tuple[str, ...] = ()


def brought_consents(format_: str, files: FolderFiles, keys: KeyStore, ledger: Ledger, at: datetime) -> BroughtConsents:
    """The consent events that a source brings, none where they follow from its known terms.

    Raises:
        InputError: they are missing or cannot be read.
    """
    if format_ == "london":
        return NO_CONSENTS
    path = files.consents or files.folder / "consents.jsonl"
    _check_there(path, "--consents", "one consent event a line")
    return read_consents(path, keys, ledger, at)


def brought_source(format_: str, files: FolderFiles, consents: BroughtConsents, ledger: Ledger, at: datetime) -> Source:
    """What a source brings, by the name of its layout. Raises what `london_source` and `folder_source` raise."""
    if format_ == "london":
        return london_source(files.folder, at)
    return folder_source(files, consents, ledger.notice_ids())


def folder_source(files: FolderFiles, consents: BroughtConsents, known_notices: Mapping[str, str]) -> Source:
    """A folder of pictures with `manifest.csv`, `licence.json`, the notices shown in `notices/`, and the consents.

    Raises:
        InputError: a part is missing or cannot be read; the message names it and the option that names another.
    """
    licence = _licence(files.licence or files.folder / "licence.json")
    table = manifest_table(files.manifest or files.folder / "manifest.csv", files.ignored_columns)
    rows, rejected = rows_of(table, files.folder)
    notices = read_notices(files.folder / "notices")

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


def read_notices(folder: Path) -> tuple[Notice, ...]:
    """The notices in a folder, `.md` or `.txt` files named by their ids; none where there is no folder.

    A notice is known by the digest of its bytes and, where line ends, a byte order mark or the encoding make them other bytes, by
    that of the same words as UTF-8 with plain line ends: git and editors rewrite those on the way from one machine to another.

    Raises:
        InputError: one of them is not readable text, is over 1 MiB, a link, or lies behind one; the message names it.
    """
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [path for path in entries if path.suffix.lower() in (".md", ".txt") and not path.name.startswith(".")]
    return tuple(notice for path in files for notice in _spellings(path))


def _spellings(path: Path) -> Iterator[Notice]:
    file = read_text_file(path, SMALL_BYTES, path.parent.parent)
    brought = Notice(notice_id=path.stem, language="en", text=file.verbatim, file_sha256=file.sha256)
    plain = Notice(notice_id=path.stem, language="en", text=file.text)
    yield brought
    if plain.sha256 != brought.sha256:
        yield plain


def _licence(path: Path) -> LicenceRecord:
    _check_there(path, "--licence", "a licence record with id, name, text or address, and purposes")
    text = read_text_file(path, SMALL_BYTES).text
    records = parse_licences(text if text.lstrip().startswith("[") else f"[{text}]", path.name)
    if len(records) != 1:
        raise InputError(f"{path.name} holds {len(records)} licence records; an import takes one")
    return next(iter(records.values()))


def _check_there(path: Path, option: str, content: str) -> None:
    if not path.is_file():
        raise InputError(f"'{path.name}' does not exist: an import needs {content}; name the file with {option}")
