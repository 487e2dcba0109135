"""Who may let a version go live, from where, on whose word; and who may take it back."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitface.consent.events import ConsentEvent, utc_text
from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.consent.vocabulary import CONTEXTS
from bitface.dataset.files import sha256_of
from bitface.dataset.keys import KeyStore
from bitface.dataset.sealed_evidence import seal_evidence
from bitface.errors import GateError, InputError, IntegrityError, RefusedError
from bitface.gate.decision import GateDecision, evaluate_gate
from bitface.gate.decision_bundle import write_bundle
from bitface.gate.evidence import GateEvidence
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import (
    ApprovalRule,
    ApprovalsMissingError,
    AssetEntry,
    DecisionEntry,
    ModelEntry,
    StalePromotionError,
)
from bitface.ledger.leases import LeaseLostError
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.approvals import answering_keys, valid_approvals
from bitface.ledger.promotion import Move
from bitface.ledger.tables import endorsements
from bitface.params import GateParams
from bitface.ports import TrackedVersion
from bitface.steps.audits.audit import audit_run
from bitface.steps.versions.approve import add_key, approve, standing
from bitface.steps.versions.contexts import approve_context, revoke_context
from bitface.steps.versions.gate import BUNDLE_NAME, check_judged, opened_bundle, recorded_decision
from bitface.steps.versions.promote import RealChampionError, expected_previous, go_live, roll_back
from bitface.steps.versions.promote import promote as let_live
from bitface.steps.versions.reconcile import keep_shown, reconcile

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = [f"s{number:015d}" for number in range(3)]
SEAL = partial(seal_evidence, renew=False)
NOBODY, TWO = ApprovalRule(), ApprovalRule(required=2, roles=("compliance",))


def promote(version: int, rule: ApprovalRule, actor: str, runs: Path, ledger: Ledger):
    return let_live(version, rule, actor, runs, ledger, KeyStore(runs.parent / "keys"))


@pytest.fixture
def ledger(tmp_path: Path, freeze) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        consents = synthetic_consents(PEOPLE)
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(consents)
        freeze(opened, "d1", consents)
        yield opened


@pytest.fixture(scope="module")
def evidence(evidence: GateEvidence) -> GateEvidence:
    """Of people of whom the gender alone is known: each promotion makes the decision again."""
    return replace(evidence, slices={person: {"gender": own["gender"]} for person, own in evidence.slices.items()})


@pytest.fixture(scope="module")
def gate_params(gate_params: GateParams) -> GateParams:
    asked = {"gender": gate_params.required_values["gender"]}
    return gate_params.model_copy(update={"required_attributes": ("gender",), "required_values": asked})


@pytest.fixture(scope="module")
def judged() -> dict[int | None, GateDecision]:
    """What a gate decided against a champion: it is the same for every version and test."""
    return {}


@pytest.fixture
def register(ledger: Ledger, tmp_path: Path, evidence, gate_params, begin, judged):
    """`register(n, champion)` puts version n on record, with the bundle of a gate that compared it with a champion."""

    def put(
        number: int,
        champion: int | None = None,
        verdict: str = "promote",
        evidence_kind: str = "synthetic",
        dataset_version: str = "d1",
        context: str = "research",
    ) -> str:
        run_id = f"run{number}"
        own = (
            evidence
            if champion is None
            else replace(evidence, champion_version=str(champion), champion=evidence.one_bit)
        )
        params = gate_params.model_copy(update={"permutations": 999, "bootstrap_resamples": 200})
        folder = tmp_path / "runs" / run_id
        folder.mkdir(parents=True)
        if champion not in judged:
            judged[champion] = evaluate_gate(own, params, 1)
        decision, seal = judged[champion], partial(SEAL, keys=KeyStore(tmp_path / "keys"))
        sha256 = write_bundle(folder / BUNDLE_NAME, own, params, 1, decision, {"run": run_id}, seal)
        begin(ledger, run_id, dataset_version, context)
        model = ledger.record_model(
            ModelEntry(
                bundle_sha256=f"bundle {number}",
                weights_sha256="f" * 64,
                run_id=run_id,
                evidence=evidence_kind,
                purpose="train",
            )
        )
        assert model.version == number
        ledger.record_decision(
            DecisionEntry(
                decision_sha256=sha256,
                bundle_sha256=model.bundle_sha256,
                run_id=run_id,
                decision=verdict,  # type: ignore[arg-type]
                reasons=(),
            )
        )
        return sha256

    return put


def test_a_version_for_work_goes_live_only_while_its_context_is_approved(ledger, register, freeze, tmp_path) -> None:
    """Asked again at the promotion and at a rollback, in the same transaction as consent."""
    later = {"contexts": CONTEXTS, "event_time": NOON - timedelta(days=1), "recorded_at": NOON - timedelta(days=1)}
    consents = [
        event.model_copy(update={"event_id": f"w-{event.subject}", **later}) for event in synthetic_consents(PEOPLE)
    ]
    ledger.record_consents(consents)
    freeze(ledger, "d2", consents, context="workplace")
    register(1)
    for number in (2, 3):
        register(number, dataset_version="d2", context="workplace")
    key, paper = tmp_path / "c.pem", tmp_path / "assessment.pdf"
    paper.write_bytes(b"drivers fall asleep")
    add_key("Cora", "compliance", key, ledger)

    def live(number: int):
        champion = ledger.champion()
        return ledger.promote(
            Move(
                to_version=number,
                expected_previous=champion.version if champion else None,
                decision_sha256=ledger.decisions(f"bundle {number}")[-1].decision_sha256,
                actor="test",
            )
        )

    with pytest.raises(RefusedError, match="workplace"):
        live(2)
    begins, ends = (utc_text(NOON + timedelta(days=days)) for days in (-1, 1))
    approval, _ = approve_context("workplace", "safety", paper, begins, ends, key, ledger)
    live(2)
    live(1)
    revoke_context(approval.approval_id, key, ledger)
    with pytest.raises(RefusedError, match="workplace"):
        live(3)
    with pytest.raises(RefusedError, match="workplace"):
        roll_back(2, "test", ledger)
    assert ledger.champion().version == 1


def test_two_approvals_are_two_people_and_say_exactly_this(ledger, register, tmp_path) -> None:
    register(1)
    live = lambda: promote(1, TWO, "test", tmp_path / "runs", ledger)  # noqa: E731
    with pytest.raises(ApprovalsMissingError, match="0 of 2 people"):
        live()
    add_key("Mara", "compliance", tmp_path / "mara2.pem", ledger)
    add_key("Mara", "reviewer", tmp_path / "mara.pem", ledger, tmp_path / "mara2.pem")
    assert approve(1, "reviewer", tmp_path / "mara.pem", ledger)[1] is True
    assert approve(1, "reviewer", tmp_path / "mara.pem", ledger)[1] is False
    approve(1, "compliance", tmp_path / "mara2.pem", ledger)
    with pytest.raises(ApprovalsMissingError, match="1 of 2 people"):
        live()
    add_key("Jon", "engineer", tmp_path / "jon.pem", ledger, tmp_path / "mara2.pem")
    approve(1, "engineer", tmp_path / "jon.pem", ledger)
    assert live().to_version == 1
    assert ledger.verify_chain().intact
    assert live() == ledger.promotions()[-1], "a repeated promotion is the first one"


def test_a_role_that_somebody_must_speak_in_is_asked_for(ledger, register, tmp_path) -> None:
    register(1)
    add_key("Cora", "compliance", tmp_path / "cora.pem", ledger)
    for person in ("Mara", "Jon"):
        add_key(person, "engineer", tmp_path / f"{person}.pem", ledger, tmp_path / "cora.pem")
        approve(1, "engineer", tmp_path / f"{person}.pem", ledger)
    with pytest.raises(ApprovalsMissingError, match="an approval as compliance is missing"):
        promote(1, TWO, "test", tmp_path / "runs", ledger)


def test_an_approval_of_another_version_is_none_of_this(ledger, register, tmp_path) -> None:
    register(1)
    register(2)
    add_key("Mara", "compliance", tmp_path / "mara.pem", ledger)
    approve(1, "compliance", tmp_path / "mara.pem", ledger)
    with pytest.raises(ApprovalsMissingError):
        promote(2, ApprovalRule(required=1), "test", tmp_path / "runs", ledger)


@pytest.mark.parametrize(
    ("column", "value"),
    [("signature", "0" * 128), ("version", "2"), ("role", "engineer"), ("decision_sha256", None)],
)
def test_an_approval_that_was_edited_counts_for_nothing(ledger, register, tmp_path, column, value) -> None:
    import sqlite3

    register(1)
    other = register(2)
    add_key("Mara", "compliance", tmp_path / "mara.pem", ledger)
    approve(1, "compliance", tmp_path / "mara.pem", ledger)
    with sqlite3.connect(tmp_path / "ledger.db") as raw:
        raw.execute(f"update approvals set {column} = ?", (value or other,))  # noqa: S608 - constant names
    with pytest.raises(IntegrityError, match="not as bitface wrote it"):
        promote(1, ApprovalRule(required=1), "test", tmp_path / "runs", ledger)


def test_keys_are_made_once_and_for_their_owner_alone(ledger, tmp_path) -> None:
    path = tmp_path / "mara.pem"
    add_key("Mara", "compliance", path, ledger)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(InputError, match="never overwritten"):
        add_key("Mara", "compliance", path, ledger)
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="unknown role"):
        add_key("Mara", "king", tmp_path / "king.pem", ledger)
    assert not (tmp_path / "king.pem").exists(), "a key that is not on record leaves no file"
    assert [key.person for key in ledger.known_keys()] == ["Mara"]


def test_somebody_answers_for_each_key_and_one_person_cannot_be_two(ledger, register, tmp_path) -> None:
    """The first key is of compliance, and endorses those that follow; one that slipped in otherwise approves nothing."""
    register(1)
    with pytest.raises(RefusedError, match="the first key must have role compliance"):
        add_key("Mara", "reviewer", tmp_path / "mara.pem", ledger)
    add_key("Cora", "compliance", tmp_path / "cora.pem", ledger)
    for by in (None, tmp_path / "jon.pem"):
        with pytest.raises(RefusedError, match="not endorsed"):
            add_key("Mara", "reviewer", tmp_path / "mara.pem", ledger, by)
        add_key("Jon", "engineer", tmp_path / "jon.pem", ledger, tmp_path / "cora.pem") if by is None else None
    assert not (tmp_path / "mara.pem").exists()
    add_key("Otto", "compliance", tmp_path / "otto.pem", ledger, tmp_path / "cora.pem")
    add_key("Mara", "reviewer", tmp_path / "mara.pem", ledger, tmp_path / "otto.pem")
    for name, role in (("jon", "engineer"), ("mara", "reviewer")):
        approve(1, role, tmp_path / f"{name}.pem", ledger)
    said = standing(1, ledger).statement
    with ledger._appending() as connection:
        connection.execute(endorsements.delete())
        assert set(answering_keys(connection)) == {ledger.known_keys()[0].key_id}
        assert not valid_approvals(connection, said)


def test_a_key_approves_only_as_what_it_was_made_for(ledger, register, tmp_path) -> None:
    register(1)
    add_key("Cora", "compliance", tmp_path / "cora.pem", ledger)
    add_key("Mara", "reviewer", tmp_path / "mara.pem", ledger, tmp_path / "cora.pem")
    with pytest.raises(InputError, match="approve with --role reviewer"):
        approve(1, "compliance", tmp_path / "mara.pem", ledger)
    (tmp_path / "no.pem").write_text("no key")
    with pytest.raises(InputError, match="is not a private key"):
        approve(1, "reviewer", tmp_path / "no.pem", ledger)
    register(2, verdict="hold")
    with pytest.raises(GateError, match="on version 2 is hold"):
        approve(2, "reviewer", tmp_path / "mara.pem", ledger)


def test_a_decision_against_another_champion_promotes_nothing(ledger, register, tmp_path) -> None:
    register(1)
    promote(1, NOBODY, "test", tmp_path / "runs", ledger)
    register(2, champion=1)
    register(3, champion=1)
    promote(3, NOBODY, "test", tmp_path / "runs", ledger)
    with pytest.raises(StalePromotionError, match="compare with it and decide again"):
        promote(2, NOBODY, "test", tmp_path / "runs", ledger)
    assert ledger.champion().version == 3


def test_a_bundle_that_is_not_the_recorded_one_promotes_nothing(ledger, register, tmp_path) -> None:
    register(1)
    register(2)
    runs = tmp_path / "runs"
    (runs / "run1" / BUNDLE_NAME).write_bytes((runs / "run2" / BUNDLE_NAME).read_bytes())
    with pytest.raises(IntegrityError, match="differs from the recorded one"):
        promote(1, NOBODY, "test", runs, ledger)
    (runs / "run1" / BUNDLE_NAME).unlink()
    with pytest.raises(InputError, match="is missing"):
        promote(1, NOBODY, "test", runs, ledger)


def test_what_waits_for_people_is_challenger_until_they_spoke(ledger, register, tmp_path) -> None:
    sha256 = register(1)
    why = go_live(1, None, "synthetic", sha256, ApprovalRule(required=1), ledger)
    assert why is not None and "0 of 1 person" in why
    assert ledger.champion("challenger").version == 1 and ledger.champion() is None
    add_key("Mara", "compliance", tmp_path / "mara.pem", ledger)
    approve(1, "compliance", tmp_path / "mara.pem", ledger)
    assert go_live(1, None, "synthetic", sha256, ApprovalRule(required=1), ledger) is None
    assert ledger.champion("challenger") is None and ledger.champion().version == 1
    assert ledger.verify_chain().intact


def test_a_model_of_synthetic_people_replaces_none_of_real_ones(ledger, register) -> None:
    go_live(1, None, "real", register(1, evidence_kind="real"), NOBODY, ledger)
    why = go_live(2, None, "synthetic", register(2), NOBODY, ledger)
    assert why is not None and "was judged on real people" in why
    assert (ledger.champion().version, ledger.champion("challenger").version) == (1, 2)
    with pytest.raises(RealChampionError):
        expected_previous(None, "synthetic", ledger.champion(), is_over=False)


def withdraw(ledger: Ledger) -> None:
    event = synthetic_consents(PEOPLE)[0]
    changes = {"event_id": f"{event.event_id}-w", "state": "withdrawn", "event_time": NOON, "recorded_at": NOON}
    ledger.record_consents([ConsentEvent.model_validate(event.model_dump() | changes)])


def test_a_rollback_goes_to_a_champion_that_was_and_holds_nobody_who_left(ledger, register, tmp_path) -> None:
    with pytest.raises(InputError, match="no previous champion"):
        roll_back(None, "test", ledger)
    register(1)
    promote(1, NOBODY, "test", tmp_path / "runs", ledger)
    register(2, champion=1)
    promote(2, NOBODY, "test", tmp_path / "runs", ledger)
    register(3, champion=2)
    assert roll_back(None, "test", ledger).to_version == 1
    assert roll_back(None, "test", ledger).to_version == 2
    with pytest.raises(RefusedError, match="never champion"):
        roll_back(3, "test", ledger)
    withdraw(ledger)
    with pytest.raises(RefusedError, match="1 of 3 people in it is no longer admitted"):
        roll_back(1, "test", ledger)
    with pytest.raises(RefusedError, match="no longer admitted"):
        promote(3, NOBODY, "test", tmp_path / "runs", ledger)
    assert ledger.champion().version == 2


def test_a_champion_that_is_promoted_again_is_asked_about_again(ledger, register, tmp_path) -> None:
    """The record of its promotion is no answer any more once somebody in it has withdrawn."""
    register(1)
    first = promote(1, NOBODY, "test", tmp_path / "runs", ledger)
    assert promote(1, NOBODY, "test", tmp_path / "runs", ledger) == first
    withdraw(ledger)
    with pytest.raises(RefusedError, match="1 of 3 people in it is no longer admitted"):
        promote(1, NOBODY, "test", tmp_path / "runs", ledger)


def test_who_lost_the_lease_promotes_nothing(ledger, register) -> None:
    """A retrain that slept too long wakes up after another one has begun."""
    sha256 = register(1)
    late = ledger.take_lease("retrain", "asleep", timedelta(minutes=1), lambda _: True)
    ledger.take_lease("retrain", "awake", timedelta(minutes=1), lambda _: True)
    with pytest.raises(LeaseLostError, match="not used"):
        go_live(1, None, "synthetic", sha256, NOBODY, ledger, late)
    assert ledger.champion() is None


def test_a_bundle_that_says_the_same_and_was_sealed_by_somebody_else_is_not_the_recorded_one(
    ledger, register, evidence, gate_params, tmp_path
) -> None:
    """Its content has the recorded digest; the file is another one than on record."""
    register(1)
    path = tmp_path / "runs" / "run1" / BUNDLE_NAME
    entry = AssetEntry(run_id="run1", path=f"runs/run1/{BUNDLE_NAME}", kind="report", sha256=sha256_of(path))
    ledger.record_assets([entry])
    whole, keys = path.read_bytes(), KeyStore(tmp_path / "keys")
    bundle = opened_bundle(path, keys)
    decision = evaluate_gate(bundle.evidence, bundle.params, 1)
    same = write_bundle(path, bundle.evidence, bundle.params, 1, decision, bundle.digests, partial(SEAL, keys=keys))
    assert same == ledger.decisions("bundle 1")[-1].decision_sha256 and path.read_bytes() != whole
    with pytest.raises(IntegrityError, match="differs from the recorded one"):
        promote(1, NOBODY, "test", tmp_path / "runs", ledger)
    path.write_bytes(whole)
    assert promote(1, NOBODY, "test", tmp_path / "runs", ledger).to_version == 1


def test_what_was_judged_again_goes_live_by_the_run_that_judged_last(ledger, register, begin, freeze, tmp_path) -> None:
    """The very bundle, made by a second run: of other people to judge it, with other consents; the first run's files are gone."""
    first = register(1, verdict="hold")
    consents = synthetic_consents(PEOPLE[:2])
    freeze(ledger, "d2", consents, snapshot="9" * 64)
    begin(ledger, "again", "d2")
    second = judged_again(ledger, tmp_path, "again")
    assert first != second
    shutil.rmtree(tmp_path / "runs" / "run1")
    add_key("Cora", "compliance", tmp_path / "c.pem", ledger)
    approve(1, "compliance", tmp_path / "c.pem", ledger)
    moved = promote(1, ApprovalRule(required=1), "test", tmp_path / "runs", ledger)
    assert (moved.to_version, moved.decision_sha256) == (1, second)
    assert {row["kind"] for row in audit_run("again", ledger, NOON)} >= {"model", "decision"}


