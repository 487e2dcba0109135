"""Reads the pictures of samples and packs them as they are stored, in processes where that is quicker; their number changes no result."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain, islice
from pathlib import Path
from typing import Final, Self

import numpy as np

from bitface.dataset.incoming.import_rows import ImportRow
from bitface.dataset.incoming.lfs_pointers import unread_file
from bitface.dataset.incoming.oddities import finding_of
from bitface.errors import InputError, OverLimitError, WorkerEndedError
from bitface.faces.media.clip_limits import check_clip
from bitface.faces.media.same_picture import looks_asked, looks_kept
from bitface.pools import worker_processes
from bitface.ports import EncodeFrames, Frames, ReadImage

# Two processes are there after as long as one needs for so much.
_FRAMES_WORTH_PROCESSES: Final = 400
_BYTES_WORTH_PROCESSES: Final = 16 << 20
# Of one job: more would hold the packed pictures of a job up, and with it memory.
_JOB_FRAMES: Final = 32
_JOB_BYTES: Final = 2 << 20

_PROBE: Final = 48
_UNLIKE: Final = "the frames of this clip differ in size or label; make them the same"


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """A picture to be read, of a row: out of a file, or `pixels` that are there already; `cut` takes a part of it, or raises InputError."""

    row: int
    path: Path
    label: str
    cut: Callable[[Frames], Frames] | None = None
    pixels: Frames | None = field(default=None, repr=False)


Framed = Callable[[Sequence[ImportRow]], Sequence[Frame]]
"""How the frames of a sample's rows are read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """One sample as it would be stored. `sha256` is that of `media`; the looks are as in `faces.media.same_picture`."""

    media: bytes = field(repr=False)
    sha256: str
    looks: tuple[bytes, ...]
    asked: tuple[bytes, ...]

    @property
    def note(self) -> bytes:
        """All but the media, in JSON."""
        facts = {
            "sha256": self.sha256,
            "looks": [look.hex() for look in self.looks],
            "asked": [look.hex() for look in self.asked],
        }
        return json.dumps(facts).encode()

    @classmethod
    def noted(cls, note: bytes) -> Self:
        """What `note` says, without media."""
        facts = json.loads(note)
        looks, asked = (tuple(map(bytes.fromhex, facts[name])) for name in ("looks", "asked"))
        return cls(media=b"", sha256=facts["sha256"], looks=looks, asked=asked)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """Why a row of a sample is not taken, and the name of the finding."""

    row: int
    reason: str
    finding: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What became of a sample: packed of the rows in `readable`, or None of it; and each row that is not taken.

    `content` identifies the pixels that were read; where they were packed before, `packed` is None too.
    """

    packed: Packed | None = None
    readable: tuple[int, ...] = ()
    unread: tuple[Unread, ...] = ()
    content: bytes = b""


def _of_picture(error: InputError, path: Path) -> str:
    """What is wrong, without the name of the file, which stands beside the row."""
    name = f"{path.name!r} "
    return f"the picture {str(error).removeprefix(name)}" if str(error).startswith(name) else str(error)


@dataclass(frozen=True, kw_only=True)
class Packing:
    """What samples are packed with; everything here can be sent to a process."""

    read: ReadImage
    encode: EncodeFrames
    known: frozenset[bytes] = frozenset()
    """The content of samples that were packed before: they are read, and not packed again."""

    def answer(self, frames: Sequence[Frame]) -> Answer:
        """One sample of the rows of it that can be read; none of it where it is too large to be held."""
        pictures: list[Frames] = []
        readable: list[Frame] = []
        unread: list[Unread] = []
        for frame in frames:
            try:
                picture = self._pixels(frame)
            except InputError as error:
                finding = finding_of(error) or unread_file(frame.path, "unreadable_picture")
                unread.append(Unread(row=frame.row, reason=_of_picture(error, frame.path), finding=finding))
                continue
            try:
                check_clip(len(frames), sum(one.shape[0] * one.shape[1] for one in (*pictures, picture)))
            except OverLimitError as error:
                return Answer(unread=tuple(Unread(row=one.row, reason=str(error)) for one in frames))
            pictures.append(picture)
            readable.append(frame)
        if len({picture.shape for picture in pictures}) > 1 or len({frame.label for frame in readable}) > 1:
            unread += [Unread(row=frame.row, reason=_UNLIKE) for frame in readable]
            return Answer(unread=tuple(unread))
        return self._packed(pictures, [frame.row for frame in readable], unread)

    def content(self, pictures: Sequence[Frames]) -> bytes:
        """SHA-256 of the pixels of a sample's frames, which are of one size, and of how they are packed."""
        digest = hashlib.sha256(self._ways + f"{len(pictures)} frames of {pictures[0].shape}".encode())
        for picture in pictures:
            digest.update(np.ascontiguousarray(picture).data)
        return digest.digest()

    def packed(self, pictures: Sequence[Frames]) -> Packed:
        """A sample of these frames, as it would be stored."""
        media = self.encode(pictures, lossless=True)
        return Packed(
            media=media,
            sha256=hashlib.sha256(media).hexdigest(),
            looks=looks_kept(pictures),
            asked=looks_asked(pictures),
        )

    def content_of_part(self, source: bytes) -> bytes:
        """SHA-256 of what a sample is read from, where that is known without reading it, and of how it is packed."""
        return hashlib.sha256(self._ways + b"read from " + source).digest()

    @cached_property
    def _ways(self) -> bytes:
        """What becomes of a picture that is always the same: another version of a library may pack it otherwise."""
        rows, columns, colours = np.indices((_PROBE, _PROBE, 3))
        probe = self.packed([(rows * columns + 5 * rows * colours + 3 * columns).astype(np.uint8)])
        return hashlib.sha256(probe.note).digest()

    def _pixels(self, frame: Frame) -> Frames:
        picture = frame.pixels if frame.pixels is not None else self.read(frame.path, frame.path.name)
        return frame.cut(picture) if frame.cut else picture

    def _packed(self, pictures: Sequence[Frames], rows: Sequence[int], unread: Sequence[Unread]) -> Answer:
        if not pictures:
            return Answer(unread=tuple(unread))
        content = self.content(pictures)
        packed = None if content in self.known else self.packed(pictures)
        return Answer(packed=packed, readable=tuple(rows), unread=tuple(unread), content=content)


