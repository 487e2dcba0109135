"""Standard streams that the caller has closed, as in `bitface ... >&-`, are opened on the null device."""

from __future__ import annotations

import os
import sys
from typing import Final

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed_streams() -> None:
    """Before anything else is opened: the next file would get the number of a closed stream, and what a library prints would be
    written into it.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None and not _is_open(number):
            os.set_inheritable(
                os.open(os.devnull, os.O_RDWR), True
            )  # it gets the lowest free number, which is this one
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
