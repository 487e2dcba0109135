"""One consent event as stored and hashed, so that what was agreed cannot be disputed later."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from bitface.consent.filled_in import as_meant, has_days
from bitface.consent.unfilled import STILL_OPEN, open_fields
from bitface.consent.vocabulary import OPENING_STATES, AgeBand, Context, DataKind, Purpose, State
from bitface.counted_words import counted
from bitface.documents import Document, Fields
from bitface.errors import InputError
from bitface.known_words import did_you_mean, value_at, words_in

SCHEMA_VERSION: Final = "bitface-consent-1"
_FIELDS_NAMED: Final = 3
"""Of fields that are lacking for one reason."""


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces and no NaN: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def utc_text(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000000Z`: fixed width, so that text order is time order. Raises InputError if naive."""
    if moment.tzinfo is None:
        raise InputError(f"time {moment.isoformat()} has no UTC offset; write it as 2026-01-31T12:00:00Z")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def utc_time(text: str) -> datetime:
    """The moment given by an ISO 8601 text with a zone, in UTC. Raises InputError otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError("a time is not ISO 8601; write it as 2026-01-31T12:00:00Z") from error
    if moment.tzinfo is None:
        raise InputError("a time has no UTC offset; write it as 2026-01-31T12:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InputError("a time lies outside the years 1 to 9999 in UTC; write it as 2026-01-31T12:00:00Z") from error


def _moment(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if not isinstance(value, str):
        raise ValueError("a time must be ISO 8601 text with a UTC offset, such as 2026-01-31T12:00:00Z")
    try:
        return utc_time(value)
    except (InputError, OverflowError) as error:
        raise ValueError(str(error)) from error


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("a value is listed twice")
    return tuple(sorted(values))


Moment = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(utc_text, return_type=str)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Pseudonym = Annotated[str, Field(pattern=r"^[a-z0-9]{16}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Distinct = AfterValidator(_distinct)


class ConsentEvent(BaseModel):
    """One thing that happened to one consent record (ISO/IEC TS 27560:2023; GDPR Art. 6, 7, 9; BIPA last interaction).

    `subject` is a pseudonym. A closing event (withdrawn, refused, ...) without purposes speaks of every purpose.
    It may be dated ahead of the clock that records it, and counts at once; one that opens may not.
    All times are UTC; validity is half open: `valid_from <= t < valid_to`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, regex_engine="python-re")

    event_id: Identifier
    record_id: Identifier
    schema_version: Literal["bitface-consent-1"]
    subject: Pseudonym
    state: State
    given_by: Literal["explicit", "guardian"]
    lawful_basis: Literal["6(1)(a)", "6(1)(b)", "6(1)(c)", "6(1)(d)", "6(1)(e)", "6(1)(f)", "none"]
    special_category_condition: Literal["9(2)(a)", "9(2)(h)", "9(2)(i)", "9(2)(j)", "none"]
    purposes: Annotated[tuple[Purpose, ...], Distinct]
    contexts: Annotated[tuple[Context, ...], Distinct]
    data_kinds: Annotated[tuple[DataKind, ...], Distinct]
    controller: Text
    recipients: tuple[Text, ...]
    storage: Text
    jurisdiction: Text
    notice_id: Identifier
    notice_sha256: Sha256
    notice_language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
    withdrawal_method: Text
    evidence_sha256: Sha256
    age_band: AgeBand
    event_time: Moment
    valid_from: Moment
    valid_to: Moment
    delete_by: Moment
    last_interaction: Moment
    recorded_at: Moment

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.state in OPENING_STATES and not self.purposes:
            raise ValueError(f"purposes: an event with state '{self.state}' must list at least one")
        if self.valid_to <= self.valid_from:
            raise ValueError("valid_to: must be later than valid_from")
        if self.recorded_at < self.event_time and not self.closes:
            # No tolerance: a consent dated ahead would take effect later without notice, and recording it again later costs little.
            ahead = timedelta(seconds=math.ceil((self.event_time - self.recorded_at).total_seconds()))
            raise ValueError(
                f"event_time: {ahead} ahead of this machine's clock; correct the clock that is wrong, or record it once "
                "that time has come"
            )
        return self

    @property
    def closes(self) -> bool:
        """Whether the event ends consent or prevents it: any state but requested, given, reaffirmed."""
        return self.state not in OPENING_STATES

    @property
    def takes_effect(self) -> datetime:
        """When the event starts to count: at its event time, at the latest when it is recorded."""
        return min(self.event_time, self.recorded_at)

    def concerns(self, purpose: str) -> bool:
        """Whether the event covers a purpose: it lists it, or it closes the record without naming any."""
        return purpose in self.purposes or (not self.purposes and self.closes)

    def canonical(self) -> str:
        """The event as canonical JSON, the text that is stored and hashed."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def sha256(self) -> str:
        """SHA-256 of `canonical()`, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def says_the_same_as(self, other: ConsentEvent) -> bool:
        """Whether two events differ at most in their recording time: the second is then a repetition."""
        return self.model_copy(update={"recorded_at": other.recorded_at}) == other


