"""Decides whether a person's data may be used at a moment; asked when a dataset is built and at promotion."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bitface.consent.events import ConsentEvent, canonical_json
from bitface.consent.law import ends, grounds_fault, kinds_fault
from bitface.consent.vocabulary import ADMITTING_STATES, ADULT_BANDS, CONTEXTS, PURPOSES
from bitface.errors import InputError
from bitface.faces.records import Kind

NOTICE_UNKNOWN: Final = "the notice is unknown"


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The answer of the rule. `reason` is a fixed phrase without ids; the event is the one that decided, if any.

    `on_record` says whether any event of the person was recorded by then, whatever it speaks of.
    """

    admitted: bool
    reason: str
    event_id: str | None = None
    event_sha256: str | None = None
    on_record: bool = False


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a person's data would be used for: a sample of this kind, of either one where None."""

    purpose: str
    context: str
    kind: Kind | None = None


def admit(
    events: Iterable[ConsentEvent],
    person: str,
    asked: Use,
    at: datetime,
    known_notices: Mapping[str, str],
    record_id: str | None = None,
) -> Admission:
    """Applies the admission rule to one person, or to one consent record of that person, for what is asked.

    `events` are what is in the log, in its order (`in_log_order` for what is recorded together): what the log holds is known,
    whatever the clock says that stamped it. One that is brought again counts where it stands first. Of a record and purpose, an
    event that opens counts unless one that closes was
    recorded after it, or took effect at its event time or later; so a withdrawal counts from when it is in the log, and neither
    a fast clock nor one that was set back lets it sleep. Admitted if and only if the latest event that counts, by (event time,
    recorded at), is given or reaffirmed (events that tie must all admit), valid_from <= at < valid_to, the purpose is listed,
    the subject is an adult, the context is allowed, delete-by > at, the notice's SHA-256 is in `known_notices` (SHA-256 -> id)
    and its id is not on record for other words, and the law lets it (see `law`): a ground of GDPR Art. 6 and 9 that carries a face,
    the kinds of data that are used of a sample (of the kind that is asked for, where one is), and no earlier end by a state's law. A person
    with several records is admitted only if each record that speaks of the purpose admits: which record an asset came in under
    is not known here.

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
    """What holds at each of some moments: the first refusal, else the last admission."""
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
    """Events that are recorded together, in the order in which they took effect; of two at one time the one that closes is last."""
    return tuple(sorted(events, key=lambda event: (event.takes_effect, event.closes, event.event_id)))


def consent_snapshot_sha256(admissions: Mapping[str, Admission]) -> str:
    """One digest of who was admitted by which event; keys are pseudonyms, rejected people do not enter it."""
    rows = sorted(
        (person, answer.event_id or "", answer.event_sha256 or "")
        for person, answer in admissions.items()
        if answer.admitted
    )
    return hashlib.sha256(canonical_json(rows).encode()).hexdigest()


def expiring(events: Sequence[ConsentEvent], at: datetime, until: datetime) -> tuple[ConsentEvent, ...]:
    """Events in force at `at` that end by `until` (see `law.ends`), soonest first; superseded ones left out.

    `events` stand in the order of the log.
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
    """The events that decide about a purpose: those of each record that speaks of it, or of the one record."""
    of_record: dict[str, list[ConsentEvent]] = {}
    for event in events:
        if event.concerns(purpose) and record_id in (None, event.record_id):
            of_record.setdefault(event.record_id, []).append(event)
    return sorted((event for own in of_record.values() for event in _standing(own)), key=_reading_order)


def _standing(events: Iterable[ConsentEvent]) -> list[ConsentEvent]:
    """Of one record and purpose: the latest events that open it and count, else the one that closed it."""
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
    """What the event itself, the clock and the law say against a use, the first of it."""
    checks = (
        (event.state in ADMITTING_STATES, f"consent is {event.state}"),
        (event.valid_from <= at, "consent is not yet valid"),
        (at < event.valid_to, "consent has expired"),
        (use.purpose in event.purposes, f"purpose {use.purpose} is not listed"),
        (event.age_band in ADULT_BANDS, "the subject is not shown to be an adult"),
        (use.context in event.contexts, f"context {use.context} is not allowed"),
        (event.delete_by > at, "the retention period has ended"),
    )
    said = next((reason for holds, reason in checks if not holds), None)
    said = said or grounds_fault(event, use.context) or kinds_fault(event, use.kind)
    if said is not None:
        return said
    end, why = ends(event)
    return None if at < end else f"the retention period allowed by law has ended ({why})"


def _notice_fault(event: ConsentEvent, known: Mapping[str, str]) -> str | None:
    on_record = known.get(event.notice_sha256)
    if on_record is None:
        return NOTICE_UNKNOWN
    if on_record != event.notice_id and event.notice_id in known.values():
        return "the notice's id is on record with a different text"
    return None
