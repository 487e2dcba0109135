"""Moves a version live or back: in one transaction of the ledger, and only from the state that the decision assumed."""

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
from bitface.steps.versions.model_choice import existing_versions


def rule_of(params: PromotionParams) -> ApprovalRule:
    """The required approvals, from params.yaml."""
    return ApprovalRule(required=params.approvals_required, roles=params.roles)


def promote(version: int, rule: ApprovalRule, actor: str, runs: Path, ledger: Ledger, keys: KeyStore) -> Promotion:
    """Makes a version the champion, if the current champion is still the one that its gate compared it with.

    Raises:
        InputError: no such version, or its gate bundle is missing. IntegrityError: the bundle is not the recorded one, or its
            decision cannot be reproduced. GateError: the gate or the approvals do not allow it. RefusedError: consent, or a person in
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
    """Promotes a version that has just passed its gate; if it cannot go live yet, makes it challenger and returns why.

    Raises:
        RefusedError: a person's consent ended meanwhile. StalePromotionError: another champion was promoted meanwhile.
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
    """Makes a version of synthetic people the demo after its gate decided hold, while there is no champion.

    Raises:
        RefusedError: a person's consent ended meanwhile. StalePromotionError: a champion was promoted meanwhile.
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
    """A champion trained on real people is not replaced by one trained only on synthetic ones."""


def expected_previous(compared: int | None, evidence: str, current: ModelEntry | None, is_over: bool) -> int | None:
    """The champion that a decision may replace: the one it compared with, a synthetic one by a real one, or one no longer valid.

    Raises:
        RealChampionError: a model with only synthetic evidence would replace one of real people.
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
    """The champion that a version replaces: itself if it is promoted again, which checks everyone in it again."""
    current = ledger.champion()
    if current is not None and current.version == found.model.version:
        return current.version
    compared = _compared_with(found, runs, ledger, keys)
    return expected_previous(compared, found.model.evidence, current, _is_over(current, ledger))


def _is_over(model: ModelEntry | None, ledger: Ledger) -> bool:
    """Whether a person in a model has been erased or is no longer admitted: it is then neither compared with nor kept."""
    return model is not None and not ledger.is_lawful(model)


def roll_back(version: int | None, actor: str, ledger: Ledger) -> Promotion:
    """Makes an earlier champion the champion again; the previous one if no version is named.

    Raises:
        InputError: there is none. RefusedError: it never was champion, or a person in it is no longer admitted.
    """
    current, previous = ledger.champion(), ledger.champion("previous")
    target = version if version is not None else previous.version if previous else None
    if target is None:
        raise InputError(f"there is no previous champion to roll back to; {existing_versions(ledger)}")
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
    """The champion that the gate's latest decision on a version compared with: from the last run that judged it, which may have made an
    existing bundle again.
    """
    run_id = found.decision.run_id
    path = runs / run_id / BUNDLE_NAME
    if not path.is_file():
        raise InputError(f"the gate bundle of run {run_id} is missing; restore it, or retrain")
    bundle = opened_bundle(path, keys)
    # Content and file have separate digests, so that bytes that no reader uses, such as a date in an older zip, are protected too.
    files = {one.sha256 for one in ledger.assets(run_id) if Path(one.path).name == BUNDLE_NAME}
    if bundle.sha256 != found.decision.decision_sha256 or (files and sha256_of(path) not in files):
        raise IntegrityError(f"the gate bundle of run {run_id} differs from the recorded one; restore it")
    again = replay(bundle)
    if not again.identical or again.decision.verdict != found.decision.decision:
        raise IntegrityError(f"the decision on version {found.model.version} cannot be reproduced; retrain")
    compared = bundle.evidence.champion_version
    return None if compared is None else int(compared)
