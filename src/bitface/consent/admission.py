"""Decides whether a person's data may be used at a moment; checked when a dataset is built and at promotion."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bitface.consent.events import ConsentEvent, canonical_json
from bitface.consent.law import AskedKind, ends, grounds_fault, kinds_fault
from bitface.consent.vocabulary import ADMITTING_STATES, ADULT_BANDS, CONTEXTS, PURPOSES
from bitface.errors import InputError

NOTICE_UNKNOWN: Final = "the notice is unknown"


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The answer of the rule. `reason` is a fixed phrase without ids; the event is the one that decided, if any.

    `on_record`: whether any event of the person, for any purpose, was recorded by then.
    """

    admitted: bool
    reason: str
    event_id: str | None = None
    event_sha256: str | None = None
    on_record: bool = False


@dataclass(frozen=True, kw_only=True)
class Use:
    """The intended use of a person's data, for a sample of this kind (None: pictures of either kind; `any`: whatever there is)."""

    purpose: str
    context: str
    kind: AskedKind | None = None


def admit(
    events: Iterable[ConsentEvent],
    person: str,
    asked: Use,
    at: datetime,
    known_notices: Mapping[str, str],
    record_id: str | None = None,
) -> Admission:
    """Applies the admission rule to one person, or to one consent record of that person, for an intended use.

    `events` are those in the log, in log order (`in_log_order` for events recorded together); an event in the log counts,
    whatever clock stamped it. A repeated event counts at its first position. Per record and purpose, an opening event counts
    unless a closing one was recorded after it, or took effect at its event time or later; so a withdrawal counts from when it is
    in the log, whether the clock was fast or set back. Admitted if and only if the latest event that counts, by (event time,
    recorded at), is given or reaffirmed (events that tie must all admit), valid_from <= at < valid_to, the purpose is listed,
    the subject is an adult, the context is allowed, delete-by > at, the notice's SHA-256 is in `known_notices` (SHA-256 -> id)
    and its id is not on record with a different text, and the law permits it (see `law`): a ground of GDPR Art. 6 and 9 for a face,
    the kinds of data used of a sample (of the requested kind, if any), and no earlier end by state law. A person with several
    records is admitted only if each record that covers the purpose admits: which record a sample came in under is not known here.

    Raises:
        InputError: `at` has no zone.
    """
    if at.tzinfo is None:
        raise InputError("the time of admission has no UTC offset; pass a UTC time")
    if asked.purpose not in PURPOSES:
        return Admission(admitted=False, reason="unknown purpose")
    if asked.context not in CONTEXTS:
        return Admission(admitted=False, reason="unknown context")
    own = _each_once(event for event in events if event.subject == person)
    deciding = _deciding(own, asked.purpose, record_id)
    if not deciding:
        return Admission(admitted=False, reason=f"no consent event for purpose {asked.purpose}", on_record=bool(own))
    answers = [_judge(event, asked, at, known_notices) for event in deciding]
    return next((answer for answer in answers if not answer.admitted), answers[-1])


def at_each(moments: Iterable[datetime], asked: Callable[[datetime], Admission]) -> Admission:
    """The admission at several moments: the first refusal, else the last admission."""
    answers = [asked(at) for at in moments]
    return next((answer for answer in answers if not answer.admitted), answers[-1])


def admit_people(
    events: Iterable[ConsentEvent],
    people: Iterable[str],
    asked: Use,
    at: datetime,
    known_notices: Mapping[str, str],
) -> dict[str, Admission]:
    """`admit` for many people in one pass over the events: pseudonym -> admission, in the order of `people`."""
    by_person: dict[str, list[ConsentEvent]] = {person: [] for person in people}
    for event in events:
        if event.subject in by_person:
            by_person[event.subject].append(event)
    return {person: admit(own_events, person, asked, at, known_notices) for person, own_events in by_person.items()}


def in_log_order(events: Iterable[ConsentEvent]) -> tuple[ConsentEvent, ...]:
    """Events recorded together, in the order in which they took effect; at the same time, a closing event comes last."""
    return tuple(sorted(events, key=lambda event: (event.takes_effect, event.closes, event.event_id)))


