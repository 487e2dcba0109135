"""What is signed, and where signed ends of the log are kept outside the home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Signer(Protocol):
    """Signs the folder of a bundle, and verifies it: every file in it and no others. Raises IntegrityError if that fails."""

    def sign(self, folder: Path) -> None: ...

    def verify(self, folder: Path) -> None: ...


class CheckpointPlace(Protocol):
    """A place outside the home for signed ends of the log, by names that sort by age. `name` is for messages.

    If it cannot be used, each method raises InputError with the cause and the remedy.
    """

    @property
    def name(self) -> str: ...

    def names(self, since: str) -> Sequence[str]: ...

    def read(self, name: str) -> bytes: ...

    def add(self, name: str, data: bytes) -> None: ...
