"""The book of the erased: tokens by which people are refused after their keys were destroyed, with the keys and beside the dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from glob import escape
from operator import is_not
from pathlib import Path
from typing import Any

from bitface.dataset.keyring.wrapped_keys import WrappedKeys
from bitface.dataset.suppression import (
    BOOK,
    Suppressed,
    Suppression,
    copy_beside,
    joined,
    people_of,
    read_book,
    write_book,
)
from bitface.errors import IntegrityError
from bitface.faces.records import is_synthetic


class ErasedBook(WrappedKeys):
    """Reads, extends and copies the book of erased people."""

    def __init__(
        self,
        folder: Path,
        given: Callable[[], tuple[bytes, ...]] = tuple,
        on_open: Callable[[str, bytes], None] = lambda *_: None,
        beside: Path | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            folder: of the keys.
            given: the master key if it is kept elsewhere, 32 bytes, and during a rotation the next one; empty: it is in `folder`.
            on_open: receives the pseudonym, or the name of a run's evidence, when its key is first opened by this store, and the key
                that authenticates the log of openings.
            beside: the dataset folder beside which a copy of the book of erased people is kept; None: there is no copy.
        """
        super().__init__(folder, given, on_open)
        self._beside = beside
        self._known: tuple[tuple[tuple[Suppressed, ...], ...], Suppression] | None = None
        self._read: dict[Path, tuple[tuple[int, int, int], tuple[Suppressed, ...]]] = {}

    def suppression(self, leaving: Iterable[Suppressed] = ()) -> Suppression:
        """Everyone erased here, from the book with the keys and its copy beside the dataset, and those `leaving`.

        Raises:
            IntegrityError: one of the two was edited.
        """
        if not self._has_master():
            return Suppression(b"")
        secret, also = self._index_secret(), tuple(leaving)
        books = (*(self._book(path, secret) for path in self._books(secret)), also)
        # Asked for every id of an import; a book that was not replaced is the very same tuple.
        if self._known is None or any(map(is_not, books, self._known[0])):
            self._known = books, Suppression(secret, joined(*books))
        return self._known[1]

    def erased_of(self, people: Iterable[str]) -> frozenset[str]:
        """Those of the given people who are in the book of the erased; synthetic ones never are.

        Raises:
            IntegrityError: a book was edited, or cannot be read, since its key is not here.
        """
        real = [person for person in people if not is_synthetic(person)]
        if not real or not self._has_book():
            return frozenset()
        if not self._has_master():
            raise IntegrityError(
                "cannot check whether a person in it was erased: the master key is missing; set BITFACE_MASTER_KEY or "
                "BITFACE_MASTER_KEY_COMMAND, or restore keys/master.key"
            )
        return frozenset(filter(self.suppression().holds_person, real))

    def learn_suppressed(self, document: Any, name: str) -> int:
        """Adopts the book in a kept checkpoint; returns how many people were new. Raises IntegrityError if it was edited."""
        if not self._has_master():
            return 0
        before = len(self.suppression().people)
        with self._exclusive():
            self._suppress(people_of(document, name, self._index_secret()))
        return len(self.suppression().people) - before

    def _suppress(self, people: Sequence[Suppressed]) -> None:
        secret = self._index_secret()
        books = {path: self._book(path, secret) for path in self._books(secret)}
        merged = joined(*books.values(), people)
        for path in books:
            for part in path.parent.glob(f".{path.name[:40]}.*.part"):
                part.unlink(missing_ok=True)
        for path in (one for one, book in books.items() if book != merged):
            write_book(path, merged, secret)

    def _book(self, path: Path, secret: bytes) -> tuple[Suppressed, ...]:
        """A book, read again only if the file was replaced: every id of an import is looked up in it."""
        try:
            at = path.stat()
        except FileNotFoundError:
            return ()
        state = (at.st_ino, at.st_mtime_ns, at.st_size)
        if self._read.get(path, (None,))[0] != state:
            self._read[path] = (state, read_book(path, secret))
        return self._read[path][1]

    def _has_book(self) -> bool:
        """Whether there is a book at all, with the keys or beside the dataset: this needs no key."""
        copies = self._beside.parent.glob(f"{escape(self._beside.name)}.erased-*.json") if self._beside else ()
        return (self._folder / BOOK).is_file() or any(copies)

    def _books(self, secret: bytes) -> tuple[Path, ...]:
        own = self._folder / BOOK
        return (own,) if self._beside is None else (own, copy_beside(self._beside, secret))
