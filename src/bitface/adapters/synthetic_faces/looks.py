"""Draws the traits that a synthetic adult's record leaves open, so that no two people of one slice look alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.synthetic_faces.draws import Draws
from bitface.faces.synthetic.synthetic_people import SyntheticPerson, Variation

FloatArray = NDArray[np.float32]

MONK_SRGB: Final = (
    "f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420",
)  # fmt: skip
"""The ten tones of the Monk Skin Tone Scale (Monk, 2022, skintone.google), sRGB."""
_RED_TO_GREEN: Final = (1.34, 1.38, 1.39, 1.44, 1.53, 1.68, 1.85, 1.95, 1.98, 1.95)
_GREEN_TO_BLUE: Final = (1.20, 1.25, 1.40, 1.50, 1.55, 1.58, 1.62, 1.66, 1.66, 1.62)
_MIDDLE_GREY, _SPREAD = 0.30, 0.5
"""The swatches are colours of a screen, 47 times as bright at one end as at the other; skin reflects 0.07 to 0.5 of the light. So their
order is kept, their spread is not, and their hues are those of photographed skin (docs/decisions/0018-skin.md)."""
_LUMINANCE: Final = (0.2126, 0.7152, 0.0722)
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
    encoded = np.array([int(srgb_hex[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Look:
    """The drawn traits of one adult. Colours are linear RGB; shares and strengths 0..1; lengths in decimetres."""

    skin: FloatArray
    lip: FloatArray
    hair: FloatArray
    iris: FloatArray
    sclera: FloatArray
    cloth: FloatArray
    frame: FloatArray | None
    style: str
    hair_length: float
    hairline_dm: float
    beard: float
    beard_colour: FloatArray
    moustache: float
    brow: float
    brow_colour: FloatArray
    brow_thickness: float
    lash: float
    wrinkles: float
    freckles: float
    blush: float
    sheen: float
    make_up: float


def draw_look(person: SyntheticPerson, glasses_share: float, variation: Variation, draws: Draws) -> Look:
    """Draws the traits that a record does not fix; tone, gender, age and ancestry steer them.

    A variation's skin tone changes the colours of skin, lips, brows and beard, the age of texture wrinkles and grey hair, and
    neither anything else.
    """
    ancestry, age, female = person.record.ancestry, person.age_years, person.record.gender == "female"
    make_up = float(draws.of("make-up").beta(1.2, 2.0)) if female else 0.0
    face = _complexion(variation.skin_tone or person.record.skin_tone or 5, make_up, draws.of("complexion"))
    texture_age = age if variation.texture_age is None else variation.texture_age
    grey = float(np.clip((texture_age - draws.of("grey").normal(55, 9)) / 20, 0, 1))
    pigment = linear(str(draws.of("hair colour").choice(_HAIR_SRGB, p=_HAIR_SHARES[ancestry])))
    # Brows and beards are not dyed: what darkens skin darkens them, so they are darker than it, and turn grey last.
    natural = pigment * min(1.0, 0.3 * face.luminance / luminance(pigment))
    brow = natural * (1 - 0.5 * grey) + 0.12 * grey * min(1.0, 2 * face.luminance)
    silver = draws.of("silver").uniform(0.25, 0.6) * np.array([1.0, 0.99, 0.97])
    beard, moustache = (0.0, 0.0) if female else _beard(draws.of("beard"))
    frame, cloth = draws.of("frame"), draws.of("cloth")
    wears_glasses = frame.random() < glasses_share * (1.0 if age < 45 else 1.6)
    return Look(
        skin=face.skin,
        lip=face.lip,
        hair=(pigment * (1 - grey) + silver * grey).astype(np.float32),
        iris=linear(str(draws.of("iris").choice(_IRIS_SRGB, p=_IRIS_SHARES[ancestry]))),
        sclera=np.array([0.72, 0.70, 0.68], dtype=np.float32),
        cloth=(cloth.uniform(0.02, 0.7, size=3) * cloth.uniform(0.3, 1.0)).astype(np.float32),
        frame=frame.uniform(0.01, 0.12, size=3).astype(np.float32) if wears_glasses else None,
        style=_style(female, age, ancestry, draws.of("style")),
        hair_length=float(draws.of("hair length").uniform(0.0, 1.0)),
        hairline_dm=_hairline(female, age, draws.of("hairline")),
        beard=beard,
        beard_colour=((natural * (1 - grey) + silver * grey) * 0.8).astype(np.float32),
        moustache=moustache,
        brow=float(draws.of("brow").uniform(0.7, 1.0) * (1 - 0.25 * grey)),
        brow_colour=(brow * 0.55).astype(np.float32),
        brow_thickness=float(draws.of("brow width").uniform(*((0.030, 0.05) if female else (0.04, 0.065)))),
        lash=float(draws.of("lash").uniform(*((0.35, 0.55) if female else (0.2, 0.4))) + 0.35 * make_up),
        wrinkles=float(np.clip((texture_age - 25) / 50 + draws.of("creases").normal(0, 0.1), 0, 1)),
        freckles=float(max(draws.of("freckle share").normal(-0.1, 0.35), 0.0)) * face.fair,
        blush=float(draws.of("blush").uniform(0.15, 0.8)) * face.fair,
        sheen=float(draws.of("sheen").uniform(1.2, 2.8)) * (1.5 - 0.5 * face.fair),
        make_up=make_up,
    )


@dataclass(frozen=True)
class _Complexion:
    """Linear RGB of skin and lips, and `fair`, 0 to 1: how much of what lies under the skin shows through it."""

    skin: FloatArray
    lip: FloatArray
    fair: float
    luminance: float


def _complexion(tone: int, make_up: float, rng: np.random.Generator) -> _Complexion:
    skin = skin_colour(tone) * rng.uniform(0.9, 1.1) * rng.normal(1.0, [0.02, 0.02, 0.035])
    lip = skin * np.array([0.85, 0.58, 0.62]) + np.array([0.04, 0.018, 0.020])
    paint_on = np.array([0.40, 0.07, 0.10]) * rng.uniform(0.6, 1.1) * float(skin.mean() / 0.5) ** 0.6
    lip = lip * (1 - 0.6 * make_up) + paint_on * 0.6 * make_up
    light = luminance(skin)
    return _Complexion(skin.astype(np.float32), lip.astype(np.float32), min(light / 0.3, 1.0), light)


def skin_colour(tone: int) -> NDArray[np.float64]:
    """Linear RGB (3,) of light that skin of a Monk tone 1 to 10 reflects."""
    swatch = luminance(linear(MONK_SRGB[tone - 1]))
    colour = np.array([_RED_TO_GREEN[tone - 1], 1.0, 1.0 / _GREEN_TO_BLUE[tone - 1]])
    return np.asarray(colour * (_MIDDLE_GREY * (swatch / _MIDDLE_GREY) ** _SPREAD / luminance(colour)))


def luminance(colour: NDArray[np.float32] | NDArray[np.float64]) -> float:
    """Of linear RGB (3,), between 0 and 1 (IEC 61966-2-1)."""
    red, green, blue = colour.tolist()
    return float(_LUMINANCE[0] * red + _LUMINANCE[1] * green + _LUMINANCE[2] * blue)


def _beard(rng: np.random.Generator) -> tuple[float, float]:
    """Strength of beard and moustache of a man, who is shaven more often than not."""
    bearded, beard, moustache = (
        rng.random() < 0.45,
        rng.choice([0.25, 0.5, 0.9], p=[0.45, 0.3, 0.25]),
        rng.uniform(0.3, 0.95),
    )
    return (float(beard), float(moustache)) if bearded else (0.1, 0.08)


def _hairline(female: bool, age: float, rng: np.random.Generator) -> float:
    receded = 0.0 if female else 0.12 * float(np.clip((age - 35) / 30, 0, 1))
    return float(rng.normal(0.0, 0.05) + receded * rng.random())


def _style(female: bool, age: float, ancestry: str, rng: np.random.Generator) -> str:
    shares = _style_shares(female, age, ancestry)
    return str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))


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
