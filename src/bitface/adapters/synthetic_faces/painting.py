"""Paints a skin for each synthetic adult: a bare grey mesh teaches a model little about photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitface.adapters.synthetic_faces.canvas import Canvas
from bitface.adapters.synthetic_faces.looks import Look
from bitface.adapters.synthetic_faces.marks import Marks

FloatArray = NDArray[np.float32]

_FLUSHED = np.array([0.02, 0.22, 0.20], dtype=np.float32)
_SHADED = np.array([0.8, 1.0, 1.0], dtype=np.float32)


def paint(canvas: Canvas, marks: Marks, look: Look) -> FloatArray:
    """The skin texture (H, W, 4): linear albedo and gloss of a person's marks in the colours of their look."""
    texture = np.empty((*marks.grain.shape, 4), dtype=np.float32)
    red = (look.blush * marks.flush + marks.rouge)[..., None]
    dark = np.clip(marks.creases + look.freckles * marks.spots, 0, 0.75)[..., None]
    albedo = look.skin * marks.mottling[..., None] * (1 - red * _FLUSHED) * (1 - dark * _SHADED)
    hairs = (
        (marks.brows, look.brow_colour),
        (marks.beard, look.beard_colour),
        (marks.scalp, look.hair * np.float32(0.8)),
    )
    for share, colour in hairs:
        albedo += (colour - albedo) * share[..., None]
    gloss = np.clip(look.sheen * marks.oil, 0.02, 1.0)
    albedo[canvas.cloth] = look.cloth * (1 + 0.06 * marks.grain[canvas.cloth])[:, None]
    texture[..., :3] = np.clip(albedo, 0.004, 0.95)
    texture[..., 3] = np.where(canvas.cloth, np.float32(0.02), gloss)
    return texture
