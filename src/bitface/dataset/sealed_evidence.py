"""Seals the rows of people that a gate decided by, each run's with a key of its own: destroying it makes every copy unreadable.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits, since a run that was killed is judged and sealed once more by the same key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitface.dataset.keys import KeyStore
from bitface.errors import IntegrityError

_NONCE_BYTES: Final = 12
_TOKEN_DIGITS: Final = 32


def seal_evidence(content: bytes, run_id: str, keys: KeyStore, *, renew: bool) -> bytes:
    """The content under the key of a run, which is bound to it. Takes and raises what `KeyStore.key_for_evidence` does."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(keys.key_for_evidence(run_id, renew=renew)).encrypt(nonce, content, _about(run_id))


def open_evidence(sealed: bytes, run_id: str, keys: KeyStore) -> bytes:
    """The content again.

    Raises:
        InputError, RefusedError: its key is not here, or was destroyed.
        IntegrityError: it was sealed for another run, by another key, or a bit of it was touched.
    """
    key = keys.key_of_evidence(run_id)
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _about(run_id))
    except (InvalidTag, ValueError) as error:
        raise IntegrityError(
            f"the evidence of run {run_id} cannot be decrypted: it was changed, or belongs to another run; restore it"
        ) from error


def names_by(run_id: str, key: bytes) -> Callable[[str], str]:
    """What stands for a name in the evidence of a run: a keyed digest of 128 bits, another one in every run."""

    def token(name: str) -> str:
        return hmac.new(key, f"{run_id} {name}".encode(), hashlib.sha256).hexdigest()[:_TOKEN_DIGITS]

    return token


def _about(run_id: str) -> bytes:
    return f"bitface gate evidence 7 {run_id}".encode()
