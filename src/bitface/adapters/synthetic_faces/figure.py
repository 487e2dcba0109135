"""Joins a person's head with hair and glasses into one mesh whose frames cost one addition each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.synthetic_faces import exact, lighting, shading
from bitface.adapters.synthetic_faces.canvas import Canvas, hair_field
from bitface.adapters.synthetic_faces.draws import Draws
from bitface.adapters.synthetic_faces.head_mesh import PARTS, HeadMesh, vertex_rows
from bitface.adapters.synthetic_faces.looks import Look
from bitface.adapters.synthetic_faces.marks import Marks, draw_marks
from bitface.adapters.synthetic_faces.painting import paint

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

_MATERIAL = {
    "skin": lighting.SKIN,
    "mouth": lighting.MOUTH,
    "socket": lighting.SOCKET,
    "eye": lighting.EYE,
    "teeth": lighting.TEETH,
    "tongue": lighting.MOUTH,
    "lash": lighting.LASH,
}
_SHELL_DM = {"short": (0.03, 0.12), "full": (0.14, 0.26), "curly": (0.12, 0.38), "tied": (0.02, 0.06),
             "bob": (0.08, 0.18), "long": (0.06, 0.18)}  # fmt: skip
"""Least and most height of the hair over the scalp."""


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Vertices (N, 3) in the resting face's space, `follows` (N,) the head's row that moves each (-1: none), and the rest."""

    vertices: FloatArray
    triangles: IntArray
    follows: IntArray
    material: IntArray
    coordinates: FloatArray
    attributes: FloatArray


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A person ready to be drawn: `resting` (N, 3), `follows` (N,), the surface and what it is painted from, the eyes' middle (3,)."""

    resting: FloatArray
    follows: IntArray
    surface: shading.Surface
    marks: Marks
    teeth: FloatArray
    eyes: FloatArray

    def expressed(self, mesh: HeadMesh, action: FloatArray) -> FloatArray:
        """Vertices (N, 3) under 52 facial actions."""
        moved = exact.weighted_sum(action, mesh.actions)
        return np.where(self.follows[:, None] >= 0, self.resting + moved[self.follows], self.resting)


def make_figure(mesh: HeadMesh, canvas: Canvas, look: Look, neutral: FloatArray, draws: Draws) -> Figure:
    """The figure of a person with a resting face (V, 3)."""
    pieces = [_head(mesh, canvas, look, neutral)]
    if look.style in _SHELL_DM:
        pieces.append(_hair_shell(mesh, canvas, look, neutral, draws.of("hair")))
    if look.style in ("bob", "long"):
        pieces.append(_hanging_hair(look, neutral, draws.of("curtain")))
    if look.style == "tied" and look.hair_length > 0.5:
        pieces.append(_knot(neutral, look))
    eye_rows = vertex_rows(mesh.triangles, [PARTS.index("eye")], mesh.part)
    left = neutral[eye_rows[mesh.template[eye_rows, 0] > 0]]
    right = neutral[eye_rows[mesh.template[eye_rows, 0] < 0]]
    if look.frame is not None:
        pieces.append(_glasses(left, right, neutral, draws.of("glasses")))
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    triangles = np.concatenate([piece.triangles + start for piece, start in zip(pieces, starts, strict=False)])
    marks = draw_marks(canvas, look, draws)
    rng = draws.of("eyes and teeth")
    teeth = np.array([0.72, 0.67, 0.58]) * rng.uniform(0.8, 1.1)
    surface = shading.Surface(
        triangles=triangles.astype(np.int32),
        material=np.concatenate([piece.material for piece in pieces]),
        coordinates=np.concatenate([piece.coordinates for piece in pieces]),
        attributes=np.concatenate([piece.attributes for piece in pieces]),
        paint=coloured(canvas, marks, look, teeth.astype(np.float32)),
        strands=canvas.strands,
        iris_radius=float(rng.uniform(0.46, 0.53)),
    )
    return Figure(
        resting=np.concatenate([piece.vertices for piece in pieces]).astype(np.float32),
        follows=np.concatenate([piece.follows for piece in pieces]),
        surface=surface,
        marks=marks,
        teeth=teeth.astype(np.float32),
        eyes=(left.mean(axis=0) + right.mean(axis=0)) / 2,
    )


def coloured(canvas: Canvas, marks: Marks, look: Look, teeth: FloatArray) -> shading.Paint:
    """The colours of a person's surface: the same marks in another look's colours are the same face in another tone."""
    frame = np.zeros(3) if look.frame is None else look.frame
    colours = np.stack([look.iris, look.hair, look.lip, teeth, frame, look.skin, look.sclera])
    return shading.Paint(texture=paint(canvas, marks, look), colours=colours.astype(np.float32))


