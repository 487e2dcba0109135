"""Searches, after an erasure, every file of this installation and its dataset's stores; reports which places were searched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bitface.dataset.files import sha256_of
from bitface.ports import DatasetStore
from bitface.steps.audits.audit import DECRYPTIONS
from bitface.steps.people.erasure_journal import ERASURES
from bitface.workspace import Workspace

_AT_ONCE: Final = 1 << 20


def search(people: Sequence[str], digests: Collection[str], place: Workspace, store: DatasetStore) -> dict[str, object]:
    """Looks for files that contain a pseudonym or are one of the deleted files: `found` are their names.

    `found_at`: where, relative to the place. `searched`: the places with the number of files read in each, every file once;
    `not_searched`: configured stores that we do not write to; `digests_absent`: the digests that no file has. Ledger, proofs and the
    log of decryptions are left out, since they record what was done; so are objects that only other datasets' versions name.
    """
    stores = store.places()
    folders = {"home": place.home, "dataset": place.data, "cache": place.cache, **stores.folders}
    searched, found = [], []
    absent = set(digests)
    for what, files in _files_once(folders, stores.of_others).items():
        searched.append({"what": what, "place": str(folders[what]), "files": len(files)})
        for path in files:
            with contextlib.suppress(FileNotFoundError):  # another command may have rewritten or removed it
                digest = sha256_of(path)
                absent.discard(digest)
                if digest in digests or _names(path, people):
                    found.append({"what": what, "path": path.relative_to(folders[what]).as_posix()})
    return {
        "searched": searched,
        "not_searched": list(stores.not_searched),
        "found": sorted(Path(one["path"]).name for one in found),
        "found_at": sorted(found, key=lambda one: (one["what"], one["path"])),
        "digests_absent": sorted(absent),
    }


def _names(path: Path, people: Sequence[str]) -> bool:
    """Whether a file contains one of the pseudonyms, also in its name."""
    names = [person.encode() for person in people]
    return any(name in path.name.encode() for name in names) or _holds(path, names)


def _files_once(folders: Mapping[str, Path], of_others: Collection[Path]) -> dict[str, list[Path]]:
    """The files to read, by place; a file in two places is read in the first."""
    seen: set[Path] = set()
    found: dict[str, list[Path]] = {}
    for what, folder in folders.items():
        found[what] = []
        for path in _files(folder):
            real = Path(os.path.realpath(path))
            if real not in seen and real not in of_others:
                seen.add(real)
                found[what].append(path)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        is_record = path.name.startswith("ledger.db") or path.name == DECRYPTIONS or path.parent.name == ERASURES
        if path.is_file() and not path.is_symlink() and not is_record:
            yield path


def _holds(path: Path, names: Sequence[bytes]) -> bool:
    """Whether a file contains any of the names, also across the boundaries of chunks."""
    longest = max(map(len, names))
    before = b""
    with path.open("rb") as file:
        while some := file.read(_AT_ONCE):
            window = before + some
            if any(name in window for name in names):
                return True
            before = window[-longest:]
    return False
