"""Makes users' texts safe for a terminal: a name can contain sequences that move the cursor and overwrite earlier output."""

from __future__ import annotations

import re
from typing import Final

# Spaces of other widths; joiners shape Indic and Persian words and emoji.
_KEPT: Final = frozenset("\u00a0\u202f\u3000\u200c\u200d")
# Escaped: controls (C0, DEL, C1), marks that change the text direction, and unpaired surrogates.
_SUSPECT: Final = re.compile(r"[^\x20-\x7e\n\t]")


def printable(name: str) -> str:
    """A name on one line, whatever characters it contains; unsafe ones are escaped as in Python."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in name)


def shown(text: str) -> str:
    """A text of several lines, as `printable`, but line ends, tabs and spaces of other widths are kept."""
    return _SUSPECT.sub(lambda found: _harmless(found[0]), text)


def _harmless(letter: str) -> str:
    return (
        letter
        if letter.isprintable() or letter in _KEPT or (letter.isspace() and ord(letter) > 0x2000 - 1)
        else _escaped(letter)
    )


def _escaped(letter: str) -> str:
    return ascii(letter)[1:-1]
