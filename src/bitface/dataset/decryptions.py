"""Who opened which real person's data, when and for what: a line for each, appended before the key is handed out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any


class DecryptionLog:
    """The log in one file of JSON lines; several processes may append at once. It names pseudonyms, never people."""

    def __init__(self, path: Path, who: str, purpose: str, clock: Callable[[], datetime]) -> None:
        self._path, self._who, self._purpose, self._clock = path, who, purpose, clock

    def opened(self, person: str) -> None:
        """Notes that a person's key was opened by this process."""
        entry = {
            "at": self._clock().isoformat(timespec="seconds"),
            "who": self._who,
            "purpose": self._purpose,
            "process": os.getpid(),
            "person": person,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (json.dumps(entry) + "\n").encode())
        finally:
            os.close(descriptor)


def decryptions_of(path: Path, person: str) -> Iterator[dict[str, Any]]:
    """The entries about a person, oldest first."""
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from (entry for line in lines if (entry := json.loads(line))["person"] == person)
