"""Compares a word that a person wrote with the known ones: the same in another spelling, or a slip of the keyboard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final

_BETWEEN: Final = re.compile(r"[\s\u2010-\u2015-]+")


def plain_word(text: str) -> str:
    """`Fairness test` and `fairness-test` as `fairness_test`, `60+` as `60_plus`."""
    return _BETWEEN.sub("_", text.strip().lower()).replace("+", "_plus")


def did_you_mean(word: object, known: Sequence[str]) -> str:
    """`did you mean 'neutral'? `, for the middle of a message; empty where no known word resembles it."""
    meant = get_close_matches(plain_word(word), known, n=1, cutoff=0.7) if isinstance(word, str) else []
    return f"did you mean '{meant[0]}'? " if meant else ""


def value_at(document: Any, place: Sequence[int | str]) -> object:
    """The value at a place in a document, such as `("purposes", 1)`; None where there is none."""
    for part in place:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    found: object = document
    return found


def words_in(message: str) -> tuple[str, ...]:
    """The words that pydantic lists in `Input should be 'a', 'b' or 'c'`."""
    return tuple(message.split("'")[1::2])
