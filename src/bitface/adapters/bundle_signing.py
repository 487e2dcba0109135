"""Signs a model's folder by OpenSSF's model signing with an EC key, offline, and verifies it: every file, and none beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bitface.dataset.files import write_once
from bitface.errors import IntegrityError
from bitface.unneeded_modules import without_modules

SIGNATURE: Final = "signature.sig"
_OF_OTHER_SIGNERS: Final = ("sigstore", *(f"sigstore.{name}" for name in ("dsse", "models", "oidc", "sign", "verify")))
"""What signs by an account on the net, which takes a second to import."""


class BundleSigner:
    """The signing key of an installation, ECDSA on P-256, made at its first use; the public half lies beside it."""

    def __init__(self, keys: Path) -> None:
        self._private, self._public = keys / "bundle.pem", keys / "bundle.pub.pem"

    def sign(self, folder: Path) -> None:
        """Writes the signature over all other files of the folder."""
        self._make_key()
        with without_modules(*_OF_OTHER_SIGNERS):
            from model_signing import signing

        config: Any = signing.Config()  # type: ignore[no-untyped-call]
        config = config.use_elliptic_key_signer(private_key=self._private)
        config.set_hashing_config(_hashing(folder)).sign(folder, folder / SIGNATURE)

    def verify(self, folder: Path) -> None:
        """Checks the signature by this installation's key.

        Raises:
            IntegrityError: it is missing, was made by another key, or a file was changed, added or taken away.
        """
        if not self._public.is_file() or not (folder / SIGNATURE).is_file():
            raise IntegrityError(f"the model's {SIGNATURE} or the key that made it is missing; restore it, or retrain")
        with without_modules(*_OF_OTHER_SIGNERS):
            from model_signing import verifying

        config: Any = verifying.Config()  # type: ignore[no-untyped-call]
        config = config.use_elliptic_key_verifier(public_key=self._public)
        try:
            config.set_hashing_config(_hashing(folder)).verify(folder, folder / SIGNATURE)
        except Exception as error:
            # The tool raises what its parsers raise; whatever it is, the folder was not shown to be the signed one.
            raise IntegrityError(
                f"the model's signature fails verification ({type(error).__name__}); restore its files, or retrain"
            ) from error

    def _make_key(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        write_once(self._private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        kept = load_pem_private_key(self._private.read_bytes(), password=None)
        public = kept.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_once(self._public, public)


def _hashing(folder: Path) -> Any:
    with without_modules(*_OF_OTHER_SIGNERS):
        from model_signing import hashing

    config: Any = hashing.Config()  # type: ignore[no-untyped-call]
    return config.set_ignored_paths(paths=[folder / SIGNATURE])
