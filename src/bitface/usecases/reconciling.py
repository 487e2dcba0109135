"""Makes the tracking tool agree with the ledger."""

from __future__ import annotations

from bitface.steps.versions.reconcile import reconcile
from bitface.usecases.tools import Tools


def close_interrupted(tools: Tools) -> tuple[str, ...]:
    """Closes what a killed retrain left open; call it only under the lease. A sentence for each."""
    return (*tools.ports.tracking().end_interrupted(), *tools.ports.close_crashed())


def reconciled(tools: Tools) -> tuple[str, ...]:
    """Makes the registry agree with the ledger; a sentence for each correction. Opens nothing if nothing is on record."""
    return reconcile(tools.workspace.runs, tools.ledger, tools.ports.tracking)
