"""Work as it runs: its progress, the flows that are deployed, and the network ports that are open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bitface.documents import Fields

Report = Callable[[str, int, int], None]
"""Progress: what, number done, total, or `UNKNOWN`."""
UNKNOWN: Final = -1


class Progress(Protocol):
    """Shows progress while its block runs."""

    def __enter__(self) -> Report: ...

    def __exit__(self, *exc: Any) -> None: ...

    def __call__(self, what: str, done: int, total: int, /) -> None: ...

    def stage(self, name: str) -> None:
        """A stage begins."""
        ...


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployed flow: runs at `cron` (in UTC) or every `every_s` seconds; if neither is set, only on request. `entrypoint` is its
    dotted name.
    """

    name: str
    entrypoint: str
    description: str
    cron: str | None = None
    every_s: float | None = None
    parameters: Fields = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """A deployment that runs when an event is received."""

    name: str
    event: str
    deployment: str


@dataclass(frozen=True, kw_only=True)
class Door:
    """An open port of this machine, and the ways in which it lets unauthorized clients in."""

    tool: str
    port: int
    process: int | None
    """None: it was not started by bitface."""
    open_to: tuple[str, ...] | None
    """None: no answer in time."""