def consent_snapshot_sha256(admissions: Mapping[str, Admission]) -> str:
    """One digest of the people admitted and by which event; keys are pseudonyms, rejected people are left out."""
    rows = sorted(
        (person, answer.event_id or "", answer.event_sha256 or "")
        for person, answer in admissions.items()
        if answer.admitted
    )
    return hashlib.sha256(canonical_json(rows).encode()).hexdigest()


def expiring(events: Sequence[ConsentEvent], at: datetime, until: datetime) -> tuple[ConsentEvent, ...]:
    """Events in force at `at` that end by `until` (see `law.ends`), soonest first; superseded ones left out.

    `events` are in log order.
    """
    recorded: dict[str, list[ConsentEvent]] = {}
    for event in events:
        recorded.setdefault(event.subject, []).append(event)
    ending = {
        event.event_id: event
        for own_events in recorded.values()
        for purpose in PURPOSES
        for event in _deciding(own_events, purpose, None)
        if event.state in ADMITTING_STATES and at < ends(event)[0] <= until
    }
    return tuple(sorted(ending.values(), key=lambda event: (ends(event)[0], event.event_id)))


def _each_once(events: Iterable[ConsentEvent]) -> list[ConsentEvent]:
    first: dict[str, ConsentEvent] = {}
    for event in events:
        first.setdefault(event.event_id, event)
    return list(first.values())


def _deciding(events: Iterable[ConsentEvent], purpose: str, record_id: str | None) -> list[ConsentEvent]:
    """The events that decide about a purpose: those of each record that covers it, or of the one record."""
    of_record: dict[str, list[ConsentEvent]] = {}
    for event in events:
        if event.concerns(purpose) and record_id in (None, event.record_id):
            of_record.setdefault(event.record_id, []).append(event)
    return sorted((event for own in of_record.values() for event in _standing(own)), key=_reading_order)


def _standing(events: Iterable[ConsentEvent]) -> list[ConsentEvent]:
    """For one record and purpose: the latest opening events that count, else the one that closed it."""
    opening: list[ConsentEvent] = []
    closing: ConsentEvent | None = None
    for event in events:
        if event.closes:
            opening = []
            closing = event if closing is None else max(closing, event, key=lambda one: one.takes_effect)
        elif closing is None or event.takes_effect > closing.takes_effect:
            opening.append(event)
    if not opening:
        return [closing] if closing else []
    latest = max(_times(event) for event in opening)
    return [event for event in opening if _times(event) == latest]


def _times(event: ConsentEvent) -> tuple[datetime, datetime]:
    return event.event_time, event.recorded_at


def _reading_order(event: ConsentEvent) -> tuple[bool, datetime, datetime, str]:
    return event.state != "withdrawn", *_times(event), event.event_id


def _judge(event: ConsentEvent, use: Use, at: datetime, known_notices: Mapping[str, str]) -> Admission:
    reason = _fault(event, use, at) or _notice_fault(event, known_notices)
    return Admission(
        admitted=reason is None,
        reason=reason or f"consent {event.state}",
        event_id=event.event_id,
        event_sha256=event.sha256,
        on_record=True,
    )


def _fault(event: ConsentEvent, use: Use, at: datetime) -> str | None:
    """The first objection of the event itself, the clock or the law to a use."""
    checks = (
        (event.state in ADMITTING_STATES, f"consent is {event.state}"),
        (event.valid_from <= at, "consent is not yet valid"),
        (at < event.valid_to, "consent has expired"),
        (use.purpose in event.purposes, f"purpose {use.purpose} is not listed"),
        (event.age_band in ADULT_BANDS, "the subject is not shown to be an adult"),
        (use.context in event.contexts, f"context {use.context} is not allowed"),
        (event.delete_by > at, "the retention period has ended"),
    )
    fault = next((reason for holds, reason in checks if not holds), None)
    fault = fault or grounds_fault(event, use.context) or kinds_fault(event, use.kind)
    if fault is not None:
        return fault
    end, why = ends(event)
    return None if at < end else f"the retention period allowed by law has ended ({why})"


def _notice_fault(event: ConsentEvent, known: Mapping[str, str]) -> str | None:
    on_record = known.get(event.notice_sha256)
    if on_record is None:
        return NOTICE_UNKNOWN
    if on_record != event.notice_id and event.notice_id in known.values():
        return "the notice's id is on record with a different text"
    return None
