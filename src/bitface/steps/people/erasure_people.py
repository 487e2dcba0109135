"""Finds the people an erasure refers to, under any of their ids, and erased people who have reappeared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitface.counted_words import counted
from bitface.dataset.incoming.subject_ids import id_or_none
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.errors import InputError, RefusedError
from bitface.faces.records import is_pseudonym, is_synthetic
from bitface.ledger.ledger import Ledger
from bitface.steps.people.erasure_journal import ERASURES, being_erased
from bitface.workspace import Workspace

RESUME: Final = "run `bitface erase --resume`"
Named = Mapping[str, tuple[str, ...]]
"""Pseudonym -> the ids that the request used for it."""


@dataclass(frozen=True, kw_only=True)
class Returned:
    """An erased person who reappeared, and with what: key, shard."""

    person: str
    what: tuple[str, ...]


def resolve(subjects: Sequence[str], keys: KeyStore, ledger: Ledger, place: Workspace) -> Named:
    """The pseudonyms of subjects: people with or without consents, with samples or only a key or a sealed id, and people who were
    erased before.

    Raises:
        InputError: one of them is unknown.
    """
    found: dict[str, set[str]] = {}
    for subject in subjects:
        for person in _people_of(subject, keys, ledger, place):
            found.setdefault(person, set()).update(one for one in (id_or_none(subject),) if one and one != person)
    return {person: tuple(sorted(ids)) for person, ids in sorted(found.items())}


def _people_of(subject: str, keys: KeyStore, ledger: Ledger, place: Workspace) -> tuple[str, ...]:
    normal = id_or_none(subject) or ""
    found = keys.pseudonyms_of(normal)
    if not found and is_pseudonym(normal) and _is_known(normal, ledger, place):
        found = (normal,)
    erasure_id = keys.erasure_of(normal)
    if not found and erasure_id is not None:
        found = _erased_in(erasure_id, normal, keys, ledger, place.home)
    if not found:
        raise InputError("no person with this id is on record; use the subject's own id, or the pseudonym")
    return found


def _is_known(person: str, ledger: Ledger, place: Workspace) -> bool:
    """Whether a pseudonym is in the ledger or in the dataset."""
    on_record = ledger.consents(person) or ledger.whereabouts(person).holdings
    return bool(on_record) or person in {one.person for one in ledger.erasures()} | _in_dataset(place.data)


def _erased_in(erasure_id: str, subject_id: str, keys: KeyStore, ledger: Ledger, home: Path) -> tuple[str, ...]:
    """The people of an erasure who had an id; all of them if the book of the erased does not tell them apart."""
    people = {one.person for one in ledger.erasures() if one.erasure_id == erasure_id}
    people |= _begun_in(home / ERASURES, erasure_id)
    if not people:
        raise InputError(f"the proof of erasure {erasure_id} is missing; restore it from a backup")
    book = keys.suppression()
    known = book.of_id(subject_id)
    own = {one for one in people if known and book.token("person", one) == known.person}
    return tuple(sorted(own or people))


def _begun_in(folder: Path, erasure_id: str) -> set[str]:
    """The people in the journal or the proof of an erasure."""
    journal, proof = folder / f"{erasure_id}.jsonl", folder / f"{erasure_id}.json"
    if journal.is_file():
        return set(json.loads(journal.read_text(encoding="utf-8").splitlines()[0])["found"]["subjects"])
    return set(json.loads(proof.read_text(encoding="utf-8"))["subjects"]) if proof.is_file() else set()


def returned(keys: KeyStore, ledger: Ledger, home: Path, data: Path) -> tuple[Returned, ...]:
    """Real people who were erased, according to the ledger or the book of the erased, but whose key or shard is here.

    People still being erased do not count, nor do synthetic people, who may be rendered again.
    """
    with_key, with_shard = set(keys.pseudonyms()), _in_dataset(data)
    present = [person for person in sorted(with_key | with_shard) if not is_synthetic(person)]
    if not present:
        return ()
    erased, book, leaving = {one.person for one in ledger.erasures()}, keys.suppression(), being_erased(home)
    back = [one for one in present if (one in erased or book.holds_person(one)) and one not in leaving]
    return tuple(
        Returned(
            person=one, what=tuple(what for what, where in (("key", with_key), ("shard", with_shard)) if one in where)
        )
        for one in back
    )


def check_none_returned(back: Iterable[Returned]) -> None:
    """Raises RefusedError if an erased person has reappeared, from a backup that is older than the erasure."""
    found = tuple(back)
    if found:
        what = sorted({what for one in found for what in one.what})
        raise RefusedError(
            f"{counted(len(found), 'person who was erased has', 'people who were erased have')} reappeared, by their "
            f"{' and '.join(what)}: a backup older than the "
            f"erasure was restored; {RESUME} to erase them again"
        )


def _in_dataset(data: Path) -> set[str]:
    shards = {path.stem for path in (data / "shards").glob("*.shard") if is_pseudonym(path.stem)}
    return shards | ({sample.person for sample in read_index(data)} if has_dataset(data) else set())
