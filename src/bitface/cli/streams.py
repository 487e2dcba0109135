"""Standard input, output and error as a command needs them: there, and able to take any character."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Final

_NUMBERS: Final = (0, 1, 2)


def open_closed_streams() -> None:
    """Opens what the caller closed (`>&-`, as some schedulers do) on the null device.

    Otherwise the next file that is opened, such as the ledger, would get that number, and everything that libraries print.
    """
    for number in _NUMBERS:
        try:
            os.fstat(number)
        except OSError:
            # It takes the lowest free number, which is this one; what this process starts has it, too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            null = Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
            setattr(sys, name, null)


def escape_what_encodings_lack() -> None:
    """A character that the terminal's encoding lacks is written as an escape; in the locale C, too, where Python only lets bytes of
    file names through.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")
