"""`bitface data init`: writes drafts beside somebody's pictures, and says what only a person can fill in."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.consent.policy import TRAINING_PURPOSES
from bitface.counted_words import counted, counted_people
from bitface.dataset.incoming.folder_names import Guess, alike_ids, guesses_of
from bitface.dataset.incoming.label_folders import place_of
from bitface.dataset.incoming.subject_ids import id_or_none, suggested_ids
from bitface.errors import InputError
from bitface.steps.bringing import draft_files
from bitface.steps.bringing.draft_consents import DraftedConsents, drafted, papers_in
from bitface.steps.bringing.draft_files import Manifest
from bitface.steps.bringing.empty_cells import Later, fill_persons, rows_by_file
from bitface.steps.bringing.first_look import (
    CONSENTS,
    LICENCE,
    MANIFEST,
    Eyes,
    FirstLook,
    Skipped,
    look_through,
)
from bitface.steps.people.common_terms import EVERYONE, EVIDENCE, NOTICES, TERMS, forms_of, open_in_notices

_SHOWN: Final = 6


@dataclass(frozen=True, kw_only=True)
class Todo:
    """What a person has to fill in: a field, or several, of a file, and where. `must`: an import refuses it so."""

    file: str
    field: str
    where: str
    must: bool = True


@dataclass(frozen=True, kw_only=True)
class Drafts:
    """What `bitface data init` found and wrote. `filled`: column -> rows of new pictures in which the folder says it."""

    pictures: int
    new_pictures: int
    people: int
    nameless: int
    """Rows of the manifest that do not say who it is."""
    filled: Mapping[str, int]
    doubts: Mapping[str, tuple[str, ...]]
    """Picture -> why a field of it was left empty."""
    skipped: tuple[Skipped, ...]
    written: tuple[str, ...]
    changed: tuple[str, ...]
    """What was added to or refreshed in files that were there, in sentences."""
    todo: tuple[Todo, ...]
    notes: tuple[str, ...]
    next: str

    def text(self) -> str:
        """The same for a person at a terminal."""
        clear = ", ".join(f"{column} of {count}" for column, count in self.filled.items())
        read = f"; read off folders and names: {clear}" if self.new_pictures else ""
        people = counted_people(self.people) + (
            f", and of {self.nameless} it is not clear who" if self.nameless else ""
        )
        lines = [
            f"{counted(self.pictures, 'picture')} of {people}; {counted(self.new_pictures, 'of them is', 'of them are')} new{read}"
        ]
        lines += [f"wrote {', '.join(self.written)}"] if self.written else []
        lines += [*self.changed, *self.notes]
        lines += _first([f"  {path}: {'; '.join(why)}" for path, why in self.doubts.items()], "pictures in doubt")
        lines += [f"{counted(len(self.skipped), 'file')} left out:"] if self.skipped else []
        lines += _first([f"  {one.path}: {one.reason}" for one in self.skipped], "files left out")
        lines += ["Fill in:"] if self.todo else ["Nothing is left to fill in."]
        lines += [f"  {one.file}: {one.field} ({one.where})" for one in self.todo]
        return "\n".join([*lines, f"Next: {self.next} (with --dry-run it writes nothing, and forecasts the gate)"])


def draft_import(folder: Path, purpose: str, pattern: re.Pattern[str] | None, eyes: Eyes) -> Drafts:
    """Writes manifest, licence and, for purpose `train`, consents and a notice; of what is there, adds what is new.

    Raises:
        InputError: another purpose; no folder, no picture in it, or files in it that cannot be read or written.
    """
    if purpose not in TRAINING_PURPOSES:
        raise InputError(f"--purpose '{purpose[:40]}' is not one of {', '.join(TRAINING_PURPOSES)}")
    if not folder.is_dir():
        raise InputError(f"folder '{folder.name}' does not exist; name the folder with the pictures")
    before = draft_files.manifest_in(folder)
    rows = rows_by_file(folder, before)
    seen = look_through(folder, eyes, frozenset(rows))
    if not seen.pictures:
        raise InputError(_no_picture(folder, seen))
    guesses = guesses_of(seen.pictures, pattern, _assigned(before))
    new = [one for one in guesses if folder / one.path not in rows]
    try:
        later = fill_persons(folder, before, guesses, rows) if pattern and before else Later()
        return _write(folder, purpose, _Found(seen=seen, new=new, later=later), before)
    except OSError as error:
        raise InputError(
            f"'{folder.name}' cannot be written ({error.strerror}); copy the pictures to a folder of your own"
        ) from error


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What is in the folder: pictures that no row names, and what a pattern made of rows that were there."""

    seen: FirstLook
    new: Sequence[Guess]
    later: Later


