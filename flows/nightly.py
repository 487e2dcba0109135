"""The nightly work: consents that end, data due for erasure, expired predictions, and the end of the log."""

from __future__ import annotations

from typing import Any

from bitface.bootstrap.orchestrator import announce, inform
from bitface.dataset.prediction_log import first_day_kept
from bitface.flows.deployments import CONSENT_LAPSED
from bitface.flows.retention import RetentionRequest, enforce
from bitface.steps.audits.retention import due, night_of, night_text
from bitface.steps.people.expire import look
from bitface.usecases.answers import prediction_log
from bitface.usecases.tools import Tools


def look_after(tools: Tools, days: int | None, request: RetentionRequest) -> dict[str, Any]:
    """Destroys expired predictions and, if params.yaml allows it, erases people who are due; then reports consents that have lapsed or soon
    will, with an event if a live model contains a person whose consent ended, and signs the end of the log.
    """
    forgotten = prediction_log(tools).forget(first_day_kept(tools.now(), tools.params.drift.log_days))
    state = enforce(request, return_state=True) if tools.params.retention.enforce_nightly else None
    ahead = tools.params.schedule.expire_days if days is None else days
    with tools.ledger as ledger:
        found = look(ledger, ahead, tools.now())
        overdue = due(tools.workspace.data, tools.keys, ledger, ledger.moments(tools.now())[-1])
        ledger.sign_end()
    if found["lapsed"]:
        text = "\n".join(found["lapsed"])
        announce(tools, CONSENT_LAPSED, {"models": len(found["lapsed"])}, "bitface: consent has ended", text)
    night = night_of(state)
    notice = night_text(night, len(overdue))
    if notice:
        inform(tools.params.schedule.notify, "bitface: data due for erasure", notice)
    return {**found, "overdue": len(overdue), "retention": night, "days_of_predictions_destroyed": forgotten}
