"""Prefect's server and worker as processes of our own: each in a group, all of which ends with the block that it runs in."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final
from urllib.parse import urlsplit

from bitface.adapters.prefect_service import BREATH_S, POOL
from bitface.dataset.files import write_atomically
from bitface.errors import InputError
from bitface.surroundings import check_port, trouble_with

_START_S: Final = 120
_TEMPORARY_START_S: Final = 300
_REMEDY: Final = "Run again when the machine is less busy, or start a server and name it in PREFECT_API_URL"


def running_server(home: Path) -> str | None:
    """The address of the server that a worker of this home runs now, if one answers."""
    try:
        url = str(json.loads((home / "prefect" / "server.json").read_text())["url"])
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=1):
            return url
    except (OSError, ValueError, KeyError):
        return None


def named_server(environment: Mapping[str, str]) -> str | None:
    """The address of the server that PREFECT_API_URL names, or the active one of Prefect's profiles (`prefect profile use`)."""
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
    """Refuses an address at which no server answers; None: a temporary one is started.

    Raises:
        InputError: nobody listens there within three seconds, or it is no address.
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


@contextmanager
def server(home: Path, port: int) -> Iterator[str]:
    """Prefect's server on 127.0.0.1 while the block runs; its address. Its data lie in PREFECT_HOME.

    Raises:
        InputError: the port is none or taken, or the server does not answer within two minutes.
    """
    check_port(port)
    words = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    place = home / "prefect" / "server.json"
    log = home / "prefect" / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out, group(words, dict(os.environ), out) as process:
        url = f"http://127.0.0.1:{port}/api"
        _wait_for(process, port, _START_S, f"{log.name} says why")
        write_atomically(place, json.dumps({"url": url, "process": process.pid}).encode())
        try:
            yield url
        finally:
            place.unlink(missing_ok=True)


@contextmanager
def worker(url: str, home: Path, tags: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of our pool on a server, while the block runs; ended with all that it started."""
    environment = {
        **os.environ,
        "PREFECT_API_URL": url,
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


@contextmanager
def group(words: Sequence[str], environment: Mapping[str, str], out: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module, as after `python -m`, with a process group of its own: a terminal's Ctrl-C does not reach it, and all of it is
    ended with the block, or with this process.

    `out` takes what it says; None: our own streams do.
    """
    process = started(words, environment, out)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin:
            process.stdin.close()


def started(words: Sequence[str], environment: Mapping[str, str], out: Any) -> subprocess.Popen[bytes]:
    """A Python module in a session of its own, which ends when this process does."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "bitface.adapters.with_parent", *words],
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=out and subprocess.STDOUT,
        start_new_session=True,
    )


class TemporaryServer:
    """Prefect's server for the flows of this process, on a free port of 127.0.0.1, until this process ends.

    It runs in a session of its own, out of reach of a terminal's Ctrl-C: it must still answer while a run is ended in order. It
    needs seconds to begin, so start it before flows are imported, and `wait` before the first one runs.
    """

    def __init__(self, home: Path) -> None:
        """Starts it; its data lie in PREFECT_HOME, `home` unless that is set."""
        folder = Path(os.environ.get("PREFECT_HOME", home / "prefect"))
        folder.mkdir(parents=True, exist_ok=True)
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}/api"
        # Nowhere on a full or read-only disk.
        self._log = Path(os.devnull) if trouble_with(folder) else folder / "temporary-server.log"
        words = [
            "uvicorn",
            "--app-dir",
            sysconfig.get_path("purelib"),
            "--factory",
            "prefect.server.api.server:create_app",
        ]
        words += ["--host", "127.0.0.1", "--port", str(self._port), "--log-level", "error", "--lifespan", "on"]
        own = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
        running = ExitStack()
        # Exit handlers run backwards: registered before Prefect's own, this one lets them say their last words first.
        atexit.register(running.close)
        with self._log.open("ab") as out:
            self._process = running.enter_context(group(words, {**os.environ, **own}, out))

    def wait(self) -> None:
        """Until it answers.

        Raises:
            InputError: it ended, or does not answer within five minutes.
        """
        _wait_for(self._process, self._port, _TEMPORARY_START_S, f"'{self._log}' says why. {_REMEDY}")


def _wait_for(process: subprocess.Popen[bytes], port: int, seconds: float, remedy: str) -> None:
    end = monotonic() + seconds
    while monotonic() < end and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.1)
    raise InputError(f"Prefect's server did not answer on port {port}; {remedy}")
