"""Drafts of consent events: whatever can be computed is in them, and what a person must decide is marked, so that none is imported so."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.consent.events import SCHEMA_VERSION, ConsentEvent
from bitface.consent.known_sources import Notice
from bitface.consent.unfilled import MARK, open_fields
from bitface.dataset.files import sha256_of
from bitface.dataset.incoming.subject_ids import id_or_none
from bitface.documents import Document
from bitface.steps.bringing.first_look import EVIDENCE, NOTICES, forms_of
from bitface.steps.people.sources import read_notices

NOTICE_ID: Final = "notice-1"
_TIME: Final = "a time as 2026-01-31T12:00:00Z"
_TO_DECIDE: Final = {
    "purposes": [
        f"{MARK} what the person agreed to: train, evaluate, fairness_test, infer, demo, benchmark, publish_image"
    ],
    "contexts": [f"{MARK} where it may be used: research, medical, safety, consumer"],
    "controller": f"{MARK} who is responsible, with an address",
    "recipients": [f"{MARK} who gets pictures or models"],
    "storage": f"{MARK} where and how the data are kept",
    "jurisdiction": f"{MARK} the country, or US-IL for a state of the US",
    "withdrawal_method": f"{MARK} how the person withdraws",
    "age_band": f"{MARK} 18_29, 30_44, 45_59, 60_plus or adult",
    "event_time": f"{MARK} when the person agreed, {_TIME}",
    "valid_from": f"{MARK} from when it counts, {_TIME}",
    "valid_to": f"{MARK} until when it counts, {_TIME}",
    "delete_by": f"{MARK} when the pictures must be gone, {_TIME}",
    "last_interaction": f"{MARK} when you last dealt with the person, {_TIME}",
}
"""Fields that a person decides, each with what to write instead."""
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
        again = "then run `bitface data init` again"
        choose = f"{MARK} one of {', '.join(ids)}" if ids else NOTICE_ID
        complete = "the SHA-256 of that notice" if ids else f"complete {NOTICES}/{NOTICE_ID}.md, {again}"
        return {
            "notice_id": one.notice_id if one else choose,
            "notice_sha256": one.sha256 if one else f"{MARK} {complete}",
            "evidence_sha256": sha256_of(form)
            if form
            else f"{MARK} put what the person signed at {EVIDENCE}/{subject}.pdf, {again}",
        }

    def know(self, event: Document) -> bool:
        """Whether the notice that a complete event names lies in the folder."""
        return event.get("notice_sha256") in {notice.sha256 for notice in self.notices}


@dataclass(frozen=True, kw_only=True)
class DraftedConsents:
    """The lines of `consents.jsonl` as they should be, and what was done: `open`: line -> fields to fill in, in the new text."""

    lines: tuple[str, ...]
    added: tuple[str, ...]
    refreshed: tuple[int, ...]
    open: Mapping[int, tuple[str, ...]]
    notes: tuple[str, ...]


def papers_in(folder: Path) -> Papers:
    """The complete notices and the signed forms of a folder. Raises what `read_notices` raises."""
    forms = {subject: form for form in forms_of(folder) if (subject := id_or_none(form.stem))}
    return Papers(notices=read_notices(folder / NOTICES), forms=forms)


def drafted(before: Iterable[str], subjects: Iterable[str], papers: Papers) -> DraftedConsents:
    """The lines there were, digests of drafts among them computed anew, and a draft for each subject who has no line yet.

    A line without a mark is a person's word and stays as it is, to the byte; so does one that cannot be read.
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
    lines += [_line(_draft(subject, papers)) for subject in added]
    return DraftedConsents(
        lines=tuple(lines),
        added=tuple(added),
        refreshed=tuple(refreshed),
        open={n: left for n, line in enumerate(lines, start=1) if (left := _left(line))},
        notes=tuple(notes),
    )


def _anew(event: Document, papers: Papers) -> Document:
    """The digests of a draft by the papers that are there now. A notice that a person has chosen stays chosen."""
    found = papers.fields_of(id_or_none(event["subject"]) or "")
    chosen = [notice for notice in papers.notices if notice.notice_id == event.get("notice_id")]
    if chosen:
        found |= {"notice_id": chosen[0].notice_id, "notice_sha256": chosen[0].sha256}
    return {name: found[name] for name in _DIGESTS if MARK not in found[name] or MARK in str(event.get(name, MARK))}


def _draft(subject: str, papers: Papers) -> Document:
    """A consent of somebody who agreed explicitly, to what is still to be said. Its ids say nothing of the person."""
    own = secrets.token_hex(8)
    return {
        "event_id": f"consent-{own}-1",
        "record_id": f"consent-{own}",
        "schema_version": SCHEMA_VERSION,
        "subject": subject,
        "state": "given",
        "given_by": "explicit",
        "lawful_basis": "6(1)(a)",
        "special_category_condition": "9(2)(a)",
        "data_kinds": ["image", "landmarks", "embedding"],
        "notice_language": "en",
        **papers.fields_of(subject),
        **_TO_DECIDE,
    }


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
