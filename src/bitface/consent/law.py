"""What the law adds to a person's consent: which bases carry a face at all, which kinds of data they must name, and where a state ends it.

An engineering reading, not legal advice. Both tables are data: a row more is a rule more.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from bitface.consent.events import ConsentEvent
from bitface.consent.vocabulary import CONTEXTS, Context, DataKind
from bitface.faces.records import Kind, is_synthetic


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition of GDPR Art. 9(2): the bases of Art. 6(1) that it stands beside, the contexts that it is made for, and who says so."""

    bases: frozenset[str]
    contexts: frozenset[Context]
    source: str


CONDITIONS: Final = {
    "9(2)(a)": Condition(
        bases=frozenset({"6(1)(a)"}),
        contexts=frozenset(CONTEXTS),
        source="GDPR Art. 6(1)(a), 7, 9(2)(a); EDPB Guidelines 05/2020, 91 to 98: one explicit statement carries both",
    ),
    "9(2)(h)": Condition(
        bases=frozenset({"6(1)(b)", "6(1)(c)", "6(1)(e)"}),
        contexts=frozenset({"medical"}),
        source="GDPR Art. 9(2)(h), 9(3): care on the basis of law, or of a contract with a health professional",
    ),
    "9(2)(i)": Condition(
        bases=frozenset({"6(1)(c)", "6(1)(e)"}),
        contexts=frozenset({"medical", "safety"}),
        source="GDPR Art. 9(2)(i), recital 54: public health, on the basis of law; EDPB Opinion 3/2019, 13 to 15",
    ),
    "9(2)(j)": Condition(
        bases=frozenset({"6(1)(e)", "6(1)(f)"}),
        contexts=frozenset({"research"}),
        source="GDPR Art. 9(2)(j), 89(1): research; EDPB Opinion 3/2019, 26 to 29: a public task, or a legitimate interest",
    ),
}
"""Not here, and so admitting nobody: no condition, `none` as a basis, and vital interests (6(1)(d), whose condition is 9(2)(c))."""

PICTURES_OF: Final[dict[Kind, tuple[DataKind, ...]]] = {"image": ("image",), "clip": ("image", "video")}
"""The frames of a clip are images too."""


@dataclass(frozen=True, kw_only=True)
class StateLaw:
    """How long a state lets biometric data be kept: years after the purpose ends and after the last interaction; None: no such figure."""

    state: str
    names: tuple[str, ...]
    years_after_purpose: int
    years_after_interaction: int | None
    source: str


STATE_LAWS: Final = (
    StateLaw(
        state="US-IL",
        names=("illinois", "ill"),
        years_after_purpose=0,
        years_after_interaction=3,
        source="740 ILCS 14/15(a), BIPA",
    ),
    StateLaw(
        state="US-TX",
        names=("texas", "tex"),
        years_after_purpose=1,
        years_after_interaction=None,
        source="Tex. Bus. & Com. Code 503.001(c)(3), CUBI",
    ),
    StateLaw(
        state="US-WA",
        names=("washington", "wash"),
        years_after_purpose=0,
        years_after_interaction=None,
        source="RCW 19.375.020(4): no longer than the purpose needs",
    ),
    StateLaw(
        state="US-CO",
        names=("colorado", "colo"),
        years_after_purpose=0,
        years_after_interaction=2,
        source="C.R.S. 6-1-1314(2)(a), HB 24-1130: 24 months",
    ),
)
"""Read against the statutes' text. What the statutes say and this table does not cover:

- Illinois: what is kept must go when the initial purpose has been satisfied, or three years after the last interaction, whichever is first.
- Texas: within a reasonable time, the first anniversary at the latest. Since 2026-01-01 503.001(e)(2) leaves out what is held to train
  artificial intelligence that identifies nobody, and (f) takes that back for another commercial use: the limit is kept as if it held.
- Washington: RCW 19.375.010(1) leaves out photographs and what is generated from them, so this is stricter than it asks. RCW 19.373.040
  (My Health My Data) has no date either: on request, answered within 45 days, copies in backups within six months.
- Colorado: also 45 days after the controller finds, once a year, that keeping it is not necessary any more; a person must find that.

A year after the purpose is counted from `valid_to`: the purpose ends with the consent at the latest.
"""
_COUNTRY: Final = frozenset({"us", "usa", "united", "states", "of", "america", "the"})
_FOREIGN_CODE: Final = re.compile(r"(?!US-)[A-Z]{2}-[A-Z0-9]{1,3}")
"""ISO 3166-2 of another country: AU-WA is Western Australia, CO-DC Bogota."""


