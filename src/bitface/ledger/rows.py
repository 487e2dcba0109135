"""Converts values to rows and back, and distinguishes repetitions from contradictions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, RowMapping, Table, and_, func, select

from bitface.consent.admission import in_log_order
from bitface.consent.events import ConsentEvent, event_from, utc_text
from bitface.consent.known_sources import Notice
from bitface.counted_words import counted, counted_people
from bitface.documents import Document, Fields
from bitface.errors import InputError, IntegrityError
from bitface.ledger import tables
from bitface.ledger.entries import DatasetEntry, DecisionEntry, MemberEntry

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RowValues = RowMapping | Fields
"""A row of a table, as read or as written."""
_KEYS_PER_QUERY: Final = 500  # databases bound the number of parameters of one statement


def values_of(row: RowValues, kind: type[DataclassInstance]) -> Document:
    """The columns of a row that correspond to fields of a dataclass."""
    return {field.name: row[field.name] for field in fields(kind)}


def notice_row(notice: Notice) -> dict[str, str]:
    """The row of a notice."""
    return {
        "sha256": notice.sha256,
        "notice_id": notice.notice_id,
        "language": notice.language,
        "body": notice.text,
    }


def notice_ids_of(connection: Connection) -> dict[str, str]:
    """SHA-256 of every notice on record -> the id that it was recorded under."""
    table = tables.notices
    return {row.sha256: row.notice_id for row in connection.execute(select(table.c.sha256, table.c.notice_id))}


def distinct_events(events: Iterable[ConsentEvent]) -> dict[str, ConsentEvent]:
    """Event id -> event; raises IntegrityError if two with one id differ."""
    offered: dict[str, ConsentEvent] = {}
    for event in events:
        if not offered.setdefault(event.event_id, event).says_the_same_as(event):
            raise IntegrityError("two different consent events share one id; give every event its own id")
    return offered


def checked_consents(connection: Connection, offered: Mapping[str, ConsentEvent]) -> dict[str, ConsentEvent]:
    """The offered events that are already on record; raises IntegrityError if one differs from its record."""
    known = recorded_consents(connection, offered.keys())
    if any(not event.says_the_same_as(offered[key]) for key, event in known.items()):
        raise IntegrityError("this event id is on record with different content; record a new event instead")
    return known


def consent_row(event: ConsentEvent) -> dict[str, str]:
    """The row of a consent event: the canonical text, and the columns used in queries."""
    return {
        "event_id": event.event_id,
        "sha256": event.sha256,
        "record_id": event.record_id,
        "subject": event.subject,
        "state": event.state,
        "event_time": utc_text(event.event_time),
        "recorded_at": utc_text(event.recorded_at),
        "body": event.canonical(),
    }


def consent_of(body: str) -> ConsentEvent:
    """The event in a stored text; raises IntegrityError if it is no longer valid."""
    try:
        return event_from(json.loads(body))
    except (InputError, ValueError) as error:
        raise IntegrityError("a stored consent event cannot be read; run `bitface audit log`") from error


def consents_of(
    connection: Connection, subject: str | None = None, at: datetime | None = None
) -> tuple[ConsentEvent, ...]:
    """Consent events in log order: all, or those known at `at`; only those of one pseudonym if it is given.

    An event was known at a time if it, or a later entry of the log, is stamped by then: the later entry shows that the clock
    of the earlier one was fast.
    """
    events, log = tables.consent_events, tables.log
    query = select(events.c.body, events.c.log_seq)
    if at is not None:
        before = select(func.max(log.c.seq)).where(log.c.at <= utc_text(at)).scalar_subquery()
        query = query.where((events.c.recorded_at <= utc_text(at)) | (events.c.log_seq <= before))
    if subject is not None:
        query = query.where(events.c.subject == subject)
    entries: dict[int, list[ConsentEvent]] = {}
    for row in connection.execute(query.order_by(events.c.log_seq)):
        entries.setdefault(row.log_seq, []).append(consent_of(row.body))
    return tuple(event for together in entries.values() for event in in_log_order(together))


def recorded_consents(connection: Connection, event_ids: Collection[str]) -> dict[str, ConsentEvent]:
    """Those of the named consent events that are on record."""
    events = tables.consent_events
    known: dict[str, ConsentEvent] = {}
    for chunk in in_chunks(sorted(event_ids)):
        for body in connection.execute(select(events.c.body).where(events.c.event_id.in_(chunk))).scalars():
            event = consent_of(body)
            known[event.event_id] = event
    return known


def recorded_digests(connection: Connection, event_ids: Collection[str]) -> dict[str, str]:
    """Event id -> SHA-256, for the named consent events that are on record."""
    events = tables.consent_events
    digests: dict[str, str] = {}
    for chunk in in_chunks(sorted(event_ids)):
        found = connection.execute(select(events.c.event_id, events.c.sha256).where(events.c.event_id.in_(chunk)))
        digests |= {row.event_id: row.sha256 for row in found}
    return digests


def is_new(connection: Connection, table: Table, row: Fields) -> bool:
    """Whether no row has this row's key; raises IntegrityError if one has and differs in a column given here."""
    key = and_(*(column == row[column.name] for column in table.primary_key))
    known = connection.execute(select(table).where(key)).mappings().first()
    if known is None:
        return True
    differing = [name for name, value in row.items() if known[name] != value]
    if differing:
        name = ", ".join(str(row[column.name]) for column in table.primary_key)
        raise IntegrityError(
            f"{table.name} '{name}' is on record with a different {differing[0]}; records are never changed, "
            "use a new name"
        )
    return False


def decision_row(decision: DecisionEntry) -> Document:
    """The row of a decision."""
    return asdict(decision) | {"reasons": json.dumps(decision.reasons)}


def decision_of(row: RowMapping) -> DecisionEntry:
    """The decision in a row."""
    return DecisionEntry(**values_of(row, DecisionEntry) | {"reasons": tuple(json.loads(row["reasons"]))})


def check_members(dataset: DatasetEntry, members: Sequence[MemberEntry], digests: Mapping[str, str]) -> None:
    """Raises InputError if counts or sample ids do not agree, or a consent event is not the recorded one."""
    people = len({member.person for member in members})
    if (dataset.people, dataset.samples) != (people, len(members)):
        raise InputError(
            f"dataset '{dataset.version}' states {counted_people(dataset.people)} and {counted(dataset.samples, 'sample')}, "
            f"its members are {people} and {len(members)}; count again"
        )
    if len({member.sample_id for member in members}) != len(members):
        raise InputError(f"dataset '{dataset.version}': a sample id occurs twice; give every sample its own")
    for member in members:
        if member.consent_event_id is None and dataset.purpose != "benchmark":
            raise InputError(
                f"sample {member.sample_id}: no consent event admits it; only purpose benchmark works without one"
            )
        if member.consent_event_id is not None and member.consent_event_sha256 != digests.get(member.consent_event_id):
            raise InputError(
                f"sample {member.sample_id}: its consent event is not on record as stated; record it first"
            )


def in_chunks(keys: Sequence[str]) -> Iterator[list[str]]:
    """The keys in lists short enough for one statement."""
    rest = iter(keys)
    while chunk := list(islice(rest, _KEYS_PER_QUERY)):
        yield chunk
