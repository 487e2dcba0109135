"""Prefect's server and worker as processes of our own: each in a group, all of which ends with the block that it runs in."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final
from urllib.parse import urlsplit

from bitface.adapters.prefect_service import BREATH_S, POOL
from bitface.dataset.files import write_atomically
from bitface.errors import InputError
from bitface.surroundings import check_port, trouble_with

_START_S: Final = 120


def running_server(home: Path) -> str | None:
    """The address of the server that a worker of this home runs now, if one answers."""
    try:
        url = str(json.loads((home / "prefect" / "server.json").read_text())["url"])
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=1):
            return url
    except (OSError, ValueError, KeyError):
        return None


def check_server(url: str | None) -> None:
    """Refuses an address at which no server answers; None: Prefect starts a temporary one.

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
        _wait_for(process, port, log)
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


def _log_of_temporary_server() -> Path:
    """Where the temporary server may say what it has to say; nowhere on a full or read-only disk."""
    from prefect.settings import PREFECT_HOME

    folder = Path(PREFECT_HOME.value())
    return folder / "temporary-server.log" if folder.is_dir() and not trouble_with(folder) else Path(os.devnull)


def serve_in_own_session() -> None:
    """Lets the temporary server that Prefect starts for a flow be out of reach of a terminal's Ctrl-C: it must still answer while the
    run is ended in order. Call it before the first flow.
    """
    import prefect
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import get_current_settings

    class OwnSession(SubprocessASGIServer):
        def start(self, timeout: int | None = None) -> None:
            try:
                super().start(timeout)
            except RuntimeError as error:
                raise InputError(
                    f"Prefect's temporary server did not answer; '{_log_of_temporary_server()}' says why. Run again when the machine is "
                    "less busy, or start a server and name it in PREFECT_API_URL"
                ) from error

        def _run_uvicorn_command(self) -> subprocess.Popen[Any]:
            folder = str(Path(prefect.__file__).parent.parent)
            words = ["uvicorn", "--app-dir", folder, "--factory", "prefect.server.api.server:create_app"]
            words += ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "error", "--lifespan", "on"]
            own = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
            told = get_current_settings().to_environment_variables(exclude_unset=True)
            with _log_of_temporary_server().open("ab") as log:
                return started(words, {**os.environ, **own, **told}, log)

    # Prefect keeps one per port, and asks for the one without: the first that is made is everybody's.
    OwnSession()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = monotonic() + _START_S
    while monotonic() < end and process.poll() is None:
        with contextlib.closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.3)
    raise InputError(f"Prefect's server did not answer on port {port}; {log.name} says why")