def _head(mesh: HeadMesh, canvas: Canvas, look: Look, neutral: FloatArray) -> _Piece:
    count = len(neutral)
    attributes = np.ones((count, 4), dtype=np.float32)
    attributes[:, 0] = 0.25 + 0.75 * canvas.openness
    attributes[:, 1] = mesh.lip
    for part, value in (("eye", 0.8), ("teeth", 0.95), ("tongue", 0.6), ("mouth", 0.25), ("socket", 0.4)):
        attributes[vertex_rows(mesh.triangles, [PARTS.index(part)], mesh.part), 0] = value
    eyes = vertex_rows(mesh.triangles, [PARTS.index("eye")], mesh.part)
    coordinates = canvas.coordinates.copy()
    coordinates[eyes] = canvas.eye[eyes]
    material = np.array([_MATERIAL[part] for part in PARTS], dtype=np.int32)[mesh.part]
    length = np.where(mesh.template[:, 1:2] > 7.284, look.lash, 0.15 * look.lash)
    roots = neutral[canvas.lash_root]
    return _Piece(
        vertices=roots
        + (neutral - roots) * np.where(canvas.lash_root[:, None] == np.arange(count)[:, None], 1.0, length),
        triangles=mesh.triangles,
        follows=canvas.lash_root.astype(np.int32),
        material=material,
        coordinates=coordinates,
        attributes=attributes,
    )


def _hair_shell(mesh: HeadMesh, canvas: Canvas, look: Look, neutral: FloatArray, rng: np.random.Generator) -> _Piece:
    """The scalp lifted along its normals, sinking into the skin at the hairline."""
    inside = hair_field(mesh.template, look.hairline_dm)
    inside = np.where((mesh.ear > 0.3) | (mesh.template[:, 1] < 6.4), -1.0, inside)
    skin = mesh.part == PARTS.index("skin")
    chosen = mesh.triangles[skin & (inside[mesh.triangles] > -0.12).all(axis=1)]
    rows = np.unique(chosen)
    low, high = _SHELL_DM[look.style]
    depth = low + (high - low) * look.hair_length
    share = np.clip(inside[rows] / (0.35 if look.style != "curly" else 0.22), 0, 1)
    share = share * share * (3 - 2 * share)
    top = np.clip((mesh.template[rows, 1] - 7.7) / 0.6, 0, 1)
    rough = 0.16 if look.style == "curly" else 0.10
    lift = depth * share * (0.8 + 0.5 * top) * (1 + rough * rng.standard_normal(len(rows))) - 0.025 * (1 - share)
    normals = shading.vertex_normals(neutral, mesh.triangles)[rows]
    attributes = np.ones((len(rows), 4), dtype=np.float32)
    attributes[:, 0] = 0.5 + 0.5 * share
    attributes[:, 2] = rng.uniform(0.85, 1.15, size=len(rows))
    new = np.zeros(len(neutral), dtype=np.int32)
    new[rows] = np.arange(len(rows))
    return _Piece(
        vertices=neutral[rows] + normals * lift[:, None],
        triangles=new[chosen],
        follows=rows.astype(np.int32),
        material=np.full(len(chosen), lighting.HAIR, dtype=np.int32),
        coordinates=canvas.coordinates[rows],
        attributes=attributes,
    )


def _hanging_hair(look: Look, neutral: FloatArray, rng: np.random.Generator) -> _Piece:
    """A curtain around the sides and the back of the head, from the crown down to the jaw or the shoulders."""
    columns, rows = 40, 14
    bottom = (6.5 if look.style == "bob" else 5.75) - 0.45 * look.hair_length
    crown = neutral[:, 1].max()
    shift = crown - 8.49
    half = np.abs(neutral[(np.abs(neutral[:, 1] - 7.6 - shift) < 0.12), 0]).max()
    opening = rng.uniform(0.95, 1.25)
    around = np.linspace(opening, 2 * np.pi - opening, columns)
    down = np.linspace(0, 1, rows)[:, None]
    wave = 0.03 * np.cumsum(rng.standard_normal((rows, columns)), axis=0) / np.sqrt(rows)
    width = np.interp(down[:, 0], [0, 0.2, 0.5, 1], [0.80, 1.04, 1.12, 1.08])[:, None] + wave
    side = (half + 0.10) * width * np.sin(around)
    depth = neutral[:, 2].max() - 1.45 + (0.98 * width) * np.cos(around)
    end = bottom + shift + 0.08 * rng.standard_normal(columns)
    height = (crown - 0.42) * (1 - down) + end * down
    vertices = np.stack([side, height, depth], axis=-1).reshape(-1, 3).astype(np.float32)
    attributes = np.ones((len(vertices), 4), dtype=np.float32)
    attributes[:, 0] = np.broadcast_to(0.85 - 0.2 * down, (rows, columns)).ravel()
    attributes[:, 2] = rng.uniform(0.8, 1.15, size=len(vertices))
    coordinates = np.stack(np.broadcast_arrays(around / (2 * np.pi), down), axis=-1).reshape(-1, 2).astype(np.float32)
    return _sheet(vertices, rows, columns, coordinates, attributes, lighting.HAIR)


