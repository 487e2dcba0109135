"""Finds the files that a manifest names: below the source folder only, over no link, under whichever spelling a disk keeps."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from bitface.dataset.incoming.oddities import OddRowError
from bitface.errors import InputError

_MISSING: Final = "the file is missing; put it in the source folder or delete the row"

_BESIDE: Final = frozenset({"licence.json", "consents.jsonl", "manifest.csv", "consent-terms.json"})
_PAPERS: Final = ("notices", "evidence")


def files_below(folder: Path) -> Iterator[str]:
    """Every file by its path from the folder on, and every link, which nothing follows; what says how to import is left out."""
    for place, folders, names in os.walk(folder):
        below = Path(place).relative_to(folder).parts
        links = [name for name in folders if Path(place, name).is_symlink()]
        beside = _BESIDE if not below else frozenset[str]()
        if not below or below[0] not in _PAPERS:
            yield from ("/".join((*below, name)) for name in (*names, *links) if name not in beside)


class SourceFolder:
    """The folder that paths are relative to; it remembers the names in it, so that a large folder is listed once."""

    def __init__(self, root: Path) -> None:
        """Lists nothing yet."""
        self._root = root
        self._listed: dict[Path, _Names] = {}
        self._folders: dict[tuple[str, ...], Path] = {}

    def file(self, text: str) -> Path:
        """The file that a manifest names, which must be a plain file below the folder, reached over no link.

        The name as written comes first; else the one that differs in its Unicode normal form (macOS keeps decomposed names), else
        the one that differs in the case of its extension.

        Raises:
            InputError: absolute, escaping, with a NUL or backslash, a link on the way, several such files, or none.
        """
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if not text or "\0" in text or text.startswith("/") or ".." in parts:
            raise InputError("the path is empty, absolute or leaves the folder; use a path below the source folder")
        if "\\" in text:
            raise InputError("the path has a backslash; write folders with /, as in faces/a.jpg")
        *folders, last = parts or [""]
        try:
            path, mode = self._entry(self._folder(tuple(folders)), last)
        except (OSError, ValueError) as error:
            raise OddRowError("missing_picture", _MISSING) from error
        if not stat.S_ISREG(mode):
            raise OddRowError("missing_picture", _MISSING)
        return path

    def _folder(self, parts: tuple[str, ...]) -> Path:
        """The folder of these names, looked at once."""
        if parts not in self._folders:
            path = self._root
            for part in parts:
                path, _ = self._entry(path, part)
            self._folders[parts] = path
        return self._folders[parts]

    def _entry(self, folder: Path, name: str) -> tuple[Path, int]:
        """What lies in a folder under a name, and its mode; raises OSError where nothing does, InputError for a link."""
        path = folder / name
        mode = _mode(path)
        if mode is None:
            found = self._names(folder).alike(name)
            if len(found) > 1:
                raise InputError("several files have this name in different Unicode or case forms; rename all but one")
            path = folder / found[0] if found else path
            mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            raise InputError("the path contains a symbolic link; copy the file into the source folder")
        return path, mode

    def _names(self, folder: Path) -> _Names:
        if folder not in self._listed:
            self._listed[folder] = _Names(entry.name for entry in folder.iterdir()) if folder.is_dir() else _Names(())
        return self._listed[folder]


class _Names:
    """The names in a folder, looked up and not searched: a manifest may name a million files that are not in a folder of a million."""

    def __init__(self, names: Iterable[str]) -> None:
        self._composed: dict[str, list[str]] = {}
        self._without_case: dict[str, list[str]] = {}
        for name in names:
            self._composed.setdefault(_composed(name), []).append(name)
            self._without_case.setdefault(_without_case(name), []).append(name)

    def alike(self, name: str) -> list[str]:
        """The names that differ in their Unicode form alone; where there are none, those that differ in the case of the extension."""
        return self._composed.get(_composed(name)) or self._without_case.get(_without_case(name), [])


def _mode(path: Path) -> int | None:
    try:
        return os.lstat(path).st_mode
    except FileNotFoundError:
        return None


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _without_case(name: str) -> str:
    pure = PurePosixPath(_composed(name))
    return pure.stem + pure.suffix.lower()
