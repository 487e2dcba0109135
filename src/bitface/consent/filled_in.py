"""Reads what people fill in where it has one meaning: words with commas where a list is expected, a date without a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, get_args

from bitface.consent.unfilled import MARK
from bitface.consent.vocabulary import CONTEXTS, OPENING_STATES, PURPOSES, AgeBand, DataKind, State
from bitface.documents import Document, Fields
from bitface.known_words import plain_word

_LISTS: Final = {"purposes": PURPOSES, "contexts": CONTEXTS, "data_kinds": get_args(DataKind)}
_WORDS: Final = {"state": get_args(State), "given_by": ("explicit", "guardian"), "age_band": get_args(AgeBand)}
_TEXTS: Final = ("recipients",)
TIMES: Final = ("event_time", "valid_from", "valid_to", "delete_by", "last_interaction")
_DAY: Final = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
DAYS_READ: Final = (
    "dates without a time are read strictly, in UTC: a consent ends at the beginning of the day on which it ends, and a withdrawal "
    "outranks every consent of its day; write 2026-01-31T12:00:00Z to state a time"
)


def as_meant(document: Fields) -> Document:
    """The fields of a consent or a licence as they are stored; what has no meaning here, or several, stays as it is."""
    meant = dict(document)
    for name, known in _LISTS.items():
        if _is_filled(meant.get(name)):
            meant[name] = [_word(one, known) for one in _parts(meant[name])]
    for name, known in _WORDS.items():
        if isinstance(meant.get(name), str):
            meant[name] = _word(meant[name], known)
    for name in _TEXTS:
        if isinstance(meant.get(name), str):
            meant[name] = [meant[name]]
    return meant | _moments(meant)


def has_days(document: Fields) -> bool:
    """Whether a time is given as a date alone."""
    return any(_day_of(document.get(name)) for name in TIMES)


def _is_filled(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str) and MARK not in text for text in texts)


def _parts(value: str | list[str]) -> Iterator[str]:
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        yield from (part.strip() for part in re.split(r"[,;]", text) if part.strip())


def _word(text: str, known: Sequence[str]) -> str:
    plain = plain_word(text)
    return plain if plain in known else text


def _moments(document: Fields) -> Document:
    """The careful moment of each date without a time: no use of a picture is allowed that another reading forbids."""
    days = {name: day for name in TIMES if (day := _day_of(document.get(name)))}
    closes = str(document.get("state")) not in OPENING_STATES
    moments: Document = {name: f"{day}T00:00:00Z" for name, day in days.items()}
    if closes and "event_time" in days:
        moments["event_time"] = f"{days['event_time']}T23:59:59Z"
    if "valid_from" in days:
        given = moments.get("event_time", document.get("event_time"))
        # A consent counts from when it was given, and not from the end of that day: it could not be imported on that day.
        is_same_day = str(given).startswith(days["valid_from"]) and not closes
        moments["valid_from"] = given if is_same_day else f"{days['valid_from']}T23:59:59Z"
    return moments


def _day_of(value: object) -> str | None:
    """`2026-01-31`, of a text that is a date and nothing else, with the year first; None for any other."""
    found = _DAY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[3]), int(found[4])).isoformat()
    except ValueError:
        return None