def _assigned(manifest: Manifest | None) -> dict[str, str]:
    """Path -> the id that the manifest gives the picture."""
    rows = manifest.rows if manifest else ()
    ids = ((row.get("path", ""), id_or_none(row.get("subject_id", ""))) for row in rows)
    return {path: subject for path, subject in ids if subject}


def _write(folder: Path, purpose: str, found: _Found, before: Manifest | None) -> Drafts:
    seen, new = found.seen, found.new
    draft_files.add_rows(folder, new, before)
    manifest = draft_files.manifest_in(folder)
    if manifest is None:
        raise InputError(f"{MANIFEST} is gone again; run the same command once more")
    written = [MANIFEST] if before is None else []
    changed = [f"{MANIFEST}: added {counted(len(new), 'picture')}"] if before is not None and new else []
    changed += _filled_later(found.later)
    written += [LICENCE] if draft_files.write_licence(folder, purpose) else []
    consents = None
    if purpose == "train":
        written += [f"{NOTICES}/"] if draft_files.write_notice(folder) else []
        lines, papers = draft_files.consent_lines(folder), papers_in(folder)
        consents = drafted(lines, manifest.subjects, papers, _agreed_to_by_nobody(folder))
        if consents.lines != lines:
            draft_files.write_consents(folder, consents.lines)
        needs_terms = bool(consents.added) or consents.lacks_terms
        written += [TERMS] if needs_terms and draft_files.write_terms(folder, papers) else []
        written += [CONSENTS] if consents.lines and not lines else []
        changed += _changes(consents) if lines else []
    return Drafts(
        pictures=len(seen.pictures),
        new_pictures=len(new),
        people=len(manifest.subjects),
        nameless=len(manifest.open("subject_id")),
        filled=_filled(new),
        doubts={one.path: one.doubts for one in new if one.doubts} | dict(found.later.doubts),
        skipped=seen.skipped,
        written=tuple(written),
        changed=tuple(changed),
        todo=(*(() if _layout(purpose, manifest) else _todo_of_manifest(manifest)), *_todo_of_papers(folder, consents)),
        notes=(
            *_spelt(new),
            *_left_as_it_was(found.later),
            *_notes(manifest, consents),
            *_strange_forms(folder, manifest),
        ),
        next=f"bitface data import {shlex.quote(str(folder))}{_layout(purpose, manifest)}",
    )


def _filled_later(later: Later) -> list[str]:
    count, lines = len(later.filled), _lines(later.filled)
    return [f"{MANIFEST}: filled in subject_id of {counted(count, 'row')} that had none ({lines})"] if count else []


def _left_as_it_was(later: Later) -> list[str]:
    count, lines = len(later.left), _lines(later.left)
    said = f"{MANIFEST}: {counted(count, 'row')} ({lines}) kept the subject_id that was there, although --subject-pattern finds another"
    return [f"{said}; to take what it finds, empty those cells and run the same command again"] if count else []


def _agreed_to_by_nobody(folder: Path) -> bool:
    """Whether there are no common terms yet, or they do not even say when anyone agreed to them."""
    return not (folder / TERMS).exists() or "event_time" in draft_files.open_in_terms(folder)


def _changes(consents: DraftedConsents) -> list[str]:
    count = len(consents.added)
    drafts = f"{'a draft' if count == 1 else 'drafts'} for {counted_people(count)}"
    said = [f"{CONSENTS}: added {drafts}"] if count else []
    if consents.refreshed:
        said.append(
            f"{CONSENTS}: refreshed the digests of {counted(len(consents.refreshed), 'draft')} ({_lines(consents.refreshed)})"
        )
    return said


def _layout(purpose: str, manifest: Manifest) -> str:
    """A published set in class folders that names nobody is imported by its folders; the manifest could not say who is who."""
    paths = [row.get("path", "") for row in manifest.rows]
    is_of_classes = purpose == "benchmark" and not manifest.subjects and not any(place_of(path).wrong for path in paths)
    return " --format classes" if is_of_classes else ""


