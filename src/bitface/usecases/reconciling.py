"""Makes the tracking tool show what the ledger says."""

from __future__ import annotations

from bitface.steps.versions.reconcile import reconcile
from bitface.usecases.tools import Tools


def close_interrupted(tools: Tools) -> tuple[str, ...]:
    """Closes what a killed retrain left open; only for whoever holds the lease. A sentence for each."""
    return (*tools.ports.tracking().end_interrupted(), *tools.ports.close_crashed())


def reconciled(tools: Tools) -> tuple[str, ...]:
    """Makes the registry show what the ledger says; a sentence for each thing that it did not. Nothing is opened where nothing is on
    record.
    """
    return reconcile(tools.workspace.runs, tools.ledger, tools.ports.tracking)
