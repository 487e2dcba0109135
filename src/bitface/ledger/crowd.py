"""The people in a version and what they currently allow, according to the ledger.

A model keeps what it learned from people, so it may be used for a purpose, in a context, only while everyone in it allows that: by
a valid consent, and under the licence that their pictures came with. The dataset folder is not consulted.
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
from bitface.consent.law import AskedKind
from bitface.consent.policy import LicenceRecord, check_context, under_licence
from bitface.consent.vocabulary import CONTEXTS
from bitface.counted_words import some_of
from bitface.errors import RefusedError
from bitface.faces.records import POINTS_IN_ID, is_synthetic
from bitface.ledger import questions, tables
from bitface.ledger.entries import ModelEntry
from bitface.ledger.permissions.contexts import in_force
from bitface.ledger.permissions.licences import licences_on_record
from bitface.ledger.rows import consent_of, notice_ids_of

_NO_RECORD: Final = "the people it was trained on are not on record"


@dataclass(frozen=True, kw_only=True)
class _Alike:
    """People with identical records under one licence, so one answer holds for all. The events are those of the first."""

    people: tuple[str, ...]
    licence_id: str
    events: tuple[ConsentEvent, ...]
    kind: AskedKind | None = None
    """What their consent must cover, None for pictures."""


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """How many of the people in a version do not allow something, and the most frequent reason."""

    people: int
    of: int
    reason: str


class Crowd:
    """The people in one dataset version, with their consent events and licences as the ledger has them now."""

    def __init__(self, connection: Connection, dataset_version: str) -> None:
        """Reads them; people with identical records are kept as one, so that thousands cost little."""
        versions = tables.dataset_versions
        self._dataset = connection.execute(select(versions).where(versions.c.version == dataset_version)).one()
        self._alike = _alike(connection, dataset_version)
        self._licences: Mapping[str, LicenceRecord] = licences_on_record(connection)
        self._notices = notice_ids_of(connection)
        self._approvals = in_force(connection)

    @property
    def consent_snapshot_sha256(self) -> str:
        """Digest of the people admitted, and by which events, when the dataset version was recorded."""
        return str(self._dataset.consent_snapshot_sha256)

    def refusals(self, purpose: str, context: str, at: datetime) -> Refusals | None:
        """The people who do not allow this use at `at`; None if everyone does."""
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
        """The people who do not allow at `at` that it is judged or compared in the context it was made for; None if everyone does."""
        return self.refusals(self._judged_for, self._dataset.context, at)

    def refusing_judgement(self, at: datetime) -> frozenset[str]:
        """Their pseudonyms."""
        asked = self._judged_for, self._dataset.context, at
        return frozenset(
            person for one in self._alike if not self._answer(one, *asked).admitted for person in one.people
        )

    @property
    def _judged_for(self) -> str:
        """The purpose of judging it: evaluation or, if it was made for a benchmark, that benchmark."""
        return "evaluate" if self._dataset.purpose == "train" else str(self._dataset.purpose)

    def standing(self, at: datetime) -> Refusals | None:
        """The people who at `at` no longer allow what the version was made for; None if everyone does."""
        return self.refusals(self._dataset.purpose, self._dataset.context, at)

    def check_standing(self, at: datetime) -> None:
        """Raises RefusedError if its context is no longer approved, or a person in it no longer allows what it was made for."""
        check_context(self._dataset.context, at, self._approvals)
        refused = self.standing(at)
        if refused is not None:
            raise RefusedError(
                f"{some_of(refused.people, refused.of, ('is', 'are'), ' in it')} no longer admitted ({refused.reason}); "
                "retrain without them"
            )

    def uses(self, purposes: Sequence[str], at: datetime) -> dict[str, tuple[str, ...]]:
        """Purpose -> the contexts in which everyone allows it at `at`; purposes without such a context are left out."""
        if self.standing(at) is not None:
            return {}
        found = {
            purpose: tuple(context for context in CONTEXTS if self.refusals(purpose, context, at) is None)
            for purpose in purposes
        }
        return {purpose: contexts for purpose, contexts in found.items() if contexts}

    def _answer(self, one: _Alike, purpose: str, context: str, at: datetime) -> Admission:
        own = admit(one.events, one.people[0], Use(purpose=purpose, context=context, kind=one.kind), at, self._notices)
        return under_licence(self._licences.get(one.licence_id), own, purpose, context)


def crowd_of(connection: Connection, model: ModelEntry) -> Crowd:
    """The people in a version. Raises RefusedError if no run that made it is on record."""
    run = questions.run_of(connection, model)
    if run is None:
        raise RefusedError(f"{model.name}/{model.version}: {_NO_RECORD}; restore the ledger, or retrain")
    return Crowd(connection, run.dataset_version)


def _alike(connection: Connection, dataset_version: str) -> tuple[_Alike, ...]:
    members = tables.dataset_members
    own = members.c.dataset_version == dataset_version
    is_points = members.c.sample_id.contains(POINTS_IN_ID)
    found = connection.execute(select(members.c.person, members.c.licence_id, is_points).where(own).distinct()).all()
    recorded = _recorded(connection, dataset_version)
    groups: dict[tuple[object, ...], list[str]] = {}
    for person, licence_id, points in sorted((person, licence, bool(points)) for person, licence, points in found):
        # Event ids and subjects contain the pseudonym: without it, people with the same consent have the same text.
        texts = tuple((entry, body.replace(person, "")) for entry, body in recorded.get(person, ()))
        groups.setdefault((licence_id, is_synthetic(person), texts, points), []).append(person)
    return tuple(
        _Alike(
            people=tuple(people),
            licence_id=str(key[0]),
            events=tuple(_events(recorded.get(people[0], ()))),
            kind="landmarks" if key[3] else None,
        )
        for key, people in groups.items()
    )


def _recorded(connection: Connection, dataset_version: str) -> dict[str, list[tuple[int, str]]]:
    """Person -> the texts of their events in log order, each numbered by its entry among the person's own."""
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
    """Events of one person in log order."""
    together: dict[int, list[ConsentEvent]] = {}
    for entry, body in recorded:
        together.setdefault(entry, []).append(consent_of(body))
    for events in together.values():
        yield from in_log_order(events)
