"""Stills of each training sample, changed by draws of that sample's own content: nobody else has a part in them."""

from __future__ import annotations

import hashlib
from typing import cast

import numpy as np
from numpy.typing import NDArray

from bitface.faces.features import ClipTable, FaceValues, Reads
from bitface.training.batches import expressive_frames
from bitface.training.domain import Domain
from bitface.training.seeds import seed_of


def own_stills(
    domain: Domain, train: ClipTable, reads: Reads, copies: int, seed: int
) -> tuple[FaceValues, NDArray[np.int64]]:
    """The expressive frames of every sample, each as it is and in `copies` changed ones.

    Returns:
        stills (M, 1, ...) of the column that is read, and int64 (M,) the row of each. The stills of a row are the same
        whichever rows stand beside it.
    """
    parts, rows = [], []
    column = train.column(reads)
    for row, frames in enumerate(expressive_frames(train)):
        shown = column[row, : train.lengths[row]]
        content = hashlib.sha256(np.ascontiguousarray(shown).tobytes()).hexdigest()
        stills = shown[frames][:, None]
        parts.append(stills)
        if copies:
            rng = np.random.default_rng(seed_of(seed, "own stills", content))
            parts.append(domain.changed_alone(stills[np.repeat(np.arange(len(stills)), copies)], rng))
        rows.append(np.full(len(stills) * (1 + copies), row, np.int64))
    return cast("FaceValues", np.concatenate(parts)), np.concatenate(rows)
