"""One generator for each trait of a person, so that a trait that is drawn, changed or left out moves no other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draws:
    """All random draws of one person, or of one picture of them."""

    seed: int
    part: int = 0

    def of(self, trait: str) -> np.random.Generator:
        """The generator of a trait, from its start."""
        digest = hashlib.sha256(f"{self.seed}:{self.part}:{trait}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))
