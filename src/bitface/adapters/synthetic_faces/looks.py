"""Draws the traits that a synthetic adult's record leaves open, so that no two people of one slice look alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.faces.synthetic_people import SyntheticPerson

FloatArray = NDArray[np.float32]

MONK_SRGB: Final = (
    "f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420",
)  # fmt: skip
"""The ten tones of the Monk Skin Tone Scale (Monk, 2022, skintone.google), sRGB."""
_TONE_FACTORS: Final = (
    ((0.92, 0.75, 0.68),) * 4 + ((0.95, 0.83, 0.88),) + ((0.97, 0.96, 1.08),) * 3 + ((1.4, 1.12, 1.0),) * 2
)
"""The scale's swatches are flat paint; under a warm key light skin of that tone has this much of each channel."""
_HAIR_SRGB: Final = ("120f0e", "1c1512", "2e1f16", "4a3222", "6b4a2e", "94703f", "b8935a", "7a3b20")
_HAIR_SHARES: Final = {
    "african": (0.55, 0.30, 0.12, 0.03, 0.0, 0.0, 0.0, 0.0),
    "asian": (0.45, 0.35, 0.15, 0.05, 0.0, 0.0, 0.0, 0.0),
    "caucasian": (0.04, 0.10, 0.18, 0.24, 0.18, 0.12, 0.08, 0.06),
    "mixed": (0.22, 0.28, 0.24, 0.16, 0.07, 0.02, 0.0, 0.01),
}
_IRIS_SRGB: Final = ("2a1a10", "3b2415", "5b3c20", "6f5a30", "5f7048", "6d8aa0", "7f98a8")
_IRIS_SHARES: Final = {
    "african": (0.5, 0.38, 0.1, 0.02, 0.0, 0.0, 0.0),
    "asian": (0.45, 0.4, 0.13, 0.02, 0.0, 0.0, 0.0),
    "caucasian": (0.04, 0.16, 0.2, 0.12, 0.13, 0.2, 0.15),
    "mixed": (0.28, 0.36, 0.2, 0.08, 0.05, 0.02, 0.01),
}


def linear(srgb_hex: str) -> FloatArray:
    """Linear RGB (3,) of an sRGB colour written as six hexadecimal digits (IEC 61966-2-1)."""
    encoded = np.array([int(srgb_hex[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float32) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Look:
    """The drawn traits of one adult. Colours are linear RGB; shares and strengths 0..1; lengths in decimetres."""

    skin: FloatArray
    lip: FloatArray
    hair: FloatArray
    iris: FloatArray
    cloth: FloatArray
    frame: FloatArray | None
    style: str
    hair_length: float
    hairline_dm: float
    beard: float
    moustache: float
    brow: float
    brow_colour: FloatArray
    brow_thickness: float
    lash: float
    wrinkles: float
    freckles: float
    blush: float
    make_up: float


def draw_look(person: SyntheticPerson, glasses_share: float, rng: np.random.Generator) -> Look:
    """Draws the traits that a record does not fix; tone, gender, age and ancestry steer them."""
    record = person.record
    tone = record.skin_tone or 5
    female, age = record.gender == "female", person.age_years
    skin = linear(MONK_SRGB[tone - 1]) * _TONE_FACTORS[tone - 1] * rng.uniform(0.9, 1.1)
    skin = skin * rng.normal(1.0, [0.02, 0.02, 0.035])
    grey = float(np.clip((age - rng.normal(55, 9)) / 20, 0, 1))
    pigment = linear(str(rng.choice(_HAIR_SRGB, p=_HAIR_SHARES[record.ancestry])))
    brow_hair = pigment * (1 - 0.5 * grey) + 0.12 * grey
    hair = pigment * (1 - grey) + rng.uniform(0.25, 0.6) * np.array([1.0, 0.99, 0.97]) * grey
    make_up = float(rng.beta(1.2, 2.0)) if female else 0.0
    lip = skin * np.array([0.80, 0.50, 0.54]) + np.array([0.03, 0.006, 0.012])
    paint_on = np.array([0.40, 0.07, 0.10]) * rng.uniform(0.6, 1.1) * float(skin.mean() / 0.5) ** 0.6
    lip = lip * (1 - 0.6 * make_up) + paint_on * 0.6 * make_up
    styles = _style_shares(female, age, record.ancestry)
    bearded = not female and rng.random() < 0.45
    wears_glasses = rng.random() < glasses_share * (1.0 if age < 45 else 1.6)
    return Look(
        skin=skin.astype(np.float32),
        lip=lip.astype(np.float32),
        hair=hair.astype(np.float32),
        iris=linear(str(rng.choice(_IRIS_SRGB, p=_IRIS_SHARES[record.ancestry]))),
        cloth=(rng.uniform(0.02, 0.7, size=3) * rng.uniform(0.3, 1.0)).astype(np.float32),
        frame=rng.uniform(0.01, 0.12, size=3).astype(np.float32) if wears_glasses else None,
        style=str(rng.choice(list(styles), p=np.array(list(styles.values())) / sum(styles.values()))),
        hair_length=float(rng.uniform(0.0, 1.0)),
        hairline_dm=float(
            rng.normal(0.0, 0.05) + (0.0 if female else 0.12 * np.clip((age - 35) / 30, 0, 1) * rng.random())
        ),
        beard=float(rng.choice([0.25, 0.5, 0.9], p=[0.45, 0.3, 0.25])) if bearded else (0.0 if female else 0.1),
        moustache=float(rng.uniform(0.3, 0.95)) if bearded else (0.0 if female else 0.08),
        brow=float(rng.uniform(0.7, 1.0) * (1 - 0.25 * grey)),
        brow_colour=(brow_hair * 0.55).astype(np.float32),
        brow_thickness=float(rng.uniform(0.030, 0.05) if female else rng.uniform(0.04, 0.065)),
        lash=float(rng.uniform(0.35, 0.55) + 0.35 * make_up if female else rng.uniform(0.2, 0.4)),
        wrinkles=float(np.clip((age - 25) / 50 + rng.normal(0, 0.1), 0, 1)),
        freckles=float(max(rng.normal(-0.1, 0.35), 0.0)) if tone <= 6 else 0.0,
        blush=float(rng.uniform(0.15, 0.8) * (1.0 if tone < 6 else 0.5)),
        make_up=make_up,
    )


def _style_shares(female: bool, age: float, ancestry: str) -> dict[str, float]:
    curly = {"african": 0.5, "mixed": 0.2}.get(ancestry, 0.04)
    bald = 0.0 if female else 0.08 + 0.25 * float(np.clip((age - 35) / 30, 0, 1))
    straight = 1 - curly
    if female:
        return {
            "long": 0.42 * straight,
            "bob": 0.25 * straight,
            "tied": 0.25,
            "short": 0.10,
            "curly": curly,
            "shaved": 0.02,
        }
    return {"short": 0.62 * straight, "full": 0.25 * straight, "shaved": 0.15 + bald, "bald": bald, "curly": 0.5 * curly,
            "long": 0.04}  # fmt: skip
