"""Draws what is on a face whatever the colour of its skin: brows, beard, wrinkles, blemishes, hair on the scalp."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.synthetic_faces import exact
from bitface.adapters.synthetic_faces.canvas import TEXTURE_SHAPE, Canvas, hair_field
from bitface.adapters.synthetic_faces.draws import Draws
from bitface.adapters.synthetic_faces.looks import Look

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Fields (H, W) over the texture, so that the same face in another colour costs a few products.

    `mottling` is a factor about 1, `grain` fine noise about 0; `flush` and `rouge` redden; `creases` and `spots` darken; `brows`,
    `beard` and `scalp` are shares that hair covers, 0 to 0.95; `oil` is gloss.
    """

    mottling: FloatArray
    grain: FloatArray
    flush: FloatArray
    rouge: FloatArray
    creases: FloatArray
    spots: FloatArray
    brows: FloatArray
    beard: FloatArray
    scalp: FloatArray
    oil: FloatArray


def draw_marks(canvas: Canvas, look: Look, draws: Draws) -> Marks:
    """The marks of one person."""
    x, y, z = (np.ascontiguousarray(axis) for axis in np.moveaxis(canvas.place, -1, 0))
    side, front = np.abs(x), z > 0.5
    grain = _noise(draws.of("grain"), 150)
    lids = 0.16 * _blob(side, y, 0.3, 7.14, 0.09)
    lids += (0.08 + 0.192 * look.make_up) * _blob(side, y, 0.31, 7.36, 0.10)
    nose, forehead, cheeks = (_blob(side, y, *at) for at in ((0.0, 7.1, 0.25), (0.0, 7.75, 0.35), (0.5, 7.05, 0.2)))
    hairs = np.clip(0.9 + 0.25 * _noise(draws.of("brow hairs"), 200), 0.4, 1.2)
    stubble = np.clip(0.85 + 0.5 * _noise(draws.of("beard"), 220), 0.1, 1.2)
    return Marks(
        mottling=1 + 0.07 * _noise(draws.of("patches"), 14) + 0.05 * grain,
        grain=grain,
        flush=_blob(side, y, 0.46, 6.93, 0.2) + 0.7 * _blob(side, y, 0.0, 6.98, 0.13) + np.float32(0.5) * (side > 0.78),
        rouge=(0.25 * look.make_up) * _blob(side, y, 0.5, 7.0, 0.2),
        creases=lids + look.wrinkles * _wrinkles(side, y, draws.of("wrinkles")),
        spots=np.clip(_noise(draws.of("freckles"), 260) - 1.1, 0, 1) * _blob(side, y, 0.25, 7.0, 0.35),
        brows=np.clip(_brows(side, y, look, draws.of("brows")) * front * hairs, 0, 0.95),
        beard=np.clip(_beard(side, y, z, look) * stubble, 0, 0.95).astype(np.float32),
        scalp=np.clip(_scalp(canvas.place, look, draws.of("scalp")), 0, 0.95),
        oil=0.10 + 0.10 * (nose + forehead + 0.6 * cheeks) + 0.03 * grain,
    )


def _blob(side: FloatArray, y: FloatArray, at_side: float, at_y: float, radius: float) -> FloatArray:
    return np.asarray(exact.exp(((side - at_side) ** 2 + (y - at_y) ** 2) * (-0.5 / radius**2)), dtype=np.float32)


def _noise(rng: np.random.Generator, cells: int) -> FloatArray:
    """Smooth noise of unit variance over the texture, `cells` to its height: bilinear between normal draws."""
    height, width = TEXTURE_SHAPE
    rows, columns = cells + 1, round(cells * width / height) + 1
    coarse = exact.normals((rows, columns), rng)
    i, down = _between(height, rows)
    j, across = _between(width, columns)
    # Along the rows first: every coarse row is stretched once, not once for each fine row.
    stretched = coarse[:, j] * (1 - across) + coarse[:, j + 1] * across
    return np.asarray(stretched[i] * (1 - down)[:, None] + stretched[i + 1] * down[:, None])


def _between(fine: int, coarse: int) -> tuple[NDArray[np.int64], FloatArray]:
    """The coarse place before each fine one, and the share of the way to the next."""
    at = np.clip((np.arange(fine) + 0.5) * (coarse / fine) - 0.5, 0, coarse - 1.001)
    before = at.astype(np.int64)
    return before, (at - before).astype(np.float32)


