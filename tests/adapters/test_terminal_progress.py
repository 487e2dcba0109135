"""A log of a long command says what begins, how far it is, and that it lives; JSON on standard output is never touched."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

from bitface.adapters.terminal.terminal_progress import TerminalProgress

PATIENCE_S = 20.0


class Stream:
    """Standard error that nobody watches; it says when a text was written."""

    def __init__(self) -> None:
        self.text = ""
        self._written = threading.Condition()

    def write(self, text: str) -> None:
        with self._written:
            self.text += text
            self._written.notify_all()

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False

    def wait_for(self, words: str) -> bool:
        with self._written:
            return self._written.wait_for(lambda: words in self.text, PATIENCE_S)


@contextmanager
def logged(silent_s: float, *, quiet: bool = False) -> Iterator[tuple[TerminalProgress, Stream]]:
    """Progress, and the log that it is written to."""
    with redirect_stderr(stream := Stream()), TerminalProgress(quiet, silent_s) as report:
        yield report, stream


def test_a_stage_is_said_as_it_begins_and_a_step_once_a_tenth() -> None:
    with logged(PATIENCE_S) as (report, stream):
        report.stage("train")
        for done in range(1, 101):
            report("fold 1", done, 100)
    lines = stream.text.splitlines()
    assert lines[0] == "stage train" and len(lines) == 12 and lines[-1] == "fold 1: 100 of 100"


def test_a_stage_that_says_nothing_for_a_while_says_that_it_runs() -> None:
    """The first 50 seconds of a retrain were silent, as if it hung."""
    with logged(0.02) as (report, stream):
        report.stage("explain")
        assert stream.wait_for("stage explain: still running, ")
        report.stage("gate")
        assert stream.wait_for("stage gate: still running, ")
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"], "it ends with its block"


def test_a_command_without_stages_says_nothing_of_its_own() -> None:
    with logged(0.01) as (report, stream):
        threading.Event().wait(0.1)
        report("predicting", 1, 1)
    assert stream.text == "predicting: 1 of 1\n"


def test_quiet_is_quiet() -> None:
    with logged(0.01, quiet=True) as (report, stream):
        report.stage("train")
        report("fold 1", 1, 2)
        threading.Event().wait(0.05)
    assert stream.text == ""
