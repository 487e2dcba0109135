"""Runs Python modules as child processes: each in a process group that ends with the block that it runs in."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psutil

MARK: Final = "bitface.adapters.servers.with_parent"
"""An argument of every process that is started here."""


@contextmanager
def group(
    words: Sequence[str], environment: Mapping[str, str], out: Any, files: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a Python module, as `python -m` does, in its own process group: a terminal's Ctrl-C does not reach it, and the whole group
    ends with the block, or with this process.

    `out` receives its output; None: our own streams do. `files` are open files that it inherits under the same numbers.
    """
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", MARK, *words],
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=out and subprocess.STDOUT,
        pass_fds=files,
        start_new_session=True,
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
        if process.stdin:
            process.stdin.close()


def listeners() -> Iterator[tuple[psutil.Process, str, int]]:
    """Every listening process started by this user's bitface, with its address and port."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == os.getuid() and MARK in process.cmdline():
                for one in (process, *process.children(recursive=True)):
                    yield from ((one, *found.laddr) for found in _listening(one))


def has_port(number: int, port: int) -> bool:
    """Whether the process with that id is ours, and listens on that port."""
    try:
        process = psutil.Process(number)
        return MARK in process.cmdline() and port in [found.laddr.port for found in _listening(process)]
    except psutil.Error:
        return False


def _listening(process: psutil.Process) -> Iterator[Any]:
    return (found for found in process.net_connections("tcp") if found.status == psutil.CONN_LISTEN)
