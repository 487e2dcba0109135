"""Opens files from users: regular files only, without following links, and none above the size limit of its kind.

A link in a user's folder could lead to any file of this machine, a pipe may never end, a device may do anything. Checks are made on
the opened file itself, so that it cannot be swapped between check and read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from bitface.errors import InputError, NotSupportedError, OverLimitError

PICTURE_BYTES: Final = 64 << 20
"""Largest picture file; anything larger is a video under the wrong name, or made to exhaust memory."""
KEY_BYTES: Final = 1 << 20
"""Largest file of a key or a certificate."""
LINK: Final = "is a link or below one, and links are not followed; copy the file it points to"
NO_FILE: Final = "is neither a file nor a folder; save it as a file"
# Opening a pipe would wait for its writer, and opening a terminal could make it our controlling terminal.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LINK_ERRORS: Final = (errno.ELOOP, errno.EMLINK)


@contextmanager
def opened(path: Path, name: str, below: Path | None = None) -> Iterator[BinaryIO]:
    """A regular file, open for reading. `name` is its name in errors.

    The last part of the path must not be a link; if `below`, a parent folder, is given, no part from there on may be one.

    Raises:
        NotSupportedError: a link, or not a regular file. OSError: it does not exist, or may not be read.
    """
    try:
        with _folder_of(path, below) as folder:
            found = os.open(path.name if folder is not None else path, _FLAGS, dir_fd=folder)
    except OSError as error:
        # A link in place of a folder raises ENOTDIR.
        is_link = error.errno in _LINK_ERRORS or (error.errno == errno.ENOTDIR and path.parent.is_dir())
        if is_link:
            raise NotSupportedError(f"{name} {LINK}") from error
        raise
    with os.fdopen(found, "rb") as file:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise NotSupportedError(f"{name} {NO_FILE}")
        yield file


def read_plain(path: Path, name: str, most_bytes: int, below: Path | None = None) -> bytes:
    """The bytes of a regular file, see `opened`.

    Raises:
        InputError: it cannot be read, is a link or not a regular file (NotSupportedError), or exceeds `most_bytes` (OverLimitError).
    """
    try:
        with opened(path, name, below) as file:
            size = os.fstat(file.fileno()).st_size
            # Not up to the limit at once: so much would be reserved for every file, however small it is.
            data = file.read(size + 1) if size <= most_bytes else b""
            if len(data) > size:  # it grows while it is read
                data += file.read(most_bytes + 1 - len(data))
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror}); check that it exists") from error
    if max(size, len(data)) > most_bytes:
        raise OverLimitError(f"{name} has {max(size, len(data))} bytes, over {most_bytes}; make it smaller")
    return data


def read_named(path: Path, most_bytes: int) -> bytes:
    """The bytes of a file that a command names: a link is followed, since its owner named it, but no device or pipe is read.

    Raises:
        InputError: as `read_plain`.
    """
    return read_plain(Path(os.path.realpath(path)), f"'{path.name}'", most_bytes)


def check_is_file(path: Path, remedy: str) -> None:
    """Checks that a file is there; `remedy` is what to do if not.

    Raises:
        InputError: nothing is there, or no file is.
    """
    if path.is_file():
        return
    raise InputError(f"'{path.name}' {_found_at(path)}{remedy}")


def _found_at(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    if path.exists():
        return "is not a file"
    return "is a link that leads nowhere" if path.is_symlink() else "does not exist"


@contextmanager
def _folder_of(path: Path, below: Path | None) -> Iterator[int | None]:
    """A descriptor of a file's folder, reached from `below` without following links; None without it."""
    if below is None:
        yield None
        return
    with ExitStack() as stack:
        folder = os.open(below, _FOLDER)
        stack.callback(os.close, folder)
        for part in path.relative_to(below).parts[:-1]:
            folder = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            stack.callback(os.close, folder)
        yield folder
