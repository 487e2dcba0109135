"""The command line: translates words into calls and results into lines; it decides nothing itself."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Entry point of `bitface`: a refusal is one line on standard error and its exit code, never a traceback."""
    # What is written is its owner's alone: files 0600, folders 0700, whatever the shell would let others read.
    os.umask(os.umask(0o077) | 0o077)
    from bitface.cli.edge import run_app
    from bitface.cli.interrupts import ending_on_signals

    with ending_on_signals() as ending:
        code = run_app(ending)
    # Python looks through every object for rubbish before it ends, for seconds once the tools of a retrain are loaded.
    gc.freeze()
    sys.exit(code)
