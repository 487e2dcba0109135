"""Notices, consents, licences, rendered people and erasures: what the ledger records about people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import select

from bitface.consent.events import ConsentEvent, utc_text
from bitface.consent.known_sources import Notice
from bitface.consent.policy import LicenceRecord
from bitface.ledger import chain, promotion, questions, tables
from bitface.ledger.engine import reading
from bitface.ledger.permissions import licences
from bitface.ledger.rows import (
    checked_consents,
    consent_row,
    consents_of,
    distinct_events,
    is_new,
    notice_ids_of,
    notice_row,
    recorded_consents,
)
from bitface.ledger.trusted_log import TrustedLog


class PeopleOnRecord(TrustedLog):
    """Records what people agreed to and who was erased, and finds it."""

    def record_notice(self, notice: Notice) -> bool:
        """Records a notice: only consents given under a known notice admit people."""
        return self._record_once("notice", tables.notices, notice_row(notice), stamp="recorded_at")

    def known_notices(self) -> frozenset[str]:
        """SHA-256 of every notice on record."""
        with reading(self._to_read) as connection:
            return frozenset(connection.execute(select(tables.notices.c.sha256)).scalars())

    def notice_ids(self) -> dict[str, str]:
        """SHA-256 of every notice on record -> the id that it was recorded under."""
        with reading(self._to_read) as connection:
            return notice_ids_of(connection)

    def record_consents(
        self,
        events: Iterable[ConsentEvent],
        notices: Iterable[Notice] = (),
        brought: Iterable[LicenceRecord] = (),
    ) -> int:
        """Appends the events that are not on record yet, their notices and the licences of imported pictures, in one transaction;
        returns how many events were new.

        Raises:
            IntegrityError: an event id is on record with different content.
        """
        offered = distinct_events(events)
        with self._appending() as connection:
            known = checked_consents(connection, offered)
            for notice in notices:
                row = notice_row(notice)
                if is_new(connection, tables.notices, row):
                    stamped = {**row, "recorded_at": utc_text(self._clock())}
                    chain.append(connection, "notice", row, {tables.notices: [stamped]}, self._clock())
            licences.record_licences(connection, brought, self._clock())
            rows = [consent_row(event) for key, event in offered.items() if key not in known]
            if rows:
                chain.append(
                    connection, "consents", {"events": len(rows)}, {tables.consent_events: rows}, self._clock()
                )
        return len(rows)

    def new_consents(self, events: Iterable[ConsentEvent]) -> int:
        """How many events `record_consents` would append; raises what it would raise, and writes nothing."""
        offered = distinct_events(events)
        with reading(self._to_read) as connection:
            return len(offered) - len(checked_consents(connection, offered))

    def consents(self, subject: str | None = None) -> tuple[ConsentEvent, ...]:
        """Every consent event on record, in log order; only those of one pseudonym if it is given.

        Consulted before any data are used: what the log contains counts, whichever clock stamped it.
        """
        with reading(self._to_read) as connection:
            return consents_of(connection, subject)

    def consents_as_of(self, at: datetime, subject: str | None = None) -> tuple[ConsentEvent, ...]:
        """The consent events that were known at a time in the past, in log order: an auditor's question."""
        with reading(self._to_read) as connection:
            return consents_of(connection, subject, at)

    def recorded_consents(self, event_ids: Collection[str]) -> dict[str, ConsentEvent]:
        """Those of the named consent events that are on record."""
        with reading(self._to_read) as connection:
            return recorded_consents(connection, event_ids)

    def licences(self) -> dict[str, LicenceRecord]:
        """Licence id -> its latest record; that of synthetic people is always included."""
        with reading(self._to_read) as connection:
            return licences.licences_on_record(connection)

    def record_renders(self, shards: Mapping[str, str]) -> int:
        """Records that synthetic people were rendered here (person -> SHA-256 of the shard); returns how many were new."""
        table = tables.renders
        with self._appending() as connection:
            known = questions.rendered(connection)
            new = [
                {"person": person, "shard_sha256": sha256, "recorded_at": utc_text(self._clock())}
                for person, sha256 in sorted(shards.items())
                if (person, sha256) not in known
            ]
            if new:
                chain.append(connection, "render", {"people": len(new)}, {table: new}, self._clock())
        return len(new)

    def rendered(self) -> frozenset[tuple[str, str]]:
        """Synthetic people rendered here, each with the SHA-256 of a shard."""
        with reading(self._to_read) as connection:
            return questions.rendered(connection)

    def record_erasure(self, erasure_id: str, people: Iterable[str], proof_sha256: str) -> bool:
        """Records that people were erased, under the digest of the proof; a demo that they were in loses that alias.

        Recording it again is allowed.
        """
        rows = [
            {"erasure_id": erasure_id, "person": person, "proof_sha256": proof_sha256} for person in sorted(set(people))
        ]
        with self._appending() as connection:
            new = [row for row in rows if is_new(connection, tables.erasures, row)]
            if new:
                stamped = [{**row, "erased_at": utc_text(self._clock())} for row in new]
                facts = {"erasure_id": erasure_id, "people": len(new), "proof_sha256": proof_sha256}
                chain.append(connection, "erasure", facts, {tables.erasures: stamped}, self._clock())
                promotion.end_unfit_demo(connection, "erase", self._clock())
        return bool(new)

    def erasures(self) -> tuple[questions.Erasure, ...]:
        """Every erasure of a person, oldest first."""
        with reading(self._to_read) as connection:
            return questions.erasures(connection)

    def forgotten(self) -> frozenset[str]:
        """People in a recorded dataset version whose erasure is known outside this ledger but not recorded in it."""
        with reading(self._to_read) as connection:
            return self._erased(questions.people_not_erased(connection))

    def whereabouts(self, person: str) -> questions.Whereabouts:
        """Everything on record that depends on a person."""
        with reading(self._to_read) as connection:
            return questions.whereabouts(connection, person)
