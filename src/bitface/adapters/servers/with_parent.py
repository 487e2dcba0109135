"""Runs a Python module as `python -m` does, in a process group that ends with its parent process, however that ends.

The parent holds the other end of our standard input: when it ends, even by `kill -9`, reading reaches the end of the file.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
import threading
from time import sleep
from typing import Final

_GRACE_S: Final = 0.5


def main() -> None:
    """Runs the module named by the first argument, with the other arguments."""
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(0, signal.SIGTERM)
        sleep(_GRACE_S)
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