def test_a_decision_of_a_benchmark_lets_nothing_live(ledger, register, begin, freeze, tmp_path) -> None:
    """Who is admitted by a licence alone may judge a version, and has not agreed to more."""
    register(1, verdict="hold")
    begin(ledger, "again", "d1", purpose="benchmark")
    judged_again(ledger, tmp_path, "again")
    with pytest.raises(RefusedError, match="purpose 'benchmark' cannot be promoted"):
        promote(1, NOBODY, "test", tmp_path / "runs", ledger)
    assert ledger.champion() is None


def test_what_was_judged_again_is_shown_by_the_run_that_still_has_it(ledger, register, begin, tmp_path) -> None:
    """A registry that lost the version gets it from the second run: an erasure took the files of the first."""
    register(1, verdict="hold")
    begin(ledger, "again", "d1")
    judged_again(ledger, tmp_path, "again")
    runs, shown = tmp_path / "runs", []
    shutil.rmtree(runs / "run1")
    (runs / "again" / "bundle").mkdir()
    facts = {"evidence": "synthetic", "purpose": "train", "context": "research", "reasons": (), "headline": {}}
    digests = dict.fromkeys(("bundle_sha256", "weights_sha256", "decision_sha256", "consent_snapshot_sha256"), "f" * 64)
    version = TrackedVersion(
        name="bitface",
        version=1,
        run_id="again",
        bundle=runs / "again" / "bundle",
        decision="promote",
        dataset_version="d1",
        **facts,
        **digests,
    )
    keep_shown(runs / "again", version)
    empty = SimpleNamespace(versions=frozenset(), aliases={})
    registry = SimpleNamespace(
        shown=lambda _: empty, register=shown.append, point_aliases=lambda *_: None, tell_status=lambda *_: None
    )
    assert reconcile(runs, ledger, lambda: registry) == (
        "version 1 was missing from the registry because its run was interrupted; it is registered now",
    )
    assert shown == [version]


