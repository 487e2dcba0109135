"""Licences of sources, as stated when the pictures were imported: later edits in a dataset folder do not change them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from bitface.consent.events import canonical_json, utc_text
from bitface.consent.known_sources import SYNTHETIC_LICENCE
from bitface.consent.policy import LicenceRecord, licence_from
from bitface.ledger import chain, tables


def licences_on_record(connection: Connection) -> dict[str, LicenceRecord]:
    """Licence id -> its latest record. That of synthetic people is always the program's own."""
    table = tables.licences
    bodies = connection.execute(select(table.c.body).order_by(table.c.log_seq)).scalars()
    found = {record.id: record for record in map(licence_from, bodies)}
    return found | {SYNTHETIC_LICENCE.id: SYNTHETIC_LICENCE}


def record_licences(connection: Connection, licences: Iterable[LicenceRecord], at: datetime) -> None:
    """Appends, in the caller's transaction, those that differ from the latest record."""
    known = licences_on_record(connection)
    for licence in licences:
        if known.get(licence.id) == licence:
            continue
        row = {"licence_id": licence.id, "body": canonical_json(licence.model_dump(mode="json"))}
        chain.append(connection, "licence", row, {tables.licences: [{**row, "recorded_at": utc_text(at)}]}, at)
