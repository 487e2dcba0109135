"""Completes lines of consents.jsonl: what everyone agreed to stands once in consent-terms.json, and digests are those of the papers.

A line says whose it is and what that person alone agreed to; its own words come first. The event that is recorded holds everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Final

from bitface.consent.events import Completed, ConsentEvent
from bitface.consent.unfilled import MARK, STILL_OPEN, open_fields, see
from bitface.consent.vocabulary import OPENING_STATES
from bitface.dataset.files import sha256_of
from bitface.dataset.incoming.import_rows import shown_of_age
from bitface.dataset.incoming.manifest_columns import COLUMNS
from bitface.dataset.incoming.subject_ids import id_or_none, suggested_ids
from bitface.dataset.incoming.text_files import SMALL_BYTES, read_table, read_text_file
from bitface.documents import Document, Fields
from bitface.errors import InputError
from bitface.known_words import did_you_mean, plain_word
from bitface.ledger.ledger import Ledger

TERMS: Final = "consent-terms.json"
NOTICES: Final = "notices"
EVIDENCE: Final = "evidence"
"""Signed forms, one a person, named by its id; none of them is a picture of a face."""
EVERYONE: Final = "everyone"
"""The name of a sheet in `evidence/` that everyone signed; it stands for each person who has no form of their own."""
_OF_ONE: Final = frozenset({"event_id", "record_id", "subject", "state", "evidence_sha256", "recorded_at"})
_FOUND: Final = ("notice_sha256", "evidence_sha256", "age_band")
"""Fields that papers and the manifest give where nothing states them."""
_NEAR: Final = 0.85
"""How alike a name is to that of the sheet if it is meant: `consent_terms.json`, `consent-terms.json.txt`, not `consents.jsonl`."""
_OF_ALL: Final = tuple(name for name in ConsentEvent.model_fields if name not in _OF_ONE)


@dataclass(frozen=True, kw_only=True)
class CommonTerms:
    """What lies beside consents.jsonl: `terms` is None where there is no sheet of common terms."""

    terms: Fields | None
    notices: Mapping[str, str]
    """Notice id -> SHA-256 of the words, of those that are complete."""
    drafts: Mapping[str, str]
    """Notice id -> where it is still to be filled in."""
    forms: Mapping[str, Path]
    """Subject id -> the form that the person signed."""
    misnamed: Mapping[str, Path] = field(default_factory=dict)
    """Subject id -> a form under a name that is not an id and would be spelt so. It may be another person's, so it is not taken."""
    manifest: Path | None = None
    missing: str = f"{TERMS} is missing"
    """Said of the sheet where `terms` is None."""
    recorded: Mapping[str, ConsentEvent] = field(default_factory=dict)
    """Event id -> the event on record: what it was completed with then, whatever became of the papers."""

    def on(self, text: str, ledger: Ledger) -> CommonTerms:
        """The same for the lines of a file, with those of its events that are on record."""
        return replace(self, recorded=ledger.recorded_consents(frozenset(_unstated(text))))

    def complete(self, document: Document) -> Completed:
        """The line with what it leaves to others. A closing event is not dated, nor narrowed to purposes, by what was once agreed."""
        state = str(document.get("state"))
        closes = MARK not in state and plain_word(state) not in OPENING_STATES
        shared = {name: value for name, value in (self.terms or {}).items() if not (closes and name == "event_time")}
        if closes and self.terms is not None:
            shared["purposes"] = []
        whole: Document = {**shared, **document}
        lacking: dict[str, str] = {}
        for name, (value, why) in self._found(whole).items():
            if value:
                whole[name] = value
            elif why:
                whole.pop(name, None)
                lacking[name] = why
        lacking = {**self._unsaid(whole, closes=closes), **lacking}
        return Completed(
            document=whole, lacking=lacking, files={name: TERMS for name in shared if name not in document}
        )

    def _unsaid(self, whole: Fields, *, closes: bool) -> dict[str, str]:
        """Field -> that neither the line nor the common terms say it; what papers and the manifest lack, `_found` says better."""
        why = f"neither this line nor {TERMS} says it; write it there for everyone, or here for this person"
        if self.terms is None:
            why = f"this line does not say it, and {self.missing}: it says once what everyone agreed to"
        unsaid = {name: why for name in _OF_ALL if name not in whole}
        if closes and "event_time" in unsaid:
            unsaid["event_time"] = "a line that ends a consent says itself when; add it"
        return unsaid

    def _found(self, whole: Fields) -> dict[str, tuple[str | None, str]]:
        """Field -> its value by the papers and the manifest, or None and why there is none; of the fields that nothing states."""
        subject = id_or_none(str(whole.get("subject"))) or ""
        before = self.recorded.get(str(whole.get("event_id")))
        asked = {name for name in _FOUND if _is_open(whole.get(name))}
        if before is not None:
            return {name: (str(getattr(before, name)), "") for name in asked}
        found = {}
        if "notice_sha256" in asked:
            found["notice_sha256"] = self._notice(whole.get("notice_id"))
        if "evidence_sha256" in asked:
            found["evidence_sha256"] = self._form(subject)
        if "age_band" in asked:
            found["age_band"] = self._age(subject)
        return found

    def _notice(self, notice_id: object) -> tuple[str | None, str]:
        if _is_open(notice_id):
            return None, ""
        name = str(notice_id)
        if name in self.drafts:
            return None, f"the notice is {STILL_OPEN}: {self.drafts[name]}"
        return self.notices.get(name), f"there is no notice of that notice_id in {NOTICES}/"

    def _form(self, subject: str) -> tuple[str | None, str]:
        form = self.forms.get(subject) or self.forms.get(EVERYONE)
        if form is None and subject in self.misnamed:
            wrong = self.misnamed[subject]
            return (
                None,
                f"{EVIDENCE}/{wrong.name} is named by no id; rename it to {subject}{wrong.suffix} if it is that person's",
            )
        why = (
            f"put what the person signed at {EVIDENCE}/ID.pdf, or a sheet that all signed at {EVIDENCE}/{EVERYONE}.pdf"
        )
        return (sha256_of(form) if form else None), why

    def _age(self, subject: str) -> tuple[str | None, str]:
        why = f"nothing shows an adult: write the age into the manifest, or age_band adult into {TERMS} if everyone is 18 or over"
        return self._of_age.get(subject), why

    @cached_property
    def _of_age(self) -> Mapping[str, str]:
        """Subject id -> `adult` or `under_18`, by the manifest; the source says what is wrong with that file."""
        if self.manifest is None or not self.manifest.is_file():
            return {}
        try:
            return shown_of_age(read_table(read_text_file(self.manifest), COLUMNS))
        except InputError:
            return {}


