"""How a version stands, in one line; the demo that speaks while there is no champion; and what is said where no version was meant."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.errors import GateError, InputError, RefusedError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import ApprovalRule, DecisionEntry, ModelEntry, StalePromotionError
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.steps.audits.audit import audit_model
from bitface.steps.versions.model_choice import choose_model, find_model
from bitface.steps.versions.monitor import model_and_run
from bitface.steps.versions.promote import go_live, roll_back, stand_in

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [f"s{number:015d}" for number in range(3)]
NOBODY, ONE = ApprovalRule(), ApprovalRule(required=1)
Put = Callable[..., int]


@pytest.fixture
def ledger(tmp_path: Path, begun: Path) -> Iterator[Ledger]:
    shutil.copy(begun, tmp_path)
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        yield opened


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, freeze) -> Path:
    """A ledger with two datasets and no version."""
    path = tmp_path_factory.mktemp("begun") / "ledger.db"
    with Ledger(sqlite_url(path), clock=lambda: NOON) as opened:
        consents = synthetic_consents(PEOPLE)
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(consents)
        freeze(opened, "d1", consents)
        freeze(opened, "d2", consents[1:])
    return path


@pytest.fixture
def put(ledger: Ledger, begin) -> Put:
    """`put(n, verdict)` puts version n on record as a retrain leaves it, and does with it what a retrain does."""

    def put(
        number: int,
        verdict: str | None,
        evidence: str = "synthetic",
        purpose: str = "train",
        dataset: str = "d1",
        rule: ApprovalRule = NOBODY,
    ) -> int:
        begin(ledger, f"run{number}", dataset)
        facts = {"run_id": f"run{number}", "evidence": evidence, "purpose": purpose}
        model = ledger.record_model(ModelEntry(bundle_sha256=f"bundle {number}", weights_sha256="f" * 64, **facts))
        if verdict is None:
            return model.version
        judge(ledger, number, verdict)
        champion = ledger.champion()
        compared = champion.version if champion else None
        if verdict == "promote" and purpose == "train":
            go_live(model.version, compared, evidence, f"decision {number}", rule, ledger)
        if verdict == "hold" and (purpose, evidence) == ("train", "synthetic"):
            stand_in(model.version, f"decision {number}", ledger)
        return model.version

    return put


def judge(ledger: Ledger, number: int, verdict: str, again: str = "") -> None:
    ledger.record_decision(
        DecisionEntry(
            decision_sha256=f"decision {number}{again}",
            bundle_sha256=f"bundle {number}",
            run_id=f"run{number}",
            decision=verdict,  # type: ignore[arg-type]
            reasons=(),
        )
    )


def line(ledger: Ledger, version: int) -> str:
    return ledger.status(ledger.model(version)).line


def test_a_champion_says_that_it_is_live_and_what_for(ledger, put) -> None:
    put(1, "promote")
    assert line(ledger, 1) == "bitface/1 · CHAMPION · evidence synthetic · for demo and evaluate in research · live"


def test_a_previous_and_a_replaced_champion_say_so(ledger, put) -> None:
    for number in (1, 2, 3):
        put(number, "promote")
    assert line(ledger, 1).startswith("bitface/1 · REPLACED, once champion · ") and line(ledger, 1).endswith("not live")
    assert line(ledger, 2).startswith("bitface/2 · PREVIOUS CHAMPION · ") and line(ledger, 2).endswith("not live")
    roll_back(1, "test", ledger)
    assert line(ledger, 1).startswith("bitface/1 · CHAMPION") and line(ledger, 3).startswith("bitface/3 · PREVIOUS")


def test_a_challenger_waits(ledger, put) -> None:
    put(1, "promote", rule=ONE)
    assert line(ledger, 1) == (
        "bitface/1 · CHALLENGER, PASSED, waits for approval · evidence synthetic · for demo and evaluate in research · not live"
    )


def test_a_held_version_of_synthetic_people_is_a_demo_for_a_demo_alone(ledger, put) -> None:
    put(1, "hold")
    status = ledger.status(ledger.model(1))
    assert status.line == "bitface/1 · HELD, alias demo · evidence synthetic · for demo in research · not live"
    document = status.document()
    assert (document["version"], document["decision"], document["alias"]) == ("bitface/1", "hold", "demo")
    assert (document["purposes"], document["contexts"]) == (["demo"], ["research"])
    assert document["line"] == status.line and document["retired"] is False and document["live"] is False
    with pytest.raises(RefusedError, match="demo only, not for evaluate"):
        status.check("evaluate")
    status.check("demo")


def test_a_blocked_version_and_one_of_real_people_never_get_an_alias(ledger, put) -> None:
    put(1, "block")
    put(2, "hold", evidence="real")
    put(3, "hold", evidence="mixed")
    assert line(ledger, 1) == "bitface/1 · BLOCKED · evidence synthetic · for demo in research · not live"
    assert line(ledger, 2) == (
        "bitface/2 · HELD · evidence real · for evaluate, fairness_test, demo and benchmark in research, medical, safety and consumer "
        "· not live"
    )
    assert line(ledger, 3).startswith("bitface/3 · HELD · evidence mixed · ")
    assert all(ledger.champion(alias) is None for alias in ("champion", "challenger", "previous", "demo"))
    with pytest.raises(RefusedError, match="not for infer"):
        ledger.status(ledger.model(2)).check("infer")


def test_a_benchmark_and_a_version_that_no_gate_saw_say_so(ledger, put) -> None:
    put(1, "promote", purpose="benchmark")
    put(2, None)
    assert "bitface/1 · BENCHMARK, PASSED, never to be promoted · " in line(ledger, 1)
    assert "bitface/2 · NOT JUDGED · " in line(ledger, 2)


def test_a_retired_version_is_used_no_more_whatever_it_was(ledger, put) -> None:
    put(1, "promote")
    ledger.record_erasure("e1", PEOPLE[:1], "p" * 64)
    assert line(ledger, 1) == (
        "bitface/1 · RETIRED, some of its people were erased · evidence synthetic · no longer usable · not live"
    )
    assert ledger.status(ledger.model(1)).document()["purposes"] == []


def test_a_page_that_is_written_once_says_what_the_gate_said_and_where_to_ask_later(ledger, put) -> None:
    put(1, "promote")
    put(2, "hold")
    first, second = (ledger.status(ledger.model(number)).line_as_judged for number in (1, 2))
    assert first.startswith(
        "bitface/1 · PASSED · evidence synthetic · for demo and evaluate in research · as judged on 2026-06-01"
    )
    assert second.startswith("bitface/2 · HELD · evidence synthetic · for demo in research · as judged on 2026-06-01")
    assert "bitface audit model bitface/2" in second


@pytest.mark.parametrize(("verdict", "evidence"), [("block", "synthetic"), ("promote", "synthetic"), ("hold", "real")])
def test_the_ledger_itself_refuses_a_demo_that_may_be_none(ledger, put, verdict: str, evidence: str) -> None:
    """Whoever asks: the rule is in the transaction."""
    put(1, None, evidence=evidence)
    judge(ledger, 1, verdict)
    with pytest.raises((GateError, RefusedError), match="demo"):
        ledger.promote(
            Move(to_version=1, expected_previous=None, decision_sha256="decision 1", actor="hand", alias="demo")
        )
    assert ledger.champion("demo") is None


def test_there_is_a_demo_only_while_there_is_no_champion(ledger, put) -> None:
    put(1, "hold")
    put(2, "hold")
    assert ledger.champion("demo").version == 2, "the latest that was held"
    put(3, "promote")
    assert ledger.champion("demo") is None and ledger.champion().version == 3
    put(4, "hold")
    assert ledger.champion("demo") is None
    with pytest.raises(StalePromotionError, match="is the champion"):
        ledger.promote(
            Move(to_version=4, expected_previous=None, decision_sha256="decision 4", actor="hand", alias="demo")
        )
    assert ledger.verify_chain().intact


def test_a_demo_ends_with_the_erasure_of_somebody_in_it_and_the_chain_knows(ledger, put) -> None:
    put(1, "hold")
    ledger.record_erasure("e1", PEOPLE[:1], "p" * 64)
    assert ledger.champion("demo") is None and ledger.verify_chain().intact
    (period,) = ledger.alias_periods()
    assert (period.alias, period.version) == ("demo", 1) and period.until is not None
    with pytest.raises(InputError, match="no demo"):
        find_model("demo", ledger)


def test_a_demo_of_other_people_outlives_an_erasure(ledger, put) -> None:
    put(1, "hold")
    put(2, "hold", dataset="d2")
    ledger.record_erasure("e1", PEOPLE[:1], "p" * 64)
    assert ledger.champion("demo").version == 2 and ledger.verify_chain().intact


def test_a_demo_that_is_judged_again_and_blocked_is_none_any_more(ledger, put) -> None:
    put(1, "hold")
    judge(ledger, 1, "block", again=" again")
    assert ledger.champion("demo") is None and ledger.verify_chain().intact
    assert line(ledger, 1).startswith("bitface/1 · BLOCKED · ")


def test_an_alias_demo_that_a_hand_put_into_the_file_is_found(ledger, put, tmp_path) -> None:
    import sqlite3

    put(1, "block")
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute("insert into aliases values ('bitface', 'demo', 1)")
    assert any("alias demo" in problem.what for problem in ledger.verify_chain().problems)


def test_where_no_version_is_named_the_champion_speaks_and_else_the_demo(ledger, put) -> None:
    put(1, "hold")
    assert choose_model(None, "demo", ledger).version == 1
    with pytest.raises(RefusedError, match="no champion yet, and the demo bitface/1 answers only --purpose demo"):
        choose_model(None, "evaluate", ledger)
    with pytest.raises(InputError, match="no champion"):
        choose_model("champion", "demo", ledger)
    put(2, "promote")
    assert choose_model(None, "demo", ledger).version == choose_model(None, "evaluate", ledger).version == 2


@pytest.mark.parametrize("reference", ["champion", "challenger", "previous", "demo", "bitface/9", "other/1"])
def test_where_there_is_no_such_version_those_on_record_are_named_with_a_command(ledger, put, reference: str) -> None:
    with pytest.raises(InputError, match="run `bitface retrain`"):
        find_model(reference, ledger)
    for number, verdict in enumerate(("hold", "block", "block", "block"), start=1):
        put(number, verdict, evidence="real")
    with pytest.raises(InputError) as caught:
        find_model(reference, ledger)
    said = str(caught.value)
    assert "bitface/4 (blocked, 2026-06-01 12:00 UTC)" in said and "and 1 more" in said and "\n" not in said
    assert "bitface predict FILE --model bitface/4 --purpose demo --context research" in said
    assert "bitface gate show run4" in said


def test_the_command_named_is_of_a_version_that_may_be_used(ledger, put) -> None:
    put(1, "block", dataset="d2")
    put(2, "block")
    ledger.record_erasure("e1", PEOPLE[:1], "p" * 64)
    with pytest.raises(InputError, match=r"bitface/2 \(retired.*--model bitface/1 "):
        find_model("champion", ledger)
    ledger.record_erasure("e2", PEOPLE[1:2], "p" * 64)
    with pytest.raises(InputError, match="none can be used any more: run `bitface retrain`"):
        find_model("champion", ledger)


@pytest.mark.parametrize("reference", ["", "bitface", "bitface/", "bitface/x", "bitface/-1", "/1", "bitface/²"])
def test_a_reference_that_is_none_says_what_is_one(ledger, reference: str) -> None:
    with pytest.raises(InputError, match="use champion, previous, challenger, demo or NAME/VERSION"):
        find_model(reference, ledger)


def test_a_page_of_an_auditor_knows_the_time_as_demo(ledger, put) -> None:
    put(1, "hold")
    put(2, "promote")
    entry, run = model_and_run("bitface/1", ledger)
    rows = audit_model(entry, run, ledger, NOON + timedelta(days=1))
    assert [(row["alias"], row["until"] is not None) for row in rows if row["kind"] == "alias"] == [("demo", True)]
