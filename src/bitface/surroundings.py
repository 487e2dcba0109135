"""The environment of a command: places to write, ports, a user; and one-line errors about them, with a remedy."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bitface.errors import InputError

_MOVE: Final = "or name another place (set BITFACE_HOME, BITFACE_DATA or BITFACE_CACHE)"
_TROUBLE: Final = {
    errno.ENOSPC: ("there is no space left", f"free some, {_MOVE}"),
    errno.EDQUOT: ("the quota is used up", f"free some, {_MOVE}"),
    errno.EROFS: ("the file system is read-only", f"mount it for writing, {_MOVE}"),
    errno.EACCES: ("permission denied", f"get permission, {_MOVE}"),
    errno.EPERM: ("not permitted", f"get permission, {_MOVE}"),
    errno.ENOTDIR: ("a file exists where a folder is expected", f"move it away, {_MOVE}"),
    errno.EEXIST: ("it already exists", f"move it away, {_MOVE}"),
    errno.EISDIR: ("it is a folder, not a file", "name a file"),
    errno.ENOENT: ("it does not exist", "correct the path, or create its folder first"),
    errno.ENAMETOOLONG: ("the name is too long", "give it a shorter one"),
    errno.ELOOP: ("symbolic links lead in a circle", "fix the links"),
    errno.EFBIG: ("the file would be too large for this file system", f"raise the limit, {_MOVE}"),
    errno.EIO: ("the device failed", f"check the disk, {_MOVE}"),
    errno.ESTALE: ("the network drive went away", "mount it again"),
    errno.ENXIO: ("there is no such device", "name a file"),
    errno.EBUSY: ("it is in use", "stop the process that uses it"),
    errno.ETXTBSY: ("it is in use", "stop the process that uses it"),
    errno.EMFILE: ("too many files are open", "raise the limit with `ulimit -n 4096`"),
    errno.ENFILE: ("too many files are open on this machine", "close other programs"),
    errno.ENOMEM: ("out of memory", "close other programs, or set fewer workers"),
    errno.EAGAIN: ("no more processes or threads can be started", "close other programs, or raise `ulimit -u`"),
    errno.EADDRINUSE: ("the port is taken", "stop the process using it, or name another port"),
    errno.ECONNREFUSED: ("no server is listening there", "start the server, or unset the variable that names it"),
    errno.EHOSTUNREACH: ("the host cannot be reached", "check the network, or unset the variable that names it"),
    errno.ENETUNREACH: ("the network cannot be reached", "check the network, or unset the variable that names it"),
    errno.ETIMEDOUT: ("it did not answer in time", "check the network, or unset the variable that names it"),
}
_DATABASE: Final = {  # SQLite's messages, however they are wrapped
    "disk is full": errno.ENOSPC,
    "disk I/O error": errno.EIO,
    "readonly database": errno.EROFS,
    "unable to open database file": errno.EACCES,
}


def explained(error: BaseException) -> str | None:
    """One line with the cause, the place and the remedy, if an error comes from the environment; else None."""
    for one, is_cause in _chain(error):
        # An error that was only being handled when a defect of ours occurred does not excuse it, unless the disk failed.
        if isinstance(one, OSError) and (is_cause or one.errno in _DISK) and (found := _of_system(one)):
            return found
        if isinstance(one, MemoryError):
            return "; ".join(_TROUBLE[errno.ENOMEM])
        if type(one).__name__ == "OperationalError":
            number = next((number for words, number in _DATABASE.items() if words in str(one)), None)
            if number is not None:
                return "a database of bitface's home: " + "; ".join(_TROUBLE[number])
    return None


def trouble_with(folder: Path) -> str | None:
    """Why a folder cannot be written, in words; None if it can. A missing folder is judged by its existing parent: only a temporary
    file is created there and removed.
    """
    try:
        existing = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
        handle, name = tempfile.mkstemp(dir=existing, prefix=".bitface-probe-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        what, remedy = _TROUBLE.get(error.errno or 0, (str(error.strerror), f"check it, {_MOVE}"))
        return f"'{folder}' cannot be written: {what}; {remedy}"
    return None


def no_folder(folder: Path) -> str | None:
    """Why a path cannot be that of a folder, in words: a file, or a link that leads nowhere, is in the way. None if it can."""
    existing = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if existing.is_dir():
        return None
    if existing.is_symlink() and not existing.exists():
        return f"'{folder}' cannot be used: '{existing}' is a link that leads nowhere; correct the link, {_MOVE}"
    return f"'{folder}' cannot be used: {'; '.join(_TROUBLE[errno.ENOTDIR])}"


def check_file(path: Path) -> None:
    """Checks that a file can be written once the work is done; an existing one is not touched.

    Raises:
        InputError: it is a folder, or its folder cannot be written.
    """
    found = None
    if len(os.fsencode(path.name)) > _NAME_BYTES:
        found = "; ".join(_TROUBLE[errno.ENAMETOOLONG])
    elif path.is_dir():
        found = "; ".join(_TROUBLE[errno.EISDIR])
    elif path.is_file() and not os.access(path, os.W_OK):
        found = "permission denied; get permission, or name another file"
    elif path.is_file() or not path.exists():  # a device or a pipe can only be tested by writing
        words = trouble_with(path.absolute().parent)
        found = words and words.partition("cannot be written: ")[2].replace(f", {_MOVE}", ", or name another file")
    if found:
        raise InputError(f"'{path}' cannot be written: {found}")


def listening(port: int) -> socket.socket:
    """Reserves a port of 127.0.0.1: a socket that listens on it. Clients that connect before the server is ready wait.

    Raises:
        InputError: there is no such port, it is taken, or it needs root rights.
    """
    if not 1 <= port <= _PORTS:
        raise InputError(f"{port} is not a valid port; name one from 1024 to {_PORTS} with --port")
    try:
        return _listening(port)
    except PermissionError as error:
        raise InputError(f"port {port} is reserved for root; name one above 1023 with --port") from error
    except OSError as error:
        raise InputError(f"port {port} is taken; stop the process using it, or name another with --port") from error


def listening_anywhere() -> socket.socket:
    """The same on any free port."""
    return _listening(0)


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        # As servers do: connections of a previous server in TIME_WAIT do not matter.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def user_name() -> str:
    """The current user according to the operating system, regardless of the environment; the number if the user has no name, as in
    many containers.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _of_system(error: OSError) -> str | None:
    found = _TROUBLE.get(error.errno or 0)
    if found is None:
        return None
    names = [f"'{os.fsdecode(name)}': " for name in (error.filename,) if isinstance(name, str | bytes)]
    return f"{names[0] if names else ''}{found[0]}; {found[1]}"


def _chain(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """An error and those that led to it, each once, with whether it is an explicit cause."""
    waiting: list[tuple[BaseException | None, bool]] = [(error, True)]
    seen = set[int]()
    while waiting:
        one, is_cause = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one, is_cause
        inner = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [(one.__cause__, is_cause), *((part, is_cause) for part in inner), (one.__context__, False)]


_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE)
_NAME_BYTES: Final = 255
_PORTS: Final = 65535