def test_the_decision_that_is_shown_is_the_one_on_record_and_opens_nobody_s_row(ledger, register, tmp_path) -> None:
    register(1)
    register(2)
    runs = tmp_path / "runs"
    shutil.rmtree(tmp_path / "keys")
    assert recorded_decision("run1", runs, ledger)["decision"] == "promote"
    shutil.copy(runs / "run2" / BUNDLE_NAME, runs / "run1" / BUNDLE_NAME)
    with pytest.raises(IntegrityError, match="the gate bundle of run run1 differs from the recorded one"):
        recorded_decision("run1", runs, ledger)
    for unknown in ("run3", "../run1", ""):
        with pytest.raises(InputError, match="has no decision"):
            check_judged(unknown, runs, ledger)


def judged_again(ledger: Ledger, folder: Path, run_id: str) -> str:
    """Version 1, let through by another run: its bundle's digest."""
    keys = KeyStore(folder / "keys")
    before = opened_bundle(folder / "runs" / "run1" / BUNDLE_NAME, keys)
    decision = evaluate_gate(before.evidence, before.params, 2)
    path = folder / "runs" / run_id / BUNDLE_NAME
    path.parent.mkdir()
    sha256 = write_bundle(path, before.evidence, before.params, 2, decision, {"run": run_id}, partial(SEAL, keys=keys))
    entry = {"bundle_sha256": "bundle 1", "run_id": run_id}
    model = ModelEntry(**entry, weights_sha256="f" * 64, evidence="synthetic", purpose="train")
    assert ledger.record_model(model).version == 1
    ledger.record_decision(DecisionEntry(**entry, decision_sha256=sha256, decision="promote", reasons=()))
    return sha256
