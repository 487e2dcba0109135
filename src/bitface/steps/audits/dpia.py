"""A data protection impact assessment (GDPR Art. 35(7)) with the ledger's facts filled in, and the rest left to people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from bitface.consent.admission import Use, admit
from bitface.consent.events import ConsentEvent
from bitface.consent.vocabulary import CONTEXTS, PURPOSES, Context, Purpose
from bitface.counted_words import counted, counted_people
from bitface.ledger.entries import ALIASES
from bitface.ledger.ledger import Ledger
from bitface.steps.people.expire import expiring
from bitface.steps.versions.contexts import context_rows

OPEN: Final = "_to be written by a person_"
_AHEAD_DAYS: Final = 90


def assessment(ledger: Ledger, at: datetime) -> str:
    """The assessment as Markdown; counts and dates from the ledger, judgements as gaps. It contains no names."""
    events, notices, now = ledger.consents(), ledger.notice_ids(), ledger.moments(at)[-1]
    people = sorted({event.subject for event in events})
    by_person: dict[str, list[ConsentEvent]] = {person: [] for person in people}
    for event in events:
        by_person[event.subject].append(event)
    admitted = Counter(
        (purpose, context)
        for person, own in by_person.items()
        for purpose in PURPOSES
        for context in CONTEXTS
        if admit(own, person, Use(purpose=purpose, context=context, kind="any"), now, notices).admitted
    )
    live = [(alias, entry) for alias in ALIASES if (entry := ledger.champion(alias)) is not None]
    erased = {one.person for one in ledger.erasures()}
    sections = [
        ("Processing and its purposes (Art. 35(7)(a))", _processing(events, people)),
        (
            "Necessity and proportionality (Art. 35(7)(b))",
            [
                f"Why reading expressions is necessary, and why less intrusive means are not enough: {OPEN}",
                *_storage(ledger, events, at),
            ],
        ),
        (
            "Risks to the people (Art. 35(7)(c))",
            [
                f"Wrong readings, possibly more often for some groups (figures per group: see the model card). Consequences: {OPEN}",
                f"Readings mistaken for feelings: {OPEN}",
                f"Disclosure or misuse of faces or models: {OPEN}",
            ],
        ),
        (
            "Measures (Art. 35(7)(d))",
            [
                "Each person's data are encrypted with a separate key, which an erasure destroys "
                f"({counted_people(len(erased))} erased so far).",
                "Consent is checked when a dataset is built and again at promotion.",
                _contexts(ledger, at),
                "A version goes live only when it passes the checks of consent, accuracy, fairness, drift and explanation; it is signed.",
                *(
                    f"{alias.capitalize()}: version {entry.version}, {entry.evidence} evidence."
                    for alias, entry in live
                ),
                f"Further measures and who is responsible: {OPEN}",
            ],
        ),
        (
            "Views of the people and of the data protection officer (Art. 35(2), 35(9))",
            [f"Who was consulted, when, and with what result: {OPEN}"],
        ),
    ]
    as_of = f"Facts as of {at.isoformat(timespec='minutes')}, from the ledger. An engineering draft, not legal advice."
    lines = ["# Data protection impact assessment", "", as_of]
    for title, items in sections:
        lines += ["", f"## {title}", "", *(f"- {item}" for item in items)]
    return "\n".join([*lines, "", *_uses(admitted)]) + "\n"


def _uses(admitted: Counter[tuple[Purpose, Context]]) -> list[str]:
    """How many people currently allow each purpose in each context, as a table."""
    contexts = [context for context in CONTEXTS if any(admitted[purpose, context] for purpose in PURPOSES)]
    if not contexts:
        return []
    rows = [[purpose, *(str(admitted[purpose, context]) for context in contexts)] for purpose in PURPOSES]
    head = ["## Number of people whose consent currently allows each use", ""]
    table = [["purpose", *contexts], ["---"] * (len(contexts) + 1), *rows]
    return [*head, *(f"| {' | '.join(row)} |" for row in table)]


def _processing(events: Sequence[ConsentEvent], people: Sequence[str]) -> list[str]:
    if not events:
        return ["No consent is on record: no personal data are processed."]
    special = _words(event.special_category_condition for event in events)
    return [
        f"{counted(len(people), 'person is', 'people are')} on record with {counted(len(events), 'consent event')}; "
        "the table below lists the permitted uses.",
        f"Kinds of data: {_words(kind for event in events for kind in event.data_kinds)}; faces, so biometric data.",
        f"Controllers: {_words(event.controller for event in events)}.",
        f"Recipients: {_words(one for event in events for one in event.recipients) or 'none'}.",
        f"Lawful bases (Art. 6): {_words(event.lawful_basis for event in events)}; conditions of Art. 9: {special}.",
        f"Purpose of the readings, and who uses them: {OPEN}",
    ]


def _storage(ledger: Ledger, events: Sequence[ConsentEvent], at: datetime) -> list[str]:
    soon = expiring(ledger, _AHEAD_DAYS, at)
    if not events:
        return []
    first = min(event.delete_by for event in events)
    return [
        f"Earliest date by which data must be deleted: {first.date()}; consents that end within {_AHEAD_DAYS} days: {len(soon)}."
    ]


def _contexts(ledger: Ledger, at: datetime) -> str:
    standing = [row for row in context_rows(ledger, at) if row["standing"] == "in force"]
    if not standing:
        return "Workplace and education are refused: no medical or safety reason is approved."
    approved = (
        f"{row['context']} for a {row['reason']} reason until {row['valid_to'][:10]} ({row['approval_id']}, {row['approved_by']})"
        for row in standing
    )
    return f"Workplace and education are refused, except as approved: {'; '.join(approved)}."


def _words(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))
