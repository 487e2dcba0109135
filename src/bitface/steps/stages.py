"""Keeps a stage's result under a key of everything that went into it, so that a second run repeats nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import bitface
from bitface.dataset.files import sha256_of

_DONE = "done"


def key_of(*parts: Any) -> str:
    """SHA-256 over canonical JSON of the parts, shortened to 32 hexadecimal digits (128 bits)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def reuse_or_make(folder: Path, make: Callable[[Path], None]) -> bool:
    """Fills `folder` by `make(partial)` unless a finished one is there; returns whether it was reused.

    The partial folder is renamed into place only when `make` has returned, so a killed run leaves no half result.
    """
    if (folder / _DONE).is_file():
        return True
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    partial.mkdir(parents=True)
    make(partial)
    (partial / _DONE).touch()
    partial.rename(folder)
    return False


@cache
def code_digest(*packages: str) -> str:
    """SHA-256 of our own source files below the named packages (all of them where none is named), shortened."""
    root = Path(bitface.__file__).parent
    return key_of([[str(path.relative_to(root)), sha256_of(path)] for path in _sources(root, packages)])


def _sources(root: Path, packages: Iterable[str]) -> list[Path]:
    folders = [root / package for package in packages] or [root]
    return sorted(path for folder in folders for path in ([folder] if folder.is_file() else folder.rglob("*.py")))
