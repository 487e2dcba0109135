"""Reads clips of videos and packs them as they are stored, in processes where that is quicker; what was read before is not read again."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

from bitface.dataset.incoming.import_rows import ImportRow, QuarantinedRow
from bitface.dataset.incoming.lfs_pointers import unread_file
from bitface.errors import InputError, OverLimitError
from bitface.faces.media.clip_limits import check_clip
from bitface.pools import worker_processes
from bitface.steps.people.reading.clips import Clip, VideoFile, Videos, read_clips
from bitface.steps.people.reading.sample_packing import Packed, Packing, naming_rows, size_of

# Two processes are there after as long as one needs for so much.
_CLIPS_WORTH_PROCESSES: Final = 16
_BYTES_WORTH_PROCESSES: Final = 16 << 20
# Of one job: more would hold its packed frames up, and with them memory; fewer would go back to a key frame more often.
_JOB_CLIPS: Final = 4
_JOB_SHORT_CLIPS: Final = 8
_JOB_S: Final = 30.0
_FINDING: Final = "unreadable_clip"


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedClip:
    """A clip as it would be stored; `lost`: which of its seconds cannot be read, in words. The rest is as in `Clip`."""

    packed: Packed
    frames: int
    fps: float
    remarks: tuple[str, ...] = ()
    lost: str = ""

    @property
    def note(self) -> bytes:
        """All but the media, in JSON."""
        facts = {"frames": self.frames, "fps": self.fps, "remarks": self.remarks, "lost": self.lost}
        return json.dumps({"packed": self.packed.note.decode(), **facts}).encode()

    @classmethod
    def noted(cls, note: bytes) -> Self:
        """What `note` says, without media."""
        facts = json.loads(note)
        packed = Packed.noted(facts.pop("packed").encode())
        return cls(packed=packed, remarks=tuple(facts.pop("remarks")), **facts)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipAnswer:
    """What became of a row: its clip, or why it is not taken; neither where it was read before, and is kept under `content`."""

    row: ImportRow
    clip: PackedClip | None = None
    refused: QuarantinedRow | None = None
    content: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipJob:
    """Parts of a video that are read at once."""

    file: VideoFile
    rows: tuple[ImportRow, ...]


@dataclass(frozen=True, kw_only=True)
class ClipPacking:
    """What clips are read and packed with; it can be sent to a process."""

    videos: Videos
    packing: Packing

    def answers(self, job: ClipJob) -> Iterator[ClipAnswer]:
        """Each row of a job, as it is complete."""
        left = {row.span: row for row in job.rows}
        try:
            for span, clip in read_clips(self.videos, job.file, tuple(left)):
                yield self._answer(job.file, left.pop(span), clip)
        except InputError as error:
            yield from (_unread(row, error) for row in left.values())

    def content(self, file: VideoFile, row: ImportRow) -> bytes:
        """What identifies a part of a video, and how it is read and packed."""
        return self.packing.content_of_part(file.facts.sha256 + repr((row.span, self.videos.params)).encode())

    def _answer(self, file: VideoFile, row: ImportRow, clip: Clip | None) -> ClipAnswer:
        """A row with its clip; refused where there is none, or it is too large, or of several sizes."""
        if clip is None:
            why = "no frame can be read in these seconds; correct start_s and end_s, or leave them empty"
            return ClipAnswer(row=row, refused=row.refused(why, _FINDING))
        if len({frame.shape for frame in clip.frames}) > 1:
            why = "the video changes its size; convert it to MP4 or WebM"
            return ClipAnswer(row=row, refused=row.refused(why, _FINDING))
        try:
            check_clip(len(clip.frames), sum(one.shape[0] * one.shape[1] for one in clip.frames))
        except OverLimitError as error:
            return ClipAnswer(row=row, refused=row.refused(str(error), _FINDING))
        packed = PackedClip(
            packed=self.packing.packed(clip.frames),
            frames=len(clip.frames),
            fps=clip.fps,
            remarks=clip.remarks,
            lost=", ".join(gap.text for gap in clip.gaps),
        )
        return ClipAnswer(row=row, clip=packed, content=self.content(file, row))


def clip_answers(
    rows: Sequence[ImportRow], packing: ClipPacking, known: Collection[bytes], workers: int
) -> Iterator[ClipAnswer]:
    """What became of each row, in up to `workers` processes where there is enough to read; the same whatever their number is.

    `known`: the contents that an interrupted import has; these are not read.

    Raises:
        WorkerEndedError: a process was ended from outside; the message names the rows that were being read.
    """
    work = _work(rows, packing, frozenset(known))
    if workers > 1 and are_many(rows):
        yield from _by_processes(work, packing, workers)
    else:
        for one in work:
            yield from (one,) if isinstance(one, ClipAnswer) else packing.answers(one)


def are_many(rows: Sequence[ImportRow]) -> bool:
    """Whether reading these takes long enough for several processes, and for keeping what an interrupted import has read."""
    sizes = {row.path: size_of(row) for row in rows}
    return len(rows) >= _CLIPS_WORTH_PROCESSES or sum(sizes.values()) >= _BYTES_WORTH_PROCESSES


def _work(rows: Iterable[ImportRow], packing: ClipPacking, known: frozenset[bytes]) -> Iterator[ClipJob | ClipAnswer]:
    """File by file: what need not be read, and jobs of parts that follow each other."""
    files: dict[Path, list[ImportRow]] = {}
    for row in rows:
        files.setdefault(row.path, []).append(row)
    for path, own in files.items():
        try:
            file = VideoFile(path=path, facts=packing.videos.describe(path))
        except InputError as error:
            yield from (_unread(row, error) for row in own)
            continue
        for part in _parts(file, own):
            contents = {row.row: packing.content(file, row) for row in part}
            kept = [row for row in part if contents[row.row] in known]
            yield from (ClipAnswer(row=row, content=contents[row.row]) for row in kept)
            if len(kept) < len(part):
                yield ClipJob(file=file, rows=tuple(row for row in part if contents[row.row] not in known))


def _parts(file: VideoFile, rows: Iterable[ImportRow]) -> Iterator[list[ImportRow]]:
    """Rows of a video in the order of time, as many as are read at once."""
    own: list[ImportRow] = []
    for row in sorted(rows, key=lambda row: (row.span.start_s, row.row)):
        if own and _is_full(file, own, row.span.start_s):
            yield own
            own = []
        own.append(row)
    if own:
        yield own


def _is_full(file: VideoFile, rows: Sequence[ImportRow], until_s: float) -> bool:
    """Whether these rows are enough at once; what can only be read from its beginning is read once for all of its parts."""
    lasts_s = until_s - rows[0].span.start_s
    enough = _JOB_CLIPS if lasts_s >= _JOB_S else _JOB_SHORT_CLIPS
    return file.facts.can_jump and len(rows) >= enough


def _unread(row: ImportRow, error: InputError) -> ClipAnswer:
    why = str(error).removeprefix(f"{row.path.name!r} ")
    return ClipAnswer(row=row, refused=row.refused(f"the video {why}", unread_file(row.path, _FINDING)))


_Running = deque[tuple[ClipJob, Future[tuple[ClipAnswer, ...]]]]


def _by_processes(work: Iterable[ClipJob | ClipAnswer], packing: ClipPacking, workers: int) -> Iterator[ClipAnswer]:
    running: _Running = deque()
    with naming_rows(partial(_rows_of, running)), worker_processes(workers, _open, (packing,)) as pool:
        for one in work:
            if isinstance(one, ClipAnswer):
                yield one
                continue
            # Of so many clips each is taken as it comes: they would lie in memory until the last one is read.
            if len(one.rows) > _JOB_SHORT_CLIPS:
                yield from packing.answers(one)
                continue
            running.append((one, pool.submit(_answers_here, one)))
            # Few at a time: packed frames would pile up where they are taken more slowly than they are made.
            if len(running) > workers + 1:
                yield from _first(running)
        while running:
            yield from _first(running)


def _first(running: _Running) -> tuple[ClipAnswer, ...]:
    found = running[0][1].result()
    running.popleft()
    return found


def _rows_of(running: _Running) -> list[int]:
    return [row.row for job, _ in running for row in job.rows]


_HERE: list[ClipPacking] = []


def _open(packing: ClipPacking) -> None:
    _HERE[:] = [packing]


def _answers_here(job: ClipJob) -> tuple[ClipAnswer, ...]:
    return tuple(_HERE[0].answers(job))
