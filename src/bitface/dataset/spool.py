"""Buffers what an import has read until everything is decided: not in memory, and on disk only encrypted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from bitface.dataset.shards import seal, unseal
from bitface.errors import IntegrityError, WorkerEndedError

KEY_BYTES: Final = 64
_OWNER: Final = "spool"
_SIZES: Final = struct.Struct(">QQ")
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

Read = Callable[[], bytes]


class Spool:
    """A file without a name (in TMPDIR), each entry sealed by a key that exists only in this process. Use it as a context manager."""

    kept: Mapping[bytes, tuple[bytes, Read]] = MappingProxyType({})
    """Content -> the note and the bytes that an interrupted import put under it; none here."""

    def __init__(self) -> None:
        """Opens nothing yet."""
        self._key = secrets.token_bytes(KEY_BYTES)
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

    def put(self, plain: bytes, content: bytes = b"", note: bytes = b"") -> Read:  # noqa: ARG002 - nothing is kept here
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


class KeptSpool(Spool):
    """A spool in a file of its own, from which the next import goes on where this one is interrupted or killed; one at a time.

    An import that ends otherwise, also by a refusal or an error, removes it. Each entry is sealed and bound to its place, so that an
    altered or half-written one, and whatever follows it, is not there.
    """

    def __init__(self, place: Path, key: bytes) -> None:
        """`place` lies in a folder of its own, and `key` is 64 bytes."""
        super().__init__()
        self._place, self._key = place, key

    def __enter__(self) -> Self:
        """Opens the file.

        Raises:
            BlockingIOError: another import has it open.
        """
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._place.parent.chmod(0o700)
        self._handle = os.open(self._place, _NEW, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            raise
        self._end = 0
        self.kept = MappingProxyType(dict(self._entries()))
        os.ftruncate(self._handle, self._end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the file, unless something from outside ended the import: a signal, or the end of one of its processes."""
        is_ended = kind is not None and (not issubclass(kind, Exception) or issubclass(kind, WorkerEndedError))
        if not is_ended:
            self._place.unlink(missing_ok=True)
        os.close(self._handle)

    def put(self, plain: bytes, content: bytes = b"", note: bytes = b"") -> Read:
        """The same; the next import has the bytes and the note under this content, 32 bytes, if this one is interrupted."""
        head = seal(content + note, self._key, _OWNER, f"{self._end} head")
        body = seal(plain, self._key, _OWNER, f"{self._end} body")
        record = _SIZES.pack(len(head), len(body)) + head + body
        # In one write: a process that is killed has written all of it or none.
        if os.pwrite(self._handle, record, self._end) != len(record):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        read = partial(self._body, self._end, len(head), len(body))
        self._end += len(record)
        return read

    def _entries(self) -> Iterator[tuple[bytes, tuple[bytes, Read]]]:
        """What is there, in order, up to the first entry that is not whole."""
        whole = os.fstat(self._handle).st_size
        with contextlib.suppress(IntegrityError, struct.error):
            while True:
                sizes = _SIZES.unpack(os.pread(self._handle, _SIZES.size, self._end))
                if self._end + _SIZES.size + sum(sizes) > whole:
                    return
                sealed = os.pread(self._handle, sizes[0], self._end + _SIZES.size)
                head = unseal(sealed, self._key, _OWNER, f"{self._end} head")
                read = partial(self._body, self._end, *sizes)
                read()
                yield head[:32], (head[32:], read)
                self._end += _SIZES.size + sum(sizes)

    def _body(self, begins: int, head: int, size: int) -> bytes:
        sealed = os.pread(self._handle, size, begins + _SIZES.size + head)
        return unseal(sealed, self._key, _OWNER, f"{begins} body")
