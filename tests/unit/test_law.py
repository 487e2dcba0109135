"""What the law adds to a consent: a ground that carries a face, the kinds of data, and the ends that states set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bitface.consent.admission import Use, admit, admit_people, expiring
from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import london_consents, synthetic_consents
from bitface.consent.law import CONDITIONS, STATE_LAWS, ends, laws_of
from bitface.consent.vocabulary import CONTEXTS, PURPOSES

PERSON = "r000000000000001"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BASE = synthetic_consents(["s000000000000001"])[0].model_dump() | {
    "subject": PERSON,
    "lawful_basis": "6(1)(a)",
    "special_category_condition": "9(2)(a)",
    "contexts": CONTEXTS,
    "jurisdiction": "DE",
}
NOTICES = {BASE["notice_sha256"]: BASE["notice_id"], "1" * 64: "n2"}


def event(**changes: object) -> ConsentEvent:
    return ConsentEvent.model_validate(BASE | changes)


def reason(purpose: str = "train", context: str = "research", kind=None, **changes: object) -> str:
    """Why a real person's consent does not admit, `` where it does."""
    one = event(**changes)
    found = admit([one], one.subject, Use(purpose=purpose, context=context, kind=kind), NOON, NOTICES)
    return "" if found.admitted else found.reason


@pytest.mark.parametrize(
    ("basis", "condition", "context"),
    [
        ("6(1)(a)", "9(2)(a)", "consumer"),
        ("6(1)(b)", "9(2)(h)", "medical"),
        ("6(1)(c)", "9(2)(i)", "safety"),
        ("6(1)(e)", "9(2)(j)", "research"),
        ("6(1)(f)", "9(2)(j)", "research"),
    ],
)
def test_a_basis_and_the_condition_that_fits_it_admit(basis, condition, context) -> None:
    assert reason(context=context, lawful_basis=basis, special_category_condition=condition) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"lawful_basis": "6(1)(f)", "special_category_condition": "none"}, "a condition of GDPR Art. 9"),
        ({"lawful_basis": "none", "special_category_condition": "none"}, "a condition of GDPR Art. 9"),
        ({"special_category_condition": "none"}, "a condition of GDPR Art. 9"),
        ({"lawful_basis": "6(1)(f)"}, "does not go with basis 6"),
        ({"lawful_basis": "none"}, "does not go with basis none"),
        ({"lawful_basis": "6(1)(d)", "special_category_condition": "9(2)(i)"}, "does not go with basis 6"),
        ({"special_category_condition": "9(2)(j)"}, "does not go with basis 6"),
        ({"given_by": "guardian"}, "needs an explicit consent"),
        (
            {"lawful_basis": "6(1)(b)", "special_category_condition": "9(2)(h)"},
            "does not cover context research",
        ),
    ],
)
def test_no_ground_or_one_that_does_not_fit_admits_no_real_person(changes, why) -> None:
    """Each of them once admitted people who exist."""
    assert why in reason(**changes)
    assert reason(**changes, subject="s000000000000001") == ""


def test_every_condition_names_its_source_and_leaves_no_context_without_a_word() -> None:
    assert all(one.source and one.bases and one.contexts for one in CONDITIONS.values())
    assert all(law.source for law in STATE_LAWS)


@pytest.mark.parametrize(
    ("kinds", "kind", "why"),
    [
        ((), None, "data kind image or video"),
        (("embedding",), None, "data kind image or video"),
        (("landmarks", "embedding"), None, "data kind image or video"),
        (("landmarks", "embedding"), "clip", "data kind image or video"),
        (("video", "landmarks", "embedding"), "image", "data kind image"),
        (("image", "video", "embedding"), "landmarks", "data kind landmarks"),
        (("embedding",), "any", "data kind image or video or landmarks"),
    ],
)
def test_what_a_sample_is_must_be_named(kinds, kind, why) -> None:
    assert why in reason(kind=kind, data_kinds=kinds)


def test_what_is_read_off_a_picture_goes_with_the_picture() -> None:
    assert reason("train", data_kinds=("image",), kind="image") == ""
    assert (
        reason("train", data_kinds=("image",), kind="clip") == reason("train", data_kinds=("video",), kind="clip") == ""
    )


