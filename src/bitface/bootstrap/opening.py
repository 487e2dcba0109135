"""Opens the tools of one request, and fails at once if places cannot be written or servers reached."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from bitface.adapters.terminal.terminal_progress import TerminalProgress
from bitface.bootstrap.adapters import ports_of
from bitface.bootstrap.orchestrator import check_orchestrator, close_crashed, quieten
from bitface.bootstrap.places import open_checkpoints, open_keys, open_ledger, open_store, workspace
from bitface.ledger.moments import utc_now
from bitface.params import read_params
from bitface.surroundings import listening
from bitface.usecases.tools import Tools
from bitface.workspace import check_folders, check_places


def open_tools(profile: str = "default", overrides: Sequence[str] = (), quiet: bool = False) -> Tools:
    """The tools of the environment's workspace; nothing is written before the first use.

    Raises:
        InputError: a parameter is invalid; home, the dataset's folder or the cache is a file.
    """
    quieten()
    place = workspace()
    check_folders(place)
    return Tools(
        workspace=place,
        params=read_params(place.params, profile, overrides),
        profile=profile,
        store=open_store(place),
        keys=open_keys(place),
        ledger=open_ledger(place),
        checkpoints=open_checkpoints(place),
        progress=TerminalProgress(quiet),
        ports=ports_of(place, partial(close_crashed, place)),
        now=utc_now,
    )


def ready(profile: str = "default", overrides: Sequence[str] = ()) -> Tools:
    """The tools for a command that writes: fails at once if results could not be kept, and creates home, where tools make their own
    folders.

    Raises:
        InputError: a parameter is invalid; home, the dataset's folder or the cache cannot be written.
    """
    tools = open_tools(profile, overrides)
    check_places(tools.workspace)
    tools.workspace.home.mkdir(parents=True, exist_ok=True)
    return tools


def ready_for_flow(profile: str = "default", overrides: Sequence[str] = ()) -> Tools:
    """The same for a command that runs a flow.

    Raises:
        InputError: also, PREFECT_API_URL names a server that does not answer.
    """
    tools = ready(profile, overrides)
    check_orchestrator()
    return tools


def serve_ui(port: int) -> int:
    """Serves the tracking tool's pages on 127.0.0.1 until they end or are stopped, with all processes; returns their exit code.

    Raises:
        InputError: the port is invalid or taken; or the tool has no pages to serve.
    """
    tools = ready()
    with listening(port) as listener:
        return tools.ports.tracking().serve(listener, os.environ, partial(print, end="", flush=True))
