"""The hash chain over the log: an edit, a deletion or a swap of entries or of their rows is detected.

Cutting off the end, or rewriting everything from some entry on, leaves a valid chain; only a checkpoint kept elsewhere shows it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, bindparam, func, insert, select

from bitface.consent.events import canonical_json, utc_text, utc_time
from bitface.counted_words import counted
from bitface.ledger import tables
from bitface.ledger.entries import ChainProblem, ChainReport, Checkpoint

GENESIS: Final = "0" * 64
"""The predecessor of the first entry."""
Rows = Mapping[Table, Sequence[Mapping[str, object]]]
_GAPS: Final = select(func.count()).select_from(tables.gaps).scalar_subquery().label("gaps")
_END: Final = select(tables.log.c.seq, tables.log.c.sha256, _GAPS).order_by(tables.log.c.seq.desc()).limit(1)
"""The last entry: asked before and after every other."""
_KINDS_AFTER: Final = select(tables.log.c.kind).where(tables.log.c.seq > bindparam("after"))
_APPENDED: Final = insert(tables.log)
_EVERY_ROW: Final = tuple((table, select(table)) for table in tables.CHAINED)


def append(connection: Connection, kind: str, facts: Mapping[str, object], rows: Rows, at: datetime) -> int:
    """Writes rows and the log entry that covers them, in the caller's transaction; returns the entry's number.

    `facts` states what happened in public terms (digests and counts, never pseudonyms). The entry's digest is SHA-256 over
    number, time, kind, payload and the predecessor's digest; the payload holds a digest of each table's rows.
    """
    head = checkpoint(connection)
    seq, moment = head.size + 1, utc_text(at)
    digests = {table.name: {"count": len(new), "sha256": rows_sha256(new)} for table, new in rows.items()}
    payload = canonical_json({"facts": dict(facts), "rows": digests})
    entry = {"seq": seq, "at": moment, "kind": kind, "payload": payload, "previous_sha256": head.head_sha256}
    connection.execute(_APPENDED, {**entry, "sha256": entry_sha256(entry)})
    for table, new in rows.items():
        if new:
            connection.execute(insert(table), [{**row, "log_seq": seq} for row in new])
    return seq


def checkpoint(connection: Connection) -> Checkpoint:
    """The current end of the log."""
    last = connection.execute(_END).first()
    if last is None:
        return Checkpoint(size=0, head_sha256=GENESIS)
    return Checkpoint(size=last.seq, head_sha256=last.sha256, gaps=last.gaps)


def latest_at(connection: Connection) -> datetime | None:
    """The latest timestamp of any entry, None if there is none; not always the last entry's, since a clock may go back."""
    latest = connection.execute(select(func.max(tables.log.c.at))).scalar_one_or_none()
    return None if latest is None else utc_time(latest)


def kinds_after(connection: Connection, seq: int) -> set[str]:
    """The kinds of the entries after a given one."""
    return set(connection.execute(_KINDS_AFTER, {"after": seq}).scalars())


def entry_sha256(entry: Mapping[str, object]) -> str:
    """The digest of a log entry without its own `sha256`."""
    covered = [entry[name] for name in ("seq", "at", "kind", "payload", "previous_sha256")]
    return hashlib.sha256(canonical_json(covered).encode()).hexdigest()


def rows_sha256(rows: Iterable[Mapping[str, object]]) -> str:
    """One digest of a set of rows in any order, without the number of their log entry."""
    texts = sorted(canonical_json({name: value for name, value in row.items() if name != "log_seq"}) for row in rows)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def verify(connection: Connection, kept: Checkpoint | None = None) -> ChainReport:
    """Walks the whole log and every row it covers. `kept`: a checkpoint from elsewhere that the log must still contain."""
    entries = connection.execute(select(tables.log).order_by(tables.log.c.seq)).all()
    problems = [*_links(entries), *_rows(connection, entries), *_aliases(connection)]
    if kept is not None:
        problems += against(connection, kept)
    return ChainReport(checkpoint=checkpoint(connection), problems=tuple(problems))


def _links(entries: Sequence[Row[Any]]) -> Iterator[ChainProblem]:
    previous = GENESIS
    for position, entry in enumerate(entries, start=1):
        if entry.seq != position:
            yield ChainProblem(seq=entry.seq, what=f"entry {position} is missing before it")
            return
        if entry.previous_sha256 != previous:
            yield ChainProblem(seq=entry.seq, what="does not link to the entry before it")
        if entry_sha256(entry._asdict()) != entry.sha256:
            yield ChainProblem(seq=entry.seq, what="was edited: its digest does not match its content")
        previous = entry.sha256


