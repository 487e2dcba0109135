"""Licence records of published sets whose people were never asked: what their makers let others do is all that may be done."""

from __future__ import annotations

from typing import Final

from bitface.consent.policy import LicenceRecord


def _for_comparison(**terms: str) -> LicenceRecord:
    """A record that allows the comparison of methods in research, and nothing else."""
    return LicenceRecord(**terms, purposes=("benchmark",), contexts=("research",))


FER2013_LICENCE: Final = _for_comparison(
    id="fer2013-research",
    name="FER2013, published for research by the ICML 2013 workshop on representation learning",
    text="Pictures were collected from the web by a search engine; the people in them were not asked, and it states no licence for a "
    "person's likeness. Small children are in it, and it says of none how old they are. Its makers published it for research (Goodfellow "
    "et al. 2013, Challenges in representation learning). Read literally: comparison of methods in research, and nothing else.",
    address="https://arxiv.org/abs/1307.0414",
)
CKPLUS_LICENCE: Final = _for_comparison(
    id="ckplus-agreement",
    name="Extended Cohn-Kanade (CK+), by the agreement that its users sign",
    text="The set is given for research, not for commerce, to whoever signs its agreement, and is not passed on (Lucey et al. 2010, The "
    "Extended Cohn-Kanade Dataset). Sign it before you import. Read literally: comparison of methods in research, and nothing else.",
    address="https://doi.org/10.1109/CVPRW.2010.5543262",
)
RAFDB_LICENCE: Final = _for_comparison(
    id="rafdb-research",
    name="RAF-DB, for research that is not commercial",
    text="Pictures were collected from the web; the people in them were not asked. Its makers restrict it to research and education that "
    "are not commercial (readme of version 1.1; Li, Deng and Du 2017, Reliable crowdsourcing and deep locality-preserving learning). "
    "Children are in it, and none of them is taken. Read literally: comparison of methods in research, and nothing else.",
    address="https://doi.org/10.1109/CVPR.2017.277",
)
AFFECTNET_LICENCE: Final = _for_comparison(
    id="affectnet-research",
    name="AffectNet, by the research agreement of its makers",
    text="Pictures were collected from the web by search engines; the people in them were not asked. Its makers give it for research that "
    "is not commercial, to lab managers and professors who sign their agreement (Mollahosseini, Hasani and Mahoor 2017, AffectNet). Read "
    "literally: comparison of methods in research, and nothing else.",
    address="https://doi.org/10.1109/TAFFC.2017.2740923",
)
JAFFE_LICENCE: Final = _for_comparison(
    id="jaffe-non-commercial",
    name="JAFFE, for research that is not commercial",
    text="Ten women posed for it. Its makers give it on request, for scientific research that is not commercial and cites it (Lyons, "
    "Akamatsu, Kamachi and Gyoba 1998, Coding facial expressions with Gabor wavelets). Read literally: comparison of methods in "
    "research, and nothing else.",
    address="https://doi.org/10.1109/AFGR.1998.670949",
)
KDEF_LICENCE: Final = _for_comparison(
    id="kdef-non-commercial",
    name="Karolinska Directed Emotional Faces (KDEF), for research that is not commercial",
    text="70 amateur actors posed for it. Its makers let researchers alone use it, for what is not commercial, and do not allow that it "
    "is passed on in any form without their written consent (Lundqvist, Flykt and Ohman 1998, The Karolinska Directed Emotional Faces). "
    "Read literally: comparison of methods in research, and nothing else.",
    address="https://www.kdef.se",
)
CREMAD_LICENCE: Final = _for_comparison(
    id="cremad-odbl",
    name="CREMA-D, Open Database License 1.0 with Database Contents License 1.0",
    text="91 actors were recorded for research; what they agreed to is not published, and the licence of a database does not replace a "
    "person's consent. Read literally: comparison of methods in research (Cao et al. 2014, IEEE Transactions on Affective Computing 5(4)).",
    address="https://github.com/CheyneyComputerScience/CREMA-D",
)
RAVDESS_LICENCE: Final = _for_comparison(
    id="ravdess-cc-by-nc-sa-4",
    name="RAVDESS, CC BY-NC-SA 4.0",
    text="24 actors were recorded for research; what they agreed to is not published, and it is licensed for non-commercial use with "
    "attribution (Livingstone and Russo 2018, PLoS ONE 13(5), e0196391). Read literally: comparison of methods in research.",
    address="https://doi.org/10.5281/zenodo.1188976",
)
