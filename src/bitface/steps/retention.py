"""Whose data must go: kept longer than they allowed or a law allows, withdrawn and never erased, or here without any ground."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bitface.consent.admission import admit
from bitface.consent.events import ConsentEvent, utc_text
from bitface.consent.law import ends
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.faces.records import is_synthetic
from bitface.ledger.ledger import Ledger

_WITHDRAWN: Final = "withdrawn and not erased"
_CLOSED: Final = {"invalidated": "the consent was made invalid, and not given again"}
REASON: Final = "the end of the time for which it may be kept"


@dataclass(frozen=True, kw_only=True)
class Due:
    """Somebody whose data must go: why, since when (None: it never might be here), and of how many samples they are."""

    person: str
    why: str
    since: datetime | None
    samples: int

    def overdue_days(self, at: datetime) -> int | None:
        """Whole days since then."""
        return None if self.since is None else (at - self.since).days


def due(data: Path, keys: KeyStore, ledger: Ledger, at: datetime) -> tuple[Due, ...]:
    """Everybody with a key or a picture here whose data nothing allows to keep at `at`, longest overdue first."""
    samples = [sample for sample in read_index(data) if not is_synthetic(sample.person)] if has_dataset(data) else []
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample.person] = counts.get(sample.person, 0) + 1
    licences = ledger.licences()
    licensed = {
        sample.person
        for sample in samples
        if (licence := licences.get(sample.licence_id)) is not None and "benchmark" in licence.purposes
    }
    events: dict[str, list[ConsentEvent]] = {}
    for event in ledger.consents():
        events.setdefault(event.subject, []).append(event)
    notices = ledger.notice_ids()
    listed = [
        _due(person, events.get(person, ()), person in licensed, counts.get(person, 0), notices, at)
        for person in sorted(counts.keys() | {person for person in keys.pseudonyms() if not is_synthetic(person)})
    ]
    return tuple(
        sorted((one for one in listed if one), key=lambda one: (one.since is not None, one.since or at, one.person))
    )


def retention_document(found: Iterable[Due], at: datetime) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {
            "subject": one.person,
            "because": one.why,
            "since": one.since and utc_text(one.since),
            "overdue_days": one.overdue_days(at),
            "samples": one.samples,
        }
        for one in found
    ]


def retention_text(found: Sequence[Due], at: datetime) -> str:
    """The same for a person at a terminal."""
    if not found:
        return "nobody's data are here for longer than they may be"
    lines = [f"the data of {len(found)} people must go: `bitface retention --enforce` erases them"]
    lines += [f"  {one.person}  {one.samples:4d} samples  {one.why}{_since(one, at)}" for one in found]
    return "\n".join(lines)


def _since(one: Due, at: datetime) -> str:
    days = one.overdue_days(at)
    return "" if one.since is None else f", since {one.since:%Y-%m-%d} ({days} days)"


def _due(
    person: str,
    events: Sequence[ConsentEvent],
    is_licensed: bool,
    samples: int,
    notices: Mapping[str, str],
    at: datetime,
) -> Due | None:
    if not events:
        why = "no consent is on record, and no licence that does without"
        return None if is_licensed else Due(person=person, why=why, since=None, samples=samples)
    if _is_usable(person, events, notices, at):
        return None
    ended = [(event.takes_effect, _CLOSED.get(event.state, _WITHDRAWN)) for event in events if event.closes]
    ended += [one for event in events if not event.closes and (one := ends(event))[0] <= at]
    if not ended:
        return None
    since, why = min(ended, key=lambda end: end[0])
    return Due(person=person, why=why, since=since, samples=samples)


def _is_usable(person: str, events: Sequence[ConsentEvent], notices: Mapping[str, str], at: datetime) -> bool:
    """Whether anything at all may be done with somebody's data."""
    purposes = sorted({purpose for event in events for purpose in event.purposes})
    contexts = sorted({context for event in events for context in event.contexts})
    return any(
        admit(events, person, purpose, context, at, notices).admitted for purpose in purposes for context in contexts
    )
