"""Keeps lines off standard error that a native library writes at every start, whatever the input, and that no setting turns off."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Descriptor 2 belongs to the process: two threads that swap it at once would lose it.
_DESCRIPTOR_LOCK: Final = threading.Lock()


@contextmanager
def without_chatter(*known: bytes) -> Iterator[None]:
    """Holds back the process's standard error while the block runs, and gives back every line that holds none of the known words."""
    with _DESCRIPTOR_LOCK, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            held.seek(0)
            kept = [line for line in held if not any(words in line for words in known)]
            os.write(original, b"".join(kept))
            os.close(original)
