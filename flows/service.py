"""The deployments of this installation, as `bitface schedule` creates them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bitface.bootstrap.orchestrator import deploy_all
from bitface.flows.deployments import REACTIONS, deployments
from bitface.usecases.tools import Tools


def schedule_all(
    tools: Tools, cron: str | None, every_s: float | None, overrides: Sequence[str]
) -> list[dict[str, Any]]:
    """Creates every deployment for this installation; returns those that exist now."""
    request = {"profile": tools.profile, "overrides": list(overrides)}
    return deploy_all(tools, deployments(tools.params.schedule, request, cron, every_s), REACTIONS)