@dataclass(frozen=True, kw_only=True)
class RejectedLine:
    """A line that is not a valid event: its number from 1, the field at fault, and why. Never the line's content.

    `may_close`: it does not clearly give consent, so it may be a withdrawal.
    """

    line: int
    field: str
    reason: str
    may_close: bool = True
    file: str = ""
    """The file in which the field is written, where it is another than the line's."""
    has_remedy: bool = False
    """Whether the reason says what to do."""

    @property
    def what(self) -> str:
        """`state: ...`, which several lines may have in common."""
        return f"{self.file}: {self.field}: {self.reason}" if self.file else f"{self.field}: {self.reason}"

    def __str__(self) -> str:
        """`line 3: state: ...`, for a report."""
        return f"line {self.line}: {self.what}"


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A line with what else is known of its person. `lacking`: field -> why it is not known; `files`: field -> the file that says it."""

    document: Document
    lacking: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


Complete = Callable[[Document], Completed]


def as_written(document: Document) -> Completed:
    """A line that says everything itself."""
    return Completed(document=document)


@dataclass(frozen=True, kw_only=True)
class ParsedEvents:
    """The events of a JSONL text, without opening events of people who have an unreadable line, and the lines at fault."""

    events: tuple[ConsentEvent, ...]
    lines: tuple[int, ...]
    """The line number of each event."""
    rejected: tuple[RejectedLine, ...]
    faults: Mapping[str, RejectedLine]
    """Pseudonym -> the faulty line of that subject; of several, the last that may be a withdrawal, else the first."""
    withheld: int
    """Readable events left out because another line of the same subject is unreadable: it may be the withdrawal."""
    has_days: bool = False
    """Whether a time was written as a date alone (`filled_in.DAYS_READ`)."""


def parse_events(
    text: str,
    *,
    pseudonym_of: Callable[[str], str] | None = None,
    recorded_at: datetime | None = None,
    name: str = "consent events",
    complete: Complete = as_written,
) -> ParsedEvents:
    """Reads consent events, one JSON object per line; empty lines are skipped. `name` is the file's, for messages.

    `complete` adds what a line leaves to other files. What has one meaning in another spelling is taken (`filled_in.as_meant`).

    `pseudonym_of` turns a source's subject id into the pseudonym that is stored. `recorded_at`, if given, is stamped on
    every event, so that a source cannot backdate its own recording.

    Raises:
        InputError: a faulty line does not even name its subject, so that no event of the file can be trusted.
    """
    events: list[tuple[int, ConsentEvent]] = []
    rejected: list[RejectedLine] = []
    faults: dict[str, RejectedLine] = {}
    by_day = False
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if not line.strip():
            continue
        document = _document(line, f"{name} line {number}")
        try:
            person = _subject(document, pseudonym_of)
            completed = complete(document)
        except InputError:
            rejected.append(RejectedLine(line=number, field="subject", reason="not a valid id"))
            continue
        by_day = by_day or has_days(completed.document)
        completed = replace(completed, document=as_meant(completed.document))
        found = _read(number, completed, person, recorded_at)
        if isinstance(found, ConsentEvent):
            events.append((number, found))
            continue
        rejected += found
        if person not in faults or found[0].may_close:
            faults[person] = found[0]
    kept = [(number, event) for number, event in events if event.closes or event.subject not in faults]
    return ParsedEvents(
        events=tuple(event for _, event in kept),
        lines=tuple(number for number, _ in kept),
        rejected=tuple(rejected),
        faults=faults,
        withheld=len(events) - len(kept),
        has_days=by_day,
    )


def event_from(document: Fields) -> ConsentEvent:
    """One event from a JSON object; raises InputError naming the field, never a value."""
    try:
        return ConsentEvent.model_validate(document)
    except ValidationError as error:
        rejected = _rejected(1, error, document)[0]
        raise InputError(f"consent event: {rejected.field}: {rejected.reason}") from error


def _document(line: str, place: str) -> Document:
    try:
        document = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{place}: not one JSON object with unique fields; nothing was recorded, correct the line"
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("subject"), str):
        raise InputError(f"{place}: subject: missing or not text; nothing was recorded, add it")
    return document


def _object(pairs: list[tuple[str, object]]) -> Document:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a field occurs twice")
    return dict(pairs)


def _read(
    number: int, completed: Completed, person: str, recorded_at: datetime | None
) -> ConsentEvent | tuple[RejectedLine, ...]:
    """The event of a line, or everything that is wrong with it."""
    document = completed.document
    left = open_fields(document, ConsentEvent.model_fields)
    wrong: tuple[RejectedLine, ...] = ()
    try:
        event = _event(document, person, recorded_at)
    except ValidationError as error:
        wrong = _rejected(number, error, document)
    else:
        if not left:
            return event
    return _all_wrong(number, completed, left, wrong)


def _all_wrong(
    number: int, completed: Completed, left: tuple[str, ...], wrong: tuple[RejectedLine, ...]
) -> tuple[RejectedLine, ...]:
    """What is to be filled in, file by file, what other files do not say, and what is wrong besides."""
    may_close = str(completed.document.get("state")) not in OPENING_STATES
    by_file: dict[str, list[str]] = {}
    for name in left:
        by_file.setdefault(completed.files.get(name, ""), []).append(name)
    open_ = {(file, ", ".join(names)): STILL_OPEN for file, names in by_file.items()}
    lacking = _by_reason(completed.lacking)
    reasons = open_ | {("", name): why for name, why in lacking.items()}
    named = {*left, *completed.lacking}
    reasons |= {
        (completed.files.get(one.field.partition(".")[0], ""), one.field): one.reason
        for one in wrong
        if one.field.partition(".")[0] not in named
    }
    return tuple(
        RejectedLine(
            line=number, field=name, reason=why, may_close=may_close, file=file, has_remedy=not file and name in lacking
        )
        for (file, name), why in reasons.items()
    )


def _by_reason(lacking: Mapping[str, str]) -> dict[str, str]:
    """Fields that are lacking for one reason, as one text -> that reason: a missing sheet is one fault and not twenty."""
    same: dict[str, list[str]] = {}
    for name, why in lacking.items():
        same.setdefault(why, []).append(name)
    return {_some(names): why for why, names in same.items()}


def _some(names: Sequence[str]) -> str:
    more = len(names) - _FIELDS_NAMED
    return ", ".join(names[:_FIELDS_NAMED]) + (f" and {counted(more, 'more field')}" if more > 0 else "")


def _event(document: Fields, person: str, recorded_at: datetime | None) -> ConsentEvent:
    stamped = dict(document, subject=person)
    if recorded_at is not None:
        stamped["recorded_at"] = recorded_at
    return ConsentEvent.model_validate(stamped)


def _subject(document: Fields, pseudonym_of: Callable[[str], str] | None) -> str:
    subject: str = document["subject"]
    return subject if pseudonym_of is None else pseudonym_of(subject)


def _rejected(number: int, error: ValidationError, document: Fields) -> tuple[RejectedLine, ...]:
    """What is wrong with each field, the first thing of each."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in one["loc"]) or "event"
        reason = one["msg"].removeprefix("Value error, ")
        if name == "event" and ": " in reason:
            name, _, reason = reason.partition(": ")
        if one["type"] == "extra_forbidden":
            # The name of an unknown field is text of the source, and may be anything.
            meant = did_you_mean(one["loc"][0], tuple(ConsentEvent.model_fields))
            name, reason = "an unknown field", f"{meant}only the fields of the schema are stored"
        elif one["type"] == "missing":
            reason = "missing; add it"
        elif one["type"] == "literal_error":
            reason = f"{did_you_mean(value_at(document, one['loc']), words_in(reason))}{reason}"
        found.setdefault(name, reason)
    return tuple(RejectedLine(line=number, field=name, reason=reason) for name, reason in found.items())
