"""Plans who the synthetic adults are before any is drawn, so that every slice has people and a plan costs nothing."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from bitface.faces.records import SubjectRecord, age_band_of, skin_tone_group
from bitface.params import SyntheticParams

Role = Literal["train", "gate"]

ANCESTRIES: Final = ("african", "asian", "caucasian", "mixed")
AGE_RANGES: Final = {"18_29": (18, 30), "30_44": (30, 45), "45_59": (45, 60), "60_plus": (60, 81)}
"""Whole years, the upper limit left out."""
TONE_WEIGHTS: Final = {
    "african": (0.02, 0.02, 0.03, 0.05, 0.10, 0.15, 0.20, 0.28, 0.30, 0.25),
    "asian": (0.08, 0.15, 0.22, 0.25, 0.25, 0.18, 0.12, 0.06, 0.04, 0.03),
    "caucasian": (0.25, 0.28, 0.24, 0.18, 0.12, 0.08, 0.05, 0.02, 0.02, 0.01),
    "mixed": (0.06, 0.08, 0.12, 0.16, 0.20, 0.20, 0.16, 0.12, 0.08, 0.06),
}
"""How often a Monk tone 1 to 10 goes with an ancestry. Never zero, so that a model cannot read one off the other; only the
ratios within a tone group count, because the groups themselves are balanced."""


@dataclass(frozen=True, kw_only=True)
class SyntheticPerson:
    """One synthetic adult: what is recorded of them, and what a renderer needs to make the same face again.

    `ancestry_mix` are shares (african, asian, caucasian) that add up to 1; `gender_value` is 0 male to 1 female, `weight` and
    `muscle` 0..1; `age_years` 18 to 80.
    """

    index: int
    record: SubjectRecord
    role: Role
    seed: int
    age_years: float
    gender_value: float
    ancestry_mix: tuple[float, float, float]
    weight: float
    muscle: float


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How a person is drawn other than they are; None and 0 leave it. What is not named here stays, bit for bit what is drawn from.

    `skin_tone` 1 to 10 (Monk) changes the colours of the skin and the exposure that a camera chooses for it; `texture_age` in years
    changes wrinkles and grey hair, not the shape; `light` counts other lights on the same scene, from 1; `exposure` counts further takes
    of the very same scene, which differ in the sensor's noise alone.
    """

    skin_tone: int | None = None
    texture_age: float | None = None
    light: int = 0
    exposure: int = 0


AS_THEY_ARE: Final = Variation()


def plan_people(params: SyntheticParams, seed: int) -> tuple[SyntheticPerson, ...]:
    """All people of a dataset, training people first; the same seed gives the same people.

    In each role, age band x gender x skin tone group is dealt round robin in an order drawn from the seed, so that the
    counts of any two cells differ by one at most; ancestry is drawn given the tone group, the tone given both.
    """
    roles: tuple[tuple[Role, int], ...] = (("train", params.training_people), ("gate", params.gate_people))
    people: list[SyntheticPerson] = []
    for role, count in roles:
        rng = np.random.default_rng(_number(seed, "cells", role))
        cells = list(itertools.product(AGE_RANGES, ("female", "male"), ("monk_1_4", "monk_5_7", "monk_8_10")))
        order = [cells[i] for i in rng.permutation(len(cells))]
        people += [_person(seed, len(people) + i, role, *order[i % len(order)]) for i in range(count)]
    return tuple(people)


def _person(seed: int, index: int, role: Role, age_band: str, gender: str, tone_group: str) -> SyntheticPerson:
    rng = np.random.default_rng(_number(seed, index, role))
    age_years = int(rng.integers(*AGE_RANGES[age_band]))
    weights = {a: _group_weights(a, tone_group) for a in ANCESTRIES}
    # A cube root flattens the ancestry given the tone: plausible, yet with people in every slice.
    shares = np.cbrt([sum(weights[a]) / sum(TONE_WEIGHTS[a]) for a in ANCESTRIES])
    ancestry = str(rng.choice(ANCESTRIES, p=shares / shares.sum()))
    tones = np.array(weights[ancestry])
    record = SubjectRecord(
        person="s" + hashlib.sha256(f"{seed}:{index}:{role}".encode()).hexdigest()[:15],
        age_band=age_band_of(age_years),
        gender=gender,
        skin_tone=int(rng.choice(10, p=tones / tones.sum())) + 1,
        ancestry=ancestry,
        self_reported=False,
        evidence="synthetic",
    )
    return SyntheticPerson(
        index=index,
        record=record,
        role=role,
        seed=_number(seed, "face", index, role),
        age_years=float(age_years),
        gender_value=float(np.clip(rng.normal(0.92 if gender == "female" else 0.08, 0.08), 0.0, 1.0)),
        ancestry_mix=_mix(ancestry, rng),
        weight=float(np.clip(rng.normal(0.5, 0.18), 0.05, 0.95)),
        muscle=float(np.clip(rng.normal(0.5, 0.15), 0.05, 0.95)),
    )


def _group_weights(ancestry: str, tone_group: str) -> list[float]:
    return [w if skin_tone_group(tone) == tone_group else 0.0 for tone, w in enumerate(TONE_WEIGHTS[ancestry], start=1)]


def _mix(ancestry: str, rng: np.random.Generator) -> tuple[float, float, float]:
    centre = [1.6, 1.6, 1.6] if ancestry == "mixed" else [12.0 if a == ancestry else 0.7 for a in ANCESTRIES[:3]]
    african, asian, caucasian = (float(share) for share in rng.dirichlet(centre))
    return african, asian, caucasian


def _number(*parts: object) -> int:
    """A seed of 63 bits that depends on all parts and on nothing else."""
    text = ":".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
