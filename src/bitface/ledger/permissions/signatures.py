"""Makes and verifies people's Ed25519 signatures (RFC 8032). The ledger holds public keys only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bitface.consent.events import canonical_json
from bitface.ledger.entries import KeyEntry


def key_of(person: str, role: str, private: Ed25519PrivateKey) -> KeyEntry:
    """The entry of a person's key for a role."""
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return KeyEntry(key_id=hashlib.sha256(public).hexdigest(), person=person, role=role, public_key=public.hex())


def signature_of(purpose: str, facts: Mapping[str, object], private: Ed25519PrivateKey) -> str:
    """The signature of facts in hexadecimal; `purpose` is signed with them, so that a signature for one purpose is invalid for another."""
    return private.sign(_message(purpose, facts)).hex()


def holds(purpose: str, facts: Mapping[str, object], signature: str, key: KeyEntry) -> bool:
    """Whether a signature of these facts for this purpose was made with the key, and the key matches its id."""
    try:
        public, found = bytes.fromhex(key.public_key), bytes.fromhex(signature)
        Ed25519PublicKey.from_public_bytes(public).verify(found, _message(purpose, facts))
    except (InvalidSignature, ValueError):
        return False
    if found.hex() != signature:
        return False  # the same number in another spelling, which this program never writes
    # The id is the key's own digest: a row whose public key was replaced is not trusted.
    return hashlib.sha256(public).hexdigest() == key.key_id


def _message(purpose: str, facts: Mapping[str, object]) -> bytes:
    return canonical_json({"purpose": purpose, **facts}).encode()
