"""One writer at a time: a lock beside a folder, which the operating system releases when its holder is killed."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bitface.errors import InputError

_POLL_S: Final = 0.05
_NOTIFY_AFTER_S: Final = 1.0


class BusyError(InputError):
    """Another command is writing there."""


@contextmanager
def exclusive(
    folder: Path, doing: str, wait_s: float, notify: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Keeps every other writer of a folder out, in any process, installation or thread.

    Args:
        folder: the folder to write; it need not exist. The lock is a file beside it, removed afterwards.
        doing: the command, shown to others that wait.
        wait_s: how long to wait for another writer.
        notify: called once with the writer that this one waits for.

    Raises:
        BusyError: another writer was not done in time; the message states which, and since when.
        InputError: the lock cannot be made there.
    """
    path = folder.with_name(f".{folder.name}.lock")
    handle = _acquired(path, folder, wait_s, notify)
    try:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{doing} (process {os.getpid()} on {socket.gethostname()}) since {now}".encode(), 0)
        yield
    finally:
        try:
            path.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _acquired(path: Path, folder: Path, wait_s: float, notify: Callable[[str], None]) -> int:
    begun, is_notified = time.monotonic(), False
    while (handle := _try(path, folder)) is None:
        waited = time.monotonic() - begun
        if waited >= wait_s:
            raise BusyError(f"{folder.name} is being written by {_holder(path)}; wait for it to finish, then run again")
        if waited >= _NOTIFY_AFTER_S and not is_notified:
            notify(f"waiting for {folder.name}, being written by {_holder(path)}")
            is_notified = True
        time.sleep(_POLL_S)
    return handle


def _try(path: Path, folder: Path) -> int | None:
    """The open lock, None if another process has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise InputError(
            f"'{folder.name}' cannot be written ({error.strerror}); check the folder's mode and the disk"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its last holder may have removed the file meanwhile: a lock on it would have no effect.
        if os.path.samestat(os.fstat(handle), path.stat()):
            return handle
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
            os.close(handle)
            raise InputError(
                f"'{folder.name}' is on a file system without locks ({error.strerror}); move it to a local one"
            ) from error
    os.close(handle)
    return None


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another process"
    except OSError:
        return "another process"
