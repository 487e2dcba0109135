"""What is looked after at night: consents that end, data that must go, predictions whose time is over, and the end of the log."""

from __future__ import annotations

from typing import Any

from bitface.dataset.prediction_log import first_day_kept
from bitface.steps.expire import look
from bitface.steps.retention import due
from flows.deployments import CONSENT_LAPSED
from flows.service import announce, inform
from flows.wiring import Tools, prediction_log


def look_after(tools: Tools, days: int | None) -> dict[str, Any]:
    """Lapsed and lapsing consents of this installation, with an event where a live model holds somebody who left; kept predictions
    whose time is over are destroyed, and the end of the log is signed.
    """
    ahead = tools.params.schedule.expire_days if days is None else days
    with tools.ledger as ledger:
        found = look(ledger, ahead, tools.now())
        overdue = due(tools.workspace.data, tools.keys, ledger, tools.now())
        ledger.sign_end()
    forgotten = prediction_log(tools).forget(first_day_kept(tools.now(), tools.params.drift.log_days))
    if found["lapsed"]:
        text = "\n".join(found["lapsed"])
        announce(tools, CONSENT_LAPSED, {"models": len(found["lapsed"])}, "bitface: consent has ended", text)
    if overdue:
        text = f"the data of {len(overdue)} people must go: `bitface retention` lists them"
        inform(tools.params.schedule.notify, "bitface: data must go", text)
    return {**found, "overdue": len(overdue), "days_of_predictions_destroyed": forgotten}
