"""Files that appear whole or not at all, so that a killed run leaves nothing half written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

T = TypeVar("T")
_WRITERS: Final = 16


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Writes `data` beside `path`, syncs it, and renames it into place; directly into a device or a pipe, which must stay one."""
    if path.exists() and not path.is_file() and not path.is_dir():
        with naming(path):
            path.write_bytes(data)
        return
    with appearing(path, mode) as file:
        file.write(data)


@contextlib.contextmanager
def appearing(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file to be written part by part, which is synced and appears under its name at the end of the block, unless that raises."""
    with naming(path), _beside(path) as part:
        with part.open("wb") as file:
            yield file
            _sync(file)
        part.chmod(mode)
        part.replace(path)


def write_once(path: Path, data: bytes, mode: int = 0o600) -> None:
    """As `write_atomically`, but an existing file stays: of several processes, the first one's data is used by all."""
    if path.exists():
        return
    with naming(path), _beside(path) as part, contextlib.suppress(FileExistsError):
        with part.open("wb") as file:
            file.write(data)
            _sync(file)
        part.chmod(mode)
        path.hardlink_to(part)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """A full disk is noticed by a write, whose error does not say into which file, unlike that of opening one."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:  # with a name it would say nothing but that
            error.filename = str(path)
        raise


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """An empty file beside `path`; removed afterwards unless it was renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def each_in_threads(write: Callable[[T], None], items: Iterable[T]) -> None:
    """Calls `write` for each, several at a time: a disk syncs many small files together in the time of one. The first error rises."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        waiting = [pool.submit(write, item) for item in items]
        try:
            for one in waiting:
                one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_tree(path: Path) -> str:
    """SHA-256 of a file, or of the names and digests of all files below a folder."""
    if path.is_file():
        return sha256_of(path)
    lines = sorted(
        f"{sha256_of(file)} {file.relative_to(path).as_posix()}" for file in path.rglob("*") if file.is_file()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
