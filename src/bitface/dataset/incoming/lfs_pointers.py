"""Tells a file that cannot be read from one that was never there: a copy by Git without LFS leaves a line of text in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bitface.dataset.plain_files import opened
from bitface.errors import InputError

_POINTER: Final = b"version https://git-lfs.github.com/spec/"


def unread_file(path: Path, otherwise: str) -> str:
    """The finding of a file that could not be read: `lfs_pointer`, or what it is called otherwise."""
    try:
        with opened(path, path.name) as file:
            return "lfs_pointer" if file.read(len(_POINTER)) == _POINTER else otherwise
    except (OSError, InputError):
        return otherwise
