"""The course of a run: time per stage, reused results, and warnings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter


@dataclass(frozen=True, kw_only=True)
class Course:
    """`seconds` by stage; `reused` names what an earlier run had made; `start` is on the clock of `perf_counter`."""

    start: float = field(default_factory=perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds what the block takes to the stage's seconds."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start

    def took_s(self) -> float:
        """Seconds since the start."""
        return perf_counter() - self.start