def _knot(neutral: FloatArray, look: Look) -> _Piece:
    """A bun on the crown."""
    rows, columns = 7, 12
    up, around = np.linspace(0.0, np.pi, rows)[:, None], np.linspace(0, 2 * np.pi, columns)
    radius = 0.22 + 0.16 * look.hair_length
    crown = neutral[neutral[:, 1].argmax()]
    sphere = np.stack(
        np.broadcast_arrays(np.sin(up) * np.sin(around), np.cos(up), np.sin(up) * np.cos(around)), axis=-1
    )
    vertices = (crown + [0.0, 0.12, -0.25] + radius * sphere).reshape(-1, 3).astype(np.float32)
    attributes = np.full((len(vertices), 4), 0.9, dtype=np.float32)
    coordinates = np.stack(np.broadcast_arrays(around / 6.28, up / 3.14), axis=-1).reshape(-1, 2).astype(np.float32)
    return _sheet(vertices, rows, columns, coordinates, attributes, lighting.HAIR)


def _glasses(left: FloatArray, right: FloatArray, neutral: FloatArray, rng: np.random.Generator) -> _Piece:
    """Two rims, a bridge and two arms, as flat bands in front of the eyes."""
    centres = [left.mean(axis=0), right.mean(axis=0)]
    front = max(left[:, 2].max(), right[:, 2].max()) + 0.14
    half_width, half_height = rng.uniform(0.22, 0.27), rng.uniform(0.15, 0.21)
    band, corner = rng.uniform(0.018, 0.04), rng.uniform(2.0, 4.5)
    turn = np.linspace(0, 2 * np.pi, 33)
    shape = np.stack([np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / corner),
                      np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / corner)], axis=1)  # fmt: skip
    bands = []
    for centre in centres:
        middle = np.array([centre[0] * 1.03, centre[1] - 0.02])
        rims = [middle + shape * (half_width + grow, half_height + grow) for grow in (0.0, band)]
        bands.append([np.column_stack([rim, np.full(len(rim), front)]) for rim in rims])
    inner = min(abs(centres[0][0]), abs(centres[1][0])) * 1.03 - half_width
    bridge_y = centres[0][1] + 0.06
    across = np.linspace(-inner, inner, 5)
    bands.append([np.column_stack([across, np.full(5, bridge_y + g), np.full(5, front + 0.02)]) for g in (0.0, band)])
    reach = np.abs(neutral[:, 0][np.abs(neutral[:, 1] - centres[0][1]) < 0.15]).max() - 0.06
    for sign in (-1, 1):
        out = sign * np.linspace(abs(centres[0][0]) * 1.03 + half_width, reach, 6)
        back = np.linspace(front, 0.55, 6)
        bands.append([np.column_stack([out, np.full(6, centres[0][1] + 0.03 + g), back]) for g in (0.0, band)])
    sheets = []
    for low, high in bands:
        vertices = np.concatenate([low, high]).astype(np.float32)
        plain = np.zeros((len(vertices), 2), dtype=np.float32)
        sheets.append(_sheet(vertices, 2, len(low), plain, np.ones((len(vertices), 4), np.float32), lighting.FRAME))
    return _joined(sheets)


def _sheet(
    vertices: FloatArray, rows: int, columns: int, coordinates: FloatArray, attributes: FloatArray, material: int
) -> _Piece:
    grid = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = grid[:-1, :-1].ravel(), grid[:-1, 1:].ravel(), grid[1:, 1:].ravel(), grid[1:, :-1].ravel()
    triangles = np.concatenate([np.stack([a, d, c], axis=1), np.stack([a, c, b], axis=1)])
    return _Piece(
        vertices=vertices,
        triangles=triangles,
        follows=np.full(len(vertices), -1, dtype=np.int32),
        material=np.full(len(triangles), material, dtype=np.int32),
        coordinates=coordinates,
        attributes=attributes,
    )


def _joined(pieces: list[_Piece]) -> _Piece:
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    return _Piece(
        vertices=np.concatenate([piece.vertices for piece in pieces]),
        triangles=np.concatenate([p.triangles + s for p, s in zip(pieces, starts, strict=False)]).astype(np.int32),
        follows=np.concatenate([piece.follows for piece in pieces]),
        material=np.concatenate([piece.material for piece in pieces]),
        coordinates=np.concatenate([piece.coordinates for piece in pieces]),
        attributes=np.concatenate([piece.attributes for piece in pieces]),
    )
