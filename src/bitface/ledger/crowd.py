"""Everyone who is in a version, and what they allow: from what is on record of them, as of now.

A model goes on saying what people taught it, so it is used for a purpose, in a context, only while everyone who is in it allows
that: by a consent that stands, and under the licence that their pictures came with. What the dataset folder says counts for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from bitface.consent.admission import Admission, Use, admit, in_log_order
from bitface.consent.events import ConsentEvent
from bitface.consent.policy import LicenceRecord, check_context, under_licence
from bitface.consent.vocabulary import CONTEXTS
from bitface.errors import RefusedError
from bitface.faces.records import is_synthetic
from bitface.ledger import questions, tables
from bitface.ledger.entries import ModelEntry
from bitface.ledger.permissions.contexts import in_force
from bitface.ledger.permissions.licences import licences_on_record
from bitface.ledger.rows import consent_of, notice_ids_of

_NOBODY: Final = "the people it was trained on are not on record"


@dataclass(frozen=True, kw_only=True)
class _Alike:
    """People of whom the same is on record, under one licence: what holds of the first holds of all. The events are the first one's."""

    people: tuple[str, ...]
    licence_id: str
    events: tuple[ConsentEvent, ...]


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """How many of the people in a version do not allow something, and the reason of most of them."""

    people: int
    of: int
    reason: str


class Crowd:
    """Everyone who is in one dataset version, with their consent events and licences, as the ledger has them now."""

    def __init__(self, connection: Connection, dataset_version: str) -> None:
        """Reads them; people of whom the same is on record are kept as one, so that thousands cost little."""
        versions = tables.dataset_versions
        self._dataset = connection.execute(select(versions).where(versions.c.version == dataset_version)).one()
        self._alike = _alike(connection, dataset_version)
        self._licences: Mapping[str, LicenceRecord] = licences_on_record(connection)
        self._notices = notice_ids_of(connection)
        self._approvals = in_force(connection)

    @property
    def consent_snapshot_sha256(self) -> str:
        """The digest of who was admitted by what when the dataset version was recorded."""
        return str(self._dataset.consent_snapshot_sha256)

    def refusals(self, purpose: str, context: str, at: datetime) -> Refusals | None:
        """Who does not allow this use at `at`; None: everyone does."""
        reasons: Counter[str] = Counter()
        for one in self._alike:
            answer = self._answer(one, purpose, context, at)
            if not answer.admitted:
                reasons[answer.reason] += len(one.people)
        if not reasons:
            return None
        total = sum(len(one.people) for one in self._alike)
        return Refusals(people=reasons.total(), of=total, reason=reasons.most_common(1)[0][0])

    def judgement(self, at: datetime) -> Refusals | None:
        """Who does not allow at `at` that it is judged or compared, in the context that it was made for; None: everyone does."""
        return self.refusals(self._judged_for, self._dataset.context, at)

    def refusing_judgement(self, at: datetime) -> frozenset[str]:
        """The same people."""
        asked = self._judged_for, self._dataset.context, at
        return frozenset(
            person for one in self._alike if not self._answer(one, *asked).admitted for person in one.people
        )

    @property
    def _judged_for(self) -> str:
        """What judging it is: an evaluation, or a part of the benchmark that it was made for."""
        return "evaluate" if self._dataset.purpose == "train" else str(self._dataset.purpose)

    def standing(self, at: datetime) -> Refusals | None:
        """Who does not allow at `at` any more what the version was made for; None: everyone does."""
        return self.refusals(self._dataset.purpose, self._dataset.context, at)

    def check_standing(self, at: datetime) -> None:
        """Raises RefusedError where its context is no longer approved, or a person in it allows no longer what it was made for."""
        check_context(self._dataset.context, at, self._approvals)
        gone = self.standing(at)
        if gone is not None:
            raise RefusedError(
                f"{gone.people} of {gone.of} people in it are no longer admitted ({gone.reason}); retrain without them"
            )

    def uses(self, purposes: Sequence[str], at: datetime) -> dict[str, tuple[str, ...]]:
        """Purpose -> the contexts in which everyone allows it at `at`; purposes that nobody's consent carries are left out."""
        if self.standing(at) is not None:
            return {}
        found = {
            purpose: tuple(context for context in CONTEXTS if self.refusals(purpose, context, at) is None)
            for purpose in purposes
        }
        return {purpose: contexts for purpose, contexts in found.items() if contexts}

    def _answer(self, one: _Alike, purpose: str, context: str, at: datetime) -> Admission:
        own = admit(one.events, one.people[0], Use(purpose=purpose, context=context), at, self._notices)
        return under_licence(self._licences.get(one.licence_id), own, purpose, context)


def crowd_of(connection: Connection, model: ModelEntry) -> Crowd:
    """Everyone who is in a version. Raises RefusedError where no run is on record that made it."""
    run = questions.run_of(connection, model)
    if run is None:
        raise RefusedError(f"{model.name}/{model.version}: {_NOBODY}; restore the ledger, or retrain")
    return Crowd(connection, run.dataset_version)


def _alike(connection: Connection, dataset_version: str) -> tuple[_Alike, ...]:
    members = tables.dataset_members
    own = members.c.dataset_version == dataset_version
    pairs = connection.execute(select(members.c.person, members.c.licence_id).where(own).distinct()).all()
    recorded = _recorded(connection, dataset_version)
    groups: dict[tuple[object, ...], list[str]] = {}
    for person, licence_id in sorted(pairs):
        # Event ids and subjects hold the pseudonym: without it, people who said the same have the same text.
        said = tuple((entry, body.replace(person, "")) for entry, body in recorded.get(person, ()))
        groups.setdefault((licence_id, is_synthetic(person), said), []).append(person)
    return tuple(
        _Alike(
            people=tuple(people),
            licence_id=str(key[0]),
            events=tuple(_events(recorded.get(people[0], ()))),
        )
        for key, people in groups.items()
    )


def _recorded(connection: Connection, dataset_version: str) -> dict[str, list[tuple[int, str]]]:
    """Person -> the texts of their events in the order of the log, each with the number of its entry among the person's own."""
    members, events = tables.dataset_members, tables.consent_events
    people = select(members.c.person).where(members.c.dataset_version == dataset_version)
    query = select(events.c.subject, events.c.log_seq, events.c.body).where(events.c.subject.in_(people))
    found: dict[str, list[tuple[int, str]]] = {}
    entries: dict[str, dict[int, int]] = {}
    for subject, seq, body in connection.execute(query.order_by(events.c.log_seq)):
        own = entries.setdefault(subject, {})
        found.setdefault(subject, []).append((own.setdefault(seq, len(own)), body))
    return found


def _events(recorded: Sequence[tuple[int, str]]) -> Iterator[ConsentEvent]:
    """Events of one person in the order of the log."""
    together: dict[int, list[ConsentEvent]] = {}
    for entry, body in recorded:
        together.setdefault(entry, []).append(consent_of(body))
    for events in together.values():
        yield from in_log_order(events)
