"""Where versions of a dataset are kept, and what is asked of the store when people are erased."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class KeptForOthers:
    """Versions that contain an erased person, but stay in a store because another dataset needs them."""

    store: str
    dataset: str
    versions: int


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """How many objects were removed from a dataset's stores, and what is kept there for other datasets."""

    objects: int
    kept_for_others: tuple[KeptForOthers, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StorePlaces:
    """Where the versions of a dataset are stored: folders by their role, and the files in them that only other datasets need.

    `not_searched` are configured stores that we never write to.
    """

    folders: Mapping[str, Path]
    of_others: frozenset[Path]
    not_searched: tuple[str, ...]


class DatasetStore(Protocol):
    """Versions the dataset folder. A version is a content digest; the file that pins one is committed."""

    @property
    def pin_file(self) -> Path: ...

    def pinned(self) -> str | None: ...

    def version(self) -> str: ...

    def pin(self) -> str: ...

    def keep(self) -> str: ...

    def pull(self) -> bool: ...

    def restorable(self) -> bool: ...

    def forget(self, names: Collection[str]) -> Forgotten: ...

    def places(self) -> StorePlaces: ...
