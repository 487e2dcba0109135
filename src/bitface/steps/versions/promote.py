"""Lets a version go live, or takes it back: each in one transaction of the ledger, and only from where the decision thought it was."""

from __future__ import annotations

from pathlib import Path

from bitface.dataset.files import sha256_of
from bitface.dataset.keys import KeyStore
from bitface.errors import GateError, InputError, IntegrityError
from bitface.gate.decision_bundle import replay
from bitface.ledger.entries import ApprovalRule, ApprovalsMissingError, ModelEntry, Promotion
from bitface.ledger.leases import Lease
from bitface.ledger.ledger import Ledger
from bitface.ledger.promotion import Move
from bitface.params import PromotionParams
from bitface.steps.versions.approve import Standing, standing
from bitface.steps.versions.gate import BUNDLE_NAME, opened_bundle
from bitface.steps.versions.model_choice import versions_there_are


def rule_of(params: PromotionParams) -> ApprovalRule:
    """Who must approve, as params.yaml says."""
    return ApprovalRule(required=params.approvals_required, roles=params.roles)


def promote(version: int, rule: ApprovalRule, actor: str, runs: Path, ledger: Ledger, keys: KeyStore) -> Promotion:
    """Makes a version the champion, provided that the champion is still the one that its gate compared it with.

    Raises:
        InputError: no such version, or its gate bundle is gone. IntegrityError: the bundle is not the recorded one, or its
            decision cannot be derived again. GateError: the gate or the approvals do not allow it. RefusedError: consent, or somebody in
            the evidence was erased.
    """
    ledger.check_intact()
    found = standing(version, ledger)
    return ledger.promote(
        Move(
            to_version=version,
            expected_previous=_replaced(found, runs, ledger, keys),
            decision_sha256=found.decision.decision_sha256,
            actor=actor,
            rule=rule,
        )
    )


def go_live(
    version: int,
    compared: int | None,
    evidence: str,
    decision_sha256: str,
    rule: ApprovalRule,
    ledger: Ledger,
    lease: Lease | None = None,
) -> str | None:
    """Promotes what a gate has just let through; where it cannot go live yet, makes it challenger and says why.

    Raises:
        RefusedError: somebody's consent ended meanwhile. StalePromotionError: another champion was promoted meanwhile.
        LeaseLostError: another retrain took the lease meanwhile.
    """
    current = ledger.champion()
    actor = "retrain, with the approvals of people" if rule.asks else "retrain: no approval is required by params.yaml"
    try:
        ledger.promote(
            Move(
                to_version=version,
                expected_previous=expected_previous(compared, evidence, current, _is_over(current, ledger)),
                decision_sha256=decision_sha256,
                actor=actor,
                rule=rule,
                lease=lease,
            )
        )
    except (ApprovalsMissingError, RealChampionError) as why:
        challenger = ledger.champion("challenger")
        ledger.promote(
            Move(
                to_version=version,
                expected_previous=challenger.version if challenger else None,
                decision_sha256=decision_sha256,
                actor="retrain",
                alias="challenger",
                lease=lease,
            )
        )
        return str(why)
    return None


def stand_in(version: int, decision_sha256: str, ledger: Ledger, lease: Lease | None = None) -> None:
    """Makes a version of synthetic people that its gate has just held the demo, while there is no champion.

    Raises:
        RefusedError: somebody's consent ended meanwhile. StalePromotionError: a champion was promoted meanwhile.
        LeaseLostError: another retrain took the lease meanwhile.
    """
    if ledger.champion() is not None:
        return
    current = ledger.champion("demo")
    ledger.promote(
        Move(
            to_version=version,
            expected_previous=current.version if current else None,
            decision_sha256=decision_sha256,
            actor="retrain: held, of synthetic people, and there is no champion",
            alias="demo",
            lease=lease,
        )
    )


class RealChampionError(GateError):
    """A champion that learned from real people is not replaced by one that saw synthetic ones only."""


def expected_previous(compared: int | None, evidence: str, current: ModelEntry | None, is_over: bool) -> int | None:
    """Which champion a decision lets be replaced: the one it compared with, one of synthetic evidence by real, or one that is over.

    Raises:
        RealChampionError: a model of synthetic evidence alone would replace one of real people.
    """
    if compared is not None or current is None:
        return compared
    if is_over:
        return current.version
    if current.evidence == evidence:
        return compared
    if evidence == "synthetic":
        raise RealChampionError(
            f"champion {current.version} was judged on {current.evidence} people; a version judged on synthetic people cannot replace it"
        )
    return current.version


def _replaced(found: Standing, runs: Path, ledger: Ledger, keys: KeyStore) -> int | None:
    """Which champion a version takes the place of: its own, where the champion is promoted again, which asks everybody in it again."""
    current = ledger.champion()
    if current is not None and current.version == found.model.version:
        return current.version
    compared = _compared_with(found, runs, ledger, keys)
    return expected_previous(compared, found.model.evidence, current, _is_over(current, ledger))


def _is_over(model: ModelEntry | None, ledger: Ledger) -> bool:
    """Whether somebody who is in a model has been erased, or is no longer admitted: it is compared with, and kept, no more."""
    return model is not None and not ledger.is_lawful(model)


def roll_back(version: int | None, actor: str, ledger: Ledger) -> Promotion:
    """Makes an earlier champion the champion again; the previous one where no version is named.

    Raises:
        InputError: there is none. RefusedError: it never was champion, or holds somebody who is no longer admitted.
    """
    current, previous = ledger.champion(), ledger.champion("previous")
    target = version if version is not None else previous.version if previous else None
    if target is None:
        raise InputError(f"there is no previous champion to roll back to; {versions_there_are(ledger)}")
    return ledger.promote(
        Move(
            to_version=target,
            expected_previous=current.version if current else None,
            decision_sha256=None,
            actor=actor,
            kind="rollback",
        )
    )


def _compared_with(found: Standing, runs: Path, ledger: Ledger, keys: KeyStore) -> int | None:
    """Which champion the gate's latest word on a version compared with: that of the run that judged last, which may have made a bundle that
    was there already.
    """
    run_id = found.decision.run_id
    path = runs / run_id / BUNDLE_NAME
    if not path.is_file():
        raise InputError(f"the gate bundle of run {run_id} is missing; restore it, or retrain")
    bundle = opened_bundle(path, keys)
    # Its content has one digest and its file another: what no reader looks at, such as a date in a former zip, is touched by nobody either.
    files = {one.sha256 for one in ledger.assets(run_id) if Path(one.path).name == BUNDLE_NAME}
    if bundle.sha256 != found.decision.decision_sha256 or (files and sha256_of(path) not in files):
        raise IntegrityError(f"the gate bundle of run {run_id} differs from the recorded one; restore it")
    again = replay(bundle)
    if not again.identical or again.decision.verdict != found.decision.decision:
        raise IntegrityError(f"the decision on version {found.model.version} cannot be reproduced; retrain")
    compared = bundle.evidence.champion_version
    return None if compared is None else int(compared)