def _rows(connection: Connection, entries: Sequence[Row[Any]]) -> Iterator[ChainProblem]:
    stated = {entry.seq: _stated_rows(entry.payload) for entry in entries}
    for table, every_row in _EVERY_ROW:
        found: dict[int, list[Mapping[str, object]]] = {}
        for row in connection.execute(every_row):
            found.setdefault(row.log_seq, []).append(row._asdict())
        for seq in sorted(found.keys() | {seq for seq, names in stated.items() if table.name in names}):
            digest = stated.get(seq, {}).get(table.name)
            if digest is None:
                yield ChainProblem(seq=seq, what=f"covers rows of {table.name} that it did not write")
            elif digest != rows_sha256(found.get(seq, ())):
                yield ChainProblem(seq=seq, what=f"its rows of {table.name} were edited, added or deleted")


def _stated_rows(payload: str) -> dict[str, str]:
    try:
        return {name: stated["sha256"] for name, stated in json.loads(payload)["rows"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        # An edited payload: `_links` reports it, and its rows are reported as never written.
        return {}


def _aliases(connection: Connection) -> Iterator[ChainProblem]:
    moves = connection.execute(select(tables.promotions).order_by(tables.promotions.c.log_seq)).all()
    expected: dict[tuple[str, str], tuple[int, int]] = {}
    for move in moves:
        expected[move.name, move.alias] = (move.to_version, move.log_seq)
        if move.kind == "end":
            del expected[move.name, move.alias]
        elif move.alias == "champion":
            expected.pop((move.name, "demo"), None)
            if move.from_version is not None:
                expected[move.name, "previous"] = (move.from_version, move.log_seq)
            if expected.get((move.name, "challenger"), (None, 0))[0] == move.to_version:
                del expected[move.name, "challenger"]
    actual = {(row.name, row.alias): row.version for row in connection.execute(select(tables.aliases))}
    for key in sorted(expected.keys() | actual.keys()):
        version, seq = expected.get(key, (None, 0))
        if actual.get(key) != version:
            yield ChainProblem(seq=seq, what=f"alias {key[1]} points to {actual.get(key)}, the log says {version}")


def against(connection: Connection, kept: Checkpoint) -> tuple[ChainProblem, ...]:
    """Compares a log whose own links hold with a checkpoint from elsewhere, to find a cut end or a rewrite.

    A log that was declared lost for good when this one was continued is not compared any more.
    """
    now = checkpoint(connection)
    if kept.gaps < now.gaps:
        return _against_lost(connection, kept)
    if kept.gaps > now.gaps:
        return (ChainProblem(seq=0, what=f"the log was cut: {now.gaps} gaps in it, the checkpoint says {kept.gaps}"),)
    if kept.size > now.size:
        return (
            ChainProblem(
                seq=0, what=f"the log was cut: {counted(now.size, 'entry', 'entries')}, the checkpoint says {kept.size}"
            ),
        )
    digest = connection.execute(select(tables.log.c.sha256).where(tables.log.c.seq == kept.size)).scalar()
    if kept.size and digest != kept.head_sha256:
        return (ChainProblem(seq=kept.size, what="the log was rewritten: its digest differs from the checkpoint's"),)
    return ()


def _against_lost(connection: Connection, kept: Checkpoint) -> tuple[ChainProblem, ...]:
    """The same for a checkpoint from before a gap: it must not name entries after those that were given up, or different ones.

    A checkpoint that this log signed itself before the gap is in order.
    """
    digest = connection.execute(select(tables.log.c.sha256).where(tables.log.c.seq == kept.size)).scalar()
    if digest == kept.head_sha256:
        return ()
    ended = select(tables.gaps).order_by(tables.gaps.c.log_seq).offset(kept.gaps).limit(1)
    missing = connection.execute(ended).one()
    if kept.size > missing.missing_size:
        what = f"the log was continued after a gap to entry {missing.missing_size}, the checkpoint says {kept.size}"
        return (ChainProblem(seq=missing.log_seq, what=what),)
    if kept.size == missing.missing_size and kept.head_sha256 != missing.missing_sha256:
        return (
            ChainProblem(seq=missing.log_seq, what="the log was continued from a different log than the checkpoint's"),
        )
    return ()
