"""Changes the dataset whole or not at all: one writer at a time, everything decided first, and a note from which the next
writer finishes or undoes the work of a killed one.

A change consists of: keys of new people, consents in the ledger, the folder, its version in DVC. The consents are the point of no
return: before them everything is undone, after them everything is finished.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

from bitface.consent.events import ConsentEvent
from bitface.consent.known_sources import Notice
from bitface.consent.policy import LicenceRecord
from bitface.dataset.files import write_atomically
from bitface.dataset.keyring.people_keys import Enrolment
from bitface.dataset.keys import KeyStore
from bitface.dataset.locks import exclusive
from bitface.dataset.manifest import write_manifest
from bitface.dataset.shards import drawn_shards
from bitface.dataset.swap import check_replaceable, mend, put_in_place, version_of
from bitface.errors import BitfaceError, InputError
from bitface.ledger.ledger import Ledger
from bitface.ports import DatasetStore

Versioning = Literal["pin", "keep", "none"]
"""Whether a change is pinned in data.dvc, only kept in DVC's cache and remote, or neither."""
_LATER: Final = "the next command that writes the dataset repairs it"


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Everything that a change of the dataset touches. `home` stores the notes of unfinished changes."""

    data: Path
    home: Path
    keys: KeyStore
    ledger: Ledger
    store: DatasetStore


@dataclass(frozen=True, kw_only=True)
class Change:
    """A new state of the dataset. `fill` writes shards, index and licences into an empty folder, with the keys of `enrolments`; if
    `is_drawn`, everyone in it was just rendered.
    """

    fill: Callable[[Path], None]
    versioning: Versioning
    enrolments: Sequence[Enrolment] = ()
    notices: Sequence[Notice] = ()
    events: Sequence[ConsentEvent] = ()
    licences: Sequence[LicenceRecord] = ()
    is_drawn: bool = False


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What was written: the digest of its manifest, and its version in DVC, None if none was requested."""

    manifest_sha256: str
    version: str | None


@dataclass(frozen=True, kw_only=True)
class _Note:
    """A change in progress: from which state to which, in which folder, and the people enrolled for it."""

    staged: str
    base: str
    manifest: str
    enrolled: tuple[str, ...]
    versioning: Versioning
    is_decided: bool = False


class Writer:
    """The right to change one dataset folder, for as long as `writing` lasts."""

    def __init__(self, stores: Stores, notify: Callable[[str], None]) -> None:
        """Created by `writing` only."""
        self.stores = stores
        self._notify = notify
        digest = hashlib.sha256(str(stores.data).encode()).hexdigest()
        self._path = stores.home / "unfinished" / f"{digest[:16]}.json"

    def change(self, change: Change) -> Changed:
        """Brings a change into effect.

        Raises:
            InputError: the disk is full or fails, or other files lie in the folder; the message names its state.
            What the ledger raises for events that contradict the record; nothing is changed then.
        """
        check_replaceable(self.stores.data)
        note = _Note(
            staged=f".{self.stores.data.name}.{secrets.token_hex(6)}",
            base=version_of(self.stores.data),
            manifest="",
            enrolled=tuple(one.pseudonym for one in change.enrolments if one.is_new),
            versioning=change.versioning,
        )
        try:
            note = self._decide(note, change)
        except OSError as error:
            raise InputError(f"{_trouble(error)}; {self._after_failure()}") from error
        except BaseException:
            self._after_failure()
            raise
        return Changed(manifest_sha256=note.manifest, version=self._finish(note))

    def settle(self) -> bool:
        """Finishes or undoes the change in which this installation's last writer was killed; returns whether one was finished."""
        for part in self._path.parent.glob(f".{self._path.name}.*.part"):
            part.unlink(missing_ok=True)
        # The book of the erased lies beside the dataset, and is only written under this right.
        for part in self.stores.data.parent.glob(f".{self.stores.data.name}.erased-*.part"):
            part.unlink(missing_ok=True)
        note = self._noted()
        if note is None:
            return False
        is_decided = note.is_decided or any(self.stores.ledger.consents(one) for one in note.enrolled)
        if is_decided:
            self._finish(note)
            self._notify("an interrupted change of the dataset has been completed")
        else:
            if note.enrolled:
                self.stores.keys.forget(note.enrolled)
            self._clear(note)
        return is_decided

    def _after_failure(self) -> str:
        """Undoes or finishes a failed change; returns the result in words."""
        try:
            return "it took effect anyway" if self.settle() else "nothing was changed"
        except (OSError, BitfaceError):
            return _LATER

    def _decide(self, note: _Note, change: Change) -> _Note:
        """Everything up to and including the point of no return."""
        stores = self.stores
        self._write(note)
        staged = stores.data.with_name(note.staged)
        (staged / "shards").mkdir(parents=True)
        change.fill(staged)
        note = replace(note, manifest=write_manifest(staged))
        self._write(note)
        if change.is_drawn:
            stores.ledger.record_renders(drawn_shards(staged))
        if change.enrolments:
            stores.keys.keep(change.enrolments)
        if change.events or change.notices or change.licences:
            stores.ledger.record_consents(change.events, change.notices, change.licences)
        note = replace(note, is_decided=True)
        self._write(note)
        return note

    def _finish(self, note: _Note) -> str | None:
        """Everything after the point of no return; may be repeated. The version, None if none was requested."""
        stores, staged = self.stores, self.stores.data.with_name(note.staged)
        try:
            mend(staged, stores.data)
            # If another installation has changed the folder meanwhile, a state made from the previous one is discarded.
            if version_of(stores.data) == note.base and version_of(staged) == note.manifest:
                check_replaceable(stores.data)  # again: another program may have put a file there meanwhile
                put_in_place(staged, stores.data)
                self._sweep()
            version = self._versioned(note) if version_of(stores.data) == note.manifest else None
            self._clear(note)
        except OSError as error:
            raise InputError(f"{_trouble(error)}; {_LATER}") from error
        return version

    def _versioned(self, note: _Note) -> str | None:
        store = self.stores.store
        return store.pin() if note.versioning == "pin" else store.keep() if note.versioning == "keep" else None

    def _clear(self, note: _Note) -> None:
        shutil.rmtree(self.stores.data.with_name(note.staged), ignore_errors=True)
        self._path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Removes what killed writers of other installations left: it was made from an outdated state."""
        for path in self.stores.data.parent.glob(f".{self.stores.data.name}.*"):
            if re.fullmatch(r"[0-9a-f]{12}(\.old)?", path.name.removeprefix(f".{self.stores.data.name}.")):
                shutil.rmtree(path, ignore_errors=True)

    def _write(self, note: _Note) -> None:
        write_atomically(self._path, json.dumps(asdict(note)).encode())

    def _noted(self) -> _Note | None:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return _Note(**{**found, "enrolled": tuple(found["enrolled"])})


@contextmanager
def writing(
    stores: Stores, doing: str, wait_s: float, notify: Callable[[str], None] = lambda _: None
) -> Iterator[Writer]:
    """The exclusive right to change the dataset; what a killed writer left is finished or undone first.

    Raises:
        BusyError: another writer has it and was not done within `wait_s` seconds.
        InputError: the pin file cannot be read, so that the new version could not be pinned.
    """
    stores.store.pinned()
    real = replace(stores, data=stores.data.resolve())
    with exclusive(real.data, doing, wait_s, notify):
        writer = Writer(real, notify)
        writer.settle()
        yield writer


def _trouble(error: OSError) -> str:
    return f"the dataset could not be written ({error.strerror or error}); check the disk and the folder's mode"
