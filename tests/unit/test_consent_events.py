"""A consent event is one fixed text with one digest, and a line that holds none is named without naming a person."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest

from bitface.consent.events import (
    ConsentEvent,
    canonical_json,
    event_from,
    parse_events,
    utc_text,
    utc_time,
)
from bitface.consent.known_sources import (
    LONDON_LICENCE,
    london_consents,
    packaged_notice,
    synthetic_consents,
)
from bitface.errors import InputError

PERSON = "s000000000000001"
OTHER = "s000000000000002"


def document(**changes: object) -> dict[str, object]:
    """The JSON object of a valid event, with changes."""
    return synthetic_consents([PERSON])[0].model_dump(mode="json") | changes


def lines(*documents: dict[str, object]) -> str:
    return "\n".join(json.dumps(each) for each in documents)


def test_digest_is_that_of_sorted_compact_json() -> None:
    """The digest can be recomputed from the stored text with any SHA-256 tool."""
    event = synthetic_consents([PERSON])[0]
    text = event.canonical()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert event.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_synthetic_consents_have_one_digest_everywhere() -> None:
    """Fixed dates and a packaged notice: a known answer, so that a change of wording does not pass unseen."""
    known = "4cc98d37647b85d2356cf45dbd599e72b8a19dba2d1ba785f347834addb6480c"
    assert synthetic_consents([PERSON])[0].sha256 == known
    assert synthetic_consents([PERSON])[0].notice_sha256 == packaged_notice("synthetic-1").sha256


def test_an_event_survives_its_own_text() -> None:
    """Round trip: stored text to event to stored text."""
    event = synthetic_consents([PERSON])[0]
    assert event_from(json.loads(event.canonical())) == event


def test_order_of_words_does_not_change_the_digest() -> None:
    """Purposes are a set: their order in a file says nothing."""
    forward = event_from(document(purposes=["train", "demo"]))
    backward = event_from(document(purposes=["demo", "train"]))
    assert forward.sha256 == backward.sha256


def test_times_in_other_zones_are_the_same_moment() -> None:
    """13:00 at +01:00 is noon UTC, in the one width that sorts as time."""
    assert utc_text(utc_time("2026-01-31T13:00:00+01:00")) == "2026-01-31T12:00:00.000000Z"
    assert utc_time("2026-01-31T12:00:00Z") == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused() -> None:
    """A naive time could mean any hour, so none is assumed."""
    with pytest.raises(InputError, match="no UTC offset"):
        utc_time("2026-01-31T12:00:00")
    with pytest.raises(InputError, match="no UTC offset"):
        utc_text(datetime(2026, 1, 31))


def test_canonical_json_refuses_what_is_not_json() -> None:
    """NaN is no JSON and equals nothing, so it can have no digest."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


@pytest.mark.parametrize("field", sorted(ConsentEvent.model_fields))
def test_every_field_is_needed(field: str) -> None:
    """Anything missing rejects: there is no default that could grant something."""
    incomplete = {name: value for name, value in document().items() if name != field}
    if field == "subject":
        with pytest.raises(InputError, match="line 1: subject"):
            parse_events(lines(incomplete))
        return
    (rejected,) = parse_events(lines(incomplete)).rejected
    assert (rejected.line, rejected.field, rejected.reason) == (1, field, "missing; add it")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", "perhaps"),
        ("purposes", ["train", "sell"]),
        ("purposes", []),
        ("purposes", ["train", "train"]),
        ("contexts", ["school"]),
        ("age_band", "17"),
        ("notice_sha256", "abc"),
        ("event_time", "2026-01-01T12:00:00"),
        ("event_time", 1767225600),
        ("valid_to", "2025-01-01T00:00:00Z"),
        ("event_time", "2125-01-01T00:00:00Z"),
        ("schema_version", "bitface-consent-2"),
        ("event_id", "a b"),
    ],
)
def test_a_wrong_value_is_named_by_line_and_field(field: str, value: object) -> None:
    """The reason names where, never who."""
    (rejected,) = parse_events("\n\n" + lines(document(**{field: value}))).rejected
    assert rejected.line == 3
    assert rejected.field.split(".")[0] == field
    assert PERSON not in str(rejected)


def test_a_consent_from_the_future_is_refused_and_a_withdrawal_is_not() -> None:
    """A consent would come alive later, unsaid; a withdrawal counts as soon as it is recorded."""
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    ahead = {"event_time": "2026-06-01T12:05:00Z"}
    (rejected,) = parse_events(lines(document(**ahead)), recorded_at=noon).rejected
    assert str(rejected).startswith("line 1: event_time: 0:05:00 ahead of this machine's clock")
    (event,) = parse_events(lines(document(**ahead, state="withdrawn", purposes=[])), recorded_at=noon).events
    assert event.takes_effect == noon < event.event_time
    assert event_from(json.loads(event.canonical())) == event


