"""What people fill in is taken where it has one meaning, in the reading that allows least; anything else stays as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitface.consent.events import parse_events
from bitface.consent.filled_in import as_meant, has_days
from bitface.consent.policy import check_asked, check_context, check_training, parse_licences
from bitface.consent.unfilled import CONSENT_EXAMPLE, LICENCE_EXAMPLE
from bitface.dataset.incoming.import_rows import QuarantinedRow, gender_of
from bitface.dataset.incoming.refused_rows import refused_lines
from bitface.dataset.incoming.subject_ids import id_or_none, suggested_ids
from bitface.errors import BitfaceError, InputError
from bitface.faces.emotions import emotion_of
from bitface.known_words import did_you_mean
from bitface.params import read_params
from bitface.steps.formats import format_of
from tests.builders import read_manifest, write_noise

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
WHOLE = {**CONSENT_EXAMPLE, **dict.fromkeys(("notice_sha256", "evidence_sha256"), "0" * 64)}


def parsed(**changes: object):
    text = json.dumps(WHOLE | changes)
    return parse_events(text, pseudonym_of=lambda _: "r" * 16, recorded_at=AT)


@pytest.mark.parametrize(
    ("field", "written", "meant"),
    [
        ("purposes", ["train, evaluate"], ["train", "evaluate"]),
        ("purposes", "Train; Fairness test", ["train", "fairness_test"]),
        ("purposes", ["train", "evaluate, demo"], ["train", "evaluate", "demo"]),
        ("contexts", " research ", ["research"]),
        ("contexts", "research,", ["research"]),
        ("data_kinds", "image, Landmarks", ["image", "landmarks"]),
        ("recipients", "our group, in Berlin", ["our group, in Berlin"]),
        ("state", "Given ", "given"),
        ("age_band", "30-44", "30_44"),
        ("age_band", "60+", "60_plus"),
        ("age_band", "30\u201344", "30_44"),
    ],
)
def test_words_are_taken_as_they_are_meant(field: str, written: object, meant: object) -> None:
    assert as_meant({field: written})[field] == meant


@pytest.mark.parametrize(
    "value", ["FILL IN train, evaluate", ["train", "FILL IN more"], 7, None, ["train", 7], "selling"]
)
def test_what_is_open_or_has_no_meaning_is_not_made_into_a_word(value: object) -> None:
    assert parsed(purposes=value).events == ()


@pytest.mark.parametrize("day", ["2026-05-30", "2026/5/30", "2026.05.30", " 2026-5-30 "])
def test_a_day_is_read_so_that_it_allows_least(day: str) -> None:
    """A consent that begins on the day when it was given could otherwise not be imported on that day."""
    (event,) = parsed(event_time=day, valid_from=day, valid_to="2029-01-31", delete_by="2029-01-31").events
    assert event.event_time == event.valid_from == datetime(2026, 5, 30, tzinfo=UTC)
    assert event.valid_to == event.delete_by == datetime(2029, 1, 31, tzinfo=UTC)
    (later,) = parsed(valid_from=day).events
    assert later.valid_from == datetime(2026, 5, 30, 23, 59, 59, tzinfo=UTC)
    (exact,) = parsed(event_time="2026-05-30T12:00:00Z", valid_from=day).events
    assert exact.valid_from == exact.event_time


def test_a_withdrawal_outranks_every_consent_of_its_day() -> None:
    (closing,) = parsed(state="withdrawn", purposes=[], event_time="2026-05-30").events
    assert closing.event_time == datetime(2026, 5, 30, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "01/06/2027", "01.06.2027", "2026-05", "2026-05-30T12:00:00", "26-05-30", 20260530]
)
def test_what_may_be_several_days_or_none_is_no_day(text: object) -> None:
    assert not has_days({"valid_to": text}) and parsed(valid_to=text).events == ()


def test_a_consent_for_today_is_not_ahead_of_the_clock_and_one_for_tomorrow_is() -> None:
    assert len(parsed(event_time="2026-06-01", valid_from="2026-06-01").events) == 1
    assert "ahead of this machine's clock" in parsed(event_time="2026-06-02").rejected[0].reason


def test_every_field_of_a_form_that_is_wrong_is_named_at_once() -> None:
    found = {line.field: line.reason for line in parsed(purposes="trane", valid_to="soon", storage="FILL IN").rejected}
    assert found.keys() == {"purposes.0", "valid_to", "storage"} and "did you mean 'train'?" in found["purposes.0"]
    with pytest.raises(InputError) as error:
        parse_licences(json.dumps([LICENCE_EXAMPLE | {"id": "a b", "purposes": "trian", "text": "FILL IN"}]))
    assert all(word in str(error.value) for word in ("record 0.id", "did you mean 'train'?", "filled in", "text"))
    assert parse_licences(json.dumps([LICENCE_EXAMPLE | {"purposes": "train, demo", "contexts": "Research"}]))


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("nuetral", ("neutral", "fear"), "neutral"),
        ("Fairness-tset", ("fairness_test",), "fairness_test"),
        ("xyz", ("neutral",), ""),
        (7, ("neutral",), ""),
    ],
)
def test_a_slip_is_recognised_and_a_strange_word_is_not(word: object, known: tuple[str, ...], meant: str) -> None:
    assert did_you_mean(word, known) == (f"did you mean '{meant}'? " if meant else "")


def test_a_misspelt_label_is_not_taken_for_a_code() -> None:
    with pytest.raises(InputError, match="did you mean 'surprised'"):
        emotion_of("suprised")
    with pytest.raises(InputError, match="unknown label 'hop'; use one of"):
        emotion_of("hop")


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("j\u00fcrgen", "juergen"),
        ("ju\u0308rgen", "juergen"),
        ("Jos\u00e9 \u00c1lvarez", "Jose-Alvarez"),
        ("S\u00f8ren", "Soeren"),
        ("O'Neil", "O-Neil"),
        ("\u5c0f\u660e", "person-"),
        ("x" * 90, "x" * 64),
    ],
)
def test_every_name_has_a_valid_id(name: str, first: str) -> None:
    found = suggested_ids(name)
    assert found[0].startswith(first) and all(id_or_none(one) == one for one in found) and len(set(found)) == len(found)
    assert suggested_ids(name) == found


def test_rows_that_are_refused_alike_are_one_line() -> None:
    rows = [
        QuarantinedRow(
            row=n, line=n + 1, reason=f"consents.jsonl line {n}: x", subject_id=f"p{n // 2}", file=f"{n}.png"
        )
        for n in (1, 2, 3)
    ]
    alone = QuarantinedRow(row=9, reason="y")
    assert refused_lines([*rows, alone]) == [
        "row 1 (line 2: p0, 1.png): consents.jsonl line 1: x; the same in 2 more rows (2 people in all)",
        "row 9: y",
    ]


@pytest.mark.parametrize(
    ("ask", "meant"),
    [
        (lambda: gender_of("femal"), "female"),
        (lambda: format_of("clases"), "classes"),
        (lambda: check_context("reserch", AT), "research"),
        (lambda: check_asked("evalute", "research", AT), "evaluate"),
        (lambda: check_training("benchmrak", "research", AT), "benchmark"),
        (lambda: read_params(ROOT / "params.yaml", "quik"), "quick"),
    ],
)
def test_every_closed_word_has_a_did_you_mean(ask, meant: str) -> None:
    with pytest.raises(BitfaceError, match=f"did you mean '{meant}'"):
        ask()


def test_a_misspelt_part_names_the_one_that_was_meant(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.png", 1)
    (tmp_path / "manifest.csv").write_text("path,subject_id,label,split\na.png,a,fear,tets\n")
    _, (refused,) = read_manifest(tmp_path / "manifest.csv", tmp_path)
    assert "did you mean 'test'" in refused.reason and refused.where == "row 1 (line 2: a, a.png)"


def test_an_id_that_is_none_is_refused_with_one_that_is(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.png", 1)
    (tmp_path / "manifest.csv").write_text("path,subject_id,label\na.png,j\u00fcrgen,fear\n", encoding="utf-8")
    _, (refused,) = read_manifest(tmp_path / "manifest.csv", tmp_path)
    assert "write 'juergen'" in refused.reason and refused.subject_id == "j\u00fcrgen"
