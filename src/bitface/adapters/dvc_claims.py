"""Whose versions a DVC store holds: a cache or a remote may be shared, and what another dataset names is not ours to delete."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bitface.dataset.files import write_atomically
from bitface.errors import IntegrityError

if TYPE_CHECKING:
    from dvc_data.hashfile.db import HashFileDB

CLAIMS: Final = "bitface"
NOBODY_KNOWN: Final = "an unknown dataset"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one dataset says of one store: these versions there are mine.

    `installation` is the id of the home that it was made from, `data` the dataset's folder, `store` where the store lay then,
    and `caches` the DVC caches that this dataset has used.
    """

    installation: str
    data: str
    store: str
    caches: tuple[str, ...]
    versions: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        return f"{self.installation}-{hashlib.sha256(self.data.encode()).hexdigest()[:12]}.json"

    @property
    def has_dataset(self) -> bool:
        """Whether the dataset that it speaks of still lies there, or is pinned there."""
        return Path(self.data).is_dir() or Path(f"{self.data}.dvc").is_file()


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """A cache or a remote. `is_own`: it lies in our home or repository, where what nobody claims is ours."""

    name: str
    odb: HashFileDB
    is_own: bool

    @property
    def place(self) -> Path:
        """The folder that it is, links followed; objects are two folders below."""
        return Path(os.path.realpath(self.odb.path)).parents[1]

    def claims(self) -> tuple[Claim, ...]:
        """What datasets say of this store."""
        return tuple(map(_read, sorted((self.place / CLAIMS).glob("*.json"))))

    def write(self, claim: Claim) -> None:
        """Keeps a claim, in place of what this dataset said before."""
        document = json.dumps(asdict(claim), indent=1)
        write_atomically(self.place / CLAIMS / claim.file_name, document.encode())

    def listings(self) -> dict[str, dict[str, str]]:
        """Version -> name -> content, of every version of a folder that lies here."""
        try:
            return {oid: _listing(self.odb, oid) for oid in self.odb.all() if oid.endswith(".dir")}
        except FileNotFoundError:
            return {}


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """The versions in one store: ours, and those of other datasets with who that is; `tracked` are contents of single files."""

    ours: Mapping[str, Mapping[str, str]]
    of_others: Mapping[str, Mapping[str, str]]
    owners: Mapping[str, str]
    tracked: frozenset[str] = field(default_factory=frozenset)

    def only_of_others(self) -> set[str]:
        """Object ids that no version of ours names, and one of another dataset does."""
        return ({*self.of_others, *self.tracked} | _contents(self.of_others)) - _contents(self.ours) - self.ours.keys()


def whose(store: ObjectStore, own: Claim, outputs: Mapping[str, str]) -> Holdings:
    """Distinguishes versions in a store.

    A version is another dataset's where one claims it, where another output of the same repository is it (`outputs`: content -> path),
    or where the store is not one of ours and we never put it there. One that is ours as well stays theirs: it must not go.
    """
    claims = store.claims()
    owners = {version: one.data for one in claims if holds(one, own, store) for version in one.versions} | dict(outputs)
    ours = {version for one in claims if not holds(one, own, store) for version in one.versions}
    listings = store.listings()
    for version in listings:
        if not store.is_own and version not in ours:
            owners.setdefault(version, NOBODY_KNOWN)
    return Holdings(
        ours={oid: entries for oid, entries in listings.items() if oid not in owners},
        of_others={oid: entries for oid, entries in listings.items() if oid in owners},
        owners=owners,
        tracked=frozenset(oid for oid in outputs if not oid.endswith(".dir")),
    )


def holds(claim: Claim, own: Claim, store: ObjectStore) -> bool:
    """Whether a claim speaks for another dataset that may still need its versions.

    It does not where it is of this dataset; nor, in a store of ours alone or from this installation, where the store was copied here
    or the dataset has moved away. Of another installation's datasets in a shared store nothing can be seen, so its claims stand.
    """
    if claim.data == own.data and (store.is_own or claim.installation == own.installation):
        return False
    if not store.is_own and claim.installation != own.installation:
        return True
    return claim.store == str(store.place) and claim.has_dataset


def claim(store: ObjectStore, own: Claim, *versions: str) -> None:
    """Adds versions to what this dataset says of a store."""
    mine = replace(own, store=str(store.place))
    before = next((one for one in store.claims() if one.file_name == mine.file_name), mine)
    known = replace(
        mine,
        caches=tuple(sorted({*before.caches, *mine.caches})),
        versions=tuple(sorted({*before.versions, *versions})),
    )
    if known != before:
        store.write(known)


def caches_left_behind(remote: ObjectStore, own: Claim) -> set[str]:
    """The caches that this dataset used, by what stands in its remote, also those of where it lay before it was moved."""
    claims = [one for one in remote.claims() if (one.installation, one.store) == (own.installation, str(remote.place))]
    return {cache for one in claims if one.data == own.data or not one.has_dataset for cache in one.caches}


def release(store: ObjectStore, own: Claim, versions: set[str]) -> None:
    """Takes versions back from every claim of this dataset, so that who holds them too may delete them."""
    for one in store.claims():
        if not holds(one, own, store) and versions & set(one.versions):
            store.write(replace(one, versions=tuple(sorted(set(one.versions) - versions))))


def _contents(listings: Mapping[str, Mapping[str, str]]) -> set[str]:
    return {content for entries in listings.values() for content in entries.values()}


def _read(path: Path) -> Claim:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(document[name]) for name in ("caches", "versions")}
        return Claim(**{**document, **lists})
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError(
            f"{path} cannot be read: it records which versions a dataset needs; restore it, or delete it if that dataset no longer exists"
        ) from error


def _listing(odb: HashFileDB, oid: str) -> dict[str, str]:
    """Name -> content of a version of the folder."""
    with odb.fs.open(odb.oid_to_path(oid)) as file:
        return {entry["relpath"]: entry["md5"] for entry in json.load(file)}
