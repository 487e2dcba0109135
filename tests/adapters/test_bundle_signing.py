"""A signed folder: every file counts, none may come or go, and no other key will do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bitface.adapters.bundle_signing import SIGNATURE, BundleSigner
from bitface.errors import IntegrityError


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[BundleSigner, Path]:
    root = tmp_path_factory.mktemp("signing")
    folder = root / "bundle"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("model.bin", 900), ("spec.json", 300), ("model.xml", 500)):
        (folder / name).write_bytes(rng.bytes(size))
    signer = BundleSigner(root / "keys")
    signer.sign(folder)
    signer.verify(folder)
    return signer, folder


@pytest.fixture
def copied(signed, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed[1], tmp_path / "bundle"))


def test_what_was_signed_verifies_wherever_it_lies(signed, copied) -> None:
    signed[0].verify(copied)
    assert (signed[1].parent / "keys" / "bundle.pem").stat().st_mode & 0o077 == 0


def test_one_flipped_bit_anywhere_is_refused(signed, copied) -> None:
    rng = np.random.default_rng(1)
    for path in sorted(copied.iterdir()):
        whole = path.read_bytes()
        for at in rng.integers(0, 8 * len(whole), 6):
            flipped = bytearray(whole)
            flipped[at // 8] ^= 1 << (at % 8)
            path.write_bytes(bytes(flipped))
            with pytest.raises(IntegrityError, match="signature"):
                signed[0].verify(copied)
        path.write_bytes(whole)
    signed[0].verify(copied)


def test_a_file_more_or_less_is_refused(signed, copied) -> None:
    (copied / "extra.pkl").write_bytes(b"x")
    with pytest.raises(IntegrityError, match="fails verification"):
        signed[0].verify(copied)
    (copied / "extra.pkl").unlink()
    (copied / "spec.json").unlink()
    with pytest.raises(IntegrityError, match="fails verification"):
        signed[0].verify(copied)


def test_another_key_and_no_signature_are_refused(signed, copied, tmp_path) -> None:
    other = BundleSigner(tmp_path / "keys")
    with pytest.raises(IntegrityError, match="missing"):
        other.verify(copied)
    other.sign(copied)
    with pytest.raises(IntegrityError, match="fails verification"):
        signed[0].verify(copied)
    (copied / SIGNATURE).unlink()
    with pytest.raises(IntegrityError, match="missing"):
        signed[0].verify(copied)
