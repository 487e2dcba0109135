"""What changes with time alone: consents that end, and the live models that contain those people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bitface.consent.admission import expiring as consents_ending
from bitface.consent.events import utc_text
from bitface.consent.law import ends
from bitface.counted_words import counted, some_of
from bitface.documents import Document
from bitface.ledger.entries import ALIASES, ModelEntry
from bitface.ledger.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class Lapsed:
    """How many people are in a live model by consent, and how many of them are no longer admitted."""

    alias: str
    version: int
    people: int
    not_admitted: int

    def sentence(self) -> str:
        """The same as a sentence."""
        return (
            f"{self.alias} {self.version}: {some_of(self.not_admitted, self.people, ('is', 'are'), ' in it')} no longer admitted; "
            "retrain without them"
        )


def look(ledger: Ledger, days: int, at: datetime) -> Document:
    """The nightly report: a sentence for each live model with a person no longer admitted, and how many consents end soon."""
    lapsed = [one.sentence() for one in lapsed_models(ledger, at)]
    return {"lapsed": lapsed, "expiring": len(expiring(ledger, days, at)), "days": days}


def lapsed_models(ledger: Ledger, at: datetime) -> tuple[Lapsed, ...]:
    """Each alias whose version contains a person who is no longer admitted."""
    found = [(alias, entry, ledger.standing(entry, at)) for alias in ALIASES if (entry := ledger.champion(alias))]
    return tuple(
        Lapsed(alias=alias, version=entry.version, people=refused.of, not_admitted=refused.people)
        for alias, entry, refused in found
        if refused
    )


def expiring(ledger: Ledger, days: int, at: datetime) -> list[Document]:
    """Consents in force that end within some days, soonest first: pseudonym, when and why, and the person's live models.

    A consent ends at its valid_to, its delete-by, or by a state's law, whichever is first; `because` states which.
    """
    now = ledger.moments(at)[-1]
    ending = consents_ending(ledger.consents(), now, now + timedelta(days=days))
    members = {alias: _members(entry, ledger) for alias in ALIASES if (entry := ledger.champion(alias))}
    rows = []
    for event in ending:
        end, why = ends(event)
        alive = sorted(alias for alias, people in members.items() if event.subject in people)
        known = {"subject": event.subject, "record_id": event.record_id}
        rows.append({**known, "ends": utc_text(end), "because": why, "in": alive})
    return sorted(rows, key=lambda row: (str(row["ends"]), str(row["subject"])))


def expiring_text(rows: Sequence[Document], days: int) -> str:
    """The same as text."""
    if not rows:
        return f"no consent expires within {counted(days, 'day')}"
    lines = [f"{counted(len(rows), 'consent expires', 'consents expire')} within {counted(days, 'day')}"]
    lines += [
        f"  {row['ends'][:10]}  {row['subject']}  ({row['because']}; in {', '.join(row['in']) or 'no live model'})"
        for row in rows
    ]
    return "\n".join(lines)


def _members(entry: ModelEntry, ledger: Ledger) -> set[str]:
    run = ledger.run_of(entry)
    members = ledger.members(run.dataset_version) if run else ()
    return {member.person for member in members if member.consent_event_id is not None}