def test_an_unknown_field_is_rejected_without_being_quoted() -> None:
    """A source's own field may hold anything, a name in clear included."""
    (rejected,) = parse_events(lines(document(ada_lovelace="x"))).rejected
    assert "ada" not in str(rejected)


def test_a_faulty_line_withholds_every_event_of_its_subject() -> None:
    """The unreadable line may be the withdrawal, so what was readable admits nobody."""
    mine = document()
    torn = document(event_id="e2", state="withdrawnn")
    theirs = document(event_id="e3", record_id="r3", subject=OTHER)
    parsed = parse_events(lines(mine, torn, theirs))
    assert [event.subject for event in parsed.events] == [OTHER]
    assert (len(parsed.rejected), parsed.withheld) == (1, 1)


def test_a_withdrawal_is_kept_beside_a_faulty_line_and_a_faulty_one_is_the_fault_that_counts() -> None:
    """What closes does no harm to whoever wrote the unreadable line; and that the unreadable line may close is not overlooked."""
    opening, closing = document(storage=""), document(event_id="e2", state="withdrawn", purposes=[])
    assert [event.event_id for event in parse_events(lines(opening, closing)).events] == ["e2"]
    parsed = parse_events(lines(opening, closing | {"storage": ""}, document(event_id="e3", storage="")))
    assert not parsed.events and len(parsed.rejected) == 3
    assert (parsed.faults[PERSON].line, parsed.faults[PERSON].may_close) == (2, True)


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"subject": 7}', "[" * 100_000, '{"subject":"a","subject":"b"}'])
def test_a_line_without_an_owner_refuses_the_file(line: str) -> None:
    """Nobody knows whose event it is, so nobody's can be trusted."""
    with pytest.raises(InputError, match="consent events line 2"):
        parse_events(lines(document()) + "\n" + line)


def test_a_subject_id_becomes_a_pseudonym_before_anything_is_stored() -> None:
    """The source's own id is nowhere in the event."""
    parsed = parse_events(lines(document(subject="Ada")), pseudonym_of={"Ada": PERSON}.__getitem__)
    assert parsed.events[0].subject == PERSON
    assert "Ada" not in parsed.events[0].canonical()


def test_a_subject_id_that_cannot_be_stored_is_a_rejected_line() -> None:
    """What the key store refuses is a rejection, not an end of the import."""

    def refuse(subject: str) -> str:
        raise InputError(subject)

    parsed = parse_events(lines(document(subject="Ada B")), pseudonym_of=refuse)
    assert [str(rejected) for rejected in parsed.rejected] == ["line 1: subject: not a valid id"]


def test_the_recording_time_is_stamped_over_the_source_s() -> None:
    """A source cannot say that we knew earlier than we did."""
    stamp = datetime(2026, 6, 1, tzinfo=UTC)
    assert parse_events(lines(document()), recorded_at=stamp).events[0].recorded_at == stamp


def test_a_closing_event_without_purposes_speaks_of_all() -> None:
    """Whoever withdraws without naming a purpose withdraws from each."""
    withdrawn = event_from(document(state="withdrawn", purposes=[]))
    assert withdrawn.concerns("train") and withdrawn.concerns("publish_image")
    assert not event_from(document(purposes=["demo"])).concerns("train")


def test_repetition_differs_at_most_in_the_recording_time() -> None:
    """Recorded twice is the same event; changed in anything else, it is another."""
    event = event_from(document())
    assert event.says_the_same_as(event_from(document(recorded_at="2027-01-01T00:00:00Z")))
    assert not event.says_the_same_as(event_from(document(state="reaffirmed")))


def test_london_is_read_literally() -> None:
    """Studies and illustration of research: no demo, no context but research, images and not video."""
    (event,) = london_consents(
        {PERSON: "unknown"}, evidence_sha256="0" * 64, recorded_at=datetime(2026, 11, 1, tzinfo=UTC)
    )
    assert event.contexts == ("research",)
    assert "publish_image" in event.purposes and "demo" not in event.purposes
    assert (event.age_band, event.data_kinds) == ("adult", ("embedding", "image", "landmarks"))
    assert set(event.purposes) == set(LONDON_LICENCE.purposes)
    assert "CC BY 4.0" in packaged_notice("london-1").text
