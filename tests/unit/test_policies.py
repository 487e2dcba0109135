"""The policy in force decides what may be promoted; what a caller passes can only ask for more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bitface.consent.known_sources import packaged_notice, synthetic_consents
from bitface.errors import GateError, InputError, IntegrityError, RefusedError
from bitface.ledger.engine import sqlite_url
from bitface.ledger.entries import ApprovalRule, ApprovalsMissingError, DecisionEntry, ModelEntry
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.policies import AdoptedPolicy
from bitface.ledger.permissions.policy_document import differences, policy_of, policy_sha256
from bitface.ledger.promotion import Move
from bitface.params import read_params
from bitface.steps.versions.approve import add_key
from bitface.steps.versions.policy import adopt, adopt_first, policies_in, policy_differences

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
OWN = policy_of(read_params(PARAMS))
LOOSE = policy_of(read_params(PARAMS, overrides=["gate.disparity_max=0.5"]))


@pytest.fixture
def ledger(tmp_path: Path, freeze, begin) -> Iterator[Ledger]:
    """Three versions that a gate let through."""
    with Ledger(sqlite_url(tmp_path / "ledger.db"), clock=lambda: NOON) as opened:
        consents = synthetic_consents([f"s{number:015d}" for number in range(3)])
        opened.record_notice(packaged_notice("synthetic-1"))
        opened.record_consents(consents)
        freeze(opened, "d1", consents)
        for number in (1, 2, 3):
            begin(opened, f"run{number}", "d1")
            made = {"bundle_sha256": f"b{number}", "run_id": f"run{number}"}
            opened.record_model(ModelEntry(weights_sha256="w", evidence="synthetic", purpose="train", **made))
            opened.record_decision(DecisionEntry(decision_sha256=f"d{number}", decision="promote", reasons=(), **made))
        yield opened


def params_with(tmp_path: Path, old: str, new: str) -> Path:
    text = PARAMS.read_text()
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1))
    return path


def promote(ledger: Ledger, version: int, rule: ApprovalRule = ApprovalRule()) -> None:  # noqa: B008 - frozen
    current = ledger.champion()
    ledger.promote(
        Move(
            to_version=version,
            expected_previous=current.version if current else None,
            decision_sha256=f"d{version}",
            actor="test",
            rule=rule,
        )
    )


def test_the_first_policy_is_that_of_params_yaml_and_stays(ledger, tmp_path) -> None:
    adopt_first(PARAMS, "anna", ledger)
    adopt_first(params_with(tmp_path, "approvals_required: 0", "approvals_required: 2"), "bob", ledger)
    policy = ledger.policy()
    assert policy.profiles == policies_in(PARAMS) and policy.actor == "anna" and policy.rule == ApprovalRule()


def test_a_decision_by_other_limits_is_not_promoted_and_one_by_those_in_force_is(ledger) -> None:
    adopt_first(PARAMS, "anna", ledger)
    ledger.record_judged_by("d1", LOOSE)
    ledger.record_judged_by("d2", OWN)
    with pytest.raises(GateError, match="limits that differ"):
        promote(ledger, 1)
    with pytest.raises(GateError, match="limits that differ"):
        promote(ledger, 3)  # nobody knows by which
    promote(ledger, 2)
    assert ledger.champion().version == 2


def test_a_version_that_loose_limits_let_through_is_relied_on_by_nobody(ledger) -> None:
    adopt_first(PARAMS, "anna", ledger)
    ledger.record_judged_by("d1", LOOSE)
    ledger.record_judged_by("d2", OWN)
    before, loose, own = (ledger.status(ledger.model(version)).passed_for for version in (3, 1, 2))
    assert loose == ("demo",) and own == before == ("demo", "evaluate")


def test_every_profile_has_its_own_limits_in_force(ledger) -> None:
    adopt_first(PARAMS, "anna", ledger)
    ledger.record_judged_by("d1", policy_of(read_params(PARAMS, "quick")))
    promote(ledger, 1)


def test_a_caller_can_ask_for_more_approvals_and_not_for_less(ledger, tmp_path) -> None:
    strict = params_with(tmp_path, "approvals_required: 0", "approvals_required: 2")
    adopt_first(strict, "anna", ledger)
    ledger.record_judged_by("d1", policy_of(read_params(strict)))
    with pytest.raises(ApprovalsMissingError, match="0 of 2"):
        promote(ledger, 1, ApprovalRule(required=0))
    with pytest.raises(ApprovalsMissingError, match="0 of 3"):
        promote(ledger, 1, ApprovalRule(required=3))


def test_where_promotions_need_approvals_a_change_is_signed_by_compliance(ledger, tmp_path) -> None:
    strict = params_with(tmp_path, "approvals_required: 0", "approvals_required: 2")
    adopt_first(strict, "anna", ledger)
    add_key("Mara", "compliance", tmp_path / "compliance.pem", ledger)
    add_key("Mara", "engineer", tmp_path / "engineer.pem", ledger, tmp_path / "compliance.pem")
    for key in (None, tmp_path / "engineer.pem"):
        with pytest.raises(RefusedError, match="signed by compliance"):
            adopt(PARAMS, "anna", "nobody shall approve", key, ledger)
    policy, is_new = adopt(PARAMS, "anna", "nobody shall approve", tmp_path / "compliance.pem", ledger)
    assert is_new and ledger.policy().key_id == policy.key_id and ledger.policy().rule == ApprovalRule()
    with pytest.raises(IntegrityError, match="signature"):
        ledger.adopt_policy(
            AdoptedPolicy(
                profiles=policies_in(strict), actor="anna", reason="x", key_id=policy.key_id, signature=policy.signature
            )
        )


@pytest.mark.parametrize("why", ["", "  ", "x" * 501])
def test_a_change_has_a_reason(ledger, why: str) -> None:
    with pytest.raises(InputError, match="reason"):
        adopt(PARAMS, "anna", why, None, ledger)


def test_what_differs_is_said_value_by_value(ledger, tmp_path) -> None:
    limit = OWN["gate"]["disparity_max"]
    assert differences(LOOSE, OWN) == (f"gate.disparity_max 0.5 instead of {limit}",)
    assert differences(OWN, OWN) == () and policy_sha256(OWN) != policy_sha256(LOOSE)
    adopt_first(PARAMS, "anna", ledger)
    assert policy_differences(PARAMS, ledger) == {}
    changed = policy_differences(params_with(tmp_path, "approvals_required: 0", "approvals_required: 2"), ledger)
    assert set(changed) == {"quick", "default", "full"}
