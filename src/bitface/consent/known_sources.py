"""Consent events of sources whose terms are known, read literally: people who do not exist, and the London Set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final, Literal

from bitface.consent.events import SCHEMA_VERSION, ConsentEvent
from bitface.consent.policy import LicenceRecord
from bitface.consent.vocabulary import ADULT_BANDS, CONTEXTS, PURPOSES, AgeBand

SYNTHETIC_GIVEN: Final = datetime(2026, 1, 1, tzinfo=UTC)
SYNTHETIC_END: Final = datetime(2126, 1, 1, tzinfo=UTC)
LONDON_GIVEN: Final = datetime(2012, 4, 30, tzinfo=UTC)
"""The set says April 2012; its last day, so that no use before all had signed is claimed."""
LONDON_REVIEW: Final = datetime(2032, 4, 30, tzinfo=UTC)
"""Ours, not the set's: it names no end, and pictures this old deserve a look twenty years on."""

SYNTHETIC_LICENCE: Final = LicenceRecord(
    id="synthetic",
    name="Rendered people; the model's data are CC0, the renders are Apache-2.0 like this project",
    text="No person is shown. The renders may be used for every purpose.",
    purposes=PURPOSES,
)
LONDON_LICENCE: Final = LicenceRecord(
    id="london-cc-by-4",
    name="Face Research Lab London Set, CC BY 4.0, with the signed consent that its makers state",
    address="https://doi.org/10.6084/m9.figshare.5047666.v5",
    purposes=("train", "evaluate", "fairness_test", "infer", "benchmark", "publish_image"),
    contexts=("research",),
)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice that people were shown or, for a published set, what its makers state; its digest is its name.

    `file_sha256` is the digest of the file that it was brought in, where its bytes are not the UTF-8 of the text.
    """

    notice_id: str
    language: str
    text: str
    file_sha256: str | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, or of the UTF-8 text, 64 hexadecimal digits."""
        return self.file_sha256 or hashlib.sha256(self.text.encode()).hexdigest()


def packaged_notice(notice_id: Literal["synthetic-1", "london-1"]) -> Notice:
    """A notice whose text lies in this package."""
    text = files("bitface.consent").joinpath("notices", f"{notice_id}.md").read_text(encoding="utf-8")
    return Notice(notice_id=notice_id, language="en", text=text)


def synthetic_consents(
    people: Iterable[str], age_bands: Mapping[str, AgeBand] | None = None
) -> tuple[ConsentEvent, ...]:
    """One event per synthetic person (pseudonyms), every purpose, fixed dates: the same digest on every machine.

    `age_bands` may name a person's band; `adult` otherwise, since only adults are rendered. Prohibited contexts are not
    listed.
    """
    notice = packaged_notice("synthetic-1")
    bands = age_bands or {}
    return tuple(
        ConsentEvent(
            event_id=f"synthetic-{person}-1",
            record_id=f"synthetic-{person}",
            schema_version=SCHEMA_VERSION,
            subject=person,
            state="given",
            given_by="explicit",
            lawful_basis="none",
            special_category_condition="none",
            purposes=PURPOSES,
            contexts=tuple(context for context in CONTEXTS if context not in ("workplace", "education")),
            data_kinds=("image", "video", "landmarks", "embedding"),
            controller="nobody: no person is shown",
            recipients=("anyone",),
            storage="wherever the dataset is",
            jurisdiction="none",
            notice_id=notice.notice_id,
            notice_sha256=notice.sha256,
            notice_language=notice.language,
            withdrawal_method="none needed: no person is shown",
            evidence_sha256=notice.sha256,
            age_band=bands.get(person, "adult"),
            event_time=SYNTHETIC_GIVEN,
            valid_from=SYNTHETIC_GIVEN,
            valid_to=SYNTHETIC_END,
            delete_by=SYNTHETIC_END,
            last_interaction=SYNTHETIC_GIVEN,
            recorded_at=SYNTHETIC_GIVEN,
        )
        for person in people
    )


def london_consents(
    age_bands: Mapping[str, AgeBand], *, evidence_sha256: str, recorded_at: datetime
) -> tuple[ConsentEvent, ...]:
    """One event per person of the London Set, from the terms its makers state.

    `age_bands`: pseudonym -> band; `unknown` becomes `adult`, which the set states of everyone. `evidence_sha256` is
    the digest of the statement as it came with the pictures; `recorded_at` is when this installation took it in.
    """
    notice = packaged_notice("london-1")
    return tuple(
        ConsentEvent(
            event_id=f"london-{person}-1",
            record_id=f"london-{person}",
            schema_version=SCHEMA_VERSION,
            subject=person,
            state="given",
            given_by="explicit",
            lawful_basis="6(1)(a)",
            special_category_condition="9(2)(a)",
            purposes=LONDON_LICENCE.purposes,
            contexts=LONDON_LICENCE.contexts,
            data_kinds=("image", "landmarks", "embedding"),
            controller="Face Research Lab (L. DeBruine, B. Jones); for its use here, the operator of this installation",
            recipients=("researchers who use the published set",),
            storage="published with the set; encrypted per person on this installation",
            jurisdiction="GB",
            notice_id=notice.notice_id,
            notice_sha256=notice.sha256,
            notice_language=notice.language,
            withdrawal_method="write to the set's makers or to the operator of this installation",
            evidence_sha256=evidence_sha256,
            age_band=band if band in ADULT_BANDS or band == "under_18" else "adult",
            event_time=LONDON_GIVEN,
            valid_from=LONDON_GIVEN,
            valid_to=LONDON_REVIEW,
            delete_by=LONDON_REVIEW,
            last_interaction=LONDON_GIVEN,
            recorded_at=recorded_at,
        )
        for person, band in age_bands.items()
    )
