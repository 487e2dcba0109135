"""What a killed import leaves of the pictures that it had read: for a few days, encrypted by a key of its own, and for no other use.

It lies in home, so that the same command goes on from it. It is destroyed, key first, when an import ends, when anyone is erased or
withdraws, and by the nightly look or the next import after `KEPT_FOR`: it is not known yet whether the people in it may be used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final

from bitface.dataset.keys import KeyStore
from bitface.dataset.spool import KeptSpool, Spool

KEPT_FOR: Final = timedelta(days=3)
"""A weekend."""
FOLDER: Final = "importing"


class ImportSpool:
    """Opens the spool of a large import; where another import has it, one that nothing is left of."""

    def __init__(self, home: Path, keys: KeyStore, notify: Callable[[str], None] = lambda _: None) -> None:
        """Opens nothing yet; `notify` hears how much is read already."""
        self._place, self._keys = home / FOLDER / "pictures", keys
        self._stack, self._notify = ExitStack(), notify

    def __enter__(self) -> Spool:
        try:
            spool = self._stack.enter_context(KeptSpool(self._place, self._keys.key_of_import()))
        except BlockingIOError:
            return self._stack.enter_context(Spool())
        if spool.kept:
            self._notify(f"going on from an interrupted import; samples packed so far: {len(spool.kept)}")
        return spool

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if not self._place.exists():
            self._keys.destroy_import()


def discard_interrupted(home: Path, keys: KeyStore) -> bool:
    """Destroys what a killed import left; returns whether there was something."""
    place = home / FOLDER / "pictures"
    keys.destroy_import()
    was_there = place.exists()
    place.unlink(missing_ok=True)
    return was_there


def discard_outdated(home: Path, keys: KeyStore, at: datetime) -> bool:
    """The same, once it is older than `KEPT_FOR`."""
    begun = keys.import_begun()
    is_kept = begun is not None and begun <= at < begun + KEPT_FOR
    return False if is_kept else discard_interrupted(home, keys)
