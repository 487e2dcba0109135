"""Holds a lease of the ledger during some work, and renews it in the background; on this machine a crash frees it at once."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bitface.errors import BitfaceError
from bitface.ledger.leases import Lease
from bitface.ledger.ledger import Ledger


@contextmanager
def holding(ledger: Ledger, name: str, lasts: timedelta) -> Iterator[Lease]:
    """The lease of a name, renewed every third of its life.

    Raises:
        LeaseHeldError: another process has it.
    """
    lease = ledger.take_lease(name, this_process(), lasts, is_gone)
    ended = threading.Event()
    keeper = threading.Thread(target=_keep, args=(ledger, lease, lasts, ended), name=f"lease of {name}", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        ended.set()
        keeper.join()
        ledger.give_back_lease(lease)


def this_process() -> str:
    """Machine, process id and start time of the process, so that a reused id is not mistaken for it."""
    return f"{socket.gethostname()} process {os.getpid()} begun {_begun(os.getpid())}"


def is_gone(holder: str) -> bool:
    """Whether a holder is a process of this machine that has ended; False if that cannot be known."""
    host, _, rest = holder.partition(" process ")
    number, _, begun = rest.partition(" begun ")
    return host == socket.gethostname() and number.isdecimal() and _begun(int(number)) != begun


def _begun(process: int) -> str:
    """Clock ticks from boot to a process's start (proc_pid_stat(5), field 22); "" if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "" if not Path("/proc/self/stat").exists() and _is_alive(process) else "ended"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _keep(ledger: Ledger, lease: Lease, lasts: timedelta, ended: threading.Event) -> None:
    while not ended.wait(lasts.total_seconds() / 3):
        try:
            ledger.renew_lease(lease, lasts)
        except BitfaceError:
            # A busy database is tried again; a lost lease is noticed where it matters, at the promotion.
            continue
