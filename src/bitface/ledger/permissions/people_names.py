"""One spelling for a person who approves: an approval counts once, however its owner's name was typed."""

from __future__ import annotations

import unicodedata
from typing import Final

from bitface.errors import InputError

_LETTERS_MAX: Final = 100


def person_name(text: str) -> str:
    """The name as it is recorded: NFKC, without invisible marks, one space between words.

    Raises:
        InputError: it has no letter or digit, or more than 100 characters.
    """
    visible = "".join(one for one in text if one.isspace() or unicodedata.category(one)[0] != "C")
    name = " ".join(unicodedata.normalize("NFKC", visible).split())
    if not folded_name(name):
        raise InputError(f"'{name}' has no letter or digit; name the owner of the key, as in --person 'Mara Lind'")
    if len(name) > _LETTERS_MAX:
        raise InputError(f"the person's name has {len(name)} characters, over {_LETTERS_MAX}; write a shorter one")
    return name


def folded_name(name: str) -> str:
    """What stays of a name without case, spaces and punctuation: `Mara Lind`, `mara.lind` and `MARA  LIND` are alike."""
    return "".join(one for one in unicodedata.normalize("NFKC", name).casefold() if one.isalnum())
