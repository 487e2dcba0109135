"""Answers a video frame by frame, in the memory of a few frames; each face keeps its number, and what is damaged has a row."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bitface.documents import Document
from bitface.errors import InputError
from bitface.faces.media.video_limits import Gap, Sampling
from bitface.faces.tracks import Tracks
from bitface.ports import UNKNOWN, Report, Runtime, ShownFrame, TimedFrame
from bitface.steps.answers.face_answers import FaceAnswers, Prediction, ms_since, probabilities, unread
from bitface.steps.people.inputs import Input, Trouble, trouble_of

_REPORTED: Final = 10
"""Frames between two reports of progress."""
_ODDS_MAX: Final = 30.0


def answers_of_video(one: Input, answers: FaceAnswers, report: Report) -> Iterator[Prediction]:
    """A row per frame that is due, and one per part that cannot be read, in the order of time."""
    gaps: list[Gap] = []
    rows = answers_of_frames(one.path, answers.reader.watch(one.place, on_gap=gaps.append), answers)
    answered, progress = 0, f"frames of {one.path.name}"
    try:
        for row in rows:
            yield from _taken(gaps, one.path)
            yield row
            answered += 1
            if answered % _REPORTED == 0:
                report(progress, answered, UNKNOWN)
    except InputError as error:
        yield unread(one.path, trouble_of(error, one.path.name))
    report(progress, answered, answered)
    yield from _taken(gaps, one.path)


def answers_of_frames(path: Path, frames: Iterable[TimedFrame], answers: FaceAnswers) -> Iterator[Prediction]:
    """A row per frame that is due; the next is taken when its row is asked for."""
    video = _Video(answers=answers, path=path)
    for frame, (time_s, shown) in enumerate(frames):
        if video.is_due(time_s):
            yield video.row(frame, time_s, shown)


def _taken(gaps: list[Gap], path: Path) -> Iterator[Prediction]:
    """The rows of the parts that could not be read since the last call."""
    while gaps:
        gap = gaps.pop(0)
        trouble = Trouble(status="unreadable", reason=f"is damaged from {gap.text}, which has no answer; copy it again")
        yield replace(unread(path, trouble), time_s=round(gap.start_s, 3))


@dataclass(kw_only=True)
class _Video:
    """What is known of a video while it is read: when the next frame is due, which faces there were, and what they showed."""

    answers: FaceAnswers
    path: Path
    _due_s: float = 0.0
    _tracks: Tracks = field(default_factory=Tracks)
    _smoothed: dict[int, _Smoothed] = field(default_factory=dict)

    def is_due(self, time_s: float) -> bool:
        sampling = Sampling(every_s=self.answers.reader.every_s)
        is_due = sampling.is_due(time_s, self._due_s)
        self._due_s = sampling.due_after(time_s)
        return is_due

    def row(self, frame: int, time_s: float, shown: ShownFrame) -> Prediction:
        start = time.perf_counter()
        image = shown.pixels()
        spent_on_decoding = ms_since(start)
        seen, spent_on_looking = self.answers.look(image)
        row = self.answers.row(self.path, seen, {"decode": spent_on_decoding, "landmarks": spent_on_looking})
        numbers = self._tracks.numbers([face.box for face in seen[: len(row.faces)]], time_s, shown.glance())
        faces = tuple(self._followed(face, number, time_s) for face, number in zip(row.faces, numbers, strict=True))
        return replace(row, frame=frame, time_s=round(time_s, 3), faces=faces)

    def _followed(self, face: Document, track: int, time_s: float) -> Document:
        reader = self.answers.reader
        before = self._smoothed.setdefault(track, _Smoothed(over_s=reader.smoothing_s))
        return {**face, "track": track, "smoothed": before.with_next(face, reader.runtime, time_s)}


@dataclass(kw_only=True)
class _Smoothed:
    """The log odds of one face, averaged over time: what is `over_s` old counts 1/e of what is new (exponential smoothing)."""

    over_s: float
    _odds: NDArray[np.float64] | None = None
    _time_s: float = 0.0

    def with_next(self, face: Document, runtime: Runtime, time_s: float) -> dict[str, float]:
        """Emotion -> probability, of the frames so far."""
        odds = _log_odds(np.array([face["emotions"][name] for name in runtime.emotions]))
        if self._odds is not None and self.over_s > 0:
            kept = np.exp(-(time_s - self._time_s) / self.over_s)
            odds = kept * self._odds + (1 - kept) * odds
        self._odds, self._time_s = odds, time_s
        return probabilities(runtime, np.asarray(1 / (1 + np.exp(-odds))))


def _log_odds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(np.log(values) - np.log1p(-values), -_ODDS_MAX, _ODDS_MAX))
