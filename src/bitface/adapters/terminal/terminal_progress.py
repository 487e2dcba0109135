"""Shows progress on standard error: bars where a person watches, one line per tenth where a log is kept."""

from __future__ import annotations

import sys
import threading
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bitface.terminal_text import printable


class TerminalProgress:
    """A reporter of (what, done, of how many); safe to call from several threads. Use it as a context manager."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._watched = sys.stderr.isatty()
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._tenths: dict[str, int] = {}
        self._bars: Progress | None = None

    def __enter__(self) -> Self:
        """Starts drawing where a person watches."""
        if self._watched and not self._quiet:
            columns = (
                TextColumn("{task.description:<34}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bars = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
            self._bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Leaves the last state of each bar on the screen."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """Says that `done` of `total` steps of `what` are finished."""
        with self._lock:
            if self._bars is not None:
                if what not in self._tasks:
                    self._tasks[what] = self._bars.add_task(printable(what), total=total)
                self._bars.update(self._tasks[what], completed=done, total=total)
            elif not self._quiet:
                self._say(what, done, total)

    def _say(self, what: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth > self._tenths.get(what, -1):
            self._tenths[what] = tenth
            sys.stderr.write(f"{printable(what)}: {done} of {total}\n")
            sys.stderr.flush()
