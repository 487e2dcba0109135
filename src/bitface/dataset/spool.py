"""Keeps what an import has read out of memory until all is decided, and off the disk in any readable form."""

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
_WHOSE: Final = "spool"


class Spool:
    """A file without a name (in TMPDIR), each entry sealed by a key that is nowhere but in this process. Use it as a context manager."""

    def __init__(self) -> None:
        """Opens nothing yet."""
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Makes the file, which is gone when this process is."""
        self._file = tempfile.TemporaryFile()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the file away, and with it whatever could not be written yet."""
        self._file.close()

    def put(self, plain: bytes) -> Callable[[], bytes]:
        """Takes bytes over; what is returned reads them back, as long as the spool is open. Errors of the system rise."""
        offset = self._file.seek(0, 2)
        sealed = seal(plain, self._key, _WHOSE, str(offset))
        self._file.write(sealed)
        return partial(self._get, offset, len(sealed))

    def _get(self, offset: int, size: int) -> bytes:
        with self._lock:  # shards are written by several threads
            self._file.seek(offset)
            sealed = self._file.read(size)
        return unseal(sealed, self._key, _WHOSE, str(offset))