def terms_in(folder: Path) -> Document | None:
    """The common terms of a folder, None where there is no such sheet.

    Raises:
        InputError: it is not one JSON object, or has a field that is unknown, or one that belongs to a person.
    """
    path = folder / TERMS
    if not path.is_file():
        return None
    try:
        found = json.loads(read_text_file(path, SMALL_BYTES).text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{TERMS} line {error.lineno} is not JSON: check its quotes and commas {see('Consents')}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{TERMS} is not JSON with unique fields {see('Consents')}") from error
    if not isinstance(found, dict):
        raise InputError(f"{TERMS} is not one JSON object {see('Consents')}")
    for name in found:
        if name in _OF_ONE:
            raise InputError(f"{TERMS}: {name} belongs to one person; write it into that line of consents.jsonl")
        if name not in _OF_ALL:
            meant = did_you_mean(name, _OF_ALL) or f"the fields are {', '.join(_OF_ALL)} "
            raise InputError(f"{TERMS}: unknown field '{name[:40]}'; {meant}{see('Consents')}")
    return found


def missing_terms(folder: Path) -> str:
    """That there is no sheet of common terms in a folder, and how to get one: from a file whose name is almost right, if there is one."""
    names = {path.name.lower(): path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
    near = get_close_matches(TERMS, names, n=1, cutoff=_NEAR)
    where = f"{TERMS} is missing in folder '{folder.resolve().name[:40]}'"
    if near:
        return f"{where} (rename {names[near[0]]!r} if that is it)"
    return f"{where} (put it back, or write a draft with `bitface data init`)"


def open_in_notices(folder: Path) -> dict[str, tuple[int, ...]]:
    """`notices/notice-1.md` -> the lines of it that a person has to fill in."""
    place = folder / NOTICES
    paths = sorted(path for path in place.iterdir() if path.suffix.lower() in (".md", ".txt")) if place.is_dir() else []
    marked = {f"{NOTICES}/{path.name}": _marked(path, folder) for path in paths if not path.name.startswith(".")}
    return {name: lines for name, lines in marked.items() if lines}


def forms_of(folder: Path) -> Iterator[Path]:
    """The signed forms in `evidence/`, plain files by name."""
    place = folder / EVIDENCE
    if place.is_dir() and not place.is_symlink():
        yield from (path for path in sorted(place.iterdir()) if path.is_file() and not path.is_symlink())


def forms_by_id(folder: Path) -> dict[str, Path]:
    """Subject id -> the form that is named by it."""
    return {subject: form for form in forms_of(folder) if (subject := id_or_none(form.stem))}


def misnamed_forms(folder: Path) -> dict[str, Path]:
    """Valid id -> the form whose name is not an id and might be spelt so."""
    forms = (form for form in forms_of(folder) if id_or_none(form.stem) is None and not form.name.startswith("."))
    return {subject: form for form in forms for subject in suggested_ids(form.stem)}


def _marked(path: Path, folder: Path) -> tuple[int, ...]:
    lines = read_text_file(path, SMALL_BYTES, folder).text.split("\n")
    return tuple(number for number, line in enumerate(lines, start=1) if MARK in line)


def _unstated(text: str) -> Iterator[str]:
    """The event ids of lines that leave one of `_FOUND` to others."""
    for line in text.split("\n"):
        if any(f'"{name}"' not in line for name in _FOUND):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue  # reading the lines says what is wrong
            if isinstance(event, dict) and isinstance(event.get("event_id"), str):
                yield event["event_id"]


def _is_open(value: object) -> bool:
    return value is None or bool(open_fields({"": value}, ("",)))


def _once(pairs: list[tuple[str, object]]) -> Document:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a field occurs twice")
    return dict(pairs)
