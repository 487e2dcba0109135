"""Signed statements of where the log ends: kept elsewhere, one shows every cut and every rewrite since."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bitface.consent.events import canonical_json
from bitface.dataset.decryptions import HEAD, Head, read_head
from bitface.dataset.files import write_atomically, write_once
from bitface.dataset.suppression import BOOK
from bitface.dataset.text_files import read_text_file
from bitface.errors import InputError, IntegrityError
from bitface.ledger.entries import Checkpoint
from bitface.ledger.ledger import Ledger

FOLDER: Final = "checkpoints"
_KEY: Final = "checkpoint.pem"
_BOOK: Final = "erased"
_OPENINGS: Final = "openings"


def sign_checkpoint(ledger: Ledger, home: Path, at: datetime) -> Path:
    """Writes and signs where the log ends now, in `checkpoints/`, a file per length of the log; returns the file."""
    return keep_checkpoint(ledger.checkpoint(), home, None, at)


def keep_checkpoint(found: Checkpoint, home: Path, elsewhere: Path | None, at: datetime) -> Path:
    """Signs where the log ended, and writes that into `checkpoints/` and to the other place; returns the file at home.

    Ed25519 (RFC 8032) by a key of this installation. The file is worth what its place is worth: one that lies elsewhere shows that a
    home was put back as it was before.

    Raises:
        InputError: the other place cannot be written.
    """
    path = home / FOLDER / f"{found.size:08d}.json"
    if not path.is_file():
        write_atomically(path, signed_checkpoint(found, home, at))
    if elsewhere is not None:
        try:
            write_once(elsewhere / path.name, path.read_bytes())
        except OSError as error:
            raise InputError(
                f"the end of the log could not be kept in BITFACE_CHECKPOINTS ({error.strerror}); mend that place, and run again"
            ) from error
    return path


def signed_checkpoint(found: Checkpoint, home: Path, at: datetime) -> bytes:
    """A checkpoint as a signed document."""
    key = _signing_key(home)
    statement = {**asdict(found), "at": at.isoformat(timespec="seconds"), "public_key": _public(key), **_kept(home)}
    signature = key.sign(canonical_json(statement).encode())
    return (json.dumps({**statement, "signature": signature.hex()}, indent=1) + "\n").encode()


def read_checkpoint(path: Path, home: Path) -> Checkpoint:
    """A checkpoint that this installation signed. Raises what `_verified` raises."""
    return _verified(path, home)[0]


def erased_in(path: Path, home: Path) -> Any:
    """The book of the erased in a checkpoint, as it is stored. Raises what `_verified` raises, and InputError where there is none."""
    found = _verified(path, home)[1].get(_BOOK)
    if found is None:
        raise InputError(
            f"'{path.name}' knows of nobody who was erased; name a checkpoint that was signed after an erasure"
        )
    return found


def openings_in(path: Path, home: Path) -> Head | None:
    """Where the log of openings ended when a checkpoint was signed, None where it does not say. Raises what `_verified` raises."""
    found = _verified(path, home)[1].get(_OPENINGS)
    return None if found is None else Head(**found)


def latest_openings(home: Path) -> Head | None:
    """The same of the latest checkpoint in `checkpoints/` that says so; what is none of this installation is passed over."""
    for path in sorted((home / FOLDER).glob("*.json"), reverse=True):
        with suppress(InputError, IntegrityError):
            found = openings_in(path, home)
            if found is not None:
                return found
    return None


def _kept(home: Path) -> dict[str, Any]:
    """What else is lost where home is restored from a backup: by what erased people are known again, and how many openings were noted."""
    book, head = home / "keys" / BOOK, read_head(home / "keys" / HEAD)
    erased = {_BOOK: json.loads(book.read_text(encoding="utf-8"))} if book.is_file() else {}
    return {**erased, **({_OPENINGS: asdict(head)} if head else {})}


def _verified(path: Path, home: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """A checkpoint that this installation signed, and the whole statement.

    Raises:
        InputError: the file is none. IntegrityError: it was edited, or another installation's key signed it.
    """
    try:
        document: dict[str, Any] = json.loads(read_text_file(path).text)
        signature = bytes.fromhex(document.pop("signature"))
        found = Checkpoint(size=int(document["size"]), head_sha256=str(document["head_sha256"]))
        public = bytes.fromhex(document["public_key"])
    except (InputError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"'{path.name}' is no checkpoint; `bitface audit log --export FILE` writes one") from error
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, canonical_json(document).encode())
    except (InvalidSignature, ValueError) as error:
        raise IntegrityError(f"'{path.name}' was edited: its signature does not hold; fetch it again") from error
    if not (home / "keys" / _KEY).is_file():
        raise IntegrityError(
            f"'{path.name}' cannot be told from a made-up one: this installation's keys/{_KEY} is missing; restore it from a backup"
        )
    if document["public_key"] != _public(_signing_key(home)):
        raise IntegrityError(f"'{path.name}' was signed by another installation's key; name one of this installation")
    return found, document


def kept_checkpoints(home: Path, elsewhere: Path | None) -> tuple[Checkpoint, ...]:
    """The latest checkpoint that this installation signed, of those in its home and of those that were exported to another place.

    What is no checkpoint of this installation is passed over: whoever can write there cannot make one, and cannot hide one by adding.
    """
    latest = (_latest(folder, home) for folder in (home / FOLDER, elsewhere) if folder is not None)
    return tuple(one for one in latest if one is not None)


def _latest(folder: Path, home: Path) -> Checkpoint | None:
    for path in sorted(folder.glob("[0-9]*.json"), reverse=True):
        with suppress(InputError, IntegrityError):
            return read_checkpoint(path, home)
    return None


def _signing_key(home: Path) -> Ed25519PrivateKey:
    path = home / "keys" / _KEY
    if not path.is_file():
        private = Ed25519PrivateKey.generate()
        write_once(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    found = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(found, Ed25519PrivateKey):
        raise IntegrityError(f"{_KEY} is no Ed25519 key; restore it from a backup")
    return found


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
