"""Worker processes that a terminal's Ctrl-C does not reach, and that end with their work, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar

from bitface.errors import WorkerEndedError

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def worker_processes(
    count: int, initializer: Callable[..., None], initargs: tuple[object, ...]
) -> Iterator[ProcessPoolExecutor]:
    """`count` processes, each set up by `initializer`. Pending work is finished at the end of the block, or dropped if the block ends
    with an error or Ctrl-C. If this process is killed with `kill -9`, they end too.

    Raises:
        WorkerEndedError: a process was ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    # Nothing is written: reading ends when the last writer is closed, which happens when this process ends.
    reader, writer = context.Pipe(duplex=False)
    with reader, writer:
        pool = _Unreached(count, mp_context=context, initializer=_begin, initargs=(reader, initializer, initargs))
        try:
            yield pool
        except BrokenProcessPool as error:
            pool.shutdown(wait=False, cancel_futures=True)
            raise WorkerEndedError(
                "a worker process was ended from outside, as systems do when memory runs out; close other programs, or set fewer workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()


class _Unreached(ProcessPoolExecutor):
    """Starts its processes with Ctrl-C blocked, which they inherit; ignoring it inside them would be too late."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(reader: Connection, initializer: Callable[..., None], initargs: tuple[object, ...]) -> None:
    threading.Thread(target=_end_with, args=(reader,), name="end with parent", daemon=True).start()
    initializer(*initargs)


def _end_with(reader: Connection) -> None:
    reader.poll(None)
    os._exit(1)
