"""Consent events that come beside pictures: those of people who are here are recorded, whatever becomes of the pictures.

Otherwise a person who opted out would stay in because only the pictures of others were brought, or none at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from bitface.consent.admission import in_log_order
from bitface.consent.events import ConsentEvent, ParsedEvents, RejectedLine, as_written, canonical_json, parse_events
from bitface.consent.filled_in import DAYS_READ, TIMES
from bitface.consent.known_sources import Notice
from bitface.consent.unfilled import CONSENT_EXAMPLE, STILL_OPEN, example_of, see
from bitface.counted_words import counted, counted_people
from bitface.dataset.incoming.subject_ids import folded_id, normal_id
from bitface.dataset.incoming.text_files import read_text_file
from bitface.dataset.keys import KeyStore
from bitface.errors import BitfaceError, InputError, RefusedError
from bitface.ledger.ledger import Ledger
from bitface.steps.people.common_terms import CommonTerms

_LINES_MAX: Final = 20
_CLASH: Final = (
    "another event with this id is on record, which never changes, or in an earlier line; give every event its own id"
)
_MISTYPED: Final = (
    "there is no consent under this id, but there is one under an id that differs only by case, a hyphen or letters that look "
    "alike; correct the id, or delete the line if it is another person's"
)


@dataclass(frozen=True, kw_only=True)
class BroughtConsents:
    """What a file of consent events holds, subject by subject (`subject_ids.normal_id`), as an import takes it.

    `events`: the usable ones in the order of the log; their subject is a stand-in until the person is taken in. `known`: those of
    people who are here and that are not on record yet. `faults`: why the consent of a subject cannot be used, with file and line.
    `unread_withdrawal`: a line of a person who is here that may be a withdrawal and cannot be read. `ahead`: the lines of events that are
    dated ahead of the clock; they close, since what opens is at fault then. `strangers`: the lines of events that
    close consents that were never given, here or in the file: an id may be mistyped.
    """

    name: str
    events: Mapping[str, tuple[ConsentEvent, ...]]
    known: tuple[ConsentEvent, ...]
    faults: Mapping[str, str]
    rejected: tuple[RejectedLine, ...]
    unread_withdrawal: RejectedLine | None
    ahead: tuple[int, ...]
    strangers: tuple[int, ...]
    has_days: bool = False
    """Whether a time was written as a date alone."""

    def events_of(self, pseudonyms: Mapping[str, str]) -> tuple[ConsentEvent, ...]:
        """The events of people, given subject id -> pseudonym."""
        return in_log_order(
            event.model_copy(update={"subject": person})
            for subject, person in pseudonyms.items()
            for event in self.events.get(subject, ())
        )

    def record(self, notices: Sequence[Notice], ledger: Ledger) -> None:
        """Records the notices, and the events of people who are here, those that close first: nothing else can hold them up."""
        if not self.known:
            return
        new = new_notices(notices, ledger.known_notices())
        ledger.record_consents((event for event in self.known if event.closes), new)
        ledger.record_consents(event for event in self.known if not event.closes)

    def document(self) -> dict[str, object]:
        """What an import says of it as JSON."""
        return {
            "of_people_here": len(self.known),
            "closing": len(self._closing),
            "people_closed": self._people_closed,
            "dated_ahead": list(self.ahead),
            "not_here": list(self.strangers),
            "rejected": [asdict(line) for line in self.rejected],
        }

    @property
    def _closing(self) -> list[ConsentEvent]:
        return [event for event in self.known if event.closes]

    @property
    def _people_closed(self) -> int:
        return len({event.subject for event in self._closing})

    def text(self, dry_run: bool) -> list[str]:
        """The same for a person; no line where there is nothing to say."""
        return [*self._faults(), *([DAYS_READ] if self.has_days else []), *self._recorded(dry_run)]

    def _faults(self) -> list[str]:
        kinds = self._kinds()
        more = len(kinds) - _LINES_MAX
        return kinds[:_LINES_MAX] + ([f"... and {counted(more, 'more fault')}; --json lists all"] if more > 0 else [])

    def _recorded(self, dry_run: bool) -> list[str]:
        lines, verb = list[str](), "would be recorded" if dry_run else "recorded"
        if self.known:
            of_them = f"{len(self._closing)} of them " if len(self.known) > 1 else ""
            closed = f", {of_them}ending consents of {counted_people(self._people_closed)}" if self._closing else ""
            lines.append(f"consents of people on record: {counted(len(self.known), 'new event')} {verb}{closed}")
        lines += [
            f"{self.name} line {line}: dated in the future by this machine's clock; a withdrawal takes effect now"
            for line in self.ahead[:_LINES_MAX]
        ]
        lines += [
            f"{self.name} line {line}: ends a consent of a person who is not on record; check the id"
            for line in self.strangers[:_LINES_MAX]
        ]
        return lines

    def _kinds(self) -> list[str]:
        """What is wrong with lines, every kind once, with the first line that has it and the number of the others."""
        kinds: dict[str, list[RejectedLine]] = {}
        for line in self.rejected:
            kinds.setdefault(line.what, []).append(line)
        return [self._kind(*alike) for alike in kinds.values()]

    def _kind(self, first: RejectedLine, *others: RejectedLine) -> str:
        if first.file:
            return f"{first.what}{_example(first)}"
        more = f" and {len(others)} more line{'s' * (len(others) > 1)}" if others else ""
        return f"{self.name} line {first.line}{more}: {first.what}{_example(first)}"

    def check_no_unread_withdrawal(self) -> None:
        """Raises InputError where a line that may be a withdrawal of a person who is here could not be read."""
        if self.unread_withdrawal is not None:
            raise InputError(
                f"{self.name} {self.unread_withdrawal}: it may be the withdrawal of a person on record; correct it and import again, "
                f"or use `bitface consent withdraw`{_example(self.unread_withdrawal)}"
            )

    @contextmanager
    def naming_recorded_events(self, dry_run: bool) -> Iterator[None]:
        """Whatever goes wrong inside, the error also says what is wrong with consents, and what was recorded.

        How dates are read it says only where a date may be the reason: of an unknown column it explains nothing.
        """
        try:
            yield
        except BitfaceError as error:
            days = (
                [DAYS_READ]
                if self.has_days and (isinstance(error, RefusedError) or self._has_a_fault_of_time())
                else []
            )
            parts = [str(error), *self._faults(), *days, *self._recorded(dry_run)]
            raise type(error)("; ".join(parts)) from error

    def _has_a_fault_of_time(self) -> bool:
        return any(
            name in TIMES for line in self.rejected for name in line.field.split(", ") if line.reason != STILL_OPEN
        )


NO_CONSENTS: Final = BroughtConsents(
    name="", events={}, known=(), faults={}, rejected=(), unread_withdrawal=None, ahead=(), strangers=()
)
"""Of a source whose consents come from its known terms."""


def read_consents(
    path: Path, keys: KeyStore, ledger: Ledger, at: datetime, terms: CommonTerms | None = None
) -> BroughtConsents:
    """Reads a JSONL file of consent events, each of which `terms` complete; nothing is recorded yet.

    Raises:
        InputError: the file cannot be read, or a line does not even say whose it is; the message names file and line.
    """
    people = _People(keys=keys)
    file = read_text_file(path)
    complete = terms.on(file.text, ledger).complete if terms else as_written
    parsed = parse_events(file.text, pseudonym_of=people.stand_in, recorded_at=at, name=file.name, complete=complete)
    events, clashes = _with_own_ids(parsed.events, parsed.lines, ledger)
    clashes = {person: line for person, line in clashes.items() if person not in people.erased}
    faults = {**clashes, **parsed.faults}
    usable = [event for event in events if event.subject not in people.erased]
    usable = [event for event in usable if event.closes or event.subject not in faults]
    on_record = ledger.recorded_consents([event.event_id for event in usable])
    rejected = dict.fromkeys([*parsed.rejected, *clashes.values()])
    speaking = {event.subject for event in parsed.events if not event.closes} | parsed.faults.keys()
    unheard_of = people.ids.keys() - speaking - people.here - people.erased
    almost_named = people.named_almost_as_another(unheard_of)
    mistyped = _mistyped(parsed, almost_named)
    unread_withdrawal = [line for person, line in faults.items() if person in people.here and line.may_close]
    return BroughtConsents(
        name=file.name,
        events={people.ids[person]: own for person, own in _by_subject(usable).items()},
        known=tuple(event for event in usable if event.subject in people.here and event.event_id not in on_record),
        faults={people.ids[person]: f"{file.name} {line}{_example(line)}" for person, line in faults.items()},
        rejected=tuple(sorted([*rejected, *mistyped], key=lambda line: line.line)),
        unread_withdrawal=next(iter([*unread_withdrawal, *mistyped]), None),
        strangers=tuple(
            line
            for line, event in zip(parsed.lines, parsed.events, strict=True)
            if event.subject in unheard_of - almost_named
        ),
        ahead=tuple(line for line, event in zip(parsed.lines, parsed.events, strict=True) if event.event_time > at),
        has_days=parsed.has_days,
    )


def _mistyped(parsed: ParsedEvents, subjects: Collection[str]) -> list[RejectedLine]:
    """The lines that end consents of these subjects, which may be withdrawals of people with almost the same id."""
    return [
        RejectedLine(line=line, field="subject", reason=_MISTYPED, has_remedy=True)
        for line, event in zip(parsed.lines, parsed.events, strict=True)
        if event.subject in subjects
    ]


def _example(line: RejectedLine) -> str:
    return f" {see('Consents')}" if line.has_remedy else example_of(line.field, CONSENT_EXAMPLE, "Consents")


def new_notices(notices: Sequence[Notice], known: Collection[str]) -> tuple[Notice, ...]:
    """Those that are not known, each once: a notice is its words, under another name or in a second file too."""
    return tuple({notice.sha256: notice for notice in notices if notice.sha256 not in known}.values())


@dataclass(frozen=True, kw_only=True)
class _People:
    """Whose events a file holds: pseudonym -> id, and which of them are here, or were erased."""

    keys: KeyStore
    ids: dict[str, str] = field(default_factory=dict)
    here: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)

    def stand_in(self, subject: str) -> str:
        """The pseudonym of a person who is here; of anyone else one that no one has, since real ones begin with r."""
        normal = normal_id(subject)
        known = self.keys.pseudonym_of(normal)
        person = known or "x" + hashlib.sha256(normal.encode()).hexdigest()[:15]
        self.ids[person] = normal
        if known is not None:
            self.here.add(person)
        elif self.keys.erasure_of(normal) is not None:
            self.erased.add(person)
        return person

    def named_almost_as_another(self, strangers: Collection[str]) -> set[str]:
        """Those strangers whose id folds to that of a person who is here or whose consent the file brings (`folded_id`)."""
        if not strangers:
            return set()
        brought = {folded_id(self.ids[person]) for person in self.ids.keys() - strangers}
        known = brought | self.keys.folded_ids().keys()
        return {person for person in strangers if folded_id(self.ids[person]) in known}


def _with_own_ids(
    events: Sequence[ConsentEvent], lines: Sequence[int], ledger: Ledger
) -> tuple[tuple[ConsentEvent, ...], dict[str, RejectedLine]]:
    """The events whose id is their own, in the order of the log, and pseudonym -> line of those whose id another one has.

    One that closes is kept under an id of its content: a line that was turned from given to withdrawn is meant.
    """
    first = dict(ledger.recorded_consents([event.event_id for event in events]))
    kept: list[ConsentEvent] = []
    clashes: dict[str, RejectedLine] = {}
    for line, event in zip(lines, events, strict=True):
        if first.setdefault(event.event_id, event).says_the_same_as(event):
            kept.append(event)
        elif event.closes:
            kept.append(event.model_copy(update={"event_id": _own_id(event)}))
        else:
            clashes.setdefault(event.subject, RejectedLine(line=line, field="event_id", reason=_CLASH, may_close=False))
    return in_log_order({event.event_id: event for event in kept}.values()), clashes


def _own_id(event: ConsentEvent) -> str:
    content = {name: value for name, value in event.model_dump(mode="json").items() if name != "recorded_at"}
    return "c-" + hashlib.sha256(canonical_json(content).encode()).hexdigest()[:30]


def _by_subject(events: Sequence[ConsentEvent]) -> dict[str, tuple[ConsentEvent, ...]]:
    own: dict[str, list[ConsentEvent]] = {}
    for event in events:
        own.setdefault(event.subject, []).append(event)
    return {person: tuple(theirs) for person, theirs in own.items()}
