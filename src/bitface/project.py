"""Creates a project in a folder, and finds the one that a command runs in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import bitface
from bitface.dataset.files import write_once
from bitface.dataset.plain_files import check_is_file
from bitface.errors import InputError

PARAMS: Final = "params.yaml"
GLOSSARY: Final = "glossary.md"
_IGNORED: Final = "/.bitface/\n/data\n/.data.*\n"
"""What git ignores in a project: keys, models and people's data."""
_PACKAGE: Final = Path(bitface.__file__).parent


def project_root() -> Path:
    """The project that a command runs in: the current folder, else the checkout that this package runs from.

    Raises:
        InputError: neither exists.
    """
    current = Path.cwd()
    # Whatever has that name here is meant: a link that leads nowhere is told when it is read, not passed over for another project's.
    if os.path.lexists(current / PARAMS):
        return current
    checkout = _PACKAGE.parents[1]
    if (checkout / PARAMS).is_file():
        return checkout
    raise InputError(f"'{current.name}' has no {PARAMS}; run `bitface init` here, or change to a project folder")


def begin_project(folder: Path) -> tuple[Path, ...]:
    """Writes the default params.yaml, and a .gitignore if there is none; returns what was written.

    Raises:
        InputError: the folder cannot be written, or something else has the name of its params.yaml.
    """
    if os.path.lexists(folder / PARAMS):
        check_is_file(folder / PARAMS, ", and a project's parameters are a file; move it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        texts = {PARAMS: shipped(PARAMS).read_bytes(), ".gitignore": _IGNORED.encode()}
        missing = {name: text for name, text in texts.items() if not os.path.lexists(folder / name)}
        for name, text in missing.items():
            write_once(folder / name, text, 0o644)
    except OSError as error:
        raise InputError(
            f"'{folder.name or folder.absolute().name}' cannot be a project folder ({error.strerror}); name a writable folder"
        ) from error
    return tuple(folder / name for name in missing)


def shipped(name: str) -> Path:
    """A text file of the package: from the installed package, else from the checkout."""
    packed = _PACKAGE / name
    checkout = _PACKAGE.parents[1]
    return packed if packed.is_file() else checkout / ("docs" if name == GLOSSARY else "") / name
