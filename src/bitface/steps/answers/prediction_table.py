"""Answers as a table: a row per face, and one for a picture, or a frame of a video, without any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bitface.documents import Document
from bitface.steps.answers.face_answers import Prediction

_BOX = ("x0", "y0", "x1", "y1")


def table_columns(emotions: Sequence[str]) -> list[str]:
    """path, face (a number from 0), x0, y0, x1, y1 (pixels), a column per emotion (probabilities), set (separated by spaces), abstained
    (yes or no), status, reason, `model` (its status line); of videos also frame, time_s, track (the number of the face in this file),
    and per emotion `smoothed_` and its name.
    """
    smoothed = [f"smoothed_{name}" for name in emotions]
    answer = ["set", "abstained", "status", "reason", "model"]
    return ["path", "face", *_BOX, *emotions, *answer, "frame", "time_s", "track", *smoothed]


def table_rows(row: Prediction, emotions: Sequence[str], model: str) -> Iterator[list[object]]:
    """The cells of one answer, None where there is nothing to say."""
    at = [None, None] if row.time_s is None else [row.frame, row.time_s]
    for number, face in enumerate(row.faces):
        yield [row.path, number, *_of_face(face, emotions), row.reason, model, *at, *_over_time(face, emotions)]
    if not row.faces:
        nothing = [None] * (len(_BOX) + len(emotions) + 3)
        yield [row.path, *nothing, row.status, row.reason, model, *at, *[None] * (1 + len(emotions))]


def _of_face(face: Document, emotions: Sequence[str]) -> list[object]:
    abstained, status = ("yes", "abstained") if face["abstained"] else ("no", "answered")
    return [*face["box"], *(face["emotions"].get(name) for name in emotions), " ".join(face["set"]), abstained, status]


def _over_time(face: Document, emotions: Sequence[str]) -> list[object]:
    smoothed = face.get("smoothed", {})
    return [face.get("track"), *(smoothed.get(name) for name in emotions)]
