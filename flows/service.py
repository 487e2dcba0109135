"""The service behind the schedule: deployments of this installation, a server and a worker for them, what is looked after at night."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from bitface.adapters.prefect_processes import client_settings, server, worker
from bitface.adapters.prefect_service import deploy, notify, scheduled, tell
from bitface.flows.deployments import REACTIONS, deployments
from bitface.flows.wiring import QUIET, Tools, home_tag, places_elsewhere, prepare_server


def schedule_all(
    tools: Tools, cron: str | None, every_s: float | None, overrides: Sequence[str]
) -> list[dict[str, Any]]:
    """Creates every deployment for this installation; what there is now."""
    place = tools.workspace
    prepare_server()
    environment = {
        "BITFACE_HOME": str(place.home),
        "BITFACE_DATA": str(place.data),
        "BITFACE_CACHE": str(place.cache),
        "BITFACE_PARAMS": str(place.params),
        **places_elsewhere(),
        **QUIET,
        "PREFECT_LOGGING_LEVEL": "WARNING",  # nobody looks on: the log is all there is
    }
    request = {"profile": tools.profile, "overrides": list(overrides)}
    wanted = deployments(tools.params.schedule, request, cron, every_s)
    deploy(wanted, REACTIONS, place.root, environment, [home_tag(place)])
    return scheduled()


def serve_schedule(tools: Tools, port: int) -> int:
    """A server, unless there is one, and a worker, until they end; what the worker returned. Raises InputError: a port that is taken."""
    place = tools.workspace
    given = os.environ.get("PREFECT_API_URL")
    with contextlib.ExitStack() as running:
        access = None if given else running.enter_context(server(place.home, port, place.cache))
        client = client_settings(access) if access else {}
        process = running.enter_context(worker(client, place.home, [home_tag(place)]))
        where = access.address if access else str(given).removesuffix("/api")
        asks = f"  sign in with: {access.sign_in}\n" if access else ""
        sys.stdout.write(f"Prefect: {where}  worker is waiting for scheduled runs (stop with Ctrl-C)\n{asks}")
        sys.stdout.flush()
        return process.wait()


def announce(tools: Tools, event: str, payload: dict[str, int], subject: str, body: str) -> None:
    """An event that a reaction may wait for, and word to people."""
    tell(event, home_tag(tools.workspace), payload)
    inform(tools.params.schedule.notify, subject, body)


def inform(block: str | None, subject: str, body: str) -> None:
    """Notifies people through their Prefect block, if they chose one."""
    if block:
        notify(block, subject, body)
