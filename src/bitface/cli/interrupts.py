"""Ctrl-C, SIGTERM and a closed terminal end a command within seconds: in order if that is quick, else at once.

Everything a command writes appears whole or not at all, and the next run closes what a killed one left open, so nothing is lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import sleep
from typing import Final, NoReturn

GRACE_S: Final = 2.0
"""For an orderly end: a run is marked as failed, the lease released, servers stopped."""
LINE: Final = "bitface: interrupted; finished work is kept, run the same command again to continue\n"
_LOOKS: Final = 20
_LOOK_S: Final = 0.01
_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Ending:
    """The signal that ended the command, 0 if none did."""

    number: int = 0
    is_printed: bool = False
    heard: list[int] = field(default_factory=list)
    """Every signal that has come, also while a tool had a handler of its own in place of ours, as Prefect has in a flow."""

    def is_heard(self) -> bool:
        """Whether a signal has come, also one that another handler took; its number is then that of the ending."""
        for _ in range(_LOOKS):
            if self.number or self.heard:
                break
            sleep(_LOOK_S)  # the thread that hears it may be a moment behind
        self.number = self.number or next(iter(self.heard), 0)
        return bool(self.number)

    @property
    def exit_code(self) -> int:
        """As in a shell: 130 for Ctrl-C, 143 for SIGTERM, 129 for a closed terminal."""
        return 128 + self.number

    def print_line(self) -> None:
        """Prints the line once."""
        if not self.is_printed:
            self.is_printed = True
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(LINE)
                sys.stderr.flush()

    def leave(self) -> NoReturn:
        """Ends this process at once; its child processes notice and end by themselves."""
        with contextlib.suppress(OSError, ValueError):
            if sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h")  # progress bars hide the cursor
        self.print_line()
        os._exit(self.exit_code)


@contextmanager
def ending_on_signals() -> Iterator[Ending]:
    """The first signal raises KeyboardInterrupt, which has GRACE_S to end the command; a second one ends the process at once.

    A signal that the parent process ignores stays ignored. Does nothing outside the main thread.
    """
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def interrupt(number: int, _: object) -> None:
        if ending.number:
            ending.leave()
        ending.number = number
        with contextlib.suppress(OSError):
            os.write(writer, bytes([number]))  # an asyncio loop may have taken the wakeup descriptor
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _NUMBERS}
    handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, interrupt)
    # Python runs handlers between two steps of the main thread, which may take long; the descriptor is written at once.
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, ending), name="end in time", daemon=True).start()
    try:
        yield ending
    finally:
        if not ending.number:
            signal.set_wakeup_fd(wakeup)
            for number in handled:
                signal.signal(number, before[number])
            os.close(writer)


def _watch(reader: int, ending: Ending) -> None:
    while read := os.read(reader, 1):
        if read[0] in _NUMBERS:
            ending.heard.append(read[0])
            sleep(GRACE_S)
            ending.number = ending.number or read[0]
            ending.leave()
    os.close(reader)
