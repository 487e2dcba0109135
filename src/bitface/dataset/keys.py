"""Keys of people's shards: destroying one makes every copy of that person's data unreadable, also in caches and backups.

A real person's key is random, wrapped by the installation's master key (RFC 3394). A synthetic person's key is derived
(HKDF, RFC 5869) from a published demo key, so that everyone gets the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from glob import escape
from operator import is_not
from pathlib import Path
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from bitface.dataset.files import each_in_threads, write_atomically, write_once
from bitface.dataset.incoming.subject_ids import folded_id, id_or_none, normal_id
from bitface.dataset.locks import exclusive
from bitface.dataset.suppression import (
    BOOK,
    Suppressed,
    Suppression,
    copy_beside,
    joined,
    people_of,
    read_book,
    write_book,
)
from bitface.errors import InputError, IntegrityError, RefusedError
from bitface.faces.media.same_picture import Marks
from bitface.faces.records import check_pseudonym, is_pseudonym, is_synthetic

DEMO_KEY: Final = hashlib.sha256(b"bitface published demo key: synthetic people only").digest()
ERASED: Final = "erased at this person's wish, or at the end of a purpose; a new import does not bring anybody back"
PUBLISHED: Final = "the published demo key, which protects no data; set a new one (`openssl rand -hex 32`), or unset it and one is created"
_SUPPRESSED: Final = "erased "
_MASTER, _NEXT, _INDEX = "master.key", "master.next", "index.key"
_MASTER_BYTES: Final = 32
_WAIT_S: Final = 60.0
_KEY_BYTES: Final = 64  # AES-256 in SIV mode takes two keys
_EVIDENCE_BYTES: Final = 32
_WRAPS: Final = ("people", "days", "evidence", "imports")
_RUN: Final = re.compile(r"[a-z0-9]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """An existing or prospective subject: nothing of a new one is stored before `KeyStore.keep`. `key` is None for a known one."""

    subject_id: str = field(repr=False)
    pseudonym: str
    key: bytes | None = field(repr=False)

    @property
    def is_new(self) -> bool:
        return self.key is not None


def evidence_read(run_id: str) -> str:
    """The entry in the log of openings when this program opens the evidence of a run."""
    return f"evidence of run {run_id}"


def evidence_handed_out(run_id: str) -> str:
    """The entry when an unencrypted copy is made."""
    return f"{evidence_read(run_id)}, in the clear"


class KeyStore:
    """The keys under `folder` (mode 0700): `master.key`, one file per real person, named by an HMAC of the id, one per day of kept
    predictions, and one per run whose gate has evidence of people.

    Nothing is created before the first real person is enrolled, the first prediction kept, or the first gate has decided.
    """

    def __init__(
        self,
        folder: Path,
        given: Callable[[], tuple[bytes, ...]] = tuple,
        on_open: Callable[[str, bytes], None] = lambda *_: None,
        beside: Path | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            folder: of the keys.
            given: the master key if it is kept elsewhere, 32 bytes, and during a rotation the next one; empty: it is in `folder`.
            on_open: receives the pseudonym, or the name of a run's evidence, when its key is first opened by this store, and the key
                that authenticates the log of openings.
            beside: the dataset folder beside which a copy of the book of erased people is kept; None: there is no copy.
        """
        self._folder, self._given, self._on_open, self._beside = folder, given, on_open, beside
        self._opened: set[str] = set()
        self._known: tuple[tuple[tuple[Suppressed, ...], ...], Suppression] | None = None
        self._read: dict[Path, tuple[tuple[int, int, int], tuple[Suppressed, ...]]] = {}

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
        return Enrolment(subject_id=subject_id, pseudonym="r" + digest[:15], key=secrets.token_bytes(_KEY_BYTES))

    def keep(self, enrolments: Sequence[Enrolment]) -> None:
        """Writes the keys and entries of new enrolments; existing ones are left as they are.

        Raises:
            RefusedError: a subject was erased, or the master key is the published demo key.
            InputError: another process enrolled a subject meanwhile.
        """
        if self._master() == DEMO_KEY:
            raise RefusedError(f"the master key is {PUBLISHED}")
        with self._exclusive():
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
        return erased.erasure_id if erased else text.removeprefix(_SUPPRESSED) if text.startswith(_SUPPRESSED) else None

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
                write_atomically(entry, f"{_SUPPRESSED}{erasure_id}".encode())
            existed = path.is_file()
            path.unlink(missing_ok=True)
        return existed

    def suppression(self, leaving: Iterable[Suppressed] = ()) -> Suppression:
        """Everyone erased here, from the book with the keys and its copy beside the dataset, and those `leaving`.

        Raises:
            IntegrityError: one of the two was edited.
        """
        if not self._has_master():
            return Suppression(b"")
        secret, also = self._index_secret(), tuple(leaving)
        books = (*(self._book(path, secret) for path in self._books(secret)), also)
        # Asked for every id of an import; a book that was not replaced is the very same tuple.
        if self._known is None or any(map(is_not, books, self._known[0])):
            self._known = books, Suppression(secret, joined(*books))
        return self._known[1]

    def erased_of(self, people: Iterable[str]) -> frozenset[str]:
        """Those of the given people who are in the book of the erased; synthetic ones never are.

        Raises:
            IntegrityError: a book was edited, or cannot be read, since its key is not here.
        """
        real = [person for person in people if not is_synthetic(person)]
        if not real or not self._has_book():
            return frozenset()
        if not self._has_master():
            raise IntegrityError(
                "cannot check whether a person in it was erased: the master key is missing; set BITFACE_MASTER_KEY or "
                "BITFACE_MASTER_KEY_COMMAND, or restore keys/master.key"
            )
        return frozenset(filter(self.suppression().holds_person, real))

    def learn_suppressed(self, document: Any, name: str) -> int:
        """Adopts the book in a kept checkpoint; returns how many people were new. Raises IntegrityError if it was edited."""
        if not self._has_master():
            return 0
        before = len(self.suppression().people)
        with self._exclusive():
            self._suppress(people_of(document, name, self._index_secret()))
        return len(self.suppression().people) - before

    def access_key(self) -> bytes:
        """The key that authenticates the log of openings."""
        return hmac.new(self._index_secret(), b"log of openings", hashlib.sha256).digest()

    def key_of(self, person: str) -> bytes:
        """The 64-byte AES-SIV key of a pseudonym.

        Raises:
            RefusedError: the key was destroyed, or never existed on this installation.
            IntegrityError: the wrapped key does not open with this master key.
        """
        if is_synthetic(person):
            derive = HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=b"bitface-shard-v1", info=person.encode())
            return derive.derive(DEMO_KEY)
        path = self._folder / "people" / f"{person}.json"
        if not path.is_file():
            raise RefusedError(f"no key for person {person}: erased, or enrolled on another installation")
        key = self._unwrapped(bytes.fromhex(json.loads(path.read_text())["wrapped_key"]), f"person {person}")
        self._note(person)
        return key

    def key_of_day(self, day: date) -> bytes:
        """The 64-byte AES-SIV key of a day's prediction log (UTC); made at the first call, wrapped by the master key.

        Raises:
            IntegrityError: the wrapped key does not open with this master key.
        """
        path = self._day(day)
        if not path.exists():
            self._master()
            with self._exclusive():
                # If two processes make it at once, the first one's is used by both.
                write_once(path, aes_key_wrap(self._master(), secrets.token_bytes(_KEY_BYTES)).hex().encode())
        return self._unwrapped(bytes.fromhex(path.read_text(encoding="utf-8")), f"day {day}")

    def days(self) -> tuple[date, ...]:
        """Days with a key, earliest first."""
        return tuple(sorted(date.fromisoformat(path.name) for path in (self._folder / "days").glob("????-??-??")))

    def destroy_day(self, day: date) -> None:
        """Destroys a day's key: no copy of that day's log can be read any more."""
        self._day(day).unlink(missing_ok=True)

    def key_of_import(self) -> bytes:
        """The 64-byte AES-SIV key of what an import has read so far; made at the first call, wrapped by the master key.

        Raises:
            RefusedError: the master key is the published demo key, which would protect no one.
            IntegrityError: the wrapped key does not open with this master key.
        """
        if self._master() == DEMO_KEY:
            raise RefusedError(f"the master key is {PUBLISHED}")
        with self._exclusive():
            write_once(self._import(), aes_key_wrap(self._master(), secrets.token_bytes(_KEY_BYTES)).hex().encode())
            return self._unwrapped(bytes.fromhex(self._import().read_text(encoding="utf-8")), "an import")

    def import_begun(self) -> datetime | None:
        """When the key of the import was made that is under way or was interrupted; None where there is none."""
        path = self._import()
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.is_file() else None

    def destroy_import(self) -> None:
        """Destroys the key of an import: nothing can be read of what it left."""
        self._import().unlink(missing_ok=True)

    def key_for_evidence(self, run_id: str, *, renew: bool = False) -> bytes:
        """The 32-byte key that the evidence of a run is sealed by; made at the first call, wrapped by the master key. `renew`: for
        synthetic people, who may be rendered again, a destroyed key is replaced by a new one.

        Raises:
            RefusedError: the evidence of this run was destroyed, because a person in it was erased.
            IntegrityError: the wrapped key does not open with this master key.
        """
        path = self._evidence(run_id)
        self._master()
        with self._exclusive():
            if renew and path.exists() and run_id not in self.sealed_runs():
                path.unlink()
            write_once(path, aes_key_wrap(self._master(), secrets.token_bytes(_EVIDENCE_BYTES)).hex().encode())
        return self._key_in(path, run_id)

    def key_of_evidence(self, run_id: str) -> bytes:
        """The key for reading existing evidence, which is logged.

        Raises:
            InputError: there is none here. RefusedError, IntegrityError: as for `key_for_evidence`.
        """
        path = self._evidence(run_id)
        if not path.is_file():
            raise InputError(
                f"the evidence of run {run_id} is sealed, and its key is not on this installation; replay it where it was made, ask "
                f"there for a readable copy (`bitface gate open {run_id} --out FILE`), or restore the keys from their backup"
            )
        key = self._key_in(path, run_id)
        self._note(evidence_read(run_id))
        return key

    def note_handed_out(self, run_id: str) -> None:
        """Logs in the log of openings that the evidence of a run is exported unencrypted."""
        self._on_open(evidence_handed_out(run_id), self.access_key())

    def sealed_runs(self) -> frozenset[str]:
        """Runs whose evidence can be read here."""
        files = (self._folder / "evidence").glob("[!.]*")
        return frozenset(path.name for path in files if not path.read_text(encoding="utf-8").startswith(_SUPPRESSED))

    def destroy_evidence(self, run_id: str, erasure_id: str) -> None:
        """Destroys the key of a run's evidence: no copy of it can be read any more, wherever it is, and none is sealed again."""
        if self._has_master():
            with self._exclusive():
                write_atomically(self._evidence(run_id), f"{_SUPPRESSED}{erasure_id}".encode())

    def evidence_names(self, *, published: bool) -> bytes:
        """The key from which names in evidence are derived: this installation's, which a rotation does not change; for only synthetic
        people the published one, so that everyone gets the same decision.
        """
        secret = DEMO_KEY if published else self._index_secret()
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"bitface names in evidence").derive(secret)

    def place_of_master(self) -> Literal["nowhere", "here", "elsewhere"]:
        """Where the master key is kept; empty before it is first needed."""
        if self._given():
            return "elsewhere"
        return "here" if (self._folder / _MASTER).is_file() else "nowhere"

    def is_published(self) -> bool:
        """Whether a master key in use is the published demo key, which would let anyone with the files read them."""
        return self._has_master() and DEMO_KEY in (self._given() or (self._master(),))

    def people(self) -> int:
        """How many real people have a key."""
        return sum(1 for _ in (self._folder / "people").glob("*.json"))

    def rotate(self) -> int:
        """Wraps every key by a new master key; encrypted data are not touched. Returns how many keys were wrapped again.

        The new key is in place before the first key is wrapped by it, and the old one is removed last: if killed at any point, every
        key still opens, and the next call continues.

        Raises:
            InputError: the master key is kept elsewhere, and the next one is not given. IntegrityError: a key opens with neither.
        """
        self._master()
        with self._exclusive():
            return self._rotated(self._next())

    def _note(self, name: str) -> None:
        if name not in self._opened:
            self._opened.add(name)
            self._on_open(name, self.access_key())

    def _rotated(self, new: bytes) -> int:
        write_atomically(self._folder / _INDEX, aes_key_wrap(new, self._index_secret()))
        count = 0
        for path in sorted((self._folder / "people").glob("*.json")):
            entry = json.loads(path.read_text(encoding="utf-8"))
            key = self._unwrapped(bytes.fromhex(entry["wrapped_key"]), f"person {path.stem}")
            write_atomically(path, json.dumps({**entry, "wrapped_key": aes_key_wrap(new, key).hex()}).encode())
            count += 1
        for day in self.days():
            key = self.key_of_day(day)
            write_atomically(self._day(day), aes_key_wrap(new, key).hex().encode())
            count += 1
        # The pictures of an interrupted import are then read again: cheaper than wrapping one more key.
        self.destroy_import()
        for run_id in sorted(self.sealed_runs()):
            key = self._key_in(self._evidence(run_id), run_id)
            write_atomically(self._evidence(run_id), aes_key_wrap(new, key).hex().encode())
            count += 1
        if not self._given():
            (self._folder / _NEXT).replace(self._folder / _MASTER)
        return count

    def _suppress(self, people: Sequence[Suppressed]) -> None:
        secret = self._index_secret()
        books = {path: self._book(path, secret) for path in self._books(secret)}
        merged = joined(*books.values(), people)
        for path in books:
            for part in path.parent.glob(f".{path.name[:40]}.*.part"):
                part.unlink(missing_ok=True)
        for path in (one for one, book in books.items() if book != merged):
            write_book(path, merged, secret)

    def _book(self, path: Path, secret: bytes) -> tuple[Suppressed, ...]:
        """A book, read again only if the file was replaced: every id of an import is looked up in it."""
        try:
            at = path.stat()
        except FileNotFoundError:
            return ()
        state = (at.st_ino, at.st_mtime_ns, at.st_size)
        if self._read.get(path, (None,))[0] != state:
            self._read[path] = (state, read_book(path, secret))
        return self._read[path][1]

    def _has_book(self) -> bool:
        """Whether there is a book at all, with the keys or beside the dataset: this needs no key."""
        copies = self._beside.parent.glob(f"{escape(self._beside.name)}.erased-*.json") if self._beside else ()
        return (self._folder / BOOK).is_file() or any(copies)

    def _books(self, secret: bytes) -> tuple[Path, ...]:
        own = self._folder / BOOK
        return (own,) if self._beside is None else (own, copy_beside(self._beside, secret))

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

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keeps other writers of keys out: none may wrap a key by a master key that is being replaced. Half-written files of a killed
        writer are removed first, since they may contain a key.
        """
        with exclusive(self._folder, "a command that writes keys", _WAIT_S):
            for part in self._folder.glob("*/.*.part"):
                part.unlink(missing_ok=True)
            yield

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

    def _next(self) -> bytes:
        """The new master key of a rotation."""
        given, place = self._given(), self._folder / _NEXT
        if given:
            if len(given) < 2:
                raise InputError("the master key is kept outside bitface; set BITFACE_MASTER_KEY_NEXT to the new one")
            return given[1]
        write_once(place, secrets.token_bytes(_MASTER_BYTES))
        return place.read_bytes()

    def _unwrapped(self, wrapped: bytes, owner: str) -> bytes:
        """Unwraps a key by the master key or, during a rotation, by the next one."""
        place = self._folder / _NEXT
        for master in self._given() or (self._master(), *([place.read_bytes()] if place.is_file() else [])):
            with contextlib.suppress(InvalidUnwrap, ValueError):
                return aes_key_unwrap(master, wrapped)
        raise IntegrityError(f"the key of {owner} cannot be decrypted with this master key; restore it")

    def _pseudonym_of_id(self, subject_id: str) -> str | None:
        if not self._has_master():
            return None
        path = self._entry(subject_id)
        text = path.read_text(encoding="utf-8") if path.is_file() else _SUPPRESSED
        return None if text.startswith(_SUPPRESSED) else text

    def _subject_of(self, path: Path, person: str, seal: AESSIV | None = None) -> str:
        """The owner's id that a person's entry holds, sealed."""
        sealed = bytes.fromhex(json.loads(path.read_text(encoding="utf-8"))["subject_id"])
        try:
            return (seal or self._seal()).decrypt(sealed, [b"subject-id", person.encode()]).decode()
        except InvalidTag as error:
            raise IntegrityError(
                f"the entry of person {person} cannot be decrypted with this master key; restore it"
            ) from error

    def _index_secret(self) -> bytes:
        """The key by which ids are looked up and sealed: the first master key, which a rotation does not change."""
        path = self._folder / _INDEX
        return self._unwrapped(path.read_bytes(), "the index") if path.is_file() else self._master()

    def _day(self, day: date) -> Path:
        return self._folder / "days" / day.isoformat()

    def _import(self) -> Path:
        return self._folder / "imports" / "pictures"

    def _evidence(self, run_id: str) -> Path:
        if not _RUN.fullmatch(run_id):
            raise IntegrityError("the bundle does not name its run, so its key cannot be found; fetch it again")
        return self._folder / "evidence" / run_id

    def _key_in(self, path: Path, run_id: str) -> bytes:
        text = path.read_text(encoding="utf-8")
        if text.startswith(_SUPPRESSED):
            raise RefusedError(
                f"the evidence of run {run_id} was destroyed in erasure {text.removeprefix(_SUPPRESSED)}, as a person in it was erased; "
                "the decision remains in the ledger"
            )
        return self._unwrapped(bytes.fromhex(text), f"the evidence of run {run_id}")

    def _entry(self, subject_id: str) -> Path:
        token = hmac.new(self._index_secret(), b"subject-index" + subject_id.encode(), hashlib.sha256).hexdigest()
        return self._folder / "index" / token

    def _seal(self) -> AESSIV:
        return AESSIV(hashlib.sha512(b"subject-id" + self._index_secret()).digest())

    def _master(self) -> bytes:
        given = self._given()
        if given:
            return given[0]
        path = self._folder / _MASTER
        if not path.is_file():
            wraps = any((self._folder / wrapped).is_dir() for wrapped in _WRAPS)
            # Checked again: another process may have made it meanwhile, and wrapped its first key by it.
            if wraps and not path.is_file():
                raise IntegrityError(
                    "the master key is missing but keys wrapped by it exist; restore it from its backup"
                )
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            write_once(path, secrets.token_bytes(_MASTER_BYTES))
        return path.read_bytes()

    def _has_master(self) -> bool:
        return bool(self._given()) or (self._folder / _MASTER).is_file()
