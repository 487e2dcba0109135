"""What the law adds to a person's consent: which legal bases permit a face at all, which kinds of data they must name, and state limits.

An engineering reading, not legal advice. Both tables are data: one more row is one more rule.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal

from bitface.consent.events import ConsentEvent
from bitface.consent.vocabulary import CONTEXTS, Context, DataKind
from bitface.faces.records import Kind, is_synthetic


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition of GDPR Art. 9(2): the bases of Art. 6(1) that it is combined with, its contexts, and the source."""

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
"""Not listed, and so refused: no condition, `none` as a basis, and vital interests (6(1)(d), whose condition is 9(2)(c))."""

AskedKind = Kind | Literal["any"]
"""`any`: whatever may be kept of a person."""
DATA_OF: Final[dict[AskedKind, tuple[DataKind, ...]]] = {
    "image": ("image",),
    "clip": ("image", "video"),
    "landmarks": ("landmarks",),
    "any": ("image", "video", "landmarks"),
}
"""The frames of a clip are images too."""


@dataclass(frozen=True, kw_only=True)
class StateLaw:
    """How long a state allows biometric data to be kept: years after the purpose ends and after the last interaction; None: no limit."""

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
"""Checked against the statutes' text. What the statutes state and this table does not cover:

- Illinois: data must be deleted when the initial purpose is satisfied, or three years after the last interaction, whichever is first.
- Texas: within a reasonable time, the first anniversary at the latest. Since 2026-01-01 503.001(e)(2) exempts data for training
  artificial intelligence that does not identify people, and (f) revokes that for another commercial use: the limit is applied anyway.
- Washington: RCW 19.375.010(1) excludes photographs and data generated from them, so this is stricter than required. RCW 19.373.040
  (My Health My Data) sets no date either: on request, answered within 45 days, copies in backups within six months.
- Colorado: also 45 days after the controller's yearly review finds it no longer necessary to keep; a person must decide that.

A year after the purpose is counted from `valid_to`: the purpose ends with the consent at the latest.
"""
_COUNTRY: Final = frozenset({"us", "usa", "united", "states", "of", "america", "the"})
_FOREIGN_CODE: Final = re.compile(r"(?!US-)[A-Z]{2}-[A-Z0-9]{1,3}")
"""ISO 3166-2 of another country: AU-WA is Western Australia, CO-DC Bogota."""


def grounds_fault(event: ConsentEvent, context: str) -> str | None:
    """Why the law does not let this event cover a face in a context, in words without ids; None if it does.

    Synthetic people need no legal ground: only they have `none`.
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


def kinds_fault(event: ConsentEvent, kind: AskedKind | None) -> str | None:
    """Which kind of data the event does not name, in words; None if it names the kind of the sample.

    Consent for a picture covers what is derived from it: landmarks and features are kept with its key and deleted with it. Consent for
    landmarks or features alone does not cover a picture, and points that came without their picture need consent for landmarks by name.
    `kind` None: pictures, single ones or of clips.
    """
    allowed = DATA_OF[kind or "clip"]
    return None if set(allowed) & set(event.data_kinds) else f"data kind {' or '.join(allowed)} is not listed"


def ends(event: ConsentEvent) -> tuple[datetime, str]:
    """When an event ends by time, and by which limit: `valid to`, `delete by`, or the source of a state's law."""
    return min([(event.valid_to, "valid to"), *deletions(event)], key=lambda end: end[0])


def deletions(event: ConsentEvent) -> list[tuple[datetime, str]]:
    """When the data of an event must be deleted, and by which limit: `delete by`, as promised, or the source of a state's law."""
    found = [(event.delete_by, "delete by")]
    # A date in the future is not an interaction yet.
    interaction = min(event.last_interaction, event.recorded_at)
    for law in () if is_synthetic(event.subject) else laws_of(event.jurisdiction):
        found.append((_years_after(event.valid_to, law.years_after_purpose), law.source))
        if law.years_after_interaction is not None:
            found.append((_years_after(interaction, law.years_after_interaction), law.source))
    return found


@lru_cache(maxsize=4096)
def laws_of(jurisdiction: str) -> tuple[StateLaw, ...]:
    """The state laws that a jurisdiction names, by name or postal code, in any case and order; the United States alone means all."""
    text = unicodedata.normalize("NFKC", jurisdiction).strip()
    if _FOREIGN_CODE.fullmatch(text):
        return ()
    words = re.findall(r"\w+", re.sub(r"(?<=\b\w)\.", "", text.replace("_", " ")))
    plain = {word.casefold() for word in words}
    if plain and plain <= _COUNTRY:
        return STATE_LAWS
    return tuple(law for law in STATE_LAWS if plain & set(law.names) or _is_coded(law.state[3:], words))


def _is_coded(code: str, words: list[str]) -> bool:
    """Whether a postal code is meant: in capitals, alone, or next to its country; `co` and `il` are ordinary words elsewhere."""
    plain = [word.casefold() for word in words]
    return code in words or (code.casefold() in plain and (len(words) == 1 or bool({"us", "usa"} & set(plain))))


def _years_after(moment: datetime, years: int) -> datetime:
    """The same day of another year (28 February for the 29th), or the last representable moment."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:
        return moment.replace(year=moment.year + years, day=28) if moment.year + years <= _LAST_YEAR else moment


_LAST_YEAR: Final = datetime.max.year
