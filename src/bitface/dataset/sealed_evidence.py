"""Seals a gate's evidence rows about people with one key per run: destroying it makes every copy unreadable.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits, since a killed run is judged and sealed again with the same key.
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
    """Encrypts content with the key of a run, bound to it. Takes and raises what `KeyStore.key_for_evidence` does."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(keys.key_for_evidence(run_id, renew=renew)).encrypt(nonce, content, _about(run_id))


def open_evidence(sealed: bytes, run_id: str, keys: KeyStore) -> bytes:
    """Decrypts sealed content.

    Raises:
        InputError, RefusedError: its key is not here, or was destroyed.
        IntegrityError: it was sealed for another run or with another key, or was altered.
    """
    key = keys.key_of_evidence(run_id)
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _about(run_id))
    except (InvalidTag, ValueError) as error:
        raise IntegrityError(
            f"the evidence of run {run_id} cannot be decrypted: it was changed, or belongs to another run; restore it"
        ) from error


def names_by(run_id: str, key: bytes) -> Callable[[str], str]:
    """What replaces a name in the evidence of a run: a keyed digest of 128 bits, different in every run."""

    def token(name: str) -> str:
        return hmac.new(key, f"{run_id} {name}".encode(), hashlib.sha256).hexdigest()[:_TOKEN_DIGITS]

    return token


def _about(run_id: str) -> bytes:
    return f"bitface gate evidence 7 {run_id}".encode()
