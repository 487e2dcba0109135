"""What no consent can override: prohibited contexts, licences, and where a synthetic champion may speak."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bitface.consent.admission import Admission
from bitface.consent.known_sources import LONDON_LICENCE, SYNTHETIC_LICENCE
from bitface.consent.policy import (
    ContextApproval,
    LicenceRecord,
    check_prediction,
    check_promotable,
    check_training,
    parse_licences,
    render_licences,
    under_licence,
)
from bitface.errors import BitfaceError, InputError, RefusedError

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BENCHMARK_ONLY = LicenceRecord(id="set-1", name="A set without consent", text="research use", purposes=("benchmark",))
SAID_YES = Admission(admitted=True, reason="consent given", event_id="e", event_sha256="0" * 64, on_record=True)
SAID_NO = Admission(admitted=False, reason="consent is withdrawn", event_id="e", event_sha256="0" * 64, on_record=True)
SILENT = Admission(admitted=False, reason="no consent event for purpose benchmark")


def approval(context: str = "workplace", reason: str = "medical") -> ContextApproval:
    return ContextApproval.model_validate(
        {
            "context": context,
            "reason": reason,
            "record_sha256": "0" * 64,
            "valid_from": NOW - DAY,
            "valid_to": NOW + DAY,
        }
    )


@pytest.mark.parametrize("context", ["workplace", "education"])
def test_work_and_education_are_refused_in_training_and_prediction(context: str) -> None:
    """EU AI Act Art. 5(1)(f): both ends check, and the exit code is that of a refusal."""
    with pytest.raises(RefusedError, match=context) as caught:
        check_training("train", context, NOW)
    assert caught.value.exit_code == 4
    with pytest.raises(RefusedError, match=context):
        check_prediction("infer", context, "real", NOW)


def test_an_approved_medical_or_safety_reason_opens_its_context_while_it_lasts() -> None:
    """Not another context, not a moment later."""
    check_training("train", "workplace", NOW, [approval(reason="safety")])
    check_prediction("infer", "workplace", "real", NOW, [approval()])
    with pytest.raises(RefusedError):
        check_training("train", "education", NOW, [approval()])
    with pytest.raises(RefusedError):
        check_training("train", "workplace", NOW + DAY, [approval()])


def test_there_is_no_approval_for_another_reason() -> None:
    """Medical and safety are all the law names."""
    with pytest.raises(ValueError, match="reason"):
        approval(reason="productivity")


@pytest.mark.parametrize(
    ("purpose", "context", "code"),
    [("sell", "research", 2), ("Infer", "research", 2), ("infer", "school", 2), ("", "", 2), ("train", "research", 4)],
)
def test_an_unknown_purpose_or_context_is_told_in_one_line_with_what_would_do(
    purpose: str, context: str, code: int
) -> None:
    """A slip of the keyboard is bad input; a known word that does not fit is a refusal."""
    with pytest.raises(BitfaceError, match="use one of") as caught:
        check_prediction(purpose, context, "real", NOW)
    assert "\n" not in str(caught.value) and caught.value.exit_code == code


@pytest.mark.parametrize("purpose", ["infer", "demo", "evaluate", "fairness_test", "benchmark"])
@pytest.mark.parametrize("context", ["research", "medical", "safety", "consumer"])
def test_a_synthetic_champion_predicts_for_demo_or_evaluate_in_research_only(purpose: str, context: str) -> None:
    """The full table; a model with real evidence may do all of it."""
    check_prediction(purpose, context, "real", NOW)
    if context == "research" and purpose in ("demo", "evaluate"):
        check_prediction(purpose, context, "synthetic", NOW)
    else:
        with pytest.raises(RefusedError, match="evidence is synthetic"):
            check_prediction(purpose, context, "synthetic", NOW)


def test_evidence_that_nobody_stated_is_refused() -> None:
    """A version without the tag may be anything."""
    with pytest.raises(RefusedError, match="evidence"):
        check_prediction("demo", "research", "", NOW)


def test_only_a_train_model_can_be_promoted() -> None:
    """Benchmark data came in without consent."""
    check_promotable("train")
    with pytest.raises(RefusedError, match="cannot be promoted"):
        check_promotable("benchmark")


def test_a_licence_limits_what_consent_allows() -> None:
    """Consent decides within the licence, and nothing decides without one."""
    assert under_licence(LONDON_LICENCE, SAID_YES, "train", "research") == SAID_YES
    assert (
        under_licence(LONDON_LICENCE, SAID_YES, "demo", "research").reason == "the licence does not allow purpose demo"
    )
    assert not under_licence(LONDON_LICENCE, SAID_YES, "train", "consumer").admitted
    assert not under_licence(None, SAID_YES, "train", "research").admitted
    assert under_licence(SYNTHETIC_LICENCE, SAID_NO, "train", "research") == SAID_NO


def test_benchmark_admits_the_silent_and_hears_those_who_spoke() -> None:
    """A licence stands in for consent only where there is no event at all, and only for benchmark."""
    assert under_licence(BENCHMARK_ONLY, SILENT, "benchmark", "research").admitted
    assert not under_licence(BENCHMARK_ONLY, SILENT, "train", "research").admitted
    assert under_licence(BENCHMARK_ONLY, SAID_NO, "benchmark", "research") == SAID_NO
    spoke_of_training = Admission(admitted=False, reason="no consent event for purpose benchmark", on_record=True)
    assert not under_licence(BENCHMARK_ONLY, spoke_of_training, "benchmark", "research").admitted


def test_licences_survive_their_file() -> None:
    """Round trip, and equal records give equal bytes in any order."""
    records = (SYNTHETIC_LICENCE, LONDON_LICENCE)
    assert tuple(parse_licences(render_licences(records)).values()) == tuple(sorted(records, key=lambda one: one.id))
    assert render_licences(records) == render_licences(reversed(records))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("{}", "list"),
        ('[{"id": "x"}]', "record 0.name"),
        (json.dumps([BENCHMARK_ONLY.model_dump(mode="json") | {"purposes": ["sell"]}]), "purposes"),
        (json.dumps([BENCHMARK_ONLY.model_dump(mode="json") | {"text": ""}]), "address"),
        (json.dumps([BENCHMARK_ONLY.model_dump(mode="json")] * 2), "occurs twice"),
    ],
)
def test_a_licence_file_at_fault_is_refused_by_position(text: str, says: str) -> None:
    """One line: which record, which field, what to do."""
    with pytest.raises(InputError, match=says):
        parse_licences(text)
