"""The course of a run: time per stage, reused results, and warnings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

LOG: Final = logging.getLogger("bitface.stages")


@dataclass(frozen=True, kw_only=True)
class Course:
    """`seconds` by stage; `reused` names what an earlier run had made; `start` is on the clock of `perf_counter`; `begins` is told each
    stage that begins.
    """

    start: float = field(default_factory=perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    begins: Callable[[str], None] = lambda _: None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds what the block takes to the stage's seconds."""
        start = perf_counter()
        self.begins(stage)
        LOG.debug("stage begins", extra={"stage": stage})
        try:
            yield
        finally:
            took = perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + took
            LOG.info("stage ended", extra={"stage": stage, "seconds": round(took, 3)})

    def took_s(self) -> float:
        """Seconds since the start."""
        return perf_counter() - self.start
