"""Prefect as the orchestrator: its quiet environment, its server for this process, deployments, events and notices."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Sequence
from functools import cache

from bitface.adapters.prefect_processes import (
    TemporaryServer,
    check_server,
    client_settings,
    named_server,
    refresh_settings,
    running_server,
    server,
    worker,
)
from bitface.adapters.prefect_service import close_left_running, deploy, notify, scheduled, send_event
from bitface.bootstrap.places import places_elsewhere, workspace
from bitface.documents import Document
from bitface.ports import Deployment, Reaction
from bitface.usecases.tools import Tools
from bitface.workspace import Workspace

QUIET = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
"""No tool sends telemetry or prints over the summary, unless the environment overrides it. Errors are reported once, by us."""


def quieten() -> None:
    """Sets the environment variables of tools before they are imported; existing values stay."""
    home = workspace().home
    for name, value in {**QUIET, "PREFECT_HOME": str(home / "prefect")}.items():
        os.environ.setdefault(name, value)
    served = None if "PREFECT_API_URL" in os.environ else running_server(home)
    if served:  # never one without the other: a password meant for another server would be sent to this one
        os.environ.update(client_settings(served))


@cache
def start_server() -> TemporaryServer | None:
    """Prefect's temporary server for the flows of this process, unless the environment names a server: None then. It is started
    once; call it early, because it takes as long as importing flows.
    """
    quieten()
    if named_server(os.environ):
        return None
    started = TemporaryServer(workspace().home, workspace().cache)
    os.environ.update(client_settings(started.access))
    return started


def prepare_server() -> None:
    """Waits, before the first flow of a process, until a server answers.

    Raises:
        InputError: the temporary server does not answer.
    """
    started = start_server()
    if started is not None:
        started.wait()
    refresh_settings()


def check_orchestrator() -> None:
    """Raises InputError if PREFECT_API_URL or Prefect's profile names a server that does not answer."""
    check_server(named_server(os.environ))


def home_tag(place: Workspace) -> str:
    """The tag of this installation's runs on a shared Prefect server."""
    return f"home-{hashlib.sha256(str(place.home.resolve()).encode()).hexdigest()[:12]}"


def close_crashed(place: Workspace) -> tuple[str, ...]:
    """Closes what a killed retrain of this installation left open; a sentence for each."""
    return close_left_running("retrain", home_tag(place))


def deploy_all(tools: Tools, wanted: Sequence[Deployment], reactions: Sequence[Reaction]) -> list[Document]:
    """Creates deployments for this installation; returns those that exist now."""
    place = tools.workspace
    prepare_server()
    environment = {
        "BITFACE_HOME": str(place.home),
        "BITFACE_DATA": str(place.data),
        "BITFACE_CACHE": str(place.cache),
        "BITFACE_PARAMS": str(place.params),
        **places_elsewhere(),
        **QUIET,
        "PREFECT_LOGGING_LEVEL": "WARNING",  # unattended: the log is all there is
    }
    deploy(wanted, reactions, place.root, environment, [home_tag(place)])
    return scheduled()


def serve_schedule(tools: Tools, port: int) -> int:
    """Runs a worker and, if needed, a server until they end; returns the worker's exit code. Raises InputError: the port is taken."""
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
    """Sends an event that reactions may wait for, and notifies people."""
    send_event(event, home_tag(tools.workspace), payload)
    inform(tools.params.schedule.notify, subject, body)


def inform(block: str | None, subject: str, body: str) -> None:
    """Notifies people through their Prefect block, if they chose one."""
    if block:
        notify(block, subject, body)
