"""A network's counts as a few numbers, so that drift of what it sees can be looked for without keeping what it saw."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def sparse_projection(counts: NDArray[np.int32], outputs: int, seed: int) -> NDArray[np.float64]:
    """Counts (N, F) as float64 (N, outputs), by weights -1, 0, 0, 0, 0, +1 drawn from `seed`, over sqrt(F / 3).

    A sparse random projection keeps distances (Achlioptas, 2003, section 2) and is among the reductions in which shift is
    found best (Rabanser et al., arXiv 1810.11953, section 3.1). Nothing is fitted, so that rows stay exchangeable.
    """
    features = counts.shape[1]
    weights = np.random.default_rng(seed).choice(np.array([-1, 0, 0, 0, 0, 1]), (features, outputs))
    return np.asarray((counts.astype(np.int64) @ weights) / math.sqrt(features / 3))
