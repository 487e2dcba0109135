"""The master key, which wraps every other key (RFC 3394): where it is kept, and how a key is opened by it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from bitface.dataset.files import write_once
from bitface.dataset.locks import exclusive
from bitface.errors import InputError, IntegrityError

DEMO_KEY: Final = hashlib.sha256(b"bitface published demo key: synthetic people only").digest()
PUBLISHED: Final = "the published demo key, which protects no data; set a new one (`openssl rand -hex 32`), or unset it and one is created"
DESTROYED: Final = "erased "
"""With the id of the erasure behind it, it stands where a key or an entry was."""
MASTER, NEXT, INDEX = "master.key", "master.next", "index.key"
_MASTER_BYTES: Final = 32
_WAIT_S: Final = 60.0
KEY_BYTES: Final = 64  # AES-256 in SIV mode takes two keys
_WRAPS: Final = ("people", "days", "evidence", "imports")


class WrappedKeys:
    """Keys under `folder`, each wrapped by the master key; one writer at a time."""

    def __init__(
        self, folder: Path, given: Callable[[], tuple[bytes, ...]], on_open: Callable[[str, bytes], None]
    ) -> None:
        """Opens nothing yet."""
        self._folder, self._given, self._on_open = folder, given, on_open
        self._opened: set[str] = set()
        self._remembered: tuple[bytes, bytes] | None = None

    def place_of_master(self) -> Literal["nowhere", "here", "elsewhere"]:
        """Where the master key is kept; empty before it is first needed."""
        if self._given():
            return "elsewhere"
        return "here" if (self._folder / MASTER).is_file() else "nowhere"

    def is_published(self) -> bool:
        """Whether a master key in use is the published demo key, which would let anyone with the files read them."""
        return self._has_master() and DEMO_KEY in (self._given() or (self._master(),))

    def access_key(self) -> bytes:
        """The key that authenticates the log of openings."""
        return hmac.new(self._index_secret(), b"log of openings", hashlib.sha256).digest()

    def _note(self, name: str) -> None:
        if name not in self._opened:
            self._opened.add(name)
            self._on_open(name, self.access_key())

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keeps other writers of keys out: none may wrap a key by a master key that is being replaced. Half-written files of a killed
        writer are removed first, since they may contain a key.
        """
        with exclusive(self._folder, "a command that writes keys", _WAIT_S):
            for part in self._folder.glob("*/.*.part"):
                part.unlink(missing_ok=True)
            yield

    @contextlib.contextmanager
    def _remembering(self) -> Iterator[None]:
        """While the block runs, the master key and the index's are read once, not for every person; only under `_exclusive`."""
        self._remembered = (self._master(), self._index_secret())
        try:
            yield
        finally:
            self._remembered = None

    def _next(self) -> bytes:
        """The new master key of a rotation."""
        given, place = self._given(), self._folder / NEXT
        if given:
            if len(given) < 2:
                raise InputError("the master key is kept outside bitface; set BITFACE_MASTER_KEY_NEXT to the new one")
            return given[1]
        write_once(place, secrets.token_bytes(_MASTER_BYTES))
        return place.read_bytes()

    def _unwrapped(self, wrapped: bytes, owner: str) -> bytes:
        """Unwraps a key by the master key or, during a rotation, by the next one."""
        place = self._folder / NEXT
        for master in self._given() or (self._master(), *([place.read_bytes()] if place.is_file() else [])):
            with contextlib.suppress(InvalidUnwrap, ValueError):
                return aes_key_unwrap(master, wrapped)
        raise IntegrityError(f"the key of {owner} cannot be decrypted with this master key; restore it")

    def _index_secret(self) -> bytes:
        """The key by which ids are looked up and sealed: the first master key, which a rotation does not change."""
        if self._remembered:
            return self._remembered[1]
        path = self._folder / INDEX
        return self._unwrapped(path.read_bytes(), "the index") if path.is_file() else self._master()

    def _master(self) -> bytes:
        if self._remembered:
            return self._remembered[0]
        given = self._given()
        if given:
            return given[0]
        path = self._folder / MASTER
        if not path.is_file():
            wraps = any((self._folder / wrapped).is_dir() for wrapped in _WRAPS)
            # Checked again: another process may have made it meanwhile, and wrapped its first key by it.
            if wraps and not path.is_file():
                raise IntegrityError(
                    "the master key is missing but keys wrapped by it exist; restore it from its backup"
                )
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            write_once(path, secrets.token_bytes(_MASTER_BYTES))
        return path.read_bytes()

    def _has_master(self) -> bool:
        return bool(self._given()) or (self._folder / MASTER).is_file()
