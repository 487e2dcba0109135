"""The share of the learning rate at each step: it rises while a network warms up, then falls along a cosine (Loshchilov & Hutter 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable


def warm_then_cosine(steps: int, warmup: int) -> Callable[[int], float]:
    """Step -> share of the learning rate: from 1 / `warmup` to 1 in `warmup` steps, then down to 0 at `steps`."""

    def share(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return share
