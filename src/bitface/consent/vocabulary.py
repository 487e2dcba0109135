"""The closed words of consent, so that an unforeseen purpose is refused."""

from __future__ import annotations

from typing import Final, Literal, get_args

State = Literal["requested", "given", "reaffirmed", "refused", "withdrawn", "expired", "invalidated", "terminated"]
"""Consent states of ISO/IEC TS 27560:2023 as the W3C Data Privacy Vocabulary names them."""
Purpose = Literal["train", "evaluate", "fairness_test", "infer", "demo", "benchmark", "publish_image"]
Context = Literal["research", "medical", "safety", "consumer", "workplace", "education"]
DataKind = Literal["image", "video", "landmarks", "embedding"]
AgeBand = Literal["under_18", "18_29", "30_44", "45_59", "60_plus", "adult", "unknown"]
"""`adult`: the source states that a person is 18 or over, without an age; `unknown` is never admitted."""

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
CONTEXTS: Final[tuple[Context, ...]] = get_args(Context)
ADMITTING_STATES: Final = frozenset({"given", "reaffirmed"})
OPENING_STATES: Final = frozenset({"requested", "given", "reaffirmed"})
"""States that must name their purposes; any other state without purposes covers all of them."""
ADULT_BANDS: Final = frozenset({"18_29", "30_44", "45_59", "60_plus", "adult"})
