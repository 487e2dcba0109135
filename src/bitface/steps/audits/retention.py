"""Whose data are due for erasure: kept longer than consent or law allows, withdrawn and never erased, or without any legal basis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bitface.consent.admission import Use, admit
from bitface.consent.events import ConsentEvent, utc_text
from bitface.consent.law import deletions, ends
from bitface.counted_words import counted, counted_people
from bitface.dataset.index import has_dataset, read_index
from bitface.dataset.keys import KeyStore
from bitface.documents import Document, Fields
from bitface.faces.records import is_synthetic
from bitface.ledger.ledger import Ledger
from bitface.steps.people.names_removed import without_names

_WITHDRAWN: Final = "withdrawn and not erased"
_CLOSED: Final = {"invalidated": "the consent was made invalid, and not given again"}
REASON: Final = "its retention period has ended"


@dataclass(frozen=True, kw_only=True)
class Due:
    """A person whose data are due for erasure: why, since when (None: there never was a legal basis), and how many samples.

    `promised`: the deletion date promised to the person or set by state law; `withdrawn`: since when nothing is allowed any more.
    """

    person: str
    why: str
    since: datetime | None
    samples: int
    promised: datetime | None = None
    withdrawn: datetime | None = None

    def overdue_days(self, at: datetime) -> int | None:
        """Whole days since then."""
        return None if self.since is None else (at - self.since).days

    def goes_at_night(self, at: datetime, grace_days: int) -> bool:
        """Whether it may be erased without confirmation: a promised date, or the grace period after a withdrawal, is over.

        People without any legal basis wait for a manual decision, since a consent may still be imported. So does a consent that ended
        before the promised date.
        """
        asked = [self.promised, self.withdrawn and self.withdrawn + timedelta(days=grace_days)]
        return any(end is not None and end <= at for end in asked)


def due(data: Path, keys: KeyStore, ledger: Ledger, at: datetime) -> tuple[Due, ...]:
    """Everyone with a key or a picture here whose data may no longer be kept at `at`, longest overdue first."""
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


def retention_document(found: Iterable[Due], at: datetime) -> list[Document]:
    """The same as JSON."""
    return [
        {
            "subject": one.person,
            "because": one.why,
            "since": one.since and utc_text(one.since),
            "overdue_days": one.overdue_days(at),
            "samples": one.samples,
            "promised": one.promised and utc_text(one.promised),
            "withdrawn": one.withdrawn and utc_text(one.withdrawn),
        }
        for one in found
    ]


def retention_text(found: Sequence[Due], at: datetime) -> str:
    """The same for a terminal."""
    if not found:
        return "no one's data are kept longer than allowed"
    lines = [f"the data of {counted_people(len(found))} are due for erasure: run `bitface retention --enforce`"]
    lines += [
        f"  {one.person}  {one.samples:4d} sample{'s' * (one.samples != 1)}  {one.why}{_since(one, at)}"
        for one in found
    ]
    return "\n".join(lines)


def night_of(state: Any) -> Document:
    """The result of the nightly erasures, from their final state; None: they are switched off."""
    if state is None:
        return {"enforced": False, "why": "retention.enforce_nightly is false in params.yaml"}
    if not state.is_completed():
        return {"enforced": False, "why": without_names(str(state.message))[:300]}
    return {"enforced": True, **state.result()}


def night_text(night: Fields, overdue: int) -> str:
    """The same as text, empty if there is nothing to report."""
    lines = (
        [
            f"{counted(night['erased'], 'person', 'people')} past their retention date {'was' if night['erased'] == 1 else 'were'} erased"
        ]
        if night.get("erased")
        else []
    )
    unfinished = len(night.get("unfinished", ())) + night.get("not_begun", 0)
    lines += [f"{counted(unfinished, 'erasure')} did not finish: run `bitface erase --resume`"] if unfinished else []
    lines += ["some of their data remain: see `bitface audit erasure`"] if night.get("left_of_them") else []
    lines += [f"no one was erased: {night['why']}"] if overdue and not night["enforced"] else []
    lines += [f"the data of {counted_people(overdue)} are due for erasure: see `bitface retention`"] if overdue else []
    return "\n".join(lines)


def _since(one: Due, at: datetime) -> str:
    days = one.overdue_days(at)
    return "" if one.since is None or days is None else f", since {one.since:%Y-%m-%d} ({counted(days, 'day')})"


def _due(
    person: str,
    events: Sequence[ConsentEvent],
    is_licensed: bool,
    samples: int,
    notices: Mapping[str, str],
    at: datetime,
) -> Due | None:
    if not events:
        why = "no consent is on record, nor a licence that replaces it"
        return None if is_licensed else Due(person=person, why=why, since=None, samples=samples)
    if _is_usable(person, events, notices, at):
        return None
    ended = [(event.takes_effect, _CLOSED.get(event.state, _WITHDRAWN)) for event in events if event.closes]
    ended += [one for event in events if not event.closes and (one := ends(event))[0] <= at]
    if not ended:
        return None
    since, why = min(ended, key=lambda end: end[0])
    return Due(
        person=person,
        why=why,
        since=since,
        samples=samples,
        promised=min((end for event in _standing(events) for end, _ in deletions(event)), default=None),
        withdrawn=min((event.takes_effect for event in events if event.closes), default=None),
    )


def _standing(events: Sequence[ConsentEvent]) -> Iterable[ConsentEvent]:
    """The latest opening event of each record and purpose, even if closed since: its dates are those promised last."""
    latest: dict[tuple[str, str], ConsentEvent] = {}
    for event in sorted(events, key=lambda one: (one.event_time, one.recorded_at)):
        latest |= {(event.record_id, purpose): event for purpose in event.purposes if not event.closes}
    return latest.values()


def _is_usable(person: str, events: Sequence[ConsentEvent], notices: Mapping[str, str], at: datetime) -> bool:
    """Whether a person's data may be used at all."""
    purposes = sorted({purpose for event in events for purpose in event.purposes})
    contexts = sorted({context for event in events for context in event.contexts})
    return any(
        admit(events, person, Use(purpose=purpose, context=context, kind="any"), at, notices).admitted
        for purpose in purposes
        for context in contexts
    )