def grounds_fault(event: ConsentEvent, context: str) -> str | None:
    """Why the law does not let this event carry a face in a context, in words without ids; None where it does.

    People who do not exist need no ground: `none` is theirs, and nobody else's.
    """
    if is_synthetic(event.subject):
        return None
    basis, condition = event.lawful_basis, event.special_category_condition
    if condition not in CONDITIONS:
        return "a condition of GDPR Art. 9(2) is missing; faces are biometric data"
    found = CONDITIONS[condition]
    if basis not in found.bases:
        return f"condition {condition} does not go with basis {basis}, only with {' or '.join(sorted(found.bases))}"
    if condition == "9(2)(a)" and event.given_by != "explicit":
        return f"condition 9(2)(a) needs an explicit consent, but this one is given by {event.given_by}"
    if context not in found.contexts:
        return f"condition {condition} does not cover context {context}"
    return None


def kinds_fault(event: ConsentEvent, kind: Kind | None) -> str | None:
    """Which kind of data of a sample the event does not name, in words; None where it names what the sample is.

    What a person allowed of a picture covers what is read off it: landmarks and features are made of it, kept with its key, and go with
    it. Landmarks or features alone allow no picture. `kind` None: either one.
    """
    allowed = PICTURES_OF[kind] if kind is not None else PICTURES_OF["clip"]
    return None if set(allowed) & set(event.data_kinds) else f"data kind {' or '.join(allowed)} is not listed"


def ends(event: ConsentEvent) -> tuple[datetime, str]:
    """When an event ends by time, and which of its ends that is: `valid to`, `delete by`, or the source of a state's law."""
    return min([(event.valid_to, "valid to"), *deletions(event)], key=lambda end: end[0])


def deletions(event: ConsentEvent) -> list[tuple[datetime, str]]:
    """When what came by an event must be gone, and by what: `delete by`, which was promised, or the source of a state's law."""
    found = [(event.delete_by, "delete by")]
    # What a source says of the future is no interaction yet.
    interaction = min(event.last_interaction, event.recorded_at)
    for law in () if is_synthetic(event.subject) else laws_of(event.jurisdiction):
        found.append((_years_after(event.valid_to, law.years_after_purpose), law.source))
        if law.years_after_interaction is not None:
            found.append((_years_after(interaction, law.years_after_interaction), law.source))
    return found


@lru_cache(maxsize=4096)
def laws_of(jurisdiction: str) -> tuple[StateLaw, ...]:
    """The state laws that a jurisdiction names: by name or postal code, in any case and order; the United States alone name them all."""
    text = unicodedata.normalize("NFKC", jurisdiction).strip()
    if _FOREIGN_CODE.fullmatch(text):
        return ()
    words = re.findall(r"\w+", re.sub(r"(?<=\b\w)\.", "", text.replace("_", " ")))
    plain = {word.casefold() for word in words}
    if plain and plain <= _COUNTRY:
        return STATE_LAWS
    return tuple(law for law in STATE_LAWS if plain & set(law.names) or _is_coded(law.state[3:], words))


def _is_coded(code: str, words: list[str]) -> bool:
    """Whether a postal code is meant: in capitals, alone, or beside its country; `co` and `il` are words elsewhere."""
    plain = [word.casefold() for word in words]
    return code in words or (code.casefold() in plain and (len(words) == 1 or bool({"us", "usa"} & set(plain))))


def _years_after(moment: datetime, years: int) -> datetime:
    """The same day of another year; of 29 February the 28th. The last moment there is where none is left."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, day=28) if moment.year + years <= _LAST_YEAR else moment


_LAST_YEAR: Final = datetime.max.year
