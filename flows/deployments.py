"""What runs by itself and when: the retrain every week; every night a look at consents, and at faces that models have read."""

from __future__ import annotations

from typing import Any, Final

from bitface.adapters.prefect_service import Deployment, Reaction
from bitface.params import ScheduleParams

CONSENT_LAPSED: Final = "bitface.consent.lapsed"
DRIFTED: Final = "bitface.drift.found"


def deployments(
    params: ScheduleParams, request: dict[str, Any], cron: str | None, every_s: float | None
) -> tuple[Deployment, ...]:
    """All of them; `cron` or `every_s` stand in for the retrain's own schedule where they are given."""
    own = None if every_s else cron or params.retrain
    return (
        Deployment(
            name="retrain",
            entrypoint="bitface.flows.retrain.retrain",
            description="From the dataset to a model that is promoted, held or blocked.",
            cron=own,
            every_s=every_s,
            parameters={"request": request},
        ),
        Deployment(
            name="expire",
            entrypoint="bitface.flows.expire.expire",
            description="Which live models hold people whose consent has ended, which consents end soon, and whose data must go and do.",
            cron=params.expire,
            parameters={"profile": request["profile"], "overrides": request["overrides"]},
        ),
        Deployment(
            name="monitor",
            entrypoint="bitface.flows.monitor.monitor",
            description="Whether new faces are still like those that the champion was judged on.",
            cron=params.drift,
        ),
    )


REACTIONS: Final = (
    Reaction(name="bitface: retrain without who left", event=CONSENT_LAPSED, deployment="retrain"),
    Reaction(name="bitface: retrain after drift", event=DRIFTED, deployment="retrain"),
)
