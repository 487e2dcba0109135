"""Logs who opened which real person's data, when and for what: a line each, appended before the key is released.

Each line holds an HMAC over itself and the line before, by a key of the installation, so that edited or missing lines are
detected. So is a cut end: a file next to the keys states the number of lines, and signed checkpoints repeat it.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bitface.consent.events import canonical_json
from bitface.counted_words import counted
from bitface.documents import Document
from bitface.errors import IntegrityError

HEAD: Final = "openings.json"
"""Next to the keys: where the log ends."""
_LINE_BYTES_MAX: Final = 65536


@dataclass(frozen=True, kw_only=True)
class Head:
    """The end of a log: its number of authenticated lines, and the HMAC of the last one."""

    size: int
    mac: str


_NOTHING: Final = Head(size=-1, mac="")


class DecryptionLog:
    """The log in one file of JSON lines; several processes may append at once. It contains pseudonyms, never names."""

    def __init__(self, path: Path, head: Path, who: str, purpose: str, clock: Callable[[], datetime]) -> None:
        self._path, self._head, self._who, self._purpose, self._clock = path, head, who, purpose, clock

    def opened(self, person: str, key: bytes) -> None:
        """Logs that this process opened a person's key; `key` authenticates the line.

        It is linked to the last line ever written, even if that is missing: a deleted log does not start over.
        """
        entry = {
            "at": self._clock().isoformat(timespec="seconds"),
            "who": self._who,
            "purpose": self._purpose,
            "process": os.getpid(),
            "person": person,
        }
        with _locked(self._path) as descriptor:
            end = max(_end_of(descriptor), read_head(self._head) or _NOTHING, key=lambda one: one.size)
            numbered = {**entry, "number": end.size + 1}
            mac = _mac(numbered, end.mac, key)
            os.write(descriptor, (json.dumps({**numbered, "mac": mac}) + "\n").encode())
            _write_head(self._head, Head(size=end.size + 1, mac=mac))


def decryptions_of(path: Path, *people: str) -> Iterator[Document]:
    """The entries about people, or about evidence with people, oldest first."""
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from (entry for line in lines if (entry := json.loads(line))["person"] in people)


def read_head(path: Path) -> Head | None:
    """The end of the log when it was last written, None if nothing was opened yet.

    Raises:
        IntegrityError: the file is not readable.
    """
    try:
        return Head(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"'{path.name}' with the keys does not record the end of the decryption log") from error


def problems_of(path: Path, key: bytes, *ends: Head) -> list[str]:
    """The problems of a log: edited or missing lines, and an end before one of `ends`; empty if it is intact.

    Lines from before authentication count as one: the first authenticated line covers them.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    old = next((number for number, line in enumerate(lines) if b'"mac"' in line), len(lines))
    before, macs, found = _of_old(b"".join(lines[:old])), list[str](), list[str]()
    for number, line in enumerate(lines[old:], start=1):
        entry = _parsed(line)
        mac = str(entry.pop("mac", ""))
        if entry.get("number") != number or not hmac.compare_digest(mac, _mac(entry, before, key)):
            found.append(f"line {old + number} of the decryption log was edited, or an earlier line is missing")
            break
        before = mac
        macs.append(mac)
    for end in ends:
        if end.size > len(macs) or (end.size and macs[end.size - 1] != end.mac):
            found.append(f"the decryption log once had {counted(end.size, 'authenticated line')} and some are missing")
            break
    return found


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, open for appending, while no other process appends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _end_of(descriptor: int) -> Head:
    """The number of authenticated lines, and the HMAC that the next one links to."""
    length = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _LINE_BYTES_MAX, max(0, length - _LINE_BYTES_MAX)).splitlines()
    last = _parsed(tail[-1]) if tail else {}
    if "mac" in last:
        return Head(size=int(last["number"]), mac=str(last["mac"]))
    return Head(size=0, mac=_of_old(os.pread(descriptor, length, 0)))


def _of_old(lines: bytes) -> str:
    """A value that covers everything before the first authenticated line."""
    return hashlib.sha256(lines).hexdigest()


def _parsed(line: bytes) -> Document:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _mac(entry: Document, before: str, key: bytes) -> str:
    return hmac.new(key, f"{before} {canonical_json(entry)}".encode(), hashlib.sha256).hexdigest()


def _write_head(path: Path, head: Head) -> None:
    """In place, under the log's lock: an incomplete write is detected, and repaired by the next line."""
    text = json.dumps(asdict(head))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.pwrite(descriptor, text.encode(), 0)
        os.ftruncate(descriptor, len(text))
    finally:
        os.close(descriptor)
