"""Drafts of consents: a line for each person, and one sheet of what everyone agreed to, in which what a person must decide is marked."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.consent.events import SCHEMA_VERSION, ConsentEvent
from bitface.consent.known_sources import Notice
from bitface.consent.unfilled import MARK, open_fields
from bitface.dataset.files import sha256_of
from bitface.dataset.incoming.subject_ids import id_or_none
from bitface.documents import Document
from bitface.steps.bringing.first_look import MANIFEST
from bitface.steps.people.common_terms import EVERYONE, EVIDENCE, NOTICES, TERMS, forms_by_id
from bitface.steps.people.sources import read_notices

NOTICE_ID: Final = "notice-1"
_TO_DECIDE: Final = {
    "purposes": f"{MARK} what they agreed to, such as: train, evaluate, fairness_test, demo",
    "contexts": f"{MARK} where it may be used, such as: research",
    "controller": f"{MARK} who is responsible, with an address",
    "recipients": f"{MARK} who gets pictures or models",
    "storage": f"{MARK} where and how the data are kept",
    "jurisdiction": f"{MARK} the country, such as DE, or US-IL for a state of the US",
    "withdrawal_method": f"{MARK} how a person withdraws",
    "age_band": f"{MARK} adult, if everyone is 18 or over; an age in {MANIFEST} shows it too",
    "event_time": f"{MARK} when they agreed, such as 2026-01-31",
    "valid_from": f"{MARK} from when it counts, such as 2026-01-31",
    "valid_to": f"{MARK} until when it counts, such as 2029-01-31",
    "delete_by": f"{MARK} when the pictures must be gone, such as 2029-04-30",
    "last_interaction": f"{MARK} when you last dealt with them, such as 2026-01-31",
}
"""Terms that a person decides, each with what to write instead."""
_ASKED: Final = f"{MARK} given, once this person has agreed to {TERMS}"
_DIGESTS: Final = ("notice_id", "notice_sha256", "evidence_sha256")


@dataclass(frozen=True, kw_only=True)
class Papers:
    """The notices and signed forms in a folder, and which digests they give an event."""

    notices: tuple[Notice, ...]
    forms: Mapping[str, Path]
    """Subject id -> the form that the person signed."""

    def fields_of(self, subject: str) -> Document:
        """The fields of an event that speak of papers; marked where a paper is missing, or there are two notices to choose from."""
        ids = sorted({notice.notice_id for notice in self.notices})
        one = self.notices[0] if len(ids) == 1 else None
        form = self.forms.get(subject)
        choose = f"{MARK} one of {', '.join(ids)}" if ids else NOTICE_ID
        complete = "the SHA-256 of that notice" if ids else f"complete {NOTICES}/{NOTICE_ID}.md"
        return {
            "notice_id": one.notice_id if one else choose,
            "notice_sha256": one.sha256 if one else f"{MARK} {complete}",
            "evidence_sha256": sha256_of(form)
            if form
            else f"{MARK} put what the person signed at {EVIDENCE}/{subject}.pdf",
        }

    def know(self, event: Document) -> bool:
        """Whether the notice that a complete event names by its digest lies in the folder."""
        return event.get("notice_sha256") in {None, *(notice.sha256 for notice in self.notices)}


@dataclass(frozen=True, kw_only=True)
class DraftedConsents:
    """The lines of `consents.jsonl` as they should be, and what was done: `open`: line -> fields to fill in, in the new text."""

    lines: tuple[str, ...]
    added: tuple[str, ...]
    refreshed: tuple[int, ...]
    open: Mapping[int, tuple[str, ...]]
    notes: tuple[str, ...]
    left_to_terms: frozenset[str]
    """Fields that some line leaves to the common terms."""
    without_form: tuple[str, ...]
    """Subject ids whose line leaves the digest of a form to a paper that is not there."""

    @property
    def lacks_terms(self) -> bool:
        """Whether a line leaves to the common terms what nothing else can say: who wrote lines in full needs no such sheet."""
        return not self.left_to_terms.isdisjoint(_TO_DECIDE.keys() - {"age_band"})


def papers_in(folder: Path) -> Papers:
    """The complete notices and the signed forms of a folder. Raises what `read_notices` raises."""
    return Papers(notices=read_notices(folder / NOTICES), forms=forms_by_id(folder))


def drafted(
    before: Iterable[str], subjects: Iterable[str], papers: Papers, are_terms_new: bool = True
) -> DraftedConsents:
    """The lines there were, digests of drafts among them computed anew, and a draft for each subject who has no line yet.

    Where the common terms are older (`are_terms_new`), a person also says that each new subject agreed to them: terms and a sheet that
    are complete already would admit someone who was never asked. A line without a mark is a person's word and stays as it is, to the
    byte; so does one that cannot be read.
    """
    lines, refreshed, notes = list(before), [], []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        event = _event_in(line)
        if event is None:
            notes += [f"line {number} is not a consent event and was left as it is"] if line.strip() else []
            continue
        seen.add(id_or_none(event["subject"]) or "")
        if not open_fields(event, ConsentEvent.model_fields):
            notes += [] if papers.know(event) else [f"line {number} names a notice that is not in {NOTICES}/"]
            continue
        new = _line({**event, **_anew(event, papers)})
        if json.loads(new) != event:
            lines[number - 1] = new
            refreshed.append(number)
    added = [subject for subject in dict.fromkeys(subjects) if subject not in seen]
    lines += [_line(_draft(subject, "given" if are_terms_new else _ASKED)) for subject in added]
    events = [event for line in lines if (event := _event_in(line))]
    return DraftedConsents(
        lines=tuple(lines),
        added=tuple(added),
        refreshed=tuple(refreshed),
        open={n: left for n, line in enumerate(lines, start=1) if (left := _left(line))},
        notes=tuple(notes),
        left_to_terms=frozenset(name for event in events for name in ConsentEvent.model_fields if name not in event),
        without_form=tuple(_without_form(events, papers)),
    )


def _without_form(events: Iterable[Document], papers: Papers) -> Iterator[str]:
    for event in events:
        subject = id_or_none(event["subject"])
        if subject and "evidence_sha256" not in event and papers.forms.keys().isdisjoint((subject, EVERYONE)):
            yield subject


def _anew(event: Document, papers: Papers) -> Document:
    """The digests of a draft by the papers that are there now. A notice that a person has chosen stays chosen."""
    found = papers.fields_of(id_or_none(event["subject"]) or "")
    chosen = [notice for notice in papers.notices if notice.notice_id == event.get("notice_id")]
    if chosen:
        found |= {"notice_id": chosen[0].notice_id, "notice_sha256": chosen[0].sha256}
    return {name: found[name] for name in _DIGESTS if MARK not in found[name] or MARK in str(event.get(name, MARK))}


def draft_of_terms(papers: Papers) -> Document:
    """What everyone agreed to, as far as it is known: explicit consent, and the notice where there is one alone."""
    ids = sorted({notice.notice_id for notice in papers.notices})
    notice_id = f"{MARK} one of {', '.join(ids)}" if len(ids) > 1 else (ids or [NOTICE_ID])[0]
    return {
        **_TO_DECIDE,
        "notice_id": notice_id,
        "notice_language": "en",
        "data_kinds": "image, landmarks, embedding",
        "given_by": "explicit",
        "lawful_basis": "6(1)(a)",
        "special_category_condition": "9(2)(a)",
        "schema_version": SCHEMA_VERSION,
    }


def _draft(subject: str, state: str) -> Document:
    """The consent of a person who agreed to the common terms. Its ids say nothing of the person."""
    own = secrets.token_hex(8)
    return {"subject": subject, "state": state, "event_id": f"consent-{own}-1", "record_id": f"consent-{own}"}


def _left(line: str) -> tuple[str, ...]:
    event = _event_in(line)
    return open_fields(event, ConsentEvent.model_fields) if event is not None else ()


def _event_in(line: str) -> Document | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("subject"), str) else None


def _line(event: Document) -> str:
    return json.dumps(event, ensure_ascii=False)
