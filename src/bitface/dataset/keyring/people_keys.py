"""Keys of people: made at an enrolment, found by an id or a pseudonym, and destroyed by an erasure."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from bitface.dataset.files import each_in_threads, write_atomically, write_once
from bitface.dataset.incoming.subject_ids import folded_id, id_or_none, normal_id
from bitface.dataset.keyring.erased_book import ErasedBook
from bitface.dataset.keyring.wrapped_keys import DEMO_KEY, DESTROYED, KEY_BYTES, PUBLISHED
from bitface.dataset.suppression import Suppressed, Suppression
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.faces.media.same_picture import Marks
from bitface.faces.records import check_pseudonym, is_pseudonym, is_synthetic

ERASED: Final = "erased at this person's wish, or at the end of a purpose; a new import does not bring anybody back"


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """An existing or prospective subject: nothing of a new one is stored before `KeyStore.keep`. `key` is None for a known one."""

    subject_id: str = field(repr=False)
    pseudonym: str
    key: bytes | None = field(repr=False)

    @property
    def is_new(self) -> bool:
        return self.key is not None


class PeopleKeys(ErasedBook):
    """One key and one entry in the list of ids for each real person; a synthetic person's key is derived."""

    def enrol(self, subject_id: str) -> str:
        """The pseudonym of a subject's id; makes the person's key and entry at the first call. Raises what `keep` raises."""
        enrolment = self.foreseen(subject_id)
        self.keep([enrolment])
        return enrolment.pseudonym

    def foreseen(self, subject_id: str) -> Enrolment:
        """The enrolment of a subject's id, a new one if there is none; nothing is written, not even a master key.

        Raises:
            InputError: the id cannot be stored (see `subject_ids.normal_id`).
            RefusedError: the subject was erased.
        """
        subject_id = normal_id(subject_id)
        if self.erasure_of(subject_id) is not None:
            raise RefusedError(ERASED)
        known = self._pseudonym_of_id(subject_id)
        if known is not None:
            return Enrolment(subject_id=subject_id, pseudonym=known, key=None)
        digest = hmac.new(secrets.token_bytes(32), subject_id.encode(), hashlib.sha256).hexdigest()
        return Enrolment(subject_id=subject_id, pseudonym="r" + digest[:15], key=secrets.token_bytes(KEY_BYTES))

    def keep(self, enrolments: Sequence[Enrolment]) -> None:
        """Writes the keys and entries of new enrolments; existing ones are left as they are.

        Raises:
            RefusedError: a subject was erased, or the master key is the published demo key.
            InputError: another process enrolled a subject meanwhile.
        """
        if self._master() == DEMO_KEY:
            raise RefusedError(f"the master key is {PUBLISHED}")
        with self._exclusive(), self._remembering():
            each_in_threads(self._keep, enrolments)

    def forget(self, people: Sequence[str]) -> None:
        """Undoes abandoned enrolments: no data and no consent of these pseudonyms was ever stored."""
        with self._exclusive():
            for person in people:
                path = self._folder / "people" / f"{check_pseudonym(person)}.json"
                if path.is_file():
                    entry = self._entry(self._subject_of(path, person))
                    if entry.is_file() and entry.read_text(encoding="utf-8") == person:
                        entry.unlink()
                    path.unlink()

    def pseudonym_of(self, subject: str) -> str | None:
        """The pseudonym of a subject's id, or the subject itself if it is a known pseudonym, else None."""
        normal = id_or_none(subject)
        if normal is not None and is_pseudonym(normal) and (self._folder / "people" / f"{normal}.json").is_file():
            return normal
        return None if normal is None else self._pseudonym_of_id(normal)

    def erasure_of(self, subject_id: str) -> str | None:
        """The erasure that removed a subject's id, None if there was none: only a keyed digest of the id remains."""
        normal = id_or_none(subject_id)
        if normal is None or not self._has_master():
            return None
        # The book first: an entry restored from a backup would hide the erasure.
        erased = self.suppression().of_id(normal)
        path = self._entry(normal)
        text = path.read_text(encoding="utf-8") if erased is None and path.is_file() else ""
        return erased.erasure_id if erased else text.removeprefix(DESTROYED) if text.startswith(DESTROYED) else None

    def pseudonyms(self) -> tuple[str, ...]:
        """The people with a key here."""
        return tuple(sorted(path.stem for path in (self._folder / "people").glob("*.json")))

    def pseudonyms_of(self, subject: str) -> tuple[str, ...]:
        """Every pseudonym under which a subject is stored here: by the list of ids, by the id sealed with a key, or the subject
        itself. A killed command may have left only one of them.
        """
        normal = id_or_none(subject)
        if normal is None:
            return ()
        found = {
            self._pseudonym_of_id(normal),
            *(person for person, its in self._sealed_ids().items() if its == normal),
        }
        is_known = is_pseudonym(normal) and (normal in self.pseudonyms() or bool(self._entries_of(normal)))
        return tuple(sorted({one for one in found if one} | ({normal} if is_known else set())))

    def folded_ids(self) -> dict[str, frozenset[str]]:
        """Folded id -> the pseudonyms of people here whose id folds to it."""
        found: dict[str, set[str]] = {}
        for person, subject_id in self._sealed_ids().items():
            found.setdefault(folded_id(subject_id), set()).add(person)
        return {folded: frozenset(people) for folded, people in found.items()}

    def people(self) -> int:
        """How many real people have a key."""
        return sum(1 for _ in (self._folder / "people").glob("*.json"))

    def key_of(self, person: str) -> bytes:
        """The 64-byte AES-SIV key of a pseudonym.

        Raises:
            RefusedError: the key was destroyed, or never existed on this installation.
            IntegrityError: the wrapped key does not open with this master key.
        """
        if is_synthetic(person):
            derive = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=b"bitface-shard-v1", info=person.encode())
            return derive.derive(DEMO_KEY)
        path = self._folder / "people" / f"{person}.json"
        if not path.is_file():
            raise RefusedError(f"no key for person {person}: erased, or enrolled on another installation")
        key = self._unwrapped(bytes.fromhex(json.loads(path.read_text())["wrapped_key"]), f"person {person}")
        self._note(person)
        return key

    def remains_of(
        self, person: str, erasure_id: str, ids: Collection[str] = (), pictures: Collection[Marks] = ()
    ) -> Suppressed | None:
        """What will be kept of a person: tokens of the id sealed here, of other `ids` and of the marks of `pictures`. None if no real
        person was ever enrolled here.
        """
        if is_synthetic(person) or not self._has_master():
            return None
        sealed = self._sealed_id(person)
        known = {normal_id(one) for one in ids} | ({sealed} if sealed else set())
        book = Suppression(self._index_secret())
        return Suppressed(
            erasure_id=erasure_id,
            person=book.token("person", person),
            ids=book.tokens("id", known),
            folded_ids=book.tokens("folded id", map(folded_id, known)),
            pictures=book.tokens("picture", (one.sha256 for one in pictures)),
            looks=tuple(sorted({book.look(look) for one in pictures for look in one.looks})),
        )

    def destroy(self, person: str, erasure_id: str, remains: Suppressed | None = None) -> bool:
        """Destroys a person's key, and keeps the tokens by which the person is refused from now on; False if there was no key here.

        No copy of that person's data can be read any more, wherever it is. A synthetic person's key is published: it cannot be
        destroyed. If killed at any point, the same call continues: the key is deleted last.
        """
        path = self._folder / "people" / f"{check_pseudonym(person)}.json"
        if is_synthetic(person) or not self._has_master():
            return False
        with self._exclusive():
            stays = remains or self.remains_of(person, erasure_id)
            self._suppress([stays] if stays else [])
            sealed = self._sealed_id(person)
            for entry in [self._entry(sealed)] if sealed else self._entries_of(person):
                write_atomically(entry, f"{DESTROYED}{erasure_id}".encode())
            existed = path.is_file()
            path.unlink(missing_ok=True)
        return existed

    def _entries_of(self, person: str) -> tuple[Path, ...]:
        """The entries of the list of ids that lead to a pseudonym."""
        entries = (self._folder / "index").glob("[!.]*")
        return tuple(path for path in entries if path.read_text(encoding="utf-8") == person)

    def _sealed_ids(self) -> dict[str, str]:
        """Pseudonym -> the owner's id, for every entry that can be opened."""
        people = self.pseudonyms() if self._has_master() else ()
        seal = self._seal() if people else None
        found = {person: self._sealed_id(person, seal) for person in people}
        return {person: subject_id for person, subject_id in found.items() if subject_id is not None}

    def _sealed_id(self, person: str, seal: AESSIV | None = None) -> str | None:
        """The owner's id stored with a key, None if there is none or it does not open."""
        with contextlib.suppress(IntegrityError, ValueError, KeyError, FileNotFoundError):
            return self._subject_of(self._folder / "people" / f"{person}.json", person, seal)
        return None

    def _keep(self, enrolment: Enrolment) -> None:
        subject_id, pseudonym = enrolment.subject_id, enrolment.pseudonym
        if enrolment.key is not None:
            wrapped = aes_key_wrap(self._master(), enrolment.key)
            sealed = self._seal().encrypt(subject_id.encode(), [b"subject-id", pseudonym.encode()])
            entry = {"pseudonym": pseudonym, "wrapped_key": wrapped.hex(), "subject_id": sealed.hex()}
            write_atomically(self._folder / "people" / f"{pseudonym}.json", json.dumps(entry).encode())
            write_once(self._entry(subject_id), pseudonym.encode())
        if self.erasure_of(subject_id) is not None:
            raise RefusedError(ERASED)
        if self._pseudonym_of_id(subject_id) != pseudonym:
            raise InputError("another command enrolled a person at the same time; run the same command again")

    def _pseudonym_of_id(self, subject_id: str) -> str | None:
        if not self._has_master():
            return None
        path = self._entry(subject_id)
        text = path.read_text(encoding="utf-8") if path.is_file() else DESTROYED
        return None if text.startswith(DESTROYED) else text

    def _subject_of(self, path: Path, person: str, seal: AESSIV | None = None) -> str:
        """The owner's id that a person's entry holds, sealed."""
        sealed = bytes.fromhex(json.loads(path.read_text(encoding="utf-8"))["subject_id"])
        try:
            return (seal or self._seal()).decrypt(sealed, [b"subject-id", person.encode()]).decode()
        except InvalidTag as error:
            raise IntegrityError(
                f"the entry of person {person} cannot be decrypted with this master key; restore it"
            ) from error

    def _entry(self, subject_id: str) -> Path:
        token = hmac.new(self._index_secret(), b"subject-index" + subject_id.encode(), hashlib.sha256).hexdigest()
        return self._folder / "index" / token

    def _seal(self) -> AESSIV:
        return AESSIV(hashlib.sha512(b"subject-id" + self._index_secret()).digest())
