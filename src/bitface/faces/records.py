"""Frozen records of people and samples, checked once where they are built."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from bitface.counted_words import counted
from bitface.errors import InputError
from bitface.faces.emotions import EMOTIONS

AGE_BANDS: Final = ("18_29", "30_44", "45_59", "60_plus", "unknown")
GENDERS: Final = ("female", "male", "other", "unknown")
SKIN_TONE_GROUPS: Final = ("monk_1_4", "monk_5_7", "monk_8_10", "unknown")
ADULT_YEARS: Final = 18
SPLITS: Final = ("train", "validation", "test", "gate")
SLICE_ATTRIBUTES: Final = ("age_band", "gender", "skin_tone", "ancestry")
"""The attributes by which every figure is sliced; values as `SubjectRecord.slices` gives them."""

SYNTHETIC_PREFIX: Final = "s"
"""Pseudonyms of synthetic people begin with it, those of real people with `r`."""

Kind = Literal["image", "clip", "landmarks"]
"""`landmarks`: points of a face, one frame or several, that came without their picture."""
POINTS_IN_ID: Final = "-points-"
"""Stands in the id of a sample of points, which the ledger keeps when the sample is gone: consent must cover points, not pictures."""
_PSEUDONYM: Final = re.compile(r"[a-z0-9]{16}")


@dataclass(frozen=True, kw_only=True)
class SubjectRecord:
    """What is recorded of one adult, under a pseudonym.

    `skin_tone` is 1 to 10 on the Monk scale (Monk, 2022), or None where unknown. `self_reported` says whether the person,
    and not an annotator or an instrument, gave the demographic facts.
    """

    person: str
    age_band: str
    gender: str
    skin_tone: int | None
    ancestry: str
    self_reported: bool
    evidence: Literal["synthetic", "real"]

    def __post_init__(self) -> None:
        check_pseudonym(self.person)
        if self.age_band not in AGE_BANDS:
            raise InputError(f"age band '{self.age_band}' is not one of {', '.join(AGE_BANDS)}")
        if self.gender not in GENDERS:
            raise InputError(f"gender '{self.gender}' is not one of {', '.join(GENDERS)}")
        if self.skin_tone is not None and not 1 <= self.skin_tone <= 10:
            raise InputError(f"skin tone {self.skin_tone} is outside the Monk scale 1 to 10")

    def slices(self) -> dict[str, str]:
        """The value of each slice attribute, for example `{"skin_tone": "monk_5_7", ...}`."""
        return {
            "age_band": self.age_band,
            "gender": self.gender,
            "skin_tone": skin_tone_group(self.skin_tone),
            "ancestry": self.ancestry,
        }


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of `index.csv`: an image or a clip of one person. `sha256` is the digest of its plain bytes in the shard."""

    sample_id: str
    person: str
    shard: str
    kind: Kind
    frames: int
    fps: float
    label: str
    split: str
    source: str
    licence_id: str
    sha256: str

    def __post_init__(self) -> None:
        check_pseudonym(self.person)
        if self.label not in EMOTIONS:
            raise InputError(f"sample {self.sample_id}: unknown label '{self.label}'")
        if self.split and self.split not in SPLITS:
            raise InputError(f"sample {self.sample_id}: split '{self.split}' is not one of {', '.join(SPLITS)}")
        if self.frames < 1:
            raise InputError(f"sample {self.sample_id}: {counted(self.frames, 'frame')}; at least 1 is needed")


def kind_asked(sample_ids: Iterable[str]) -> Literal["landmarks"] | None:
    """What consent must cover of samples of one dataset, by their ids: `landmarks` of points, None of pictures."""
    return "landmarks" if any(POINTS_IN_ID in sample_id for sample_id in sample_ids) else None


def is_pseudonym(text: str) -> bool:
    """Whether a text can be a pseudonym, 16 of [a-z0-9]."""
    return _PSEUDONYM.fullmatch(text) is not None


def is_synthetic(person: str) -> bool:
    """Whether a pseudonym belongs to a synthetic person, whose key is derived from the published demo key."""
    return check_pseudonym(person).startswith(SYNTHETIC_PREFIX)


def check_pseudonym(pseudonym: str) -> str:
    """Returns the pseudonym, 16 of [a-z0-9]; raises InputError otherwise (it becomes a file name)."""
    if not is_pseudonym(pseudonym):
        raise InputError(
            "a pseudonym is 16 characters of [a-z0-9]; this one is not, rebuild the dataset with `bitface data`"
        )
    return pseudonym


def age_band_of(age_years: float | None) -> str:
    """The age band of an age in years; None is `unknown`. Raises InputError below 18: adults only."""
    if age_years is None:
        return "unknown"
    if age_years < ADULT_YEARS:
        raise InputError("a subject under 18 cannot be admitted; adults only")
    for limit, band in ((30, "18_29"), (45, "30_44"), (60, "45_59")):
        if age_years < limit:
            return band
    return "60_plus"


def skin_tone_group(monk: int | None) -> str:
    """The slice of a Monk tone: 1-4, 5-7, 8-10, or `unknown`."""
    if monk is None:
        return "unknown"
    return "monk_1_4" if monk <= 4 else "monk_5_7" if monk <= 7 else "monk_8_10"
