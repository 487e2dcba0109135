"""Keys of what people leave besides their data: a day's predictions, an import under way, and the evidence of a run's gate."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from bitface.dataset.files import write_atomically, write_once
from bitface.dataset.keyring.wrapped_keys import DEMO_KEY, DESTROYED, KEY_BYTES, PUBLISHED, WrappedKeys
from bitface.errors import InputError, IntegrityError, RefusedError

_EVIDENCE_BYTES: Final = 32
_RUN: Final = re.compile(r"[a-z0-9]{1,64}")


def evidence_read(run_id: str) -> str:
    """The entry in the log of openings when this program opens the evidence of a run."""
    return f"evidence of run {run_id}"


def evidence_handed_out(run_id: str) -> str:
    """The entry when an unencrypted copy is made."""
    return f"{evidence_read(run_id)}, in the clear"


class RunAndDayKeys(WrappedKeys):
    """One key for each day of kept predictions, one for an import, and one for each run whose gate has evidence of people."""

    def key_of_day(self, day: date) -> bytes:
        """The 64-byte AES-SIV key of a day's prediction log (UTC); made at the first call, wrapped by the master key.

        Raises:
            IntegrityError: the wrapped key does not open with this master key.
        """
        path = self._day(day)
        if not path.exists():
            self._master()
            with self._exclusive():
                # If two processes make it at once, the first one's is used by both.
                write_once(path, aes_key_wrap(self._master(), secrets.token_bytes(KEY_BYTES)).hex().encode())
        return self._unwrapped(bytes.fromhex(path.read_text(encoding="utf-8")), f"day {day}")

    def days(self) -> tuple[date, ...]:
        """Days with a key, earliest first."""
        return tuple(sorted(date.fromisoformat(path.name) for path in (self._folder / "days").glob("????-??-??")))

    def destroy_day(self, day: date) -> None:
        """Destroys a day's key: no copy of that day's log can be read any more."""
        self._day(day).unlink(missing_ok=True)

    def key_of_import(self) -> bytes:
        """The 64-byte AES-SIV key of what an import has read so far; made at the first call, wrapped by the master key.

        Raises:
            RefusedError: the master key is the published demo key, which would protect no one.
            IntegrityError: the wrapped key does not open with this master key.
        """
        if self._master() == DEMO_KEY:
            raise RefusedError(f"the master key is {PUBLISHED}")
        with self._exclusive():
            write_once(self._import(), aes_key_wrap(self._master(), secrets.token_bytes(KEY_BYTES)).hex().encode())
            return self._unwrapped(bytes.fromhex(self._import().read_text(encoding="utf-8")), "an import")

    def import_begun(self) -> datetime | None:
        """When the key of the import was made that is under way or was interrupted; None where there is none."""
        path = self._import()
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.is_file() else None

    def destroy_import(self) -> None:
        """Destroys the key of an import: nothing can be read of what it left."""
        self._import().unlink(missing_ok=True)

    def key_for_evidence(self, run_id: str, *, renew: bool = False) -> bytes:
        """The 32-byte key that the evidence of a run is sealed by; made at the first call, wrapped by the master key. `renew`: for
        synthetic people, who may be rendered again, a destroyed key is replaced by a new one.

        Raises:
            RefusedError: the evidence of this run was destroyed, because a person in it was erased.
            IntegrityError: the wrapped key does not open with this master key.
        """
        path = self._evidence(run_id)
        self._master()
        with self._exclusive():
            if renew and path.exists() and run_id not in self.sealed_runs():
                path.unlink()
            write_once(path, aes_key_wrap(self._master(), secrets.token_bytes(_EVIDENCE_BYTES)).hex().encode())
        return self._key_in(path, run_id)

    def key_of_evidence(self, run_id: str) -> bytes:
        """The key for reading existing evidence, which is logged.

        Raises:
            InputError: there is none here. RefusedError, IntegrityError: as for `key_for_evidence`.
        """
        path = self._evidence(run_id)
        if not path.is_file():
            raise InputError(
                f"the evidence of run {run_id} is sealed, and its key is not on this installation; replay it where it was made, ask "
                f"there for a readable copy (`bitface gate open {run_id} --out FILE`), or restore the keys from their backup"
            )
        key = self._key_in(path, run_id)
        self._note(evidence_read(run_id))
        return key

    def note_handed_out(self, run_id: str) -> None:
        """Logs in the log of openings that the evidence of a run is exported unencrypted."""
        self._on_open(evidence_handed_out(run_id), self.access_key())

    def sealed_runs(self) -> frozenset[str]:
        """Runs whose evidence can be read here."""
        files = (self._folder / "evidence").glob("[!.]*")
        return frozenset(path.name for path in files if not path.read_text(encoding="utf-8").startswith(DESTROYED))

    def destroy_evidence(self, run_id: str, erasure_id: str) -> None:
        """Destroys the key of a run's evidence: no copy of it can be read any more, wherever it is, and none is sealed again."""
        if self._has_master():
            with self._exclusive():
                write_atomically(self._evidence(run_id), f"{DESTROYED}{erasure_id}".encode())

    def evidence_names(self, *, published: bool) -> bytes:
        """The key from which names in evidence are derived: this installation's, which a rotation does not change; for only synthetic
        people the published one, so that everyone gets the same decision.
        """
        secret = DEMO_KEY if published else self._index_secret()
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"bitface names in evidence").derive(secret)

    def _day(self, day: date) -> Path:
        return self._folder / "days" / day.isoformat()

    def _import(self) -> Path:
        return self._folder / "imports" / "pictures"

    def _evidence(self, run_id: str) -> Path:
        if not _RUN.fullmatch(run_id):
            raise IntegrityError("the bundle does not name its run, so its key cannot be found; fetch it again")
        return self._folder / "evidence" / run_id

    def _key_in(self, path: Path, run_id: str) -> bytes:
        text = path.read_text(encoding="utf-8")
        if text.startswith(DESTROYED):
            raise RefusedError(
                f"the evidence of run {run_id} was destroyed in erasure {text.removeprefix(DESTROYED)}, as a person in it was erased; "
                "the decision remains in the ledger"
            )
        return self._unwrapped(bytes.fromhex(text), f"the evidence of run {run_id}")
