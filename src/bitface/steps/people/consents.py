"""Consent events of known people: recorded from a file, or withdrawn at once; and what is on record about a person."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from bitface.consent.admission import Use, admit, at_each
from bitface.consent.events import ConsentEvent, canonical_json, parse_events, utc_time
from bitface.consent.vocabulary import CONTEXTS, PURPOSES
from bitface.counted_words import counted
from bitface.dataset.incoming.subject_ids import id_or_none, normal_id
from bitface.dataset.incoming.text_files import read_text_file
from bitface.dataset.keys import KeyStore
from bitface.dataset.plain_files import check_is_file
from bitface.documents import Document
from bitface.errors import InputError
from bitface.faces.records import is_pseudonym, is_synthetic
from bitface.ledger.ledger import Ledger
from bitface.ledger.moments import CLOCKS_APART, clock_behind
from bitface.steps.people.brought_consents import new_notices
from bitface.steps.people.expire import lapsed_models
from bitface.steps.people.sources import FolderFiles, common_terms, read_notices

REASON_MAX = 200
BY_LICENCE: Final = "a licence alone admits a person without one; to take the person out use `bitface erase`"


@dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """The effect of a withdrawal: records closed, and the live models that the person is in."""

    subject: str
    records: int
    already: int
    models: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """How many consent events a file had, how many were new, and how many are dated ahead of this machine's clock."""

    events: int
    new: int
    dated_ahead: int


def person_of(subject: str, keys: KeyStore, ledger: Ledger) -> str:
    """The pseudonym of a subject: of its owner's id, or the subject itself if it is one.

    Raises:
        InputError: no person with that id was ever here, or only by a licence, without a consent event.
    """
    subject = id_or_none(subject) or ""
    person = keys.pseudonym_of(subject)
    if person is None and is_pseudonym(subject) and (is_synthetic(subject) or ledger.whereabouts(subject).holdings):
        person = subject
    is_on_record = person is not None and bool(ledger.consents(person) or ledger.whereabouts(person).holdings)
    if person is not None and not is_on_record:
        raise InputError(f"no person with this id is on record with a consent event: {BY_LICENCE}")
    if person is None:
        raise InputError("no person with this id is on record; use the subject's own id, or the pseudonym")
    return person


def record_file(path: Path, notices: Path | None, keys: KeyStore, ledger: Ledger, at: datetime) -> Recorded:
    """Records the events of a JSONL file, all or none.

    Subjects are ids as their owners use them, or pseudonyms; `notices` is a folder with the notices that the events name. What lies beside
    the file completes its lines, as in an import.

    Raises:
        InputError: a line is faulty, or a person was never imported; the message names the line, never its content.
    """
    check_is_file(path, "; name a file with one consent event per line")

    def pseudonym(subject: str) -> str:
        normal = normal_id(subject)
        person = keys.pseudonym_of(normal) or (normal if is_pseudonym(normal) else None)
        if person is None:
            raise InputError("not the id of an imported person")
        return person

    text = read_text_file(path).text
    complete = common_terms(FolderFiles(folder=path.parent)).on(text, ledger).complete
    parsed = parse_events(text, pseudonym_of=pseudonym, recorded_at=at, name=path.name, complete=complete)
    if parsed.rejected:
        more = f" (and {len(parsed.rejected) - 1} more)" if len(parsed.rejected) > 1 else ""
        raise InputError(f"{path.name}: {parsed.rejected[0]}{more}; nothing was recorded, correct it and try again")
    shown = new_notices(read_notices(notices), ledger.known_notices()) if notices else ()
    new = ledger.record_consents(parsed.events, shown)
    ahead = sum(event.event_time > at for event in parsed.events)
    return Recorded(events=len(parsed.events), new=new, dated_ahead=ahead)


def clock_warning(ledger: Ledger, at: datetime) -> str | None:
    """A warning that the log has an entry from a time that this machine's clock has not reached; None if it has none."""
    return clock_behind(at, ledger.latest_entry_at()) or None


def withdraw(person: str, reason: str, ledger: Ledger, at: datetime) -> Withdrawn:
    """Closes every consent record of a person, for every purpose; from this moment every promotion with that person fails.

    The reason is stored as is in the event's method of withdrawal, so it should not contain names.

    Raises:
        InputError: the reason is empty or too long, or there is no consent to withdraw.
    """
    check_reason(reason)
    latest: dict[str, ConsentEvent] = {}
    for event in ledger.consents(person):
        latest[event.record_id] = event
    if not latest:
        raise InputError(f"this person has no consent to withdraw: {BY_LICENCE}")
    open_records = [event for event in latest.values() if event.state != "withdrawn" or event.purposes]
    ledger.record_consents(_withdrawal(event, reason.strip(), at) for event in open_records)
    return Withdrawn(
        subject=person,
        records=len(open_records),
        already=len(latest) - len(open_records),
        models=tuple(one.sentence() for one in lapsed_models(ledger, at)),
    )


def check_reason(reason: str) -> None:
    """Raises InputError if a reason is empty or too long."""
    if not 1 <= len(reason.strip()) <= REASON_MAX:
        raise InputError(f"the reason must have 1 to {REASON_MAX} characters; shorten it, and do not name anyone")


def standing_of(person: str, ledger: Ledger, at: datetime) -> Document:
    """Every event of a person, oldest first, and the purposes and contexts that it currently admits."""
    events, notices, moments = ledger.consents(person), ledger.notice_ids(), ledger.moments(at)
    answers = {
        f"{purpose} in {context}": at_each(
            moments,
            partial(admit, events, person, Use(purpose=purpose, context=context, kind="any"), known_notices=notices),
        )
        for purpose in PURPOSES
        for context in CONTEXTS
    }
    refused = sorted({answer.reason for answer in answers.values() if not answer.admitted})
    return {
        "subject": person,
        "at": at.isoformat(timespec="seconds"),
        "events": [{**event.model_dump(mode="json"), "sha256": event.sha256} for event in events],
        "admitted": [what for what, answer in answers.items() if answer.admitted],
        "refused_because": refused,
    }


def standing_text(found: Document) -> str:
    """The same as text for a terminal."""
    lines = [f"{found['subject']}: {counted(len(found['events']), 'consent event')}"]
    lines += [
        f"  {event['event_time'][:10]} {event['state']:<10} {', '.join(event['purposes']) or 'every purpose'}"
        + (
            " (dated ahead of this machine's clock)"
            if utc_time(event["event_time"]) > utc_time(found["at"]) + CLOCKS_APART
            else ""
        )
        for event in found["events"]
    ]
    lines.append(f"may be used for: {'; '.join(found['admitted']) or 'nothing'}")
    return "\n".join(
        [*lines, f"otherwise: {'; '.join(found['refused_because'])}"] if found["refused_because"] else lines
    )


def _withdrawal(event: ConsentEvent, reason: str, at: datetime) -> ConsentEvent:
    changes = {
        "event_id": f"w-{_digest(event.event_id, at.isoformat())[:30]}",
        "state": "withdrawn",
        "purposes": (),
        "withdrawal_method": f"bitface consent withdraw: {reason}",
        "evidence_sha256": _digest(event.sha256, reason),
        "event_time": at,
        "last_interaction": at,
        "recorded_at": at,
    }
    return ConsentEvent.model_validate(event.model_dump() | changes)


def _digest(*parts: Sequence[str] | str) -> str:
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()