def test_points_without_their_picture_go_with_consent_for_landmarks() -> None:
    assert reason("train", data_kinds=("landmarks",), kind="landmarks") == ""
    assert reason("train", data_kinds=("landmarks",), kind="any") == ""


@pytest.mark.parametrize(
    "text",
    [
        *("Illinois", "US-IL", "IL, USA", "us-il", "IL", "il", "State of Illinois", "Chicago, IL", "Chicago, IL 60601"),
        *(
            "illinois (usa)",
            "U.S.-IL",
            "us_il",
            "\uff29\uff4c\uff4c\uff49\uff4e\uff4f\uff49\uff53",
            "USA/Illinois",
        ),
    ],
)
def test_illinois_is_meant_in_each_of_its_spellings(text) -> None:
    """Its law ends a consent three years after the last interaction, whatever the consent says."""
    past = {"last_interaction": datetime(2012, 4, 30, tzinfo=UTC)}
    assert "740 ILCS 14/15(a)" in reason(jurisdiction=text, **past)
    assert reason(jurisdiction=text, last_interaction=NOON - timedelta(days=3 * 365 - 2)) == "" or text in (
        "US",
        "U.S.A.",
    )


@pytest.mark.parametrize(
    "text", ["DE", "US-CA", "California, USA", "CO-DC", "AU-WA", "none", "Bogot\u00e1", "comune di Roma, il"]
)
def test_other_places_are_not_taken_for_a_state_with_a_law(text) -> None:
    assert laws_of(text) == ()


def test_each_state_ends_a_consent_at_its_own_time() -> None:
    """By hand: the first of the figures, from the purpose's end (valid to) and from the last interaction."""
    talked, end = datetime(2024, 2, 29, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    facts = {"last_interaction": talked, "valid_to": end, "delete_by": datetime(2040, 1, 1, tzinfo=UTC)}
    assert ends(event(jurisdiction="US-IL", **facts)) == (datetime(2027, 2, 28, tzinfo=UTC), "740 ILCS 14/15(a), BIPA")
    assert ends(event(jurisdiction="US-CO", **facts))[0] == datetime(2026, 2, 28, tzinfo=UTC)
    assert ends(event(jurisdiction="US-TX", **facts)) == (end, "valid to")
    assert ends(event(jurisdiction="US-WA", **facts)) == (end, "valid to")
    assert ends(event(jurisdiction="Illinois and Colorado", **facts))[0] == datetime(2026, 2, 28, tzinfo=UTC)


def test_an_interaction_that_is_yet_to_come_keeps_nothing() -> None:
    """A source that dates the last one ahead would otherwise keep a face for as long as it likes."""
    given = datetime(2022, 1, 1, tzinfo=UTC)
    past = {"event_time": given, "recorded_at": given, "valid_from": given}
    assert "740 ILCS" in reason(jurisdiction="US-IL", last_interaction=NOON + timedelta(days=9000), **past)


def test_a_law_s_end_is_told_before_it_comes() -> None:
    one = event(jurisdiction="Illinois", last_interaction=NOON - timedelta(days=3 * 365 - 30))
    assert expiring([one], NOON, NOON + timedelta(days=60)) == (one,)
    assert expiring([one], NOON, NOON + timedelta(days=10)) == ()


def test_a_notice_s_id_must_be_that_of_its_words() -> None:
    """`n2` is on record for other words; an id that is on record for none leaves the digest to speak."""
    assert reason(notice_id="n2") == "the notice's id is on record with a different text"
    assert reason(notice_id="a-copy-of-it") == ""
    assert reason(notice_sha256="2" * 64) == "the notice is unknown"
    assert reason(notice_id="n2", notice_sha256="1" * 64) == ""


def test_people_who_do_not_exist_and_the_london_set_stay_admitted() -> None:
    people = ["s000000000000001", "s000000000000002"]
    synthetic = synthetic_consents(people)
    for kind in ("image", "clip"):
        answers = admit_people(synthetic, people, Use(purpose="train", context="research", kind=kind), NOON, NOTICES)
        assert all(one.admitted for one in answers.values())
    (london,) = london_consents({PERSON: "unknown"}, evidence_sha256="0" * 64, recorded_at=NOON)
    known = {london.notice_sha256: london.notice_id}
    for purpose in set(PURPOSES) - {"demo"}:
        assert admit([london], PERSON, Use(purpose=purpose, context="research", kind="image"), NOON, known).admitted
