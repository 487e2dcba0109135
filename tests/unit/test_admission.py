"""The admission rule, by hand, at its edges, and against a second implementation written from the rule's text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitface.consent.admission import (
    Admission,
    Use,
    admit,
    admit_people,
    consent_snapshot_sha256,
    expiring,
    in_log_order,
)
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import synthetic_consents
from bitface.errors import InputError
from tests.draws import draws

PERSON = "s000000000000001"
OTHER = "s000000000000002"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BASE = synthetic_consents([PERSON])[0].model_dump()
NOTICES = {BASE["notice_sha256"]: BASE["notice_id"]}
TRAINING = Use(purpose="train", context="research")


def event(**changes: object) -> ConsentEvent:
    """A consent for everything, given and recorded ten days before noon, with changes."""
    dates = {"event_time": NOON - 10 * DAY, "recorded_at": NOON - 10 * DAY, "valid_from": NOON - 10 * DAY}
    ends = {"valid_to": NOON + 10 * DAY, "delete_by": NOON + 20 * DAY}
    return ConsentEvent.model_validate(BASE | dates | ends | changes)


def answer(*events: ConsentEvent, at: datetime = NOON, purpose: str = "train", context: str = "research") -> Admission:
    return admit(events, PERSON, Use(purpose=purpose, context=context), at, NOTICES)


def test_a_consent_in_force_admits_and_names_its_event() -> None:
    """The admission carries what a dataset version freezes."""
    given_event = event()
    assert answer(given_event) == Admission(
        admitted=True,
        reason="consent given",
        event_id=given_event.event_id,
        event_sha256=given_event.sha256,
        on_record=True,
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": "requested"}, "consent is requested"),
        ({"state": "refused"}, "consent is refused"),
        ({"state": "expired"}, "consent is expired"),
        ({"state": "invalidated"}, "consent is invalidated"),
        ({"state": "terminated"}, "consent is terminated"),
        ({"valid_from": NOON + DAY}, "consent is not yet valid"),
        ({"valid_to": NOON}, "consent has expired"),
        ({"age_band": "under_18"}, "the subject is not shown to be an adult"),
        ({"age_band": "under_18", "given_by": "guardian"}, "the subject is not shown to be an adult"),
        ({"age_band": "unknown"}, "the subject is not shown to be an adult"),
        ({"contexts": ("medical",)}, "context research is not allowed"),
        ({"contexts": ()}, "context research is not allowed"),
        ({"delete_by": NOON}, "the retention period has ended"),
        ({"notice_sha256": "0" * 64}, "the notice is unknown"),
        ({"purposes": ("demo",)}, "no consent event for purpose train"),
        ({"subject": OTHER}, "no consent event for purpose train"),
    ],
)
def test_each_condition_rejects_alone_with_its_reason(changes: dict[str, object], reason: str) -> None:
    """Everything else holds; the one thing that does not is the reason, and no id is in it."""
    rejected = answer(event(**changes))
    assert (rejected.admitted, rejected.reason) == (False, reason)
    assert PERSON not in rejected.reason


@pytest.mark.parametrize(("at", "admitted"), [(-1, True), (0, False), (1, False)])
def test_validity_ends_at_its_end(at: int, admitted: bool) -> None:
    """Half open: a microsecond before the end still admits, the end itself does not."""
    assert answer(event(valid_to=NOON), at=NOON + timedelta(microseconds=at)).admitted is admitted


def test_validity_begins_at_its_beginning() -> None:
    """The first moment counts."""
    assert answer(event(valid_from=NOON)).admitted
    assert answer(event(recorded_at=NOON)).admitted


def test_a_later_withdrawal_ends_a_consent_and_a_later_consent_a_withdrawal() -> None:
    """The latest word counts, in whatever order they are brought together."""
    first = event(event_id="a")
    second = event(event_id="b", state="withdrawn", event_time=NOON - 9 * DAY, recorded_at=NOON - 9 * DAY)
    third = event(event_id="c", state="reaffirmed", event_time=NOON - 8 * DAY, recorded_at=NOON - 8 * DAY)
    assert answer(*in_log_order([second, first])).reason == "consent is withdrawn"
    assert answer(*in_log_order([third, second, first])).reason == "consent reaffirmed"


@pytest.mark.parametrize("ids", [("a", "z"), ("z", "a")])
def test_a_withdrawal_wins_a_tie(ids: tuple[str, str]) -> None:
    """Same event time and recording time: neither order nor id lets the consent win."""
    tied = (event(event_id=ids[0]), event(event_id=ids[1], state="withdrawn"))
    assert answer(*tied).reason == answer(*reversed(tied)).reason == "consent is withdrawn"


def test_events_that_tie_must_all_admit() -> None:
    """Nothing says which of two contradicting consents is the later one, so the stricter holds."""
    assert not answer(event(event_id="a"), event(event_id="b", contexts=("medical",))).admitted


@pytest.mark.parametrize("state", ["withdrawn", "refused", "expired", "invalidated", "terminated"])
@pytest.mark.parametrize(
    ("happened", "recorded"),
    [(9, 9), (9, 0), (-12 * 24, -12 * 24), (24 * 365, -1)],
    ids=["by a fast clock", "dated ahead", "by a clock that was set back", "dated a year ahead"],
)
def test_what_closes_counts_from_when_it_is_in_the_log(state: str, happened: int, recorded: int) -> None:
    """Whatever clock stamped it: it neither sleeps nor is overtaken by what was there before."""
    hours = {"event_time": NOON + timedelta(hours=happened), "recorded_at": NOON + timedelta(hours=recorded)}
    closing = event(event_id="b", state=state, purposes=(), **hours)
    assert answer(event(event_id="a"), closing).reason == f"consent is {state}"


def test_what_was_given_by_a_fast_clock_is_closed_by_a_withdrawal_that_seems_earlier() -> None:
    """The consent is stamped a year from now; the withdrawal after it in the log is today's."""
    ahead = {"event_time": NOON + 365 * DAY, "recorded_at": NOON + 365 * DAY}
    withdrawn = event(event_id="b", state="withdrawn", event_time=NOON, recorded_at=NOON)
    assert answer(event(event_id="a", **ahead)).admitted
    assert not answer(event(event_id="a", **ahead), withdrawn).admitted
    assert not answer(event(event_id="a", **ahead), withdrawn, at=NOON + 366 * DAY).admitted


