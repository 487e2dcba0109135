"""Versions the dataset folder with DVC: content addressed, pushed to a remote that verifies what it serves."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from bitface.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from dvc.repo import Repo

REMOTE: Final = "local"


class DvcStore:
    """The DVC repository that holds the dataset folder.

    Inside the project it is the project's own; a folder elsewhere gets a private repository without SCM at its parent.
    """

    def __init__(self, data: Path, project: Path, home: Path) -> None:
        self._data = data
        self._inside = data.is_relative_to(project)
        self._root = project if self._inside else data.parent
        self._home = home
        self.pin_file = data.with_name(f"{data.name}.dvc")

    def pinned(self) -> str | None:
        """The version that the pin file speaks of, an MD5 with `.dir`, or None where nothing is pinned."""
        if not self.pin_file.is_file():
            return None
        outs = yaml.safe_load(self.pin_file.read_text(encoding="utf-8")).get("outs", [])
        return str(outs[0]["md5"]) if outs else None

    def version(self) -> str:
        """The version of the folder as it lies there; writes nothing."""
        from dvc.fs import LocalFileSystem
        from dvc_data.hashfile.build import build

        with self._repo() as repo:
            _, _, tree = build(repo.cache.local, str(self._data), LocalFileSystem(), "md5", dry_run=True)
        return str(tree.hash_info.value)

    def pin(self) -> str:
        """Adds the folder to DVC, writes the pin file, pushes to the remote; returns the version."""
        with self._repo() as repo:
            repo.add([str(self._data)])
            repo.push([str(self.pin_file)])
        pinned = self.pinned()
        if pinned is None:
            raise IntegrityError(f"{self.pin_file.name} was not written; run `bitface doctor`")
        return pinned

    def keep(self) -> str:
        """Stores the folder in cache and remote under its version, and leaves the pin file alone."""
        from dvc.fs import LocalFileSystem
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.transfer import transfer

        with self._repo() as repo:
            staging, _, tree = build(repo.cache.local, str(self._data), LocalFileSystem(), "md5")
            transfer(staging, repo.cache.local, {tree.hash_info}, shallow=False)
            # `cloud.push` would bring the listing alone.
            transfer(repo.cache.local, repo.cloud.get_remote_odb(REMOTE), {tree.hash_info}, shallow=False)
        return str(tree.hash_info.value)

    def pull(self) -> bool:
        """Fetches the pinned version; False where the remote does not have it.

        Raises:
            InputError: nothing is pinned.
        """
        from dvc.exceptions import CheckoutError, FileTransferError

        if self.pinned() is None:
            raise InputError(f"no {self.pin_file.name}: nothing to pull; run `bitface data synthesize`")
        with self._repo() as repo:
            try:
                repo.pull([str(self.pin_file)])
            except (CheckoutError, FileTransferError):
                return False
        return self._data.is_dir()

    def forget(self, names: Collection[str]) -> int:
        """Deletes from cache and remote the versions of the folder that hold files of these names: their listings, and every content
        that the present folder does not share; returns how many objects went. Such a version can be checked out no more.
        """
        gone = 0
        present = self.version() if self._data.is_dir() else None
        with self._repo() as repo:
            for store in (repo.cache.local, repo.cloud.get_remote_odb(REMOTE)):
                doomed = _only_in_versions_with(store, frozenset(names), present)
                for oid in doomed:
                    store.fs.remove(store.oid_to_path(oid))
                gone += len(doomed)
        # What DVC remembers of files it has seen; it is made again.
        for folder in (self._home / "dvc-site", self._root / ".dvc" / "tmp"):
            shutil.rmtree(folder, ignore_errors=True)
        return gone

    @contextmanager
    def _repo(self) -> Iterator[Repo]:
        os.environ.setdefault("DVC_NO_ANALYTICS", "1")
        from dvc.repo import Repo

        # DVC greets on standard output, which is kept for our own JSON; what it warns of, we raise or answer.
        for name in ("dvc", "dvc_data"):
            logging.getLogger(name).setLevel(logging.ERROR)
        if not (self._root / ".dvc").is_dir():
            Repo.init(str(self._root), no_scm=not self._inside).close()
        (self._home / "dvc-site").mkdir(parents=True, exist_ok=True, mode=0o700)
        repo = Repo(str(self._root), config=self._config())
        try:
            yield repo
        finally:
            repo.close()

    def _config(self) -> dict[str, Any]:
        return {
            "core": {"remote": REMOTE, "analytics": False, "site_cache_dir": str(self._home / "dvc-site")},
            "remote": {REMOTE: {"url": str(self._home / "dvc-remote"), "verify": True}},
        }


def _only_in_versions_with(store: Any, names: frozenset[str], present: str | None) -> set[str]:
    """Object ids of listings that hold one of the names, and of contents that only such listings name."""
    try:
        listings = {oid: _listing(store, oid) for oid in store.all() if oid.endswith(".dir")}
    except FileNotFoundError:
        return set()
    doomed = {oid for oid, entries in listings.items() if names & entries.keys() and oid != present}
    kept = {md5 for oid, entries in listings.items() if oid not in doomed for md5 in entries.values()}
    contents = {md5 for oid in doomed for md5 in listings[oid].values()} - kept
    return {oid for oid in doomed | contents if store.exists(oid)}


def _listing(store: Any, oid: str) -> dict[str, str]:
    """Name -> content of a version of the folder."""
    with store.fs.open(store.oid_to_path(oid)) as file:
        return {entry["relpath"]: entry["md5"] for entry in json.load(file)}
