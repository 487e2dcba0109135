"""Remembers that a ledger's file was verified, so that the whole log is not verified again until the file changes.

The note holds the state of the file (`FileState`) when the whole chain was verified, authenticated by a key of the installation. Any
change of the file, by SQL or otherwise, changes that state; the next decision then verifies the log again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time_ns
from typing import Final, Protocol

from bitface.ledger.entries import Checkpoint

_RACY_NS: Final = 50_000_000
"""A file written less than this before its state was read may be written again in the same tick of its clock."""


@dataclass(frozen=True, kw_only=True)
class FileState:
    """State of a ledger's file, which any write changes. `journal_bytes`: size of the journal of an unfinished or killed write."""

    device: int
    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int
    journal_bytes: int

    @property
    def settles_in_s(self) -> float:
        """Seconds until the file's clock has certainly moved on, so that no later write can leave the same state; 0 if it has."""
        return max(0.0, (max(self.modified_ns, self.changed_ns) + _RACY_NS - time_ns()) / 1e9)


def state_of(file: Path) -> FileState | None:
    """The current state of a file; None if there is none. It is not opened: closing it would release SQLite's own locks on it."""
    try:
        found = file.stat()
    except OSError:
        return None
    journal = 0
    for suffix in ("-journal", "-wal"):
        with suppress(OSError):
            journal += file.with_name(file.name + suffix).stat().st_size
    return FileState(
        device=found.st_dev,
        inode=found.st_ino,
        bytes=found.st_size,
        modified_ns=found.st_mtime_ns,
        changed_ns=found.st_ctime_ns,
        journal_bytes=journal,
    )


class SignedEnds(Protocol):
    """Signed ends of the log, here and where they are exported to. `holds` returns whether the log contains a given end."""

    def kept(self) -> Sequence[Checkpoint]:
        """The latest of both places. Raises InputError if the other place cannot be read."""

    def latest_in_home(self) -> Checkpoint | None:
        """The latest in home, which is always available."""

    def is_compared(self) -> bool:
        """Whether the log was compared with them so recently that a use of a model need not compare again."""

    def compared(self) -> None:
        """Called when the log was found to contain them."""

    def sign(self, ended: Checkpoint, holds: Callable[[Checkpoint], bool]) -> object:
        """Adds one. If the other place does not answer, this is reported and the export is made up later: records stay on record."""

    def settle(self, holds: Callable[[Checkpoint], bool]) -> None:
        """Exports what was signed here and not exported yet, for example after a kill."""


Erased = Callable[[Iterable[str]], frozenset[str]]
"""Returns those of the given people whose erasure is known outside the ledger."""


def none_erased(_: Iterable[str]) -> frozenset[str]:
    """For a ledger without records outside it."""
    return frozenset()


class Trust:
    """What this installation knows about its ledger outside the ledger: the note of the last verification, signed ends of the log, and
    the people erased, even if a restored older ledger lacks them.
    """

    def __init__(self, note: Path, key: Path, ends: SignedEnds, erased: Erased = none_erased) -> None:
        """Only stores the places."""
        self._note, self._key, self.ends, self.erased = note, key, ends, erased

    def noted(self) -> FileState | None:
        """The state in which the ledger was last verified; None if there is no valid note."""
        try:
            document = json.loads(self._note.read_text(encoding="utf-8"))
            seal, state = document["seal"], FileState(**document["state"])
            return state if hmac.compare_digest(seal, self._seal(state)) else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def note(self, state: FileState) -> None:
        """Stores a state in which the ledger was verified. If that fails, the next decision verifies the log again."""
        if state.settles_in_s or state == self.noted():
            return
        with suppress(OSError):
            self._make_key()
            part = self._note.with_name(f".{self._note.name}.{secrets.token_hex(4)}")
            part.touch(0o600)
            part.write_text(json.dumps({"state": asdict(state), "seal": self._seal(state)}), encoding="utf-8")
            part.replace(self._note)

    def _make_key(self) -> None:
        """If there is none. A process that reads a half-written key only writes an invalid note."""
        self._key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            descriptor = os.open(self._key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))

    def _seal(self, state: FileState) -> str:
        text = json.dumps(asdict(state), sort_keys=True).encode()
        return hmac.new(self._key.read_bytes(), text, hashlib.sha256).hexdigest()