def test_an_old_consent_that_is_brought_late_opens_nothing() -> None:
    """A copy of what was said before the withdrawal, recorded after it, and one said at its very moment."""
    withdrawn = event(event_id="b", state="withdrawn", event_time=NOON - 3 * DAY, recorded_at=NOON - 3 * DAY)
    for days, counts in ((-4, False), (-3, False), (-2, True)):
        brought = event(event_id="c", event_time=NOON + days * DAY, recorded_at=NOON - DAY)
        assert answer(event(event_id="a"), withdrawn, brought).admitted is counts


def test_a_withdrawal_that_names_a_purpose_leaves_the_others() -> None:
    """Per record and purpose, as the rule says; one that names none ends all."""
    later = {"event_time": NOON - DAY, "recorded_at": NOON - DAY, "state": "withdrawn"}
    some = (event(event_id="a"), event(event_id="b", purposes=("train",), **later))
    every = (event(event_id="a"), event(event_id="b", purposes=(), **later))
    assert not answer(*some).admitted and answer(*some, purpose="demo").admitted
    assert not answer(*every).admitted and not answer(*every, purpose="demo").admitted


def test_every_record_of_a_person_must_admit_unless_one_is_named() -> None:
    """Nobody knows which record an asset came in under, so one refusal holds for the person."""
    events = (event(event_id="a", record_id="r1"), event(event_id="b", record_id="r2", state="withdrawn"))
    assert not answer(*events).admitted
    assert admit(events, PERSON, TRAINING, NOON, NOTICES, record_id="r1").admitted


def test_unknown_words_and_empty_records_are_rejected() -> None:
    """No event, a purpose or context outside the closed lists: no."""
    assert answer().reason == "no consent event for purpose train"
    assert answer(event(), purpose="sell").reason == "unknown purpose"
    assert answer(event(), context="school").reason == "unknown context"
    assert not answer().on_record and answer(event(purposes=("demo",))).on_record


def test_a_moment_without_a_zone_is_an_error_and_not_an_answer() -> None:
    """A naive time would be read in the zone of whoever asks."""
    with pytest.raises(InputError, match="no UTC offset"):
        answer(event(), at=NOON.replace(tzinfo=None))


def test_many_people_get_the_answer_each_would_get_alone() -> None:
    """One pass over the events changes nothing."""
    events = (event(), event(event_id="x", record_id="x", subject=OTHER, state="refused"))
    people = (PERSON, OTHER, "s000000000000003")
    together = admit_people(events, people, TRAINING, NOON, NOTICES)
    assert list(together) == list(people)
    assert together == {one: admit(events, one, TRAINING, NOON, NOTICES) for one in people}


def test_the_snapshot_depends_on_who_was_admitted_by_what() -> None:
    """Order does not matter; another event for the same person does; rejected people leave no trace."""
    yes, no = answer(event()), answer(event(state="refused"))
    assert consent_snapshot_sha256({PERSON: yes, OTHER: no}) == consent_snapshot_sha256({PERSON: yes})
    assert consent_snapshot_sha256({OTHER: yes, PERSON: yes}) == consent_snapshot_sha256({PERSON: yes, OTHER: yes})
    assert consent_snapshot_sha256({PERSON: yes}) != consent_snapshot_sha256({PERSON: answer(event(event_id="b"))})