def _filled(new: Sequence[Guess]) -> dict[str, int]:
    counts = Counter(column for one in new for column in ("subject_id", "label", "split") if getattr(one, column))
    return {
        column: counts[column] for column in ("subject_id", "label", "split") if column != "split" or counts[column]
    }


def _todo_of_manifest(manifest: Manifest) -> list[Todo]:
    todo = [
        Todo(file=MANIFEST, field=column, where=_lines(lines))
        for column in ("subject_id", "label")
        if (lines := manifest.open(column))
    ]
    facts = draft_files.facts_open(manifest)
    most = max(facts.values(), default=0)
    where = f"not known of up to {counted_people(most)}; one row a person is enough, and what stays empty is unknown"
    return [*todo, *([Todo(file=MANIFEST, field=", ".join(facts), where=where, must=False)] if facts else [])]


def _todo_of_papers(folder: Path, consents: DraftedConsents | None) -> list[Todo]:
    licence = draft_files.open_in_licence(folder)
    todo = [Todo(file=LICENCE, field=", ".join(licence), where="one record")] if licence else []
    if consents is None:
        return todo
    todo += [
        Todo(file=file, field="what is marked", where=_lines(lines)) for file, lines in open_in_notices(folder).items()
    ]
    terms = [name for name in draft_files.open_in_terms(folder) if name in consents.left_to_terms]
    todo += [Todo(file=TERMS, field=", ".join(terms), where="once, for everyone")] if terms else []
    todo += _todo_of_forms(consents)
    same: dict[str, list[int]] = {}
    for line, fields in consents.open.items():
        same.setdefault(", ".join(fields), []).append(line)
    return [*todo, *(Todo(file=CONSENTS, field=fields, where=_lines(lines)) for fields, lines in same.items())]


def _todo_of_forms(consents: DraftedConsents) -> list[Todo]:
    missing = consents.without_form
    if not missing:
        return []
    where = f"missing for {counted(len(missing), 'line')} of {CONSENTS}: {', '.join(missing[:_SHOWN])}"
    where += f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    field = f"what each person signed, named by the id, or one sheet {EVERYONE}.pdf that all signed"
    return [Todo(file=f"{EVIDENCE}/", field=field, where=where)]


def _spelt(new: Sequence[Guess]) -> list[str]:
    """Which names were spelt as ids."""
    spelt = {one.name: one.subject_id for one in new if one.subject_id and one.name != one.subject_id}
    said = [f"{MANIFEST}: '{name[:40]}' has the id {subject}" for name, subject in spelt.items()]
    return _first(said, "such ids")


def _strange_forms(folder: Path, manifest: Manifest) -> list[str]:
    """Signed forms that no person of the manifest is called like."""
    named = {*manifest.subjects, EVERYONE}
    strange = [form for form in forms_of(folder) if id_or_none(form.stem) not in named and form.name[:1] != "."]
    said = [f"{EVIDENCE}/{form.name} is named by no id in {MANIFEST}{_renamed(form, named)}" for form in strange]
    return _first(said, "such forms")


def _renamed(form: Path, named: Collection[str]) -> str:
    meant = next((one for one in suggested_ids(form.stem) if one in named), None)
    return f"; rename it to {meant}{form.suffix} if it is that person's" if meant else ""


def _notes(manifest: Manifest, consents: DraftedConsents | None) -> tuple[str, ...]:
    alike = [
        f"{MANIFEST}: {', '.join(ids)} may be one person under several ids" for ids in alike_ids(manifest.subjects)
    ]
    said = [f"{CONSENTS} {note}" for note in consents.notes] if consents else []
    return (*_first(alike, "such ids"), *_first(said, "such lines"))


def _lines(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN]))
    more = len(lines) - _SHOWN
    return f"line{'s' * (len(lines) != 1)} {shown}" + (f" and {more} more" if more > 0 else "")


def _first(lines: Iterable[str], what: str) -> list[str]:
    found = list(lines)
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"  ... and {more} more {what}; --json lists all"] if more > 0 else [])]


def _no_picture(folder: Path, seen: FirstLook) -> str:
    first = (
        f" ({counted(len(seen.skipped), 'other file')}; {seen.skipped[0].path}: {seen.skipped[0].reason})"
        if seen.skipped
        else ""
    )
    return (
        f"'{folder.name}' holds no picture that can be read{first}; name a folder with JPEG, PNG, WEBP or TIFF pictures"
    )
