"""Keeps what was verified of a ledger's file, so that a decision need not walk the whole log again until something touches the file.

The note says how the file stood (`FileState`) when the whole chain was verified, under a key of the installation. Whoever changes the
file, by SQL or otherwise, changes that state; the next decision then walks the log, and believes nothing that does not hold.
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
"""A file that was written this shortly before its state was taken may be written again in the same tick of its clock."""


@dataclass(frozen=True, kw_only=True)
class FileState:
    """How a ledger's file stood: any write changes it. `journal_bytes` is of what a write that is under way, or was killed, keeps beside
    it.
    """

    device: int
    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int
    journal_bytes: int

    @property
    def settles_in_s(self) -> float:
        """How long until the file's clock has moved on for certain, so that no later write can leave the same state; 0 where it has."""
        return max(0.0, (max(self.modified_ns, self.changed_ns) + _RACY_NS - time_ns()) / 1e9)


def state_of(file: Path) -> FileState | None:
    """How a file stands now; None where there is none. It is not opened: closing it would end SQLite's own locks on it."""
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
    """Signed ends of the log, here and where they are exported to. `holds` says whether the log has what an end says."""

    def kept(self) -> Sequence[Checkpoint]:
        """The latest here and there. Raises InputError where the other place cannot be read."""

    def here(self) -> Checkpoint | None:
        """The latest here alone, which is always at hand."""

    def is_compared(self) -> bool:
        """Whether the log was held against them so lately that a use of a model need not ask again."""

    def compared(self) -> None:
        """Told when the log was found to hold them."""

    def sign(self, ended: Checkpoint, holds: Callable[[Checkpoint], bool]) -> object:
        """Adds one. That the other place does not answer is said, and made good later: what is on record stays on record."""

    def settle(self, holds: Callable[[Checkpoint], bool]) -> None:
        """Exports what was signed here and is not there yet, as after a kill."""


Erased = Callable[[Iterable[str]], frozenset[str]]
"""Of some people, those who were erased by what is known beside the ledger."""


def nobody_erased(_: Iterable[str]) -> frozenset[str]:
    """Where nothing is kept beside a ledger."""
    return frozenset()


class Trust:
    """What this installation knows of its ledger beside the ledger: the note of the last verification, signed ends of the log, and who was
    erased, whatever an older ledger says.
    """

    def __init__(self, note: Path, key: Path, ends: SignedEnds, erased: Erased = nobody_erased) -> None:
        """Only remembers the places."""
        self._note, self._key, self.ends, self.erased = note, key, ends, erased

    def noted(self) -> FileState | None:
        """The state in which the ledger was verified last; None where there is no note that holds."""
        try:
            document = json.loads(self._note.read_text(encoding="utf-8"))
            seal, state = document["seal"], FileState(**document["state"])
            return state if hmac.compare_digest(seal, self._seal(state)) else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def note(self, state: FileState) -> None:
        """Keeps a state in which the ledger was verified. Where nothing can be written, the next decision walks the log again."""
        if state.settles_in_s or state == self.noted():
            return
        with suppress(OSError):
            self._make_key()
            part = self._note.with_name(f".{self._note.name}.{secrets.token_hex(4)}")
            part.touch(0o600)
            part.write_text(json.dumps({"state": asdict(state), "seal": self._seal(state)}), encoding="utf-8")
            part.replace(self._note)

    def _make_key(self) -> None:
        """Where there is none. A process that reads one half written makes a note that does not hold, and nothing worse."""
        self._key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            descriptor = os.open(self._key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))

    def _seal(self, state: FileState) -> str:
        said = json.dumps(asdict(state), sort_keys=True).encode()
        return hmac.new(self._key.read_bytes(), said, hashlib.sha256).hexdigest()
