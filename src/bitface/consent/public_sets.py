"""Licence records of published sets whose people were never asked: what their makers let others do is all that may be done."""

from __future__ import annotations

from typing import Final

from bitface.consent.policy import LicenceRecord

FER2013_LICENCE: Final = LicenceRecord(
    id="fer2013-research",
    name="FER2013, published for research by the ICML 2013 workshop on representation learning",
    text="Pictures were collected from the web by a search engine; the people in them were not asked, and it states no licence for a "
    "person's likeness. Its makers published it for research (Goodfellow et al. 2013, Challenges in representation learning). Read "
    "literally: comparison of methods in research, and nothing else.",
    address="https://arxiv.org/abs/1307.0414",
    purposes=("benchmark",),
    contexts=("research",),
)
