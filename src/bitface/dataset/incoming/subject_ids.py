"""One spelling for every id of a person: whoever was taken in under an id is found, withdrawn and erased under any way to type it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import Final

from bitface.errors import InputError

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
"""Soft hyphen, zero-width spaces and joiners, direction marks, byte order mark: copied along with an id, seen by nobody."""

_SPELT_OUT: Final = {
    **{"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue", "\u00c4": "Ae", "\u00d6": "Oe", "\u00dc": "Ue", "\u00df": "ss"},
    **{
        "\u00e6": "ae",
        "\u00c6": "Ae",
        "\u00f8": "oe",
        "\u00d8": "Oe",
        "\u00e5": "aa",
        "\u00c5": "Aa",
        "\u0153": "oe",
        "\u0152": "Oe",
    },
    **{
        "\u0142": "l",
        "\u0141": "L",
        "\u0111": "d",
        "\u0110": "D",
        "\u0131": "i",
        "\u00fe": "th",
        "\u00de": "Th",
        "\u00f0": "d",
    },
}
"""Letters that are more than a letter with a mark, as passports spell them (ICAO Doc 9303)."""

_ALIKE: Final = str.maketrans("oil", "011")
"""O and 0; i, l and 1."""


@lru_cache(maxsize=1 << 16)
def normal_id(text: str) -> str:
    """The id as it is stored and looked up: NFKC (full-width digits become plain ones), no space or invisible mark around it.

    Case is kept: `p1` and `P1` are two people.

    Raises:
        InputError: what is left is not 1 to 64 of [A-Za-z0-9_-]; the message does not repeat the id.
    """
    visible = text.translate(_INVISIBLE)
    normal = unicodedata.normalize("NFKC", visible).strip()
    if not _ID.fullmatch(normal):
        raise InputError("the subject id is not 1 to 64 of [A-Za-z0-9_-]; rename it in the source")
    return normal


def folded_id(subject_id: str) -> str:
    """What stays of an id when case, - and _ and letters that look like digits are taken for one: `P-0`, `p_0` and `pO` are alike.

    Letters of other scripts that look like Latin ones are in no id: `normal_id` refuses them.
    """
    bare = normal_id(subject_id).replace("-", "").replace("_", "").lower()
    return bare.translate(_ALIKE) or normal_id(subject_id)


def id_or_none(text: str) -> str | None:
    """`normal_id`, None where a text cannot be an id: for questions, which nobody of that id answers."""
    try:
        return normal_id(text)
    except InputError:
        return None


def suggested_ids(text: str) -> tuple[str, ...]:
    """Valid ids for a name that is none, the best first: `juergen` and `jurgen` for `j\u00fcrgen`; for a name in another script a code."""
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).strip())
    spelt = "".join(_SPELT_OUT.get(letter, letter) for letter in composed)
    found = [_plain_id(one) for one in (spelt, composed)]
    code = hashlib.sha256(composed.casefold().encode()).hexdigest()[:8]
    stem = next((one for one in found if one), "person")
    return tuple(dict.fromkeys([*filter(None, found), f"{stem[:50]}-{code}"]))


def _plain_id(text: str) -> str:
    """The Latin letters and digits of a text without their marks, other signs as one hyphen; empty if letters would be lost."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    if any(sign.isalnum() and not sign.isascii() for sign in bare):
        return ""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", bare).strip("-")[:64]
