"""What runs on a schedule: the retrain every week; a check of consents, and of faces that models have read, every night."""

from __future__ import annotations

from typing import Any, Final

from bitface.params import ScheduleParams
from bitface.ports import Deployment, Reaction

CONSENT_LAPSED: Final = "bitface.consent.lapsed"
DRIFTED: Final = "bitface.drift.found"


def deployments(
    params: ScheduleParams, request: dict[str, Any], cron: str | None, every_s: float | None
) -> tuple[Deployment, ...]:
    """All deployments; `cron` or `every_s`, if given, replace the retrain's own schedule."""
    own = None if every_s else params.retrain if cron is None else cron
    return (
        Deployment(
            name="retrain",
            entrypoint="bitface.flows.retrain.retrain",
            description="Trains a model on the dataset; the gate promotes, holds or blocks it.",
            cron=own,
            every_s=every_s,
            parameters={"request": request},
        ),
        Deployment(
            name="expire",
            entrypoint="bitface.flows.expire.expire",
            description="Finds live models with people whose consent has ended and expiring consents; erases data past its retention date.",
            cron=params.expire,
            parameters={"profile": request["profile"], "overrides": request["overrides"]},
        ),
        Deployment(
            name="monitor",
            entrypoint="bitface.flows.monitor.monitor",
            description="Tests whether new faces still resemble those the champion was judged on.",
            cron=params.drift,
        ),
    )


REACTIONS: Final = (
    Reaction(name="bitface: retrain after a withdrawal", event=CONSENT_LAPSED, deployment="retrain"),
    Reaction(name="bitface: retrain after drift", event=DRIFTED, deployment="retrain"),
)
