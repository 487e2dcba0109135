"""Buffers what an import has read until everything is decided: not in memory, and on disk only encrypted."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Final, Self

from bitface.dataset.shards import seal, unseal

_KEY_BYTES: Final = 64
_OWNER: Final = "spool"


class Spool:
    """A file without a name (in TMPDIR), each entry sealed by a key that exists only in this process. Use it as a context manager."""

    def __init__(self) -> None:
        """Opens nothing yet."""
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Creates the file, which disappears when this process ends."""
        self._file = tempfile.TemporaryFile()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the file and all unwritten data."""
        self._file.close()

    def put(self, plain: bytes) -> Callable[[], bytes]:
        """Stores bytes; returns a function that reads them back while the spool is open. Raises OSError."""
        offset = self._file.seek(0, 2)
        sealed = seal(plain, self._key, _OWNER, str(offset))
        self._file.write(sealed)
        return partial(self._get, offset, len(sealed))

    def _get(self, offset: int, size: int) -> bytes:
        with self._lock:  # shards are written by several threads
            self._file.seek(offset)
            sealed = self._file.read(size)
        return unseal(sealed, self._key, _OWNER, str(offset))
