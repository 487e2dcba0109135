"""Reads what a source says of ages, person by person: one row that may be of a child excludes that person; a blank admits no one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bitface.errors import InputError
from bitface.faces.records import ADULT_YEARS, age_band_of

OLDEST_YEARS: Final = 120
"""Beyond it a number is a year of birth or a code, not an age."""
NUMBER: Final = re.compile(r"[+-]?\d{1,9}(\.\d{1,9})?")
UNDER_AGE: Final = "another row says that this person is under 18; adults only"
_CHILD: Final = re.compile(r"under|below|<|minor|child|kid|teen|infant|baby|toddler|pupil|adolescent")
_DIGITS: Final = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True)
class StatedAge:
    """What a row says about a person's age: the original text, empty if missing."""

    subject: str
    row: int
    text: str


@lru_cache(maxsize=1 << 12)
def plain(text: str) -> str:
    """A word as it is compared: NFKC, lower case, one space between its parts."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


@lru_cache(maxsize=4096)
def years_of(text: str) -> float | None:
    """Years, None where nothing is said or it is said to be unknown; raises InputError for anything that is not an age in digits."""
    word = plain(text)
    if word in ("", "unknown"):
        return None
    if not NUMBER.fullmatch(word):
        raise InputError(f"column 'age' holds '{word[:20]}', which is not a number; write digits, or leave it empty")
    years = float(word)
    if not 0 <= years < 1e6:
        raise InputError(f"column 'age' holds {word[:20]}, outside 0 to 1,000,000")
    if years > OLDEST_YEARS:
        raise InputError(f"age {years:g} is over {OLDEST_YEARS}; give the age in years, or leave it empty")
    return years


def minors(said: Iterable[StatedAge]) -> frozenset[str]:
    """The people of whom any row says that they are under 18, also in words: `16 years`, `under 18`, `child`."""
    return frozenset(one.subject for one in said if one.text and _band(one.text) == "under_18")


def shown_of_age(said: Iterable[StatedAge]) -> dict[str, str]:
    """Subject -> `under_18` where any row says so, `adult` where every age that is stated is one of 18 or over."""
    bands: dict[str, set[str]] = {}
    for one in said:
        if one.text and (band := _band(one.text)) is not None:
            bands.setdefault(one.subject, set()).add(band)
    shown = {subject: "under_18" if "under_18" in own else "adult" for subject, own in bands.items()}
    return {subject: band for subject, band in shown.items() if band == "under_18" or "" not in bands[subject]}


def closed_people(said: Iterable[StatedAge]) -> dict[str, str]:
    """Subject -> why none of that person's rows is taken: under 18 by one of them, an age that cannot be read, or two bands."""
    first: dict[str, dict[str, int]] = {}
    for one in said:
        band = _band(one.text) if one.text else None
        if band is not None:
            first.setdefault(one.subject, {}).setdefault(band, one.row)
    found = ((subject, _fault(rows)) for subject, rows in first.items())
    return {subject: why for subject, why in found if why is not None}


def _fault(rows: dict[str, int]) -> str | None:
    if "under_18" in rows:
        return UNDER_AGE
    if "" in rows:
        return (
            f"row {rows['']} gives this person an unreadable age, so the person is not shown to be an adult; correct it"
        )
    if len(rows) > 1:
        numbers = sorted(rows.values())
        which = f"{', '.join(map(str, numbers[:-1][:4]))} and {numbers[-1]}"
        return f"rows {which} give one person two different ages ({', '.join(rows)}); keep the correct one"
    return None


@lru_cache(maxsize=4096)
def _band(text: str) -> str | None:
    """The band that a text says, `under_18`, or empty where it is something else than an age; None where it says nothing."""
    try:
        years = years_of(text)
    except InputError:
        return "under_18" if _may_be_child(plain(text)) else ""
    if years is None:
        return None
    return "under_18" if years < ADULT_YEARS else age_band_of(years)


def _may_be_child(word: str) -> bool:
    """`16 years`, `12-17`, `<18`, `child`; a year of birth or -5 is none of these, and cannot be read either."""
    digits = None if NUMBER.fullmatch(word) and word.startswith("-") else _DIGITS.search(word)
    return _CHILD.search(word) is not None or (digits is not None and int(digits[0]) < ADULT_YEARS)
