"""What a history is, to a model that knows nothing of how the program decides: what people said, who is in what, and what happens next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

PICTURES = 7
SPELT = {
    "amelie": ("amelie", "a"),
    "Amelie": ("Amelie", "a"),
    "ame-lie": ("ame-lie", "a"),
    "\uff41melie": ("amelie", "a"),
    "borislav": ("borislav", "b"),
    "B0rislav": ("B0rislav", "b"),
    "chiyoko": ("chiyoko", "c"),
    "chiy_oko": ("chiy_oko", "c"),
    "dagmar": ("dagmar", "d"),
    "emil": ("emil", "e"),
    "frida": ("frida", "f"),
}
"""A spelling -> the id that it stands for, and whose it may be: ids of one letter may be one person."""
LETTER = dict(SPELT.values())
PURPOSES, CONTEXTS = ("train", "evaluate", "infer"), ("research", "consumer")
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Times:
    """What the clock says, and the latest time that was ever written down here, or that one: what had ended by then is over."""

    clock: datetime
    latest: datetime


@dataclass(frozen=True)
class Terms:
    """What somebody, or a licence, allows; of a person also from when, and until when."""

    purposes: tuple[str, ...] = PURPOSES
    contexts: tuple[str, ...] = CONTEXTS
    since: datetime = ALWAYS[0]
    until: datetime = ALWAYS[1]

    def allow(self, purpose: str, context: str, times: Times) -> bool:
        is_now = self.since <= times.clock and times.latest < self.until
        return purpose in self.purposes and context in self.contexts and is_now


@dataclass
class Said:
    """What one person has said, by purpose: the latest consent, and until when all that was given is closed.

    What was withdrawn stays so whatever the clock says; what ends by time ends by the latest time that was ever written down here.
    """

    given: dict[str, Terms] = field(default_factory=dict)
    closed: dict[str, datetime] = field(default_factory=dict)

    def give(self, terms: Terms) -> None:
        for purpose in terms.purposes:
            is_shut = purpose in self.closed and terms.since <= self.closed[purpose]
            if not is_shut and (purpose not in self.given or terms.since > self.given[purpose].since):
                self.given[purpose] = terms

    def close(self, purposes: tuple[str, ...], at: datetime) -> None:
        for purpose in purposes or PURPOSES:
            self.given.pop(purpose, None)
            self.closed[purpose] = max(at, self.closed.get(purpose, at))

    def refusal(self, purpose: str, context: str, times: Times) -> str:
        """Why not, in a word; empty where it is allowed."""
        terms = self.given.get(purpose)
        if terms is None:
            return "withdrawn" if purpose in self.closed else "never allowed"
        if not (terms.since <= times.clock and times.latest < terms.until):
            return "ended"
        return "" if context in terms.contexts else "never allowed"


@dataclass
class Version:
    """A version: who is in it under which licences, and which champion its gate compared it with."""

    number: int
    run_id: str
    members: frozenset[tuple[str, str]]
    compared: int | None


@dataclass(frozen=True)
class Leaving:
    """Somebody whose erasure was killed: the id, where a key was here that knew it, and the pictures that were theirs."""

    subject: str | None
    pictures: frozenset[int]


@dataclass
class Home:
    """What the home knows, as the model has it; it is put back with the folder."""

    said: dict[str, Said] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Pseudonym -> id of everybody whose key is here."""
    licences: dict[str, Terms] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    champion: int | None = None
    previous: int | None = None
    champions: set[int] = field(default_factory=set)
    proofs: dict[str, str] = field(default_factory=dict)
    leaving: dict[str, Leaving] = field(default_factory=dict)


Data = dict[str, dict[int, str]]
"""Pseudonym -> picture -> licence."""


@dataclass(frozen=True)
class Backup:
    folder: Path
    home: Home
    data: Data
    newest: int
    """The length of the log in the newest checkpoint elsewhere, then."""


@dataclass(frozen=True)
class Row:
    picture: int
    spelling: str


@dataclass
class Draw:
    """What happens next, at random; what was drawn is kept, to be told where something fails."""

    rng: np.random.Generator
    said: list[object] = field(default_factory=list)

    def one(self, values: Sequence[Any]) -> Any:
        """One of some values, each as often as it stands there."""
        self.said.append(values[int(self.rng.integers(len(values)))])
        return self.said[-1]

    def number(self) -> int:
        """Which of those who are here, or of what there is."""
        return int(self.one(range(100)))

    def kill(self, most: int) -> int | None:
        """After how many writes a command is killed; most are not."""
        return self.one(range(most)) if self.one(range(3)) == 0 else None

    def rows(self) -> list[Row]:
        """One to three rows of an import, each with a picture of its own."""
        often = np.where(np.arange(PICTURES) < 3, 2.0, 1.0)  # those of the first people, of whom some have left
        pictures = self.rng.choice(PICTURES, self.one((1, 2, 3)), replace=False, p=often / often.sum())
        return [Row(int(picture), self.one(sorted(SPELT))) for picture in pictures]

    def given(self) -> Terms:
        """What somebody allows."""
        purposes = self.one((PURPOSES, PURPOSES, ("train", "evaluate"), ("infer",)))
        return Terms(purposes, self.one((CONTEXTS, CONTEXTS, ("research",))))

    def days(self) -> int:
        """How long a consent lasts."""
        return int(self.one((4, 30, 3000, 3000, 3000)))
