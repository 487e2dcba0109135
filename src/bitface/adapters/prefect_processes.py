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


@contextmanager
def server(home: Path, port: int) -> Iterator[str]:
    """Prefect's server on 127.0.0.1 while the block runs; its address. Its data lie in PREFECT_HOME.

    Raises:
        InputError: the port is taken, or the server does not answer within two minutes.
    """
    with contextlib.closing(socket.socket()) as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise InputError(f"port {port} is taken; end what listens there, or name another with --port")
    words = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
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
        "-m",
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
    """A Python process with a process group of its own, all of which is ended with the block."""
    command = [sys.executable, *words]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        command, env=dict(environment), stdout=out, stderr=subprocess.STDOUT, start_new_session=True
    )
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


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = monotonic() + _START_S
    while monotonic() < end and process.poll() is None:
        with contextlib.closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.3)
    raise InputError(f"Prefect's server did not answer on port {port}; {log.name} says why")
