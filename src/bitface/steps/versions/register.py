"""Puts a decision into effect: first the ledger, in transactions; then MLflow, as a view that can be rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bitface.dataset.files import sha256_of_tree
from bitface.ledger.entries import AssetEntry, DecisionEntry, ModelEntry
from bitface.ledger.leases import Lease
from bitface.ledger.ledger import Ledger
from bitface.ledger.permissions.policy_document import policy_of
from bitface.ledger.status import ModelStatus
from bitface.ports import Tracking
from bitface.steps.retrain.export import Exported
from bitface.steps.retrain.plan import Run
from bitface.steps.versions.outcome import Outcome
from bitface.steps.versions.promote import go_live, rule_of, stand_in
from bitface.steps.versions.reconcile import keep_shown, project_aliases
from bitface.steps.versions.release import CARD, release_bundle
from bitface.steps.versions.shown.tracked_run import Shown, headline_of, show_run, tracked_version


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The ledger's current record of a version, and why it is not champion although it passed its gate."""

    status: ModelStatus
    withheld: str | None


@dataclass(frozen=True, kw_only=True)
class Registries:
    """Where a version is recorded and shown. `lease`: this process's right to promote, None if it needs none."""

    ledger: Ledger
    tracking: Tracking
    sign: Callable[[Path], None]
    lease: Lease | None


def record_version(run: Run, outcome: Outcome, ledger: Ledger) -> ModelStatus:
    """Records the model and the gate's decision on it; returns its status then, before anything goes live."""
    bundle, decision = outcome.model.bundle, outcome.decided
    entry = ledger.record_model(
        ModelEntry(
            bundle_sha256=bundle.bundle_sha256,
            weights_sha256=bundle.weights_sha256,
            run_id=run.run_id,
            evidence=run.evidence,
            purpose=run.purpose,
        )
    )
    ledger.record_decision(
        DecisionEntry(
            decision_sha256=decision.sha256,
            bundle_sha256=bundle.bundle_sha256,
            run_id=run.run_id,
            decision=decision.decision.verdict,
            reasons=decision.decision.reasons,
        )
    )
    ledger.record_judged_by(decision.sha256, policy_of(run.params))
    return ledger.status(entry)


def register_model(
    run: Run,
    recorded: ModelStatus,
    outcome: Outcome,
    shown: Shown,
    registries: Registries,
) -> Registered:
    """Signs the released bundle, promotes the recorded version if the decision allows it, and shows everything.

    Raises:
        RefusedError: a person's consent ended between the start of the run and now; nothing is promoted.
        StalePromotionError: another champion was promoted meanwhile.
    """
    version, decision = recorded.version, outcome.decided
    ledger, tracking, lease = registries.ledger, registries.tracking, registries.lease
    ledger.record_assets(_assets(run, outcome.model.bundle, shown))
    withheld = _other_limits(run, ledger)
    headline = headline_of(run, outcome, withheld)
    released = release_bundle(run, outcome, shown.reports[CARD], version, registries.sign)
    tracked = tracked_version(run, released, outcome, recorded, headline)
    keep_shown(run.folder, tracked)
    show_run(run, recorded, outcome, shown, headline, tracking)
    tracking.register(tracked)
    if decision.decision.verdict == "promote" and run.purpose == "train" and withheld is None:
        rule = rule_of(run.params.promotion)
        withheld = go_live(version, decision.compared_with, run.evidence, decision.sha256, rule, ledger, lease)
    if decision.decision.verdict == "hold" and (run.purpose, run.evidence) == ("train", "synthetic"):
        stand_in(version, decision.sha256, ledger, lease)
    project_aliases(ledger, tracking)
    entry = ledger.model(version)
    return Registered(status=recorded if entry is None else ledger.status(entry), withheld=withheld)


def _other_limits(run: Run, ledger: Ledger) -> str | None:
    """Why this run's version does not go live automatically: it was judged by limits that differ from the policy in force."""
    policy = ledger.policy()
    other = policy.differences(run.profile, policy_of(run.params)) if policy else ()
    if not other:
        return None
    return (
        f"judged by limits that differ from the policy in force: {'; '.join(other)}. Retrain under that policy, or adopt these limits: "
        "bitface policy adopt"
    )


def _assets(run: Run, bundle: Exported, shown: Shown) -> list[AssetEntry]:
    """The files that an auditor must be able to find: the bundle, pictures and reports, as shown in MLflow."""
    home = run.folder.parent.parent
    found = {"bundle": [bundle.folder], "figure": list(shown.figures), "report": list(shown.reports.values())}
    return [
        AssetEntry(run_id=run.run_id, path=path.relative_to(home).as_posix(), kind=kind, sha256=sha256_of_tree(path))
        for kind, paths in found.items()
        for path in paths
    ]
