"""One seed for a run, and from it one per purpose, so that adding a draw somewhere changes no other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_of(seed: int, *purpose: str | int) -> int:
    """A seed in 0..2^63-1 for a purpose, from SHA-256 of the run's seed and the purpose's words."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def repeatable(seed: int, threads: int) -> Iterator[None]:
    """Torch seeded and held to so many threads, and as it was before afterwards: a sum's last bit depends on both."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(before)
