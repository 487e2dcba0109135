"""Checkpoints in a folder elsewhere: a mounted drive, a share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bitface.dataset.files import write_once
from bitface.dataset.plain_files import opened
from bitface.errors import InputError, NotSupportedError

_MAX_BYTES: Final = 64 * 1024**2


class FolderPlace:
    """As `ports.CheckpointPlace`; the folder is made when the first checkpoint is exported."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def names(self, since: str) -> Sequence[str]:
        """The names from this one on, in order; none if there is no folder yet."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if path.name >= since)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise InputError(f"{error.strerror}; mount it, or get read permission") from error

    def read(self, name: str) -> bytes:
        """The bytes of a checkpoint; empty if it is not a plain file or is too large."""
        try:
            with opened(self._folder / name, name) as file:
                data = file.read(_MAX_BYTES + 1)
        except (NotSupportedError, IsADirectoryError):
            return b""
        except OSError as error:
            raise InputError(f"{error.strerror}; mount it, or get read permission") from error
        return data if len(data) <= _MAX_BYTES else b""

    def add(self, name: str, data: bytes) -> None:
        """Stores a checkpoint; existing ones stay."""
        if self._folder.is_dir() and not os.access(self._folder, os.W_OK):
            raise InputError("it is not writable; mount it for writing, or get write permission")
        try:
            write_once(self._folder / name, data)
        except OSError as error:
            raise InputError(f"{error.strerror}; mount it, or get write permission") from error
