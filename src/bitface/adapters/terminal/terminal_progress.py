"""Shows progress on standard error: bars where a person watches; where a log is kept, a line per stage and per tenth, and a sign of
life where neither comes for a while.
"""

from __future__ import annotations

import sys
import threading
from time import monotonic
from typing import Final, Self

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

from bitface.ports import UNKNOWN
from bitface.terminal_text import printable

_SILENT_S: Final = 8.0
"""A log that says nothing for longer looks like a program that hangs."""


class TerminalProgress:
    """A reporter of stages and of (what, done, of how many); safe to call from several threads. Use it as a context manager."""

    def __init__(self, quiet: bool = False, silent_s: float = _SILENT_S) -> None:
        self._quiet = quiet
        self._silent_s = silent_s
        self._stage, self._begun, self._last = "", monotonic(), monotonic()
        self._ended = threading.Event()
        self._alive: threading.Thread | None = None
        self._watched = sys.stderr.isatty()
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._tenths: dict[str, int] = {}
        self._open: dict[str, tuple[float, int]] = {}
        self._bars: Progress | None = None

    def __enter__(self) -> Self:
        """Starts drawing where a person watches."""
        if self._watched and not self._quiet:
            columns = (
                TextColumn("{task.description:<34}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
            )
            self._bars = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
            self._bars.start()
        elif not self._quiet:
            self._ended.clear()
            self._alive = threading.Thread(target=self._say_that_it_lives, name="progress", daemon=True)
            self._alive.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Leaves the last state of each bar on the screen."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()
        if self._alive is not None:
            self._ended.set()
            self._alive.join()
            self._alive = None

    def stage(self, name: str) -> None:
        """Says that a stage begins."""
        with self._lock:
            if name == self._stage:
                return
            self._end_bar_of_stage()
            self._stage, self._begun = name, monotonic()
            if self._bars is not None:
                self._tasks[name] = self._bars.add_task(printable(f"stage {name}"), total=None, rate="")
            elif not self._quiet:
                self._write(f"stage {printable(name)}")

    def _end_bar_of_stage(self) -> None:
        if self._bars is not None and self._stage in self._tasks:
            self._bars.update(self._tasks.pop(self._stage), total=1, completed=1)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Says that `done` of `total` steps of `what` are finished; `UNKNOWN` where nobody knows of how many."""
        with self._lock:
            if self._bars is not None:
                of, rate = (None, f"{self._rate(what, done):.0f}/s") if total == UNKNOWN else (total, "")
                if what not in self._tasks:
                    self._tasks[what] = self._bars.add_task(printable(what), total=of, rate=rate)
                self._bars.update(self._tasks[what], completed=done, total=of, rate=rate)
            elif not self._quiet:
                self._say(what, done, total)

    def _rate(self, what: str, done: int) -> float:
        """How many a second since the first that was said."""
        begun, first = self._open.setdefault(what, (monotonic(), done))
        return (done - first) / max(monotonic() - begun, 1e-3)

    def _say(self, what: str, done: int, total: int) -> None:
        if total == UNKNOWN:
            rate = self._rate(what, done)
            if monotonic() - self._last >= self._silent_s:
                self._write(f"{printable(what)}: {done} so far, {rate:.0f} a second")
            return
        if self._open.pop(what, None) is not None:
            self._write(f"{printable(what)}: {done}")
            return
        tenth = 10 * done // max(total, 1)
        if tenth > self._tenths.get(what, -1):
            self._tenths[what] = tenth
            self._write(f"{printable(what)}: {done} of {total}")

    def _say_that_it_lives(self) -> None:
        while not self._ended.wait(self._silent_s / 4):
            with self._lock:
                if self._stage and monotonic() - self._last >= self._silent_s:
                    self._write(
                        f"stage {printable(self._stage)}: still running, {monotonic() - self._begun:.0f} s so far"
                    )

    def _write(self, line: str) -> None:
        self._last = monotonic()
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
