"""Finds possible returns of erased people, under the same id or another, before a picture is judged or anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.dataset.incoming.subject_ids import folded_id
from bitface.dataset.keyring.people_keys import ERASED
from bitface.dataset.keys import KeyStore
from bitface.dataset.suppression import Suppression
from bitface.faces.media.same_picture import Marks
from bitface.steps.people.erasure_journal import being_erased, remains_of_leaving

LEAVING: Final = "is being erased; finish that with `bitface erase --resume`"
ALIKE: Final = (
    "this id differs from another person's only in case, - or _, O and 0, or l and 1; use one spelling per person, or pass "
    "--reviewed if these are two people"
)
SEEN: Final = (
    "a picture of this person is also of a person who was erased; check whether they are the same person, and pass --reviewed if they "
    "are not"
)
LOOKS_ALIKE: Final = (
    "a picture of this person looks like a re-saved or cropped picture of a person who was erased; check whether they are the same "
    "person, and pass --reviewed if they are not"
)


@dataclass(frozen=True, kw_only=True)
class Reentry:
    """What is known about erased people, and who is here. `reviewed`: ids that a reviewer confirmed to be different people."""

    keys: KeyStore
    erased: Suppression
    leaving: frozenset[str]
    reviewed: frozenset[str] = frozenset()

    def refused(self, subjects: Collection[str]) -> dict[str, str]:
        """Subject id -> why it is refused: the person was erased or is being erased."""
        found = {subject: self._refusal(subject) for subject in subjects}
        return {subject: why for subject, why in found.items() if why is not None}

    def alike(self, subjects: Collection[str]) -> dict[str, str]:
        """Subject id -> why it must be reviewed first: it is new, and a spelling variant of another person's."""
        known = self.keys.folded_ids()
        brought = Counter(map(folded_id, subjects))
        new = [one for one in subjects if one not in self.reviewed and self.keys.pseudonym_of(one) is None]
        return {one: ALIKE for one in new if folded_id(one) in known or brought[folded_id(one)] > 1}

    def seen(self, pictures: Iterable[tuple[str, Marks]]) -> dict[str, str]:
        """The same for subject ids with the marks of their pictures (`looks_asked`): one of them is, or looks like, a picture of an
        erased person.
        """
        found = [(subject, self._sight(marks)) for subject, marks in pictures if subject not in self.reviewed]
        alike = {subject: LOOKS_ALIKE for subject, why in found if why == LOOKS_ALIKE}
        return alike | {subject: SEEN for subject, why in found if why == SEEN}

    def _sight(self, marks: Marks) -> str | None:
        if self.erased.holds_picture(marks.sha256):
            return SEEN
        return LOOKS_ALIKE if self.erased.holds_alike(marks.looks) else None

    def _refusal(self, subject: str) -> str | None:
        if self.keys.pseudonym_of(subject) in self.leaving:
            return LEAVING
        is_erased = self.keys.erasure_of(subject) is not None or self.erased.holds_folded(folded_id(subject))
        return ERASED if is_erased else None


def reentry(keys: KeyStore, home: Path, reviewed: Collection[str] = ()) -> Reentry:
    """The checks for imported people. Raises IntegrityError if the book of the erased was edited."""
    erased = keys.suppression(remains_of_leaving(home))
    return Reentry(keys=keys, erased=erased, leaving=being_erased(home), reviewed=frozenset(reviewed))
