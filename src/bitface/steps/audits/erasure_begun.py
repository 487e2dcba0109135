"""Begins an erasure: who it is about, what depends on them, and the journal that lets an interrupted one go on."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.dataset.suppression import Suppressed, suppressed_from
from bitface.errors import InputError, RefusedError
from bitface.faces.media.same_picture import Marks
from bitface.ledger.ledger import Ledger
from bitface.steps.audits.audit import own_files
from bitface.steps.people.consents import check_reason, withdraw
from bitface.steps.people.contents import marks_of
from bitface.steps.people.erasure_journal import BEGUN, Journal, journal_of, journals, sweep
from bitface.steps.people.erasure_people import Named, resolve
from bitface.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An erasure that has begun (at `began`): people are quarantined, and what was made with them is listed.

    `held`: those with a key here; `evidence`: runs with them whose gate evidence was readable; `remains`: what will be kept of each
    real person; `earlier`: their previous erasures; `replaces`: whether models are retrained without them; `journal`: where every
    step records its result.
    """

    erasure_id: str
    people: tuple[str, ...]
    began: datetime
    radius: Mapping[str, Any]
    held: tuple[str, ...]
    remains: Mapping[str, Suppressed]
    earlier: tuple[str, ...]
    replaces: bool
    evidence: tuple[str, ...]
    journal: Journal = field(compare=False, repr=False)


def blast_radius(people: Sequence[str], ledger: Ledger, place: Workspace) -> dict[str, Any]:
    """Everything that depends on people: dataset versions, runs, models, alias periods, files of their own and shared ones."""
    found = {person: ledger.whereabouts(person) for person in people}
    index = read_index(place.data) if has_dataset(place.data) else ()
    runs = sorted({run.run_id for own in found.values() for run in own.runs})
    models = {(model.name, model.version): model for own in found.values() for model in own.models}
    periods = {(one.name, one.alias, one.version, one.since): one for own in found.values() for one in own.periods}
    assets = {(one.path, one.sha256): one for own in found.values() for one in own.assets}
    return {
        "subjects": list(people),
        "samples": sum(sample.person in set(people) for sample in index),
        "datasets": sorted({one.dataset_version for own in found.values() for one in own.holdings}),
        "runs": runs,
        "models": [asdict(models[key]) for key in sorted(models)],
        "aliases": [asdict(periods[key]) for key in sorted(periods)],
        "own_files": [one for person in people for one in own_files(person, place.home, place.data)],
        "files_with_others": [asdict(assets[key]) for key in sorted(assets)],
        "membership_auc": {run: _membership(place.runs / run / "summary.json") for run in runs},
    }


def begin(
    subjects: Sequence[str], reason: str, keys: KeyStore, ledger: Ledger, place: Workspace, at: datetime
) -> Opened:
    """Quarantines people and records what depends on them, or continues an interrupted erasure of them.

    Raises:
        InputError: a person is unknown, or an erasure of some but not all of them was interrupted.
    """
    check_reason(reason)
    sweep(place.home)
    people = resolve(subjects, keys, ledger, place)
    journal = _unfinished(people, place.home, at) or _begun(people, keys, ledger, place, at)
    found = _from_journal(journal)
    journal.once("quarantine", lambda: _quarantine(found.people, reason, ledger, at))
    return found


def opened(erasure_id: str, home: Path, at: datetime) -> Opened:
    """An erasure that has begun; raises InputError if there is none with that id, or it is finished."""
    sweep(home)
    return _from_journal(journal_of(home, erasure_id, lambda: at))


def _membership(summary: Path) -> dict[str, float] | None:
    """How well membership in a run's training set could be inferred, from its summary."""
    document = json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else {}
    found: dict[str, float] | None = document.get("privacy", {}).get("membership_auc")
    return found


def _begun(people: Named, keys: KeyStore, ledger: Ledger, place: Workspace, at: datetime) -> Journal:
    """The journal of a new erasure, with everything that can only be read now."""
    erasure_id = secrets.token_hex(8)
    journal = journal_of(place.home, erasure_id, lambda: at)
    pictures = _pictures(set(people), ledger, place.data, keys)
    before = [one for one in ledger.erasures() if one.person in people]
    remains = (keys.remains_of(person, erasure_id, ids, pictures.get(person, ())) for person, ids in people.items())
    radius = blast_radius(list(people), ledger, place)
    found = {
        "subjects": list(people),
        "began": at.isoformat(),
        "radius": radius,
        "held": sorted(set(people) & set(keys.pseudonyms())),
        "evidence": sorted(set(radius["runs"]) & keys.sealed_runs()),
        "remains": {person: asdict(stays) for person, stays in zip(people, remains, strict=True) if stays},
        "earlier": list(dict.fromkeys(one.erasure_id for one in before)),
        "replaces": bool(radius["models"]) and not set(people) <= {one.person for one in before},
    }
    journal.write(BEGUN, "done", found)
    return journal


def _unfinished(people: Named, home: Path, at: datetime) -> Journal | None:
    """The journal of an interrupted erasure of these people, None if there is none."""
    for journal in journals(home, lambda: at):
        begun = set(_from_journal(journal).people)
        if set(people) <= begun:
            return journal
        if set(people) & begun:
            raise InputError(
                "an erasure of some of these people was interrupted; finish it with `bitface erase --resume`, then erase the others"
            )
    return None


def _from_journal(journal: Journal) -> Opened:
    begun = journal.found(BEGUN) or {}
    remains = {person: suppressed_from(one) for person, one in begun["remains"].items()}
    return Opened(
        erasure_id=journal.erasure_id,
        people=tuple(begun["subjects"]),
        began=datetime.fromisoformat(begun["began"]),
        radius=begun["radius"],
        held=tuple(begun["held"]),
        remains=remains,
        earlier=tuple(begun["earlier"]),
        replaces=begun["replaces"],
        evidence=tuple(begun.get("evidence", ())),
        journal=journal,
    )


def _pictures(people: Collection[str], ledger: Ledger, data: Path, keys: KeyStore) -> dict[str, set[Marks]]:
    """Person -> marks of all their pictures: of those here, read with their key, and of those recorded before digests were keyed."""
    versions = {one.dataset_version for person in people for one in ledger.whereabouts(person).holdings}
    found: dict[str, set[Marks]] = {}
    for version in sorted(versions):
        for member in ledger.members(version):
            found.setdefault(member.person, set()).add(Marks(sha256=member.sample_sha256))
    present = [sample for sample in (read_index(data) if has_dataset(data) else ()) if sample.person in people]
    for person in {sample.person for sample in present}:
        own = [sample for sample in present if sample.person == person]
        with suppress(RefusedError):  # the key was destroyed before, or a backup lacks it
            found.setdefault(person, set()).update(marks_of(own, data, keys).values())
    return {person: own for person, own in found.items() if person in people}


def _quarantine(people: Sequence[str], reason: str, ledger: Ledger, at: datetime) -> dict[str, Any]:
    consenting = [person for person in people if ledger.consents(person)]
    for person in consenting:
        withdraw(person, reason, ledger, at)
    return {"withdrawn": consenting}
