"""Replaces a whole folder by another in one step, so that readers find either the old one or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from bitface.counted_words import counted_people
from bitface.dataset.files import sha256_of
from bitface.dataset.index import INDEX_NAME, has_dataset
from bitface.dataset.manifest import MANIFEST_NAME
from bitface.errors import BitfaceError, InputError

T = TypeVar("T")
OWN_NAMES: Final = frozenset({INDEX_NAME, MANIFEST_NAME, "licences.json", "shards"})
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100
_READS: Final = 5
_CANNOT_EXCHANGE: Final = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV)


def version_of(data: Path) -> str:
    """The version of a dataset folder: the digest of its manifest; empty if there is no dataset."""
    try:
        return sha256_of(data / MANIFEST_NAME)
    except (FileNotFoundError, NotADirectoryError):
        return ""


def read_unchanged(data: Path, read: Callable[[], T]) -> T:
    """The result of `read` on one state of the dataset; it is read again if a writer has changed it meanwhile.

    Raises:
        InputError: it was changed each time. Also what `read` raises, if nothing was changed.
    """
    for _ in range(_READS):
        before = version_of(data)
        try:
            found = read()
        except (BitfaceError, OSError):
            if version_of(data) == before:
                raise
            continue
        if version_of(data) == before:
            return found
    raise InputError("the dataset keeps changing; wait until the command writing it has finished, then run again")


def check_replaceable(data: Path) -> None:
    """Raises InputError if anything other than a dataset would be lost with the folder."""
    if not data.exists():
        return
    if not data.is_dir():
        raise InputError(f"'{data.name}' is a file, not a dataset folder; move it, or set BITFACE_DATA to a folder")
    others = sorted(path.name for path in data.iterdir() if path.name not in OWN_NAMES)
    if others:
        raise InputError(
            f"folder '{data.name}' holds files that do not belong to a dataset ({len(others)}, first '{others[0][:40]}'); "
            "move them, or set BITFACE_DATA to another folder"
        )
    if os.path.ismount(data):
        raise InputError(f"'{data.name}' is a mount point; set BITFACE_DATA to a folder below it")
    lost = headless(data)
    if lost:
        raise InputError(f"'{data.name}' {lost}")


def headless(data: Path) -> str:
    """What is wrong with a folder that holds people and not the index of them, with the remedy; empty if nothing is."""
    people = 0 if has_dataset(data) else len(list((data / "shards").glob("*.shard")))
    if not people:
        return ""
    return (
        f"holds files of {counted_people(people)} and no {INDEX_NAME}; restore it, for example with "
        f"`dvc checkout {data.name}.dvc`, or move the folder away"
    )


def put_in_place(staged: Path, data: Path) -> None:
    """Makes `staged` the dataset folder; a previous one is in `staged` afterwards."""
    if not data.exists():
        staged.rename(data)
    elif not _exchanged(staged, data):
        aside = _aside(staged)
        data.rename(aside)
        staged.rename(data)
        aside.rename(staged)


def mend(staged: Path, data: Path) -> None:
    """Undoes a half-done `put_in_place` on systems that cannot exchange folders in one step."""
    aside = _aside(staged)
    if aside.is_dir() and not data.exists():
        aside.rename(data)
    shutil.rmtree(aside, ignore_errors=True)


def copy_of(source: Path, target: Path) -> None:
    """Copies a file, as a hard link if possible: files of a dataset are never changed in place."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def _aside(staged: Path) -> Path:
    return staged.with_name(f"{staged.name}.old")


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two folders changed places in one step (renameat2(2)); False if the system or the disk does not support it."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number))
