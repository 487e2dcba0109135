"""Many questions at once: p-values that still mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: family-wise error over all of them is held. Source: Holm, 1979."""
    found = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(found, kind="stable")
    adjusted = np.empty_like(found)
    raw = found[order] * np.arange(len(found), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw), 1.0)
    values: list[float] = adjusted.tolist()
    return values
