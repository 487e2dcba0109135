"""Versions the dataset folder with DVC: content addressed, pushed to a remote that verifies what it serves."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bitface.adapters.dvc_claims import Claim, Holdings, ObjectStore, caches_left_behind, claim, release, whose
from bitface.adapters.dvc_pin import pinned_in
from bitface.dataset.files import write_once
from bitface.errors import InputError, IntegrityError
from bitface.ports import Forgotten, KeptForOthers, StorePlaces

if TYPE_CHECKING:
    from dvc.repo import Repo

REMOTE: Final = "local"
INSTALLATION: Final = "installation"
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class DvcStore:
    """The DVC repository that holds the dataset folder.

    Inside the project it is the project's own; a folder elsewhere gets a private repository without SCM at its parent.
    Its stores are the cache of that repository (`dvc cache dir` moves it), the remote in our home, and caches that this dataset left
    behind when it was moved. Each may hold versions of other datasets, which are neither searched nor deleted (see dvc_claims).
    """

    def __init__(self, data: Path, project: Path, home: Path) -> None:
        self._data = data
        self._inside = data.is_relative_to(project)
        self._root = project if self._inside else data.parent
        # An unpacked archive of the project has none, and DVC would refuse to open it.
        self._has_git = self._inside and (project / ".git").exists()
        self._home = home
        self.pin_file = data.with_name(f"{data.name}.dvc")

    def pinned(self) -> str | None:
        """The version that the pin file speaks of, an MD5 with `.dir`, or None where nothing is pinned.

        Raises:
            InputError: it is no pin file of this folder.
        """
        return pinned_in(self.pin_file)

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
            self._claim(repo, pinned)
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
            self._claim(repo, str(tree.hash_info.value))
        return str(tree.hash_info.value)

    def pull(self) -> bool:
        """Fetches the pinned version; False where the remote does not have it.

        Raises:
            InputError: nothing is pinned.
        """
        from dvc.exceptions import CheckoutError, FileTransferError

        pinned = self.pinned()
        if pinned is None:
            raise InputError(
                f"{self.pin_file.name} does not exist, so there is nothing to pull; run `bitface data synthesize`"
            )
        with self._repo() as repo:
            try:
                repo.pull([str(self.pin_file)])
            except (CheckoutError, FileTransferError):
                return False
            self._claim(repo, pinned)
        return self._data.is_dir()

    def restorable(self) -> bool:
        """Whether the pinned version lies whole in the cache, so that `dvc checkout` can bring it back; writes nothing."""
        pinned = self.pinned()
        if pinned is None:
            return False
        with self._repo() as repo:
            cache = repo.cache.local
            if not cache.exists(pinned):
                return False
            with cache.fs.open(cache.oid_to_path(pinned)) as listing:
                return all(cache.exists(entry["md5"]) for entry in json.load(listing))

    def forget(self, names: Collection[str]) -> Forgotten:
        """Deletes from this dataset's stores its versions that hold files of these names: their listings, and every content that no
        other version shares. Such a version can be checked out no more. Versions of other datasets stay and are reported.
        """
        gone, kept = 0, []
        present = self.version() if self._data.is_dir() else None
        with self._repo() as repo:
            for store in self._stores(repo):
                found = whose(store, self._own(repo), self._outputs(repo))
                doomed = _only_in_versions_with(store, found, frozenset(names), present)
                for oid in doomed:
                    store.odb.fs.remove(store.odb.oid_to_path(oid))
                gone += len(doomed)
                kept += _kept(store, found, frozenset(names))
                release(
                    store,
                    self._own(repo),
                    {oid for oid in doomed if oid.endswith(".dir")} | _named(found.of_others, names),
                )
        # What DVC remembers of files it has seen; it is made again.
        shutil.rmtree(self._home / "dvc-site", ignore_errors=True)
        return Forgotten(objects=gone, kept_for_others=tuple(kept))

    def places(self) -> StorePlaces:
        """The folders of this dataset's stores, which files in them are other datasets', and which remotes are none of ours."""
        with self._repo() as repo:
            stores = self._stores(repo)
            others = {
                Path(os.path.realpath(store.odb.oid_to_path(oid)))
                for store in stores
                for oid in whose(store, self._own(repo), self._outputs(repo)).only_of_others()
            }
            return StorePlaces(
                folders={"DVC repository": self._root / ".dvc", **{store.name: store.place for store in stores}},
                of_others=frozenset(others),
                not_searched=tuple(f"DVC remote '{name}'" for name in sorted(repo.config["remote"]) if name != REMOTE),
            )

    def _stores(self, repo: Repo) -> list[ObjectStore]:
        """The cache, the remote, and caches where this dataset lay before."""
        cache = self._store("DVC cache", repo.cache.local)
        remote = self._store(f"DVC remote '{REMOTE}'", repo.cloud.get_remote_odb(REMOTE))
        own = self._own(repo)
        left = caches_left_behind(remote, own) - set(own.caches)
        return [cache, remote, *(self._left_behind(repo, place) for place in sorted(left) if Path(place).is_dir())]

    def _store(self, name: str, odb: Any, repository: Path | None = None) -> ObjectStore:
        real = Path(os.path.realpath(odb.path))
        private = (self._home, repository or self._root / ".dvc")
        return ObjectStore(
            name=name, odb=odb, is_own=any(real.is_relative_to(os.path.realpath(one)) for one in private)
        )

    def _left_behind(self, repo: Repo, place: str) -> ObjectStore:
        """The cache of a repository that this dataset has moved away from."""
        from dvc_data.hashfile.db import get_odb

        fs = repo.cache.local.fs
        odb = get_odb(fs, fs.join(place, "files", "md5"), hash_name="md5")
        in_repository = Path(place).parent.name == ".dvc"
        return self._store(f"DVC cache left behind in {place}", odb, Path(place).parent if in_repository else None)

    def _own(self, repo: Repo) -> Claim:
        """What this dataset says of its stores, before it names a version."""
        cache = self._store("", repo.cache.local).place
        return Claim(
            installation=self._installation(), data=os.path.realpath(self._data), store="", caches=(str(cache),)
        )

    def _installation(self) -> str:
        """The id of our home, made at the first use: folders are called alike on many machines."""
        path = self._home / INSTALLATION
        write_once(path, uuid.uuid4().hex.encode())
        return path.read_text(encoding="ascii")

    def _outputs(self, repo: Repo) -> dict[str, str]:
        """Content -> path of everything else that the repository tracks."""
        found = {str(out.hash_info.value): str(out.fs_path) for out in repo.index.outs if out.hash_info}
        return {oid: path for oid, path in found.items() if Path(path) != self._data}

    def _claim(self, repo: Repo, version: str) -> None:
        """Says in cache and remote that a version there is this dataset's."""
        own = self._own(repo)
        for store in (repo.cache.local, repo.cloud.get_remote_odb(REMOTE)):
            claim(self._store("", store), own, version)

    @contextmanager
    def _repo(self) -> Iterator[Repo]:
        os.environ.setdefault("DVC_NO_ANALYTICS", "1")
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        # DVC greets on standard output, which is kept for our own JSON; what it warns of, we raise or answer.
        for name in ("dvc", "dvc_data"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            if not (self._root / ".dvc").is_dir():
                Repo.init(str(self._root), no_scm=not self._has_git).close()
            (self._home / "dvc-site").mkdir(parents=True, exist_ok=True, mode=0o700)
            repo = Repo(str(self._root), config=self._config())
            try:
                yield repo
            finally:
                repo.close()
        except DvcException as error:  # of its configuration, its ignored files, what git or another pin file tracks
            raise InputError(
                f"DVC does not version '{self._data}' in '{self._root}': {_COLOUR.sub('', str(error))[:300].rstrip('.')}; correct that, "
                "and run the command again"
            ) from error

    def _config(self) -> dict[str, Any]:
        core: dict[str, Any] = {"remote": REMOTE, "analytics": False, "site_cache_dir": str(self._home / "dvc-site")}
        return {
            "core": core if self._has_git else {**core, "no_scm": True},
            "remote": {REMOTE: {"url": str(self._home / "dvc-remote"), "verify": True}},
        }


def _only_in_versions_with(store: ObjectStore, found: Holdings, names: frozenset[str], present: str | None) -> set[str]:
    """Object ids of our listings that hold one of the names, and of contents that only such listings name."""
    doomed = _named(found.ours, names) - {present}
    rest = [*found.of_others.values(), *(entries for oid, entries in found.ours.items() if oid not in doomed)]
    kept = {content for entries in rest for content in entries.values()} | found.tracked
    contents = {content for oid in doomed for content in found.ours[oid].values()} - kept
    return {oid for oid in doomed | contents if store.odb.exists(oid)}


def _named(listings: Mapping[str, Mapping[str, str]], names: Collection[str]) -> set[str]:
    """Versions that hold a file of one of the names."""
    return {oid for oid, entries in listings.items() if set(names) & entries.keys()}


def _kept(store: ObjectStore, found: Holdings, names: frozenset[str]) -> list[KeptForOthers]:
    """Of which other datasets versions with these names stay in a store."""
    versions = Counter(found.owners[oid] for oid in _named(found.of_others, names))
    return [KeptForOthers(store=store.name, dataset=who, versions=number) for who, number in sorted(versions.items())]
