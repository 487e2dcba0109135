"""Paints a skin for each synthetic adult: a bare grey mesh teaches a model little about photographs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, zoom
from scipy.spatial import cKDTree

from bitface.adapters.synthetic_faces import exact, shading
from bitface.adapters.synthetic_faces.draws import Draws
from bitface.adapters.synthetic_faces.head_mesh import PARTS, HeadMesh, vertex_rows
from bitface.adapters.synthetic_faces.looks import Look

FloatArray = NDArray[np.float32]
Colour = tuple[float, float, float]

TEXTURE_SHAPE: Final = (400, 480)
_TOP_DM: Final = 8.6
_BOTTOM_DM: Final = 4.9
_AXIS_Z_DM: Final = 0.35
_HALF_TURN: Final = 1.95


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """What painting needs to know of the template, the same for everybody.

    `place` (H, W, 3) the template's position at each texel, that of the nearest skin where
    there is none; `coordinates` (V, 2) of every vertex;
    `eye` (V, 2) the place on the eyeball, in radii; `lash_root` (V,) the skin's row that a
    lash grows from, elsewhere the row itself; `openness` (V,);
    `strands` see `hair_strands`.
    """

    place: FloatArray
    coordinates: FloatArray
    eye: FloatArray
    lash_root: NDArray[np.int64]
    openness: FloatArray
    strands: FloatArray


def make_canvas(mesh: HeadMesh) -> Canvas:
    """Unrolls the template onto a cylinder around its own axis and measures how open to the sky each vertex is."""
    x, y, z = mesh.template.T
    turn = np.arctan2(x, z - _AXIS_Z_DM, dtype=np.float64)
    coordinates = np.stack([0.5 + turn / (2 * _HALF_TURN), (_TOP_DM - y) / (_TOP_DM - _BOTTOM_DM)], axis=1).astype(
        np.float32
    )
    skin = mesh.part == PARTS.index("skin")
    height, width = TEXTURE_SHAPE
    away = np.sqrt(x * x + (z - _AXIS_Z_DM) ** 2)
    flat = np.concatenate([coordinates * (width, height), away[:, None] + 1.0], axis=1)
    near_seam = (np.abs(turn[mesh.triangles]).max(axis=1) > 2.4) | ~skin
    place = shading.unrolled(flat.astype(np.float32), mesh.triangles[~near_seam], mesh.template, TEXTURE_SHAPE)
    nearest = distance_transform_edt(np.isnan(place[..., 0]), return_distances=False, return_indices=True)
    place = place[tuple(nearest)]
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(96, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    solid = mesh.triangles[np.isin(mesh.part, [PARTS.index(p) for p in ("skin", "mouth", "socket")])]
    openness = shading.openness(mesh.template, solid, directions.astype(np.float32), 1.2)
    return Canvas(
        place=place,
        coordinates=coordinates,
        eye=_eye_coordinates(mesh),
        lash_root=_lash_roots(mesh),
        openness=openness,
        strands=hair_strands(),
    )


def _eye_coordinates(mesh: HeadMesh) -> FloatArray:
    rows = vertex_rows(mesh.triangles, [PARTS.index("eye")], mesh.part)
    places = np.zeros((len(mesh.template), 2), dtype=np.float32)
    for side in (-1, 1):
        ball = rows[mesh.template[rows, 0] * side > 0]
        low, high = mesh.template[ball].min(axis=0), mesh.template[ball].max(axis=0)
        places[ball] = ((mesh.template[ball] - (low + high) / 2) / ((high[0] - low[0]) / 2))[:, :2]
    return places


def _lash_roots(mesh: HeadMesh) -> NDArray[np.int64]:
    roots = np.arange(len(mesh.template))
    lashes = vertex_rows(mesh.triangles, [PARTS.index("lash")], mesh.part)
    lids = np.flatnonzero(mesh.lid > 0.3)
    roots[lashes] = lids[cKDTree(mesh.template[lids]).query(mesh.template[lashes])[1]]
    return roots


def hair_field(place: FloatArray, raised_dm: float) -> FloatArray:
    """How far inside the hairline a place of the template is, in decimetres: positive where hair grows.

    The line runs over the forehead, down the temples to the sideburns, over the ears and down to the nape.
    """
    x, y, z = np.moveaxis(place, -1, 0)
    line = np.interp(
        z, [-0.2, 0.15, 0.3, 0.6, 0.7, 0.8, 0.95, 1.15, 1.35], [6.45, 6.75, 7.37, 7.39, 7.12, 7.32, 7.72, 7.93, 8.0]
    )
    forehead = np.clip((z - 0.8) / 0.4, 0, 1)
    return np.asarray(y - line - forehead * (raised_dm - 0.25 * np.maximum(np.abs(x) - 0.45, 0.0)), dtype=np.float32)


def paint(canvas: Canvas, look: Look, draws: Draws) -> FloatArray:
    """The skin texture (H, W, 4): linear albedo and gloss, with brows, beard, stubble of the scalp, blemishes and clothes."""
    place = canvas.place
    x, y, z = np.moveaxis(place, -1, 0)
    side, front = np.abs(x), z > 0.5
    patch, grain = _noise(draws.of("patches"), 14), _noise(draws.of("grain"), 150)
    albedo = look.skin * (1 + 0.07 * patch + 0.05 * grain)[..., None]
    red = look.blush * (_blob(side, y, 0.46, 6.93, 0.2) + 0.7 * _blob(side, y, 0.0, 6.98, 0.13) + 0.5 * (side > 0.78))
    red = red + 0.25 * look.make_up * _blob(side, y, 0.5, 7.0, 0.2)
    albedo = albedo * (1 - red[..., None] * np.array([0.02, 0.22, 0.20]))
    shade = 0.16 * _blob(side, y, 0.3, 7.14, 0.09) + 0.16 * _blob(side, y, 0.31, 7.36, 0.10) * (
        0.5 + 1.2 * look.make_up
    )
    lines = look.wrinkles * _wrinkles(side, y, draws.of("wrinkles"))
    spots = look.freckles * np.clip(_noise(draws.of("freckles"), 260) - 1.1, 0, 1) * _blob(side, y, 0.25, 7.0, 0.35)
    albedo = albedo * (1 - np.clip(shade + lines + spots, 0, 0.75)[..., None] * np.array([0.8, 1.0, 1.0]))
    strands = np.clip(0.9 + 0.25 * _noise(draws.of("brow hairs"), 200), 0.4, 1.2)
    covers = [
        (_brows(side, y, look, draws.of("brows")) * front * strands, look.brow_colour),
        (_beard(side, y, z, look) * np.clip(0.85 + 0.5 * _noise(draws.of("beard"), 220), 0.1, 1.2), look.beard_colour),
        (_scalp(place, look, draws.of("scalp")), look.hair * 0.8),
    ]
    for share, colour in covers:
        share = np.clip(share, 0, 0.95)[..., None]
        albedo = albedo * (1 - share) + colour * share
    oily = _blob(side, y, 0.0, 7.1, 0.25) + _blob(side, y, 0.0, 7.75, 0.35) + 0.6 * _blob(side, y, 0.5, 7.05, 0.2)
    gloss = look.sheen * (0.10 + 0.10 * oily + 0.03 * grain)
    cloth = y < np.interp(z, [-0.6, 0.3, 1.0], [6.0, 5.8, 5.5])
    albedo = np.where(cloth[..., None], look.cloth * (1 + 0.06 * grain)[..., None], albedo)
    gloss = np.where(cloth, 0.02, np.clip(gloss, 0.02, 1.0))
    return np.concatenate([np.clip(albedo, 0.004, 0.95), gloss[..., None]], axis=-1).astype(np.float32)


def hair_strands() -> FloatArray:
    """Brightness (256, 1024) of hair around and along the head, about 1: fine across, slow along."""
    rng = np.random.default_rng(1)
    total = np.ones((256, 1024), dtype=np.float32)
    for rows, columns, depth in ((6, 700, 0.12), (5, 260, 0.09), (6, 90, 0.08), (4, 30, 0.07)):
        coarse = rng.standard_normal((rows, columns)).astype(np.float32)
        total += depth * zoom(coarse, (256 / rows, 1024 / columns), order=1, grid_mode=True, mode="nearest")
    return np.clip(total, 0.3, 1.8)


def _blob(side: FloatArray, y: FloatArray, at_side: float, at_y: float, radius: float) -> FloatArray:
    return np.asarray(exact.exp(((side - at_side) ** 2 + (y - at_y) ** 2) * (-0.5 / radius**2)), dtype=np.float32)


def _noise(rng: np.random.Generator, cells: int) -> FloatArray:
    """Smooth noise of unit variance over the texture, `cells` to its height."""
    height, width = TEXTURE_SHAPE
    rows, columns = cells + 1, round(cells * width / height) + 1
    coarse = exact.normals((rows, columns), rng)
    return np.asarray(zoom(coarse, (height / rows, width / columns), order=1, grid_mode=True, mode="nearest"))


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
