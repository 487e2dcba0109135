"""Records each step of an erasure before the next begins: killed anywhere, it is finished later, and its proof is complete.

A journal is a file of JSON lines, each with the digest of the line before. While it exists the erasure is not finished; its proof
contains every line of it, and replaces it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from bitface.dataset.files import write_atomically
from bitface.dataset.suppression import Suppressed, suppressed_from
from bitface.documents import Document, Fields
from bitface.errors import InputError, IntegrityError

ERASURES: Final = "erasures"
"""In home: journals and proofs."""
BEGUN: Final = "begun"
_SUFFIX: Final = ".jsonl"
_FIRST: Final = "0" * 64


class Journal:
    """The journal of one erasure. `now` stamps the lines."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self.path, self._now = path, now

    @property
    def erasure_id(self) -> str:
        """The id of the erasure."""
        return self.path.stem

    def lines(self) -> list[Document]:
        """Every line, oldest first.

        Raises:
            InputError: there is no such journal. IntegrityError: a line was edited.
        """
        if not self.path.is_file():
            raise InputError(f"there is no unfinished erasure {self.erasure_id}; start one with `bitface erase`")
        lines = self.path.read_text(encoding="utf-8").splitlines()
        check_linked(lines, self.path.name)
        return [json.loads(line) for line in lines]

    def found(self, step: str) -> Document | None:
        """The result of a step, None if it is not done yet."""
        done = (line["found"] for line in self.lines() if line["step"] == step and line["state"] == "done")
        return next(done, None)

    def once(self, step: str, do: Callable[[], Fields]) -> Document:
        """The result of a step, which runs now unless it is done; its begin is recorded before it does anything."""
        found = self.found(step)
        if found is not None:
            return found
        self.write(step, "begins", {})
        self.write(step, "done", do())
        return self.found(step) or {}

    def write(self, step: str, state: str, found: Fields) -> None:
        """Appends a line; existing lines are never changed."""
        before = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        line = {"step": step, "state": state, "at": self._now().isoformat(), "found": dict(found)}
        linked = json.dumps({**line, "before": _digest(before[-1]) if before else _FIRST}, sort_keys=True)
        write_atomically(self.path, "".join(f"{one}\n" for one in [*before, linked]).encode())

    def interrupted(self) -> list[str]:
        """Steps that were begun more than once: their counts are of what was left at the last begin."""
        begun = [line["step"] for line in self.lines() if line["state"] == "begins"]
        return sorted({step for step in begun if begun.count(step) > 1})

    def close(self) -> None:
        """Ends the erasure, whose proof is on record."""
        self.path.unlink(missing_ok=True)


def check_linked(lines: Sequence[str], name: str) -> None:
    """Raises IntegrityError if a line does not follow from the one before it."""
    before = [_FIRST, *map(_digest, lines[:-1])]
    try:
        is_whole = all(json.loads(line)["before"] == digest for line, digest in zip(lines, before, strict=True))
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise IntegrityError(f"the journal '{name}' of an erasure was edited; restore it from a backup")


def sweep(home: Path) -> None:
    """Removes half-written files of a killed erasure; call it only with the right to erase people."""
    for part in (home / ERASURES).glob(".*.part"):
        part.unlink(missing_ok=True)


def journals(home: Path, now: Callable[[], datetime]) -> Iterator[Journal]:
    """The unfinished erasures, by id."""
    yield from (Journal(path, now) for path in sorted((home / ERASURES).glob(f"*{_SUFFIX}")))


def journal_of(home: Path, erasure_id: str, now: Callable[[], datetime]) -> Journal:
    """The journal of an erasure, which may not have begun."""
    return Journal(home / ERASURES / f"{erasure_id}{_SUFFIX}", now)


def being_erased(home: Path) -> frozenset[str]:
    """The people of unfinished erasures."""
    return frozenset(person for begun in _begun(home) for person in begun["subjects"])


def remains_of_leaving(home: Path) -> tuple[Suppressed, ...]:
    """What will be kept of those people: their pictures may be deleted already, but not be in the book yet."""
    return tuple(suppressed_from(one) for begun in _begun(home) for one in begun["remains"].values())


def _begun(home: Path) -> Iterator[Fields]:
    """The recorded first step of each unfinished erasure."""
    for journal in journals(home, datetime.now):
        with contextlib.suppress(FileNotFoundError):  # it may be finished meanwhile
            yield json.loads(journal.path.read_text(encoding="utf-8").splitlines()[0])["found"]


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
