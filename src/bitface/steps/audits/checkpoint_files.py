"""Signed statements of where the log ends, a file each: kept elsewhere, one reveals every later cut and rewrite."""

from __future__ import annotations

import json
import re
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
from bitface.dataset.incoming.text_files import read_text_file
from bitface.dataset.suppression import BOOK
from bitface.errors import InputError, IntegrityError
from bitface.ledger.entries import Checkpoint
from bitface.ledger.ledger import Ledger

FOLDER: Final = "checkpoints"
_KEY: Final = "checkpoint.pem"
ERASED: Final = "erased"
_OPENINGS: Final = "openings"
NAME: Final = re.compile(r"(g\d{2}-)?\d{8}\.json")


def sign_checkpoint(ledger: Ledger, home: Path, at: datetime) -> Path:
    """Signs the current end of the log in `checkpoints/`, a file per length of the log; returns the file."""
    return keep_checkpoint(ledger.checkpoint(), home, at)


def keep_checkpoint(found: Checkpoint, home: Path, at: datetime) -> Path:
    """Signs an end of the log and writes it to `checkpoints/`; returns the file.

    Ed25519 (RFC 8032) by a key of this installation. The file is only as safe as its place: one kept elsewhere reveals that a home
    was restored to an earlier state.
    """
    path = home / FOLDER / found.name
    if not path.is_file():
        write_atomically(path, signed_checkpoint(found, home, at))
    return path


def signed_checkpoint(found: Checkpoint, home: Path, at: datetime) -> bytes:
    """A checkpoint as a signed document."""
    key = _signing_key(home)
    statement = {**asdict(found), "at": at.isoformat(timespec="seconds"), "public_key": _public(key), **_kept(home)}
    signature = key.sign(canonical_json(statement).encode())
    return (json.dumps({**statement, "signature": signature.hex()}, indent=1) + "\n").encode()


def read_checkpoint(path: Path, home: Path) -> Checkpoint:
    """A checkpoint that this installation signed. Raises what `statement_in` raises."""
    return statement_in(path, home)[0]


def statement_in(path: Path, home: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """A checkpoint that this installation signed, and the whole statement.

    Raises:
        InputError: it is not a checkpoint. IntegrityError: it was edited, or another installation's key signed it.
    """
    return verified(read_text_file(path).text.encode(), path.name, home)


def erased_in(path: Path, home: Path) -> Any:
    """The book of the erased in a checkpoint, as stored. Raises what `statement_in` raises, and InputError if there is none."""
    found = statement_in(path, home)[1].get(ERASED)
    if found is None:
        raise InputError(f"'{path.name}' records no erasures; name a checkpoint that was signed after an erasure")
    return found


def openings_in(path: Path, home: Path) -> Head | None:
    """The end of the log of openings when a checkpoint was signed, None if it is not stated. Raises what `statement_in` raises."""
    found = statement_in(path, home)[1].get(_OPENINGS)
    return None if found is None else Head(**found)


def latest_openings(home: Path) -> Head | None:
    """The same of the latest checkpoint in `checkpoints/` that states it; those of other installations are skipped."""
    for name in reversed(names_in(home / FOLDER)):
        with suppress(InputError, IntegrityError):
            found = openings_in(home / FOLDER / name, home)
            if found is not None:
                return found
    return None


def latest_in(folder: Path, home: Path) -> Checkpoint | None:
    """The latest checkpoint of this installation in a folder, None if there is none; other files are skipped."""
    for name in reversed(names_in(folder)):
        with suppress(InputError, IntegrityError):
            found = read_checkpoint(folder / name, home)
            if found.name == name:
                return found
    return None


def names_in(folder: Path) -> list[str]:
    """The names of checkpoints in a local folder, the latest last."""
    return sorted(path.name for path in folder.glob("*.json") if NAME.fullmatch(path.name))


def generation_of(name: str) -> str:
    """The number of gaps before a checkpoint, as in its name: `g01` of `g01-00000042.json`, empty if there were none."""
    return name.rpartition("-")[0]


def _kept(home: Path) -> dict[str, Any]:
    """What else is lost when home is restored from a backup: the book of the erased, and the number of logged openings."""
    book, head = home / "keys" / BOOK, read_head(home / "keys" / HEAD)
    erased = {ERASED: json.loads(book.read_text(encoding="utf-8"))} if book.is_file() else {}
    return {**erased, **({_OPENINGS: asdict(head)} if head else {})}


def verified(data: bytes, name: str, home: Path) -> tuple[Checkpoint, dict[str, Any]]:
    """A checkpoint and its whole statement from the bytes of a file. Raises what `statement_in` raises."""
    try:
        document: dict[str, Any] = json.loads(data)
        signature = bytes.fromhex(document.pop("signature"))
        found = Checkpoint(
            size=int(document["size"]), head_sha256=str(document["head_sha256"]), gaps=int(document.get("gaps", 0))
        )
        public = bytes.fromhex(document["public_key"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"'{name}' is not a checkpoint; `bitface audit log --export FILE` writes one") from error
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, canonical_json(document).encode())
    except (InvalidSignature, ValueError) as error:
        raise IntegrityError(f"'{name}' was edited: its signature is invalid; fetch it again") from error
    if not (home / "keys" / _KEY).is_file():
        raise IntegrityError(
            f"'{name}' cannot be verified: this installation's keys/{_KEY} is missing; restore it from a backup"
        )
    if document["public_key"] != _public(_signing_key(home)):
        raise IntegrityError(f"'{name}' was signed by another installation's key; name one of this installation")
    return found, document


def _signing_key(home: Path) -> Ed25519PrivateKey:
    path = home / "keys" / _KEY
    if not path.is_file():
        private = Ed25519PrivateKey.generate()
        write_once(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    found = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(found, Ed25519PrivateKey):
        raise IntegrityError(f"{_KEY} is not an Ed25519 key; restore it from a backup")
    return found


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