def answers(
    samples: Iterable[Sequence[ImportRow]], framed: Framed, packing: Packing, workers: int
) -> Iterator[tuple[Sequence[ImportRow], Answer]]:
    """What became of each sample, in their order, in up to `workers` processes where there is enough to read; the same whatever their
    number is.

    Raises:
        WorkerEndedError: a process was ended from outside; the message names the rows that were being read.
    """
    jobs = _jobs(samples)
    first = list(_enough(jobs)) if workers > 1 else []
    every = chain(first, jobs)
    if first and first[-1].is_enough:
        yield from _by_processes(every, framed, packing, workers)
    else:
        yield from ((rows, packing.answer(framed(rows))) for job in every for rows in job.samples)


def is_large(rows: Iterable[ImportRow]) -> bool:
    """Whether reading these takes long enough for several processes, and for keeping what an interrupted import has read."""
    return any(job.is_enough for job in _jobs([row] for row in rows))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """Samples that one process reads at once; `is_enough`: with those before it there is work for several processes."""

    samples: tuple[Sequence[ImportRow], ...]
    is_enough: bool


def _jobs(samples: Iterable[Sequence[ImportRow]]) -> Iterator[_Job]:
    """Samples in jobs of so many frames and bytes, where a sample is never divided."""
    own: list[Sequence[ImportRow]] = []
    frames = size = all_frames = all_size = 0
    for rows in samples:
        own.append(rows)
        frames, size = frames + len(rows), size + sum(map(size_of, rows))
        if frames >= _JOB_FRAMES or size >= _JOB_BYTES:
            all_frames, all_size = all_frames + frames, all_size + size
            yield _Job(samples=tuple(own), is_enough=_is_enough(all_frames, all_size))
            own, frames, size = [], 0, 0
    if own:
        yield _Job(samples=tuple(own), is_enough=_is_enough(all_frames + frames, all_size + size))


def _is_enough(frames: int, size: int) -> bool:
    return frames >= _FRAMES_WORTH_PROCESSES or size >= _BYTES_WORTH_PROCESSES


def size_of(row: ImportRow) -> int:
    """The size of a row's file, 0 where there is none."""
    try:
        return row.path.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _enough(jobs: Iterator[_Job]) -> Iterator[_Job]:
    """The first jobs, up to the one with which there are enough for processes."""
    for job in jobs:
        yield job
        if job.is_enough:
            return


def _by_processes(
    jobs: Iterable[_Job], framed: Framed, packing: Packing, workers: int
) -> Iterator[tuple[Sequence[ImportRow], Answer]]:
    running: deque[tuple[_Job, Future[tuple[Answer, ...]]]] = deque()
    rows_read = partial(_rows_of, running)
    with naming_rows(rows_read), worker_processes(workers, _open, (packing,)) as pool:
        waiting = iter(jobs)
        while True:
            # Few at a time: packed pictures would pile up where they are taken more slowly than they are made.
            for job in islice(waiting, 2 * workers - len(running)):
                running.append((job, pool.submit(_answers_here, tuple(framed(rows) for rows in job.samples))))
            if not running:
                return
            job, answered = running[0]
            found = answered.result()
            running.popleft()
            yield from zip(job.samples, found, strict=True)


@contextmanager
def naming_rows(read: Callable[[], Iterable[int]]) -> Iterator[None]:
    """Says which rows were being read when a process was ended from outside."""
    try:
        yield
    except WorkerEndedError as error:
        rows = list(read())
        between = f"rows {min(rows)} to {max(rows)}" if rows else "the last rows"
        raise WorkerEndedError(f"while {between} were read, {error}") from error


def _rows_of(running: Iterable[tuple[_Job, object]]) -> list[int]:
    return [row.row for job, _ in running for sample in job.samples for row in sample]


_HERE: list[Packing] = []


def _open(packing: Packing) -> None:
    _HERE[:] = [packing]


def _answers_here(samples: Sequence[Sequence[Frame]]) -> tuple[Answer, ...]:
    return tuple(map(_HERE[0].answer, samples))
