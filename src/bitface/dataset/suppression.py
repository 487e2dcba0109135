"""What is kept of erased people: keyed digests that recognise them without revealing who they were.

This book is stored with the keys, and a copy beside the dataset: if one of the two is restored from a backup, the other still counts.
Digests are HMAC-SHA-256 under the installation's index key, cut to 128 bits; the book is authenticated by the same key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from bitface.consent.events import canonical_json
from bitface.dataset.files import write_atomically
from bitface.documents import Fields
from bitface.errors import IntegrityError
from bitface.faces.media.same_picture import ALIKE_BANDS, BANDS, bands_of

Kind = Literal["id", "folded id", "person", "picture", "band"]
BOOK: Final = "erased.json"
_TOKEN_DIGITS: Final = 32
_BAND_DIGITS: Final = 4
_NO_INFORMATION: Final = "_" * _BAND_DIGITS


@dataclass(frozen=True, kw_only=True)
class Suppressed:
    """One erased person: tokens of the pseudonym, of ids as written and folded, of pictures and of their looks."""

    erasure_id: str
    person: str
    ids: tuple[str, ...]
    folded_ids: tuple[str, ...]
    pictures: tuple[str, ...]
    looks: tuple[str, ...] = ()
    """For each look, a token of 4 digits per band, `____` for a band without information."""


class Suppression:
    """Everyone who was erased, and the key that turns a query into a token."""

    def __init__(self, secret: bytes, people: Iterable[Suppressed] = ()) -> None:
        self._secret = secret
        self.people = tuple(people)

    @cached_property
    def _ids(self) -> dict[str, Suppressed]:
        return {token: one for one in self.people for token in one.ids}

    @cached_property
    def _pictures(self) -> frozenset[str]:
        return frozenset(token for one in self.people for token in one.pictures)

    @cached_property
    def _folded(self) -> frozenset[str]:
        return frozenset(token for one in self.people for token in one.folded_ids)

    @cached_property
    def _persons(self) -> frozenset[str]:
        return frozenset(one.person for one in self.people)

    @cached_property
    def _bands(self) -> dict[tuple[int, str], list[int]]:
        found: dict[tuple[int, str], list[int]] = {}
        for number, look in enumerate(look for one in self.people for look in one.looks):
            for band in range(BANDS):
                found.setdefault((band, look[_BAND_DIGITS * band :][:_BAND_DIGITS]), []).append(number)
        return found

    def token(self, kind: Kind, value: str) -> str:
        """The token of a value of a kind."""
        text = f"suppressed {kind} {value}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()[:_TOKEN_DIGITS]

    def tokens(self, kind: Kind, values: Iterable[str]) -> tuple[str, ...]:
        """The tokens of several values, in an order that reveals nothing."""
        return tuple(sorted({self.token(kind, value) for value in values}))

    def of_id(self, subject_id: str) -> Suppressed | None:
        """The erased person with exactly this id; of several, the latest."""
        return self._ids.get(self.token("id", subject_id)) if self._ids else None

    def holds_folded(self, folded: str) -> bool:
        """Whether an erased person had an id that folds to this."""
        return bool(self._folded) and self.token("folded id", folded) in self._folded

    def holds_person(self, person: str) -> bool:
        """Whether a pseudonym was an erased person's."""
        return bool(self._persons) and self.token("person", person) in self._persons

    def holds_picture(self, sha256: str) -> bool:
        """Whether a picture, by the digest of its stored bytes, was an erased person's."""
        return bool(self._pictures) and self.token("picture", sha256) in self._pictures

    def look(self, look: bytes) -> str:
        """The token of a look. Only the key protects it: a band has 65,536 values, and with the key all can be tried."""
        bands = bands_of(look)
        return "".join(
            self._band(number, bands[number]) if number in bands else _NO_INFORMATION for number in range(BANDS)
        )

    def holds_alike(self, looks: Iterable[bytes]) -> bool:
        """Whether one of these looks (`faces.media.same_picture.looks_asked`) resembles one of an erased person's picture."""
        return bool(self._bands) and any(map(self._is_alike, looks))

    def _is_alike(self, look: bytes) -> bool:
        equal = Counter[int]()
        for number, band in bands_of(look).items():
            equal.update(self._bands.get((number, self._band(number, band)), ()))
        return max(equal.values(), default=0) >= ALIKE_BANDS

    def _band(self, number: int, band: int) -> str:
        return self.token("band", f"{number} {band}")[:_BAND_DIGITS]


def copy_beside(data: Path, secret: bytes) -> Path:
    """The path of a dataset's copy of the book. Installations that share a dataset have one each: neither can read the other's."""
    mark = hmac.new(secret, b"name of the book", hashlib.sha256).hexdigest()[:12]
    return data.with_name(f"{data.name}.erased-{mark}.json")


def joined(*books: Sequence[Suppressed]) -> tuple[Suppressed, ...]:
    """The people of several books, once per erasure, in the order of the first."""
    return tuple(dict.fromkeys(one for book in books for one in book))


def write_book(path: Path, people: Sequence[Suppressed], secret: bytes) -> None:
    """Writes a whole book, readable only by its owner."""
    rows = [asdict(one) for one in people]
    write_atomically(path, (json.dumps({"people": rows, "mac": _mac(rows, secret)}, indent=1) + "\n").encode())


def read_book(path: Path, secret: bytes) -> tuple[Suppressed, ...]:
    """A book, empty if there is none. Raises IntegrityError if it was altered."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(_damaged(path.name)) from error
    return people_of(document, path.name, secret)


def people_of(document: object, name: str, secret: bytes) -> tuple[Suppressed, ...]:
    """The people of a book in JSON. Raises IntegrityError if it was altered."""
    book: Fields = document if isinstance(document, Mapping) else {}
    rows = book.get("people")
    if not isinstance(rows, list) or not hmac.compare_digest(str(book.get("mac")), _mac(rows, secret)):
        raise IntegrityError(_damaged(name))
    return tuple(map(suppressed_from, rows))


def suppressed_from(row: Fields) -> Suppressed:
    """One person of a book in JSON."""
    return Suppressed(
        erasure_id=row["erasure_id"],
        person=row["person"],
        ids=tuple(row["ids"]),
        folded_ids=tuple(row["folded_ids"]),
        pictures=tuple(row["pictures"]),
        looks=tuple(row.get("looks", ())),  # older books have none
    )


def _mac(rows: Sequence[Fields], secret: bytes) -> str:
    return hmac.new(secret, b"book of the erased" + canonical_json(list(rows)).encode(), hashlib.sha256).hexdigest()


def _damaged(name: str) -> str:
    return f"'{name}', which recognises erased people, was edited or belongs to another installation; restore it"
