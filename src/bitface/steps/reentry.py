"""Who may be somebody that was erased, under the same id or another one: asked before a picture is judged or anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.dataset.keys import ERASED, KeyStore
from bitface.dataset.subject_ids import folded_id
from bitface.dataset.suppression import Suppression
from bitface.steps.erasure_journal import being_erased

LEAVING: Final = "is being erased; `bitface erase --resume` finishes that"
ALIKE: Final = (
    "this id and another person's differ in case, in - or _, or in O and 0 or l and 1 alone; write one person's id in one way, or say "
    "with --reviewed that these are two people"
)
SEEN: Final = (
    "a picture of this person is one of somebody who was erased; look whether it is the same person, and say with --reviewed if it is "
    "another one"
)


@dataclass(frozen=True, kw_only=True)
class Reentry:
    """What is known of those who left, and who is here. `reviewed` are ids that a person has looked at: they are people of their own."""

    keys: KeyStore
    gone: Suppression
    leaving: frozenset[str]
    reviewed: frozenset[str] = frozenset()

    def refused(self, subjects: Collection[str]) -> dict[str, str]:
        """Subject id -> why nothing may be taken of somebody who was erased or is being erased."""
        found = {subject: self._refusal(subject) for subject in subjects}
        return {subject: why for subject, why in found.items() if why is not None}

    def alike(self, subjects: Collection[str]) -> dict[str, str]:
        """Subject id -> why somebody has to look at it first: it is new, and another person's in another spelling."""
        here = self.keys.folded_ids()
        brought = Counter(map(folded_id, subjects))
        new = [one for one in subjects if one not in self.reviewed and self.keys.pseudonym_of(one) is None]
        return {one: ALIKE for one in new if folded_id(one) in here or brought[folded_id(one)] > 1}

    def seen(self, pictures: Iterable[tuple[str, str]]) -> dict[str, str]:
        """The same of subject ids with the digests of their pictures: a picture of somebody who was erased is among them."""
        found = {subject for subject, sha256 in pictures if self.gone.holds_picture(sha256)}
        return dict.fromkeys(found - self.reviewed, SEEN)

    def _refusal(self, subject: str) -> str | None:
        if self.keys.erasure_of(subject) is not None or self.gone.holds_folded(folded_id(subject)):
            return ERASED
        return LEAVING if self.keys.pseudonym_of(subject) in self.leaving else None


def reentry(keys: KeyStore, home: Path, reviewed: Collection[str] = ()) -> Reentry:
    """What to ask of whoever is brought. Raises IntegrityError where the book of the erased was edited."""
    return Reentry(keys=keys, gone=keys.suppression(), leaving=being_erased(home), reviewed=frozenset(reviewed))
