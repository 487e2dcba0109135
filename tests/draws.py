"""How often a test of chance draws: as its claim deserves in `make evidence`, and else as often as shows what is grossly wrong."""

from __future__ import annotations

import os


def draws(full: int, few: int) -> int:
    """`full` with BITFACE_EVIDENCE=full, and `few` otherwise."""
    return full if os.environ.get("BITFACE_EVIDENCE") == "full" else few
