"""What a draft leaves to a person: fields that hold a mark, which nothing takes for an answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Final

from bitface.documents import Document, Fields

MARK: Final = "FILL IN"
"""Anywhere in a value: the field is not filled in yet."""
PAGE: Final = "docs/bring-your-own.md"
STILL_OPEN: Final = f"still to be filled in (the words {MARK} go too)"
_EXAMPLES: Final = 2

CONSENT_EXAMPLE: Final[Document] = {
    "event_id": "consent-anna-1",
    "record_id": "consent-anna",
    "schema_version": "bitface-consent-1",
    "subject": "anna",
    "state": "given",
    "given_by": "explicit",
    "lawful_basis": "6(1)(a)",
    "special_category_condition": "9(2)(a)",
    "purposes": ["train", "evaluate", "fairness_test", "demo"],
    "contexts": ["research"],
    "data_kinds": ["image", "landmarks", "embedding"],
    "controller": "Example University, privacy@example.org",
    "recipients": ["the research group"],
    "storage": "encrypted, in Germany",
    "jurisdiction": "DE",
    "notice_id": "notice-1",
    "notice_sha256": "64 hexadecimal digits of `sha256sum notices/notice-1.md`",
    "notice_language": "en",
    "withdrawal_method": "write to privacy@example.org",
    "evidence_sha256": "64 hexadecimal digits of `sha256sum evidence/anna.pdf`",
    "age_band": "30_44",
    "event_time": "2026-01-31T12:00:00Z",
    "valid_from": "2026-01-31T12:00:00Z",
    "valid_to": "2029-01-31T12:00:00Z",
    "delete_by": "2029-04-30T12:00:00Z",
    "last_interaction": "2026-01-31T12:00:00Z",
}
"""A whole consent event as a person writes it; `recorded_at` is stamped by the import."""
LICENCE_EXAMPLE: Final[Document] = {
    "id": "own-2026",
    "name": "Our own photographs, 2026",
    "text": "Taken by us, for research on facial expressions, with the consent of everyone shown.",
    "purposes": ["train", "evaluate", "fairness_test", "demo"],
    "contexts": ["research"],
}
PUBLIC_LICENCE_EXAMPLE: Final[Document] = {
    "id": "faces-2020",
    "name": "Faces 2020, CC BY 4.0",
    "address": "https://example.org/terms",
    "purposes": ["benchmark"],
    "contexts": ["research"],
}
"""Of a set that others published, whose people gave no consent here."""


def licence_example(document: object) -> Document:
    """The example that is like a licence record: one for benchmark alone is that of a public set."""
    purposes = document.get("purposes") if isinstance(document, dict) else None
    return PUBLIC_LICENCE_EXAMPLE if purposes in ("benchmark", ["benchmark"]) else LICENCE_EXAMPLE


def see(section: str) -> str:
    """Where a file that people bring is described, for the end of a message: `(docs/..., section Consents)`."""
    return f"({PAGE}, section {section})"


def open_fields(document: Fields, known: Collection[str]) -> tuple[str, ...]:
    """The fields of a draft that a person has to fill in; only `known` ones, since another name may say anything."""
    return tuple(name for name, value in document.items() if name in known and _is_open(value))


def example_of(fields: str, example: Mapping[str, object], section: str) -> str:
    """How the first fields of a text such as `state, purposes` are written, as the end of a message; without an example only the page."""
    names = [name for one in fields.split(", ") if (name := one.partition(".")[0]) in example]
    shown = {name: example[name] for name in names[:_EXAMPLES]}
    written = json.dumps(shown, ensure_ascii=False)[1:-1]
    return f"; for example {written} {see(section)}" if shown else f" {see(section)}"


def _is_open(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(text, str) and MARK in text for text in texts)
