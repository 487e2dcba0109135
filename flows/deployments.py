"""What runs by itself and when: the retrain every week, drift every day, lapsed consents and old logs every night."""

from __future__ import annotations

from typing import Any, Final

from bitface.adapters.prefect_service import Deployment, Reaction
from bitface.params import ScheduleParams

DRIFT_FOUND: Final = "bitface.drift.found"
CONSENT_LAPSED: Final = "bitface.consent.lapsed"


def deployments(
    params: ScheduleParams, request: dict[str, Any], cron: str | None, every_s: float | None
) -> tuple[Deployment, ...]:
    """All of them; `cron` or `every_s` stand in for the retrain's own schedule where they are given."""
    own = None if every_s else cron or params.retrain
    return (
        Deployment(
            name="retrain",
            entrypoint="flows/retrain.py:retrain",
            description="From the dataset to a model that is promoted, held or blocked.",
            cron=own,
            every_s=every_s,
            parameters={"request": request},
        ),
        Deployment(
            name="expire",
            entrypoint="flows/expire.py:expire",
            description="Consents that lapsed or soon will, and logs that are older than they may be.",
            cron=params.expire,
        ),
    )


REACTIONS: Final = (
    Reaction(name="bitface: retrain where faces drifted", event=DRIFT_FOUND, deployment="retrain"),
    Reaction(name="bitface: retrain without who left", event=CONSENT_LAPSED, deployment="retrain"),
)
