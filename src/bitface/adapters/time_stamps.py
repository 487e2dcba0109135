"""Time stamps of an authority (RFC 3161), by rfc3161-client: that a checkpoint was there at a time, whatever this machine's clock says."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import Request, urlopen

from cryptography.x509 import load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from bitface.errors import InputError, IntegrityError

_SECONDS: Final = 10
_MAX_BYTES: Final = 1 << 20
_GRANTED: Final = 0


def stamp_over(data: bytes, authority: str) -> bytes:
    """The authority's answer over the SHA-256 of some bytes, which it never sees.

    Raises:
        InputError: it cannot be asked, or did not stamp these bytes.
    """
    if not authority.startswith(("http://", "https://")):
        raise InputError("BITFACE_TIMESTAMPS is not the address of an authority; write https://host/path")
    asked = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    kind = {"Content-Type": "application/timestamp-query"}
    try:
        with urlopen(Request(authority, asked.as_bytes(), kind), timeout=_SECONDS) as answer:  # noqa: S310 - http alone
            stamp: bytes = answer.read(_MAX_BYTES)
        found = decode_timestamp_response(stamp)
        is_ours = found.status == _GRANTED and found.tst_info.nonce == asked.nonce and _is_of(found, data)
    except (OSError, URLError, ValueError) as error:
        raise InputError(
            f"the authority in BITFACE_TIMESTAMPS did not return a time stamp ({type(error).__name__}); check its address"
        ) from error
    if not is_ours:
        raise InputError("the authority in BITFACE_TIMESTAMPS stamped different data; check its address")
    return stamp


def stamped_at(stamp: bytes, data: bytes, certificates: str) -> datetime:
    """When the authority says that the bytes were there.

    Raises:
        InputError: `certificates` is not a PEM file of the authority's certificates. IntegrityError: the stamp is not theirs, or of others.
    """
    try:
        roots = load_pem_x509_certificates(Path(certificates).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            "the time stamp cannot be verified; set BITFACE_TIMESTAMPS_CA to the authority's PEM file"
        ) from error
    verifier = VerifierBuilder()
    for root in roots:
        verifier = verifier.add_root_certificate(root)
    try:
        found = decode_timestamp_response(stamp)
        verifier.build().verify_message(found, data)
    except (VerificationError, ValueError) as error:
        raise IntegrityError(
            "the time stamp fails verification: it covers other bytes, or its authority is not in BITFACE_TIMESTAMPS_CA; fetch both again"
        ) from error
    return found.tst_info.gen_time


def _is_of(found: TimeStampResponse, data: bytes) -> bool:
    return bool(found.tst_info.message_imprint.message == hashlib.sha256(data).digest())
