"""Looks through a folder of somebody's pictures: every file is a picture that an import can read, or is listed with the reason."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.dataset.incoming.source_paths import SourceFolder
from bitface.dataset.incoming.spreadsheets import is_formula
from bitface.errors import InputError
from bitface.ports import ReadImage, Report
from bitface.steps.people.common_terms import EVIDENCE, NOTICES, TERMS
from bitface.steps.people.inputs import Input, list_inputs

MANIFEST: Final = "manifest.csv"
CONSENTS: Final = "consents.jsonl"
LICENCE: Final = "licence.json"
_BESIDE: Final = frozenset({MANIFEST, CONSENTS, LICENCE, TERMS})


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file that is no row of the manifest, by its path from the folder on, and why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class FirstLook:
    """The pictures of a folder by their paths from there on, sorted, and every other file."""

    pictures: tuple[str, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """How pictures are read, and who is kept up to date meanwhile."""

    read: ReadImage
    report: Report


def look_through(folder: Path, eyes: Eyes, known: Collection[Path] = ()) -> FirstLook:
    """Every file below a folder; `known` pictures are not opened again.

    Raises:
        InputError: it is no folder.
    """
    if not folder.is_dir():
        raise InputError(f"folder '{folder.name}' does not exist; name the folder with the pictures")
    inputs = list_inputs([folder])
    found = [one for one in inputs.found if one.path != folder and not _is_ours(_below(one.path, folder))]
    names = SourceFolder(folder)
    pictures: list[str] = []
    skipped = [
        Skipped(path=_below(path, folder), reason="is hidden, or a file of the system") for path in inputs.hidden
    ]
    for done, one in enumerate(found, start=1):
        path = _below(one.path, folder)
        why = _fault(one, path, names, eyes.read, is_known=one.path in known)
        if why is None:
            pictures.append(path)
        else:
            skipped.append(Skipped(path=path, reason=why))
        eyes.report("reading pictures", done, len(found))
    return FirstLook(pictures=tuple(sorted(pictures)), skipped=tuple(sorted(skipped, key=lambda one: one.path)))


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _is_ours(path: str) -> bool:
    return path in _BESIDE or path.partition("/")[0] in (NOTICES, EVIDENCE)


def _fault(one: Input, path: str, names: SourceFolder, read: ReadImage, *, is_known: bool) -> str | None:
    """Why no manifest can name a file, or no import can read it; None where both can be done."""
    if one.trouble is not None:
        return one.trouble.reason
    return None if is_known else _unread(one.path, path, names.file, read)


def _unread(file: Path, path: str, find: Callable[[str], Path], read: ReadImage) -> str | None:
    try:
        path.encode()
        if is_formula(path):
            return "has a name that a spreadsheet runs as a formula; rename it"
        if find(path.strip()) != file:
            return "cannot be named in a manifest: spaces around its name are lost; rename it"
        read(file, path)
    except UnicodeEncodeError:
        return "has a name that is not UTF-8; rename it"
    except InputError as error:
        return " ".join(str(error).split()).removeprefix(f"{path!r} ")
    return None
