"""Reads the pin file of the dataset, which git merges and people edit: what cannot be read is said by name before anything is written."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bitface.errors import InputError
from bitface.hand_written_yaml import read_yaml

_VERSION: Final = re.compile(r"[0-9a-f]{32}\.dir")
_CONFLICT: Final = re.compile(rb"^(<{7}|={7}|>{7})", re.MULTILINE)
_REMEDY: Final = "restore it (`git checkout HEAD -- {name}`), or move it away and import or synthesize again"


def pinned_in(file: Path) -> str | None:
    """The version of the dataset folder that a `.dvc` file pins; None where there is no such file.

    Raises:
        InputError: it is not a file, not YAML, holds both sides of a merge, or pins something else than that one folder.
    """
    if not os.path.lexists(file):
        return None
    remedy = _REMEDY.format(name=file.name)
    if not file.is_file():
        raise InputError(f"'{file}' is not a file, or a link to none; move it away")
    if _CONFLICT.search(file.read_bytes()):
        raise InputError(f"{file.name} holds both sides of a merge; keep one, which `dvc checkout` then brings back")
    try:
        document = read_yaml(file)
    except InputError as error:
        raise InputError(f"{error}; or {remedy}") from error
    version = _version_of(document, file.stem)
    if version is None:
        raise InputError(f"{file.name} does not pin one version of the folder '{file.stem}'; {remedy}")
    return version


def _version_of(document: Any, folder: str) -> str | None:
    outs = document.get("outs") if isinstance(document, Mapping) else None
    out = outs[0] if isinstance(outs, list) and len(outs) == 1 else None
    if not isinstance(out, Mapping) or out.get("path") != folder:
        return None
    version = str(out.get("md5"))
    return version if _VERSION.fullmatch(version) else None
