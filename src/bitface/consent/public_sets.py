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
CREMAD_LICENCE: Final = LicenceRecord(
    id="cremad-odbl",
    name="CREMA-D, Open Database License 1.0 with Database Contents License 1.0",
    text="91 actors were recorded for research; what they agreed to is not published, and the licence of a database does not replace a "
    "person's consent. Read literally: comparison of methods in research (Cao et al. 2014, IEEE Transactions on Affective Computing 5(4)).",
    address="https://github.com/CheyneyComputerScience/CREMA-D",
    purposes=("benchmark",),
    contexts=("research",),
)
RAVDESS_LICENCE: Final = LicenceRecord(
    id="ravdess-cc-by-nc-sa-4",
    name="RAVDESS, CC BY-NC-SA 4.0",
    text="24 actors were recorded for research; what they agreed to is not published, and it is licensed for non-commercial use with "
    "attribution (Livingstone and Russo 2018, PLoS ONE 13(5), e0196391). Read literally: comparison of methods in research.",
    address="https://doi.org/10.5281/zenodo.1188976",
    purposes=("benchmark",),
    contexts=("research",),
)
