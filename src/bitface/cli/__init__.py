"""The command line: translates words into calls and results into lines; it decides nothing itself."""

from __future__ import annotations

import sys

from bitface.errors import BitfaceError


def main() -> None:
    """Entry point of `bitface`: a refusal is one line on standard error and its exit code, never a traceback."""
    from bitface.cli.app import app

    try:
        app()
    except BitfaceError as error:
        sys.stderr.write(f"bitface: {' '.join(str(error).split())}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("bitface: interrupted; what was finished is kept, run the same command again to go on\n")
        sys.exit(130)