def _along(side: FloatArray, y: FloatArray, points: tuple[tuple[float, float], ...]) -> tuple[FloatArray, FloatArray]:
    """Distance to a line through points, and the share of the way along it of the nearest point."""
    best, share = np.full(side.shape, 9.0, dtype=np.float32), np.zeros(side.shape, dtype=np.float32)
    for k, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        t = np.clip(((side - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2), 0, 1)
        across, down = side - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0)
        distance = np.sqrt(across * across + down * down)
        share = np.where(distance < best, (k + t) / (len(points) - 1), share)
        best = np.minimum(best, distance)
    return best, share


def _brows(side: FloatArray, y: FloatArray, look: Look, rng: np.random.Generator) -> FloatArray:
    rise = rng.normal(0.0, 0.015)
    points = ((0.12, 7.445), (0.23, 7.465 + rise / 2), (0.37, 7.485 + rise), (0.46, 7.465 + rise / 2), (0.53, 7.405))
    distance, share = _along(side, y, points)
    width = look.brow_thickness * (1.1 - 0.75 * share * np.sqrt(share))
    return np.asarray(look.brow * np.clip(1.4 - distance / width, 0, 1), dtype=np.float32)


def _beard(side: FloatArray, y: FloatArray, z: FloatArray, look: Look) -> FloatArray:
    upper = np.interp(side, [0.0, 0.2, 0.33, 0.5, 0.68, 0.76], [6.44, 6.46, 6.66, 6.8, 7.1, 7.15])
    jaw = np.clip((upper - y) / 0.1, 0, 1) * np.clip((y - 6.0) / 0.15, 0, 1) * np.clip((z - 0.35) / 0.2, 0, 1)
    lip = np.clip((6.87 - y) / 0.05, 0, 1) * np.clip((y - 6.68) / 0.04, 0, 1) * np.clip((0.33 - side) / 0.06, 0, 1)
    corner = np.clip((0.36 - side) / 0.05, 0, 1) * np.clip((side - 0.24) / 0.05, 0, 1) * (y > 6.4) * (y < 6.72)
    chin = _blob(side, y, 0.0, 6.3, 0.12)
    sparse = 0.6 if look.beard < 0.4 else 1.0
    return np.asarray(
        np.maximum(look.beard * sparse * np.maximum(jaw, chin), look.moustache * np.maximum(lip, 0.7 * corner))
    )


def _scalp(place: FloatArray, look: Look, rng: np.random.Generator) -> FloatArray:
    if look.style == "bald":
        return np.zeros(place.shape[:2], dtype=np.float32)
    ragged = hair_field(place, look.hairline_dm) + 0.035 * _noise(rng, 120) + 0.02 * _noise(rng, 30)
    share = np.clip(ragged / 0.08, 0, 1) * (0.62 if look.style == "shaved" else 0.95)
    return np.asarray(share * (place[..., 1] > 6.3), dtype=np.float32)


def _wrinkles(side: FloatArray, y: FloatArray, rng: np.random.Generator) -> FloatArray:
    folds = (
        (((0.16, 6.96), (0.27, 6.8), (0.32, 6.62)), 0.022, 0.5),
        (((0.14, 7.14), (0.26, 7.08), (0.38, 7.1)), 0.018, 0.3),
        (((0.50, 7.29), (0.60, 7.33)), 0.014, 0.3),
        (((0.50, 7.25), (0.60, 7.22)), 0.014, 0.3),
        (((0.055, 7.44), (0.05, 7.53)), 0.018, 0.22),
        (((0.28, 6.56), (0.31, 6.4)), 0.02, 0.3),
    )
    total = np.zeros(side.shape, dtype=np.float32)
    for points, width, depth in folds:
        total += depth * rng.uniform(0.4, 1.0) * exact.exp(-((_along(side, y, points)[0] / width) ** 2))
    for line in (7.68, 7.78, 7.88):
        bend = line + rng.normal(0, 0.01) - 0.05 * side**2
        total += 0.25 * rng.random() * exact.exp(-(((y - bend) / 0.012) ** 2)) * np.clip((0.5 - side) / 0.15, 0, 1)
    return total
