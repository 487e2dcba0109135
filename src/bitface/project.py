"""Creates a project in a folder, and finds the one that a command runs in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import bitface
from bitface.dataset.files import write_once
from bitface.errors import InputError

PARAMS: Final = "params.yaml"
GLOSSARY: Final = "glossary.md"
_IGNORED: Final = "/.bitface/\n/data\n/.data.*\n"
"""What git ignores in a project: keys, models and people's data."""
_PACKAGE: Final = Path(bitface.__file__).parent
_ROOT: Final = 0
"""The user who owns what was mounted or installed for others."""


def project_root() -> Path:
    """The project that a command runs in: the current folder, else the nearest one above that is a project of the same user, else the
    checkout that this package runs from.

    A params.yaml that cannot be read, such as a broken link, is this project's too: no other project takes its place.

    Raises:
        InputError: neither exists, or the current folder was removed.
    """
    try:
        current = Path.cwd()
    except FileNotFoundError as error:
        raise InputError("the current folder was removed; change to a project folder") from error
    if os.path.lexists(current / PARAMS):
        return current
    above = next(filter(_is_own_project, current.parents), None)
    if above is not None:
        return above
    checkout = _PACKAGE.parents[1]
    if (checkout / PARAMS).is_file():
        return checkout
    raise InputError(f"'{current.name}' has no {PARAMS}; run `bitface init` here, or change to a project folder")


def _is_own_project(folder: Path) -> bool:
    """Whether it was begun as a project, since other tools have a params.yaml too, and not by another user, as in a folder for all."""
    try:
        begun = (folder / ".bitface").is_dir() or _IGNORED in (folder / ".gitignore").read_text(encoding="utf-8")
        return begun and (folder / PARAMS).is_file() and folder.stat().st_uid in (os.geteuid(), _ROOT)
    except (OSError, UnicodeDecodeError):
        return False


def begin_project(folder: Path) -> tuple[Path, ...]:
    """Writes the default params.yaml, and a .gitignore if there is none; returns what was written.

    Raises:
        InputError: the folder cannot be written, or has something else than a file under one of these names.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        texts = {PARAMS: shipped(PARAMS).read_bytes(), ".gitignore": _IGNORED.encode()}
        _check_files(folder, texts)
        missing = {name: text for name, text in texts.items() if not (folder / name).exists()}
        for name, text in missing.items():
            write_once(folder / name, text, 0o644)
    except OSError as error:
        raise InputError(
            f"'{folder.name or folder.absolute().name}' cannot be a project folder ({error.strerror}); name a writable folder"
        ) from error
    return tuple(folder / name for name in missing)


def _check_files(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if os.path.lexists(folder / name) and not (folder / name).is_file():
            raise InputError(f"'{folder / name}' is not a file, or a link to none; move it away")


def shipped(name: str) -> Path:
    """A text file of the package: from the installed package, else from the checkout."""
    packed = _PACKAGE / name
    checkout = _PACKAGE.parents[1]
    return packed if packed.is_file() else checkout / ("docs" if name == GLOSSARY else "") / name
