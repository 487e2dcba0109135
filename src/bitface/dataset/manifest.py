"""The SHA-256 manifest of the dataset folder, because DVC does not notice a flipped byte by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from bitface.dataset.files import sha256_of, write_atomically
from bitface.errors import InputError, IntegrityError

MANIFEST_NAME: Final = "manifest.json"


def write_manifest(data: Path) -> str:
    """Records the digest of every file of the dataset; returns the manifest's own SHA-256."""
    document = {"version": 1, "files": _digests(data)}
    write_atomically(data / MANIFEST_NAME, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())
    return sha256_of(data / MANIFEST_NAME)


def verify_manifest(data: Path) -> str:
    """Compares every file with its recorded digest; returns the manifest's own SHA-256.

    Raises:
        InputError: there is no manifest.
        IntegrityError: a file is missing, unexpected or altered; the message names the first one.
    """
    path = data / MANIFEST_NAME
    if not path.is_file():
        raise InputError(
            f"the dataset folder has no {MANIFEST_NAME}; run `bitface data synthesize` or `bitface data import`"
        )
    recorded = json.loads(path.read_text(encoding="utf-8"))["files"]
    found = _digests(data)
    wrong = sorted({*recorded.items()} ^ {*found.items()})
    if wrong:
        name = wrong[0][0]
        kind = "altered" if name in recorded and name in found else "missing" if name in recorded else "not recorded"
        files = len({name for name, _ in wrong})
        raise IntegrityError(
            f"dataset file '{name}' is {kind} ({files} in all); `bitface doctor` says how to restore it"
        )
    return sha256_of(path)


def recorded_digests(data: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of the dataset's files, from its manifest; `verify_manifest` compares it with the files."""
    found: dict[str, str] = json.loads((data / MANIFEST_NAME).read_text(encoding="utf-8"))["files"]
    return found


def _digests(data: Path) -> dict[str, str]:
    files = (path for path in data.rglob("*") if path.is_file() and path.name != MANIFEST_NAME)
    return {path.relative_to(data).as_posix(): sha256_of(path) for path in files}
