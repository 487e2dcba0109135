"""The command line: translates arguments into calls and results into text; it decides nothing itself."""

from __future__ import annotations

import gc
import os
import sys

from bitface.cli.streams import open_closed_streams


def main() -> None:
    """Entry point of `bitface`: a refusal is one line on standard error and its exit code, never a traceback."""
    open_closed_streams()
    # Only the owner may read what is written: files 0600, folders 0700, whatever the shell's umask.
    os.umask(os.umask(0o077) | 0o077)
    from bitface.cli.edge import run_app
    from bitface.cli.interrupts import ending_on_signals

    with ending_on_signals() as ending:
        code = run_app(ending)
    # Python collects garbage before it exits, which takes seconds once the tools of a retrain are loaded.
    gc.freeze()
    sys.exit(code)
