"""Runs Prefect's server and worker as child processes, and selects the server for Prefect's clients."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bitface.adapters.empty_databases import EmptyDatabase
from bitface.adapters.prefect_service import BREATH_S, POOL
from bitface.adapters.servers.local_servers import Access, Application, access_to, local_server
from bitface.adapters.servers.own_processes import group, has_port
from bitface.dataset.files import write_atomically
from bitface.errors import InputError
from bitface.surroundings import listening, listening_anywhere, trouble_with

_RUNNING: Final = Path("prefect") / "server.json"
_START_S: Final = 120
_TEMPORARY_START_S: Final = 300
_REMEDY: Final = "Run again when the machine is less busy, or start a server and name it in PREFECT_API_URL"
_PROXIES: Final = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
"""Proxy settings for its automations; such an address may contain a password, and so goes through the pipe."""
_OWN_TABLES: Final = ("alembic_version", "block_schema", "block_schema_reference", "block_type")
_OF_CLIENTS: Final = ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_API_URL", "PREFECT_CLIENT_")


def running_server(home: Path) -> Access | None:
    """How to reach the server that a worker of this home runs now; None if that process no longer has the port, which may belong
    to another program by now.
    """
    try:
        noted = json.loads((home / _RUNNING).read_text())
        access = Access(port=int(noted["port"]), password=str(noted["password"]))
        return access if has_port(int(noted["process"]), access.port) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def named_server(environment: Mapping[str, str]) -> str | None:
    """The address of the server in PREFECT_API_URL, or in Prefect's active profile (`prefect profile use`)."""
    given = environment.get("PREFECT_API_URL")
    folder = Path(environment.get("PREFECT_HOME", Path.home() / ".prefect"))
    try:
        with Path(environment.get("PREFECT_PROFILES_PATH", folder / "profiles.toml")).open("rb") as file:
            profiles = tomllib.load(file)
        active = environment.get("PREFECT_PROFILE") or profiles["active"]
        return given or profiles["profiles"][active].get("PREFECT_API_URL")
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return given


def check_server(url: str | None) -> None:
    """Checks that a server answers at an address; None: a temporary one will be started.

    Raises:
        InputError: no server is listening there within three seconds, or it is not an address.
    """
    if url is None:
        return
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no address")
        socket.create_connection((parts.hostname, port), timeout=3).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Prefect server answers at PREFECT_API_URL='{url}'; start it, correct the address, or unset the variable"
        ) from error


def client_settings(access: Access) -> dict[str, str]:
    """The variables that point Prefect's clients to one of our servers."""
    return {"PREFECT_API_URL": f"{access.address}/api", "PREFECT_API_AUTH_STRING": access.sign_in}


def refresh_settings() -> None:
    """Reloads settings: Prefect may have been imported before its server's address was known."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()


@contextmanager
def server(home: Path, port: int, cache: Path) -> Iterator[Access]:
    """Runs Prefect's server on 127.0.0.1 while the block runs; yields how to reach it. Its data are in PREFECT_HOME.

    Raises:
        InputError: the port is invalid or taken, or the server does not answer within two minutes.
    """
    with listening(port) as listener:
        access, place, log = access_to(listener), home / _RUNNING, home / "prefect" / "server.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        database = _Database(home, cache)
        with log.open("ab") as out, local_server(_application(access, {}), listener, access, out) as process:
            _wait_for(process, access, _START_S, f"{log.name} says why")
            database.made()
            running = {"port": access.port, "password": access.password, "process": process.pid}
            write_atomically(place, json.dumps(running).encode(), mode=0o600)
            try:
                yield access
            finally:
                place.unlink(missing_ok=True)


@contextmanager
def worker(client: Mapping[str, str], home: Path, tags: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a worker of our pool on the server that `client` points to, while the block runs; it ends with everything it started.

    It gets our whole environment: what it runs needs the master key, and it does not listen on a port.
    """
    environment = {
        **os.environ,
        **client,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(BREATH_S),
        "PREFECT_WORKER_QUERY_SECONDS": "5",
    }
    words = [
        "prefect",
        "worker",
        "start",
        "--pool",
        POOL,
        "--type",
        "process",
        "--name",
        "-".join(["bitface", *tags]),
    ]
    with (home / "prefect" / "worker.log").open("ab") as out, group(words, environment, out) as process:
        yield process