def test_expiring_lists_what_ends_soon_and_is_still_in_force() -> None:
    """Ten days from now is within 30 days and not within 5; a withdrawn consent has nothing left to end."""
    assert expiring([event()], NOON, NOON + 30 * DAY) == (event(),)
    assert expiring([event()], NOON, NOON + 5 * DAY) == ()
    withdrawn = event(event_id="b", state="withdrawn", purposes=(), recorded_at=NOON - DAY, event_time=NOON - DAY)
    assert expiring([event(), withdrawn], NOON, NOON + 30 * DAY) == ()


STATES = ("requested", "given", "reaffirmed", "refused", "withdrawn", "expired")


HOURS = st.integers(-3, 3)
FACTS = st.fixed_dictionaries(
    {
        "subject": st.sampled_from((PERSON, PERSON, PERSON, OTHER)),
        "contexts": st.sets(st.sampled_from(("research", "medical")), min_size=1).map(tuple),
        "age_band": st.sampled_from(("adult", "18_29", "18_29", "under_18", "unknown")),
        "notice_sha256": st.sampled_from((BASE["notice_sha256"], BASE["notice_sha256"], "0" * 64)),
    }
)
LASTING, LEFT_TO_DELETE = st.integers(1, 6), st.integers(-1, 5)
KINDS = st.sampled_from(STATES).flatmap(
    lambda state: st.tuples(
        st.just(state),
        st.sets(st.sampled_from(("train", "demo")), min_size=state in STATES[:3]).map(tuple),
        st.integers(0 if state in STATES[:3] else -2, 2),
    )
)
"""State, purposes, and after how many hours it is recorded."""
DRAWN = st.lists(st.tuples(FACTS, KINDS, HOURS, HOURS, LASTING, LEFT_TO_DELETE), max_size=6)
"""Up to six events; put together once, and not anew for every event."""


@st.composite
def histories(draw: st.DrawFn) -> list[ConsentEvent]:
    """Up to six events of one record with few distinct times, so that ties and edges are common."""
    return [
        event(
            **facts,
            event_id=f"e{number}",
            state=state,
            purposes=purposes,
            event_time=NOON + timedelta(hours=happened),
            recorded_at=NOON + timedelta(hours=happened + later),
            valid_from=NOON + timedelta(hours=begins),
            valid_to=NOON + timedelta(hours=begins + lasting),
            delete_by=NOON + timedelta(hours=left),
        )
        for number, (facts, (state, purposes, later), happened, begins, lasting, left) in enumerate(draw(DRAWN))
    ]


def oracle(events: list[ConsentEvent], purpose: str) -> bool:
    """The rule once more, from its text: strike what was closed later in the log or at a later time, take the last of the rest."""
    speaking = [one for one in events if one.subject == PERSON and (purpose in one.purposes or one.purposes == ())]
    closings = [(place, one) for place, one in enumerate(speaking) if one.state not in STATES[:3]]
    left = [
        one
        for place, one in enumerate(speaking)
        if one.state in STATES[:3]
        and not any(
            where > place or (one.event_time <= closing.event_time and one.event_time <= closing.recorded_at)
            for where, closing in closings
        )
    ]
    if not left:
        return False
    ordered = sorted(left, key=lambda one: (one.event_time, one.recorded_at))
    last = [
        one for one in ordered if (one.event_time, one.recorded_at) == (ordered[-1].event_time, ordered[-1].recorded_at)
    ]
    verdicts = set()
    for one in last:
        valid = one.valid_from <= NOON and one.valid_to > NOON and one.delete_by > NOON
        person = one.age_band not in ("under_18", "unknown")
        terms = purpose in one.purposes and "research" in one.contexts and one.notice_sha256 in NOTICES
        verdicts.add(one.state in ("given", "reaffirmed") and valid and person and terms)
    return verdicts == {True}


@settings(max_examples=draws(300, 60), deadline=None)
@given(histories(), st.sampled_from(("train", "demo")), st.randoms(use_true_random=False))
def test_the_rule_agrees_with_an_independent_reading(events: list[ConsentEvent], purpose: str, random: object) -> None:
    """No wrong accept and no wrong reject; of events that are recorded together the order in the file says nothing."""
    assert answer(*events, purpose=purpose).admitted is oracle(events, purpose)
    together = in_log_order(events)
    random.shuffle(events)  # type: ignore[attr-defined]
    assert in_log_order(events) == together
    assert answer(*together, purpose=purpose).admitted is oracle(list(together), purpose)
