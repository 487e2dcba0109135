"""Unrolls the template of a head into a texture, the same for all people, where skin can be painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, zoom
from scipy.spatial import cKDTree

from bitface.adapters.synthetic_faces import shading
from bitface.adapters.synthetic_faces.head_mesh import PARTS, HeadMesh, vertex_rows

FloatArray = NDArray[np.float32]

TEXTURE_SHAPE: Final = (400, 480)
_TOP_DM: Final = 8.6
_BOTTOM_DM: Final = 4.9
_AXIS_Z_DM: Final = 0.35
_HALF_TURN: Final = 1.95


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """What painting needs to know of the template, the same for everyone.

    `place` (H, W, 3) the template's position at each texel, that of the nearest skin where
    there is none; `cloth` (H, W) where clothes cover the body;
    `coordinates` (V, 2) of every vertex;
    `eye` (V, 2) the place on the eyeball, in radii; `lash_root` (V,) the skin's row that a
    lash grows from, elsewhere the row itself; `openness` (V,);
    `strands` see `hair_strands`.
    """

    place: FloatArray
    cloth: NDArray[np.bool_]
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
        cloth=place[..., 1] < np.interp(place[..., 2], [-0.6, 0.3, 1.0], [6.0, 5.8, 5.5]),
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


def hair_strands() -> FloatArray:
    """Brightness (256, 1024) of hair around and along the head, about 1: fine across, slow along."""
    rng = np.random.default_rng(1)
    total = np.ones((256, 1024), dtype=np.float32)
    for rows, columns, depth in ((6, 700, 0.12), (5, 260, 0.09), (6, 90, 0.08), (4, 30, 0.07)):
        coarse = rng.standard_normal((rows, columns)).astype(np.float32)
        total += depth * zoom(coarse, (256 / rows, 1024 / columns), order=1, grid_mode=True, mode="nearest")
    return np.clip(total, 0.3, 1.8)