class TemporaryServer:
    """Prefect's server for the flows of this process, on a free port of 127.0.0.1, until this process ends.

    It runs in its own session, which a terminal's Ctrl-C does not reach: it must still answer while a run is ended in order. It
    takes seconds to start, so start it before flows are imported, and call `wait` before the first one runs.
    """

    def __init__(self, home: Path, cache: Path) -> None:
        """Starts it; its data are in PREFECT_HOME, `home` unless that is set."""
        folder = _data_folder(home)
        folder.mkdir(parents=True, exist_ok=True)
        # Empty on a full or read-only disk.
        self._log = Path(os.devnull) if trouble_with(folder) else folder / "temporary-server.log"
        self._database = _Database(home, cache)
        running = ExitStack()
        # Exit handlers run in reverse order: registered before Prefect's own, this one lets them send their last messages first.
        atexit.register(running.close)
        with listening_anywhere() as listener, self._log.open("ab") as out:
            self.access = access_to(listener)
            application = _application(self.access, {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"})
            self._process = running.enter_context(local_server(application, listener, self.access, out))

    def wait(self) -> None:
        """Waits until it answers.

        Raises:
            InputError: it ended, or does not answer within five minutes.
        """
        _wait_for(self._process, self.access, _TEMPORARY_START_S, f"'{self._log}' says why. {_REMEDY}")
        self._database.made()


class _Database:
    """The server's database, half of whose start is migrations where it is new: begun from the cache, kept there once it is made."""

    def __init__(self, home: Path, cache: Path) -> None:
        """Puts an empty one where there is none, unless the server's data are configured to be elsewhere or nothing can be written."""
        self._place = _data_folder(home) / "prefect.db"
        self._empty = EmptyDatabase(cache=cache, tool="prefect", own_tables=_OWN_TABLES)
        elsewhere = any(name.endswith("DATABASE_CONNECTION_URL") for name in os.environ if name.startswith("PREFECT_"))
        self._is_wanted = False
        with contextlib.suppress(OSError):
            self._is_wanted = not elsewhere and self._empty.begin(self._place)

    def made(self) -> None:
        """The server has answered, so its migrations are done."""
        if self._is_wanted:
            self._empty.keep(self._place)
            self._is_wanted = False


def _data_folder(home: Path) -> Path:
    return Path(os.environ.get("PREFECT_HOME", home / "prefect"))


def _application(access: Access, more: Mapping[str, str]) -> Application:
    """Prefect's API with its UI. It checks the password itself: websocket clients send theirs in the first message."""
    given = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _PROXIES or (name.startswith("PREFECT_") and not name.startswith(_OF_CLIENTS))
    }
    own = {
        "PREFECT_SERVER_API_AUTH_STRING": access.sign_in,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": access.address,
        "PREFECT_UI_API_URL": f"{access.address}/api",
        "PREFECT__SERVER_FINAL": "1",
    }
    return Application(
        tool="Prefect",
        name="prefect.server.api.server:create_app",
        factory=True,
        checks_password=True,
        settings=given | own | dict(more),
    )


def _wait_for(process: subprocess.Popen[bytes], access: Access, seconds: float, remedy: str) -> None:
    """Its port listens from the beginning: the response comes when the server is ready, or ends with the server."""
    with closing(HTTPConnection("127.0.0.1", access.port, timeout=seconds)) as connection:
        try:
            connection.request("GET", "/api/health")
            if connection.getresponse().status == HTTPStatus.OK and process.poll() is None:
                return
        except (OSError, HTTPException):
            pass
    raise InputError(f"Prefect's server did not answer on port {access.port}; {remedy}")
