"""An import of thousands of people writes many small files at once and looks at no picture twice: with the same results."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from bitface.dataset.files import each_in_threads
from bitface.dataset.spool import Spool
from bitface.faces.media import same_picture
from bitface.faces.media.same_picture import look_of, looks_asked


def test_everything_is_written_and_the_first_error_rises() -> None:
    done: list[int] = []
    each_in_threads(done.append, range(100))
    assert sorted(done) == list(range(100))

    def failing(item: int) -> None:
        if item == 7:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        each_in_threads(failing, range(100))


def test_a_spool_gives_every_thread_its_own_bytes() -> None:
    with Spool() as spool:
        kept = {number: spool.put(bytes([number]) * 999) for number in range(64)}
        start, wrong = threading.Barrier(8), list[int]()

        def read(number: int) -> None:
            if number < 8:
                start.wait()
            if kept[number]() != bytes([number]) * 999:
                wrong.append(number)

        each_in_threads(read, kept)
    assert not wrong


@pytest.mark.parametrize("size", [(48, 48), (48, 31), (100, 100), (300, 200), (1200, 900), (3, 2)])
def test_a_picture_is_looked_for_by_the_same_looks_as_by_every_margin(size: tuple[int, int]) -> None:
    frame = np.random.default_rng(5).integers(0, 256, (*size, 3), dtype=np.uint8)
    every = dict.fromkeys(look_of(frame, margins) for margins in same_picture._MARGINS)
    assert looks_asked([frame]) == tuple(every)
